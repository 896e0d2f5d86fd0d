"""Preparing a data set: what fails is named and counted, too much of it stops the run."""

from dataclasses import replace
from pathlib import Path

import pytest

from medsym.datasets import cache
from medsym.datasets.prepare import PreparedSample
from medsym.datasets.settings import DataSettings
from medsym.datasets.survey import prepare_all, refuse_twins, requests_of
from medsym.datasets.tally import tell_contents
from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError, OutputError, ScanError
from tests.datasets.samples import GRID, sample, visit, written_scan


def settings(folder: Path, **changes: object) -> DataSettings:
    return DataSettings.model_validate(
        {"layout": "bids", "folder": folder, "cache": folder / "cache", **changes}
    )


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of scans that the reader refuses; the others are prepared at once."""
    names: set[str] = set()

    def quick(scan: VisitScan, **_: object) -> PreparedSample:
        if scan.path.stem in names:
            raise ScanError(code="MS-101", subject=scan.path.name, cause="is cut off", fix="Copy")
        return sample(side="left" if "l" in scan.path.stem else None)

    monkeypatch.setattr(cache, "prepare_sample", quick)
    return names


def twenty(folder: Path) -> tuple[Visit, ...]:
    return tuple(visit(folder, f"s{n:02d}") for n in range(20))


def survey(visits: tuple[Visit, ...], how: DataSettings) -> tuple[tuple[Visit, ...], list[str]]:
    lines: list[str] = []
    found = prepare_all(visits, settings=how, grid=GRID, report=lines.append)
    return found, lines


def test_unusable_scan_is_named_counted_and_left_out(tmp_path: Path, bad: set[str]) -> None:
    bad.add("s07")
    found, lines = survey(twenty(tmp_path), settings(tmp_path))
    assert [v.subject for v in found] == [f"s{n:02d}" for n in range(20) if n != 7]
    text = "\n".join(lines)
    assert "left out: s07 T1w: MS-101 s07.nii: is cut off" in text
    assert "1 scans of 1 of 20 subjects cannot be used and are left out: s07" in text


@pytest.mark.parametrize("drawn_on", [None, "T1w"])
def test_misplaced_mask_is_dropped_for_every_scan_of_its_visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_on: str | None
) -> None:
    def quick(scan: VisitScan, **_: object) -> PreparedSample:
        if scan.path.stem == "s03":
            raise ScanError(code="MS-351", subject="m", cause="lies elsewhere", fix="Look")
        return sample()

    monkeypatch.setattr(cache, "prepare_sample", quick)
    visits = list(twenty(tmp_path))
    (own,) = visits[3].scans
    other = replace(written_scan(tmp_path, "o"), contrast="T2w", mask=own.mask, drawn_on=drawn_on)
    bare = replace(written_scan(tmp_path, "b", masked=False), contrast="CT")
    visits[3] = replace(visits[3], scans=(bare, own, other))
    for _ in range(2):  # from the cache too
        found, lines = survey(tuple(visits), settings(tmp_path))
        (rest,) = (v for v in found if v.subject == "s03")
        assert rest.scans == (bare,)
        assert "left out: s03 T2w: MS-351" in "\n".join(lines)


def test_scan_that_borrows_a_mask_does_not_judge_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(scan: VisitScan, **_: object) -> PreparedSample:
        if scan.drawn_on is not None:
            raise ScanError(code="MS-351", subject="m", cause="lies elsewhere", fix="Look")
        return sample()

    monkeypatch.setattr(cache, "prepare_sample", quick)
    visits = list(twenty(tmp_path))
    (own,) = visits[3].scans
    other = replace(written_scan(tmp_path, "o"), contrast="T2w", mask=own.mask, drawn_on="T1w")
    visits[3] = replace(visits[3], scans=(own, other))
    found, _ = survey(tuple(visits), settings(tmp_path))
    assert found[3].scans == (own,)


def test_a_tenth_of_unusable_subjects_stops_the_run(tmp_path: Path, bad: set[str]) -> None:
    bad.update({"s07", "s08"})
    visits = twenty(tmp_path)
    with pytest.raises(ConfigError, match=r"MS-354 .*2 of 20 .*limit 10 %.* MS-101 s07.nii"):
        survey(visits, settings(tmp_path))
    found, _ = survey(visits, settings(tmp_path, unreadable_share=0.11))
    assert len(found) == 18


def test_file_that_is_gone_counts_as_unusable(tmp_path: Path, bad: set[str]) -> None:
    visits = twenty(tmp_path)
    visits[3].scans[0].path.unlink()
    found, lines = survey(visits, settings(tmp_path))
    assert (len(found), bad) == (19, set())
    assert any("left out: s03 T1w: MS-101" in line for line in lines)


def test_full_disk_is_not_taken_for_an_unusable_scan(
    tmp_path: Path, bad: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(target: Path, *_: object) -> str:
        raise OutputError(code="MS-141", subject=str(target), cause="no space", fix="Free some")

    visits = twenty(tmp_path)
    survey(visits[:1], settings(tmp_path))
    monkeypatch.setattr(cache, "write_atomically", full)
    with pytest.raises((OutputError, ConfigError), match="no space"):
        survey(visits, settings(tmp_path))
    assert not bad


def test_result_does_not_depend_on_where_a_process_begins(tmp_path: Path, bad: set[str]) -> None:
    bad.add("s07")
    visits, how = twenty(tmp_path), settings(tmp_path)
    found = [
        prepare_all(visits, settings=how, grid=GRID, start=start, report=lambda _line: None)
        for start in (0.0, 0.5, 0.95)
    ]
    assert found[0] == found[1] == found[2]


def test_one_scan_under_two_names_on_both_sides_is_refused(tmp_path: Path) -> None:
    visits = tuple(visit(tmp_path, f"t{n:02d}", content=f"scan {n % 15}") for n in range(30))
    with pytest.raises(ConfigError, match=r"MS-356 .*one and the same scan .*: t"):
        refuse_twins(visits, settings=settings(tmp_path, test_share=0.5))
    pairs = [[f"t{n:02d}", f"t{n + 15:02d}"] for n in range(15)]
    refuse_twins(visits, settings=settings(tmp_path, test_share=0.5, together=pairs))


def contents(folder: Path, names: list[str], **changes: object) -> list[str]:
    lines: list[str] = []
    how = settings(folder, **changes)
    found = prepare_all(
        tuple(visit(folder, name) for name in names), settings=how, grid=GRID, report=lines.append
    )
    asked = [request for _, request in requests_of(found, settings=how, grid=GRID)]
    tell_contents(asked, settings=how, report=lines.append)
    return lines


def test_sides_and_volumes_are_told(tmp_path: Path, bad: set[str]) -> None:
    (told,) = [line for line in contents(tmp_path, ["l1", "l2", "n1"]) if "masks" in line]
    assert told.startswith("lesions in 2 of 3 masks, median ")
    assert told.endswith("100 % of the volume on the patients' left")
    assert not bad


def test_labels_that_no_mask_holds_are_refused(tmp_path: Path, bad: set[str]) -> None:
    with pytest.raises(ConfigError, match=r"MS-357 .*none of 2 masks holds one of \[9\]"):
        contents(tmp_path, ["n1", "n2"], lesion_labels=[9])
    assert not bad
