"""The cache: found by content, whole or absent, the same numbers as without it."""

import io
import multiprocessing
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from medsym.datasets import cache
from medsym.datasets.cache import Request, entry_of, facts, is_cached, open_cache, prepared
from medsym.datasets.prepare import PreparedSample
from medsym.errors import ConfigError, ScanError
from medsym.volumes.frame import SymmetricGrid
from tests.datasets.samples import GRID, sample, written_scan


def request(folder: Path, name: str = "a", **changes: object) -> Request:
    asked = Request(scan=written_scan(folder, name), grid=GRID, labels=(), stated_side=None)
    return replace(asked, **changes)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Preparations that were really done; each takes no time."""
    done: list[Path] = []

    def quick(scan: object, **_: object) -> PreparedSample:
        done.append(scan.path)  # type: ignore[attr-defined]
        return sample(seed=len(done), notes=("a note",))

    monkeypatch.setattr(cache, "prepare_sample", quick)
    return done


def assert_same(first: PreparedSample, second: PreparedSample) -> None:
    for part in fields(PreparedSample):
        np.testing.assert_array_equal(getattr(first, part.name), getattr(second, part.name))


def test_second_reading_prepares_nothing_and_gives_the_same(
    tmp_path: Path, calls: list[Path]
) -> None:
    asked = request(tmp_path)
    assert not is_cached(asked, folder=tmp_path)
    first = prepared(asked, folder=tmp_path)
    assert is_cached(asked, folder=tmp_path)
    assert_same(first, prepared(asked, folder=tmp_path))
    assert len(calls) == 1


def test_volumes_come_back_as_they_were_prepared(tmp_path: Path, calls: list[Path]) -> None:
    found, made = prepared(request(tmp_path), folder=tmp_path), sample(seed=1, notes=("a note",))
    for name in ("brain", "view", "lesion", "grid_to_world"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
    for name in ("head", "window"):
        np.testing.assert_allclose(getattr(found, name), getattr(made, name), atol=1e-3)
        assert getattr(found, name).dtype == np.float32
    assert (found.notes, found.has_mask) == (made.notes, True)
    assert len(calls) == 1


def test_moved_files_are_found_and_changed_files_are_prepared_again(
    tmp_path: Path, calls: list[Path]
) -> None:
    asked = request(tmp_path)
    prepared(asked, folder=tmp_path)
    moved = asked.scan.path.rename(tmp_path / "other.nii")
    asked = replace(asked, scan=replace(asked.scan, path=moved))
    prepared(asked, folder=tmp_path)
    assert len(calls) == 1
    for number, path in enumerate((moved, asked.scan.mask), start=2):
        assert path is not None
        path.write_text(f"changed {number}")
        os.utime(path, ns=(number, number))
        prepared(asked, folder=tmp_path)
        assert len(calls) == number


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": (1,)},
        {"stated_side": "left"},
        {"grid": SymmetricGrid(shape=GRID.shape, spacing_mm=11.0)},
        {"grid": SymmetricGrid(shape=(16, 16, 18), spacing_mm=12.0)},
    ],
)
def test_whatever_changes_the_numbers_changes_the_entry(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    asked = request(tmp_path)
    assert entry_of(asked, folder=tmp_path) != entry_of(replace(asked, **changes), folder=tmp_path)
    volume = replace(asked, scan=replace(asked.scan, volume_index=1))
    assert entry_of(asked, folder=tmp_path) != entry_of(volume, folder=tmp_path)
    bare = replace(asked, scan=replace(asked.scan, mask=None))
    assert entry_of(asked, folder=tmp_path) != entry_of(bare, folder=tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "text", "pickle", "empty"])
def test_damaged_entry_is_made_again(tmp_path: Path, calls: list[Path], damage: str) -> None:
    asked = request(tmp_path)
    first = prepared(asked, folder=tmp_path)
    entry = entry_of(asked, folder=tmp_path)
    whole = entry.read_bytes()
    objects = io.BytesIO()
    np.savez(objects, about=np.array([object()], dtype=object))
    content = {"truncated": whole[:-200], "text": b"x", "pickle": objects.getvalue(), "empty": b""}
    entry.write_bytes(content[damage])
    again = prepared(asked, folder=tmp_path)
    np.testing.assert_array_equal(again.lesion, first.lesion)
    assert len(calls) == 2
    entry.write_bytes(content[damage])
    assert facts(asked, folder=tmp_path).has_mask
    assert len(calls) == 3


def test_facts_say_on_which_side_the_lesion_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("left", "right"):
        made = sample(side=side)
        monkeypatch.setattr(cache, "prepare_sample", lambda _scan, made=made, **_: made)
        found = facts(request(tmp_path, side), folder=tmp_path)
        assert (found.left_ml > 0, found.right_ml > 0) == (side == "left", side == "right")
        assert found.left_ml + found.right_ml == pytest.approx(found.lesion_ml)


def test_missing_file_is_named(tmp_path: Path) -> None:
    asked = request(tmp_path)
    asked.scan.path.unlink()
    with pytest.raises(ScanError, match=r"MS-101 .*a.nii: cannot be read .*datalad get"):
        entry_of(asked, folder=tmp_path)


def test_cache_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"MS-358 .*cannot be used as data.cache"):
        open_cache(tmp_path / "file")
    open_cache(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()


def _write_and_read(folder: Path, asked: Request) -> int:
    """In another process: write the same entry many times, read it every time."""
    cache.prepare_sample = lambda *_args, **_options: sample(seed=3)  # type: ignore[assignment]
    entry = entry_of(asked, folder=folder)
    total = 0
    for _ in range(15):
        entry.unlink(missing_ok=True)
        total += int(prepared(asked, folder=folder).lesion.sum())
    return total


@pytest.mark.slow
def test_processes_that_write_one_entry_at_once_all_read_whole_samples(tmp_path: Path) -> None:
    asked = request(tmp_path)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        totals = pool.starmap(_write_and_read, [(tmp_path, asked)] * 3)
    assert set(totals) == {15 * int(sample(seed=3).lesion.sum())}
    assert not list(tmp_path.glob("*.tmp"))
