"""Screening a case again: nothing of the old result stays, and whatever was changed is noticed."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from medsym import __version__
from medsym.cli import main
from medsym.screening.conclusion import altered_tables, cases_beside_tables
from medsym.screening.progress import Progress
from medsym.screening.recompute import recomputing
from medsym.screening.records import damaged_files, read_record
from medsym.screening.runner import ScreenOptions
from medsym.screening.shards import Shard
from tests.screening.quick_run import patch_known_plane, run, store

pytestmark = pytest.mark.usefixtures("known_plane")
OVERWRITE = ScreenOptions(replace="all")


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan and its results, made once and copied for every test."""
    folder = tmp_path_factory.mktemp("screened")
    with pytest.MonkeyPatch.context() as patch:
        patch_known_plane(patch)
        run([store(folder / "sub-01_T1w.nii.gz")], folder / "out", folder / "model")
    return folder


@pytest.fixture
def scan(screened: Path, tmp_path: Path) -> Path:
    return shutil.copy(screened / "sub-01_T1w.nii.gz", tmp_path / "sub-01_T1w.nii.gz")


@pytest.fixture
def out(screened: Path, tmp_path: Path) -> Path:
    return shutil.copytree(screened / "out", tmp_path / "out")


def record_of(out: Path) -> Path:
    return out / "sub-01" / "anat" / "sub-01_T1w_case.json"


def test_maps_of_a_case_that_is_no_longer_assessable_are_gone(out, scan, tmp_path) -> None:
    store(scan, scale=0.7)
    (record,) = run([scan], out, tmp_path / "model", options=OVERWRITE).records
    assert record["assessable"] is False
    assert list(record["files"]) == ["report"]
    assert [path.name for path in (out / "sub-01" / "anat").iterdir()] == ["sub-01_T1w_case.json"]
    assert "Not assessable" in (out / "sub-01_T1w.html").read_text()


def test_maps_go_even_if_their_record_is_lost(out, scan, tmp_path) -> None:
    record_of(out).unlink()
    store(scan, scale=0.7)
    run([scan], out, tmp_path / "model")
    assert [path.name for path in (out / "sub-01" / "anat").iterdir()] == ["sub-01_T1w_case.json"]


def test_an_interrupted_case_leaves_no_page_of_the_old_result(
    out, scan, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("medsym.screening.outputs.write_map", lambda *_, **__: 1 / 0)
    run([scan], out, tmp_path / "model", options=OVERWRITE)
    assert not record_of(out).exists()
    assert not (out / "sub-01_T1w.html").exists()


def test_a_stale_page_is_noticed_and_written_again(out, scan, tmp_path) -> None:
    page = out / "sub-01_T1w.html"
    page.write_text("the page of an older result")
    assert damaged_files(read_record(record_of(out)), out=out) == ["sub-01_T1w.html"]
    outcome = run([scan], out, tmp_path / "model")
    assert outcome.resumed == 0
    assert "sub-01_T1w" in page.read_text()
    assert damaged_files(outcome.records[0], out=out) == []


def test_the_page_is_written_before_the_record(out, scan, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("medsym.screening.outputs.case_pictures", lambda *_, **__: 1 / 0)
    outcome = run([scan], out, tmp_path / "model", options=OVERWRITE)
    assert outcome.failures[0]["code"] == "MS-190"
    assert not record_of(out).exists()


@pytest.mark.parametrize("damage", ['{"schema": 1}', "[1, 2]", "{", "edit", "[" * 100_000])
def test_a_malformed_record_is_named_and_the_others_go_on(tmp_path: Path, damage: str) -> None:
    out, model, path = tmp_path / "out", tmp_path / "model", record_of(tmp_path / "out")
    scan = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    run([scan], out, model)
    edited = path.read_text().replace('"assessable": false', '"assessable": true')
    path.write_text(edited if damage == "edit" else damage)
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_text("<html>")
    outcome = run([bad], out, model)
    assert [error.code for error in outcome.damaged] == ["MS-153"]
    assert "sub-01_T1w_case.json" in str(outcome.damaged[0])
    assert outcome.records == ()
    repaired = run([scan], out, model)
    assert repaired.damaged == ()
    assert [record["case"] for record in repaired.records] == ["sub-01_T1w"]
    assert repaired.resumed == 0


def test_records_and_tables_have_to_agree(out) -> None:
    assert cases_beside_tables(out) == ([], [])
    tables = (out / "screening.json").read_text()
    (out / "screening.json").unlink()
    assert cases_beside_tables(out) == ([], ["sub-01_T1w"])
    (out / "screening.json").write_text(tables)
    record_of(out).unlink()
    assert cases_beside_tables(out) == (["sub-01_T1w"], [])


def test_tables_and_index_have_to_be_what_the_cases_give(out, tmp_path) -> None:
    refused = tmp_path / "=1+1\u202e.nii.gz"  # neither a formula nor odd characters reach a table
    refused.write_text("<html>")
    run([refused], out, tmp_path / "model")
    assert altered_tables(out) == []
    for name, old, new, named in [
        ("screening.tsv", "sub-01_T1w", "sub-01_T2w", "screening.tsv"),
        ("screening.json", "true", "false", "screening.json"),
        ("index.html", "</html>", "", "index.html"),
        ("failures.tsv", "file\tcase", "case\tfile", "failures.tsv"),
        ("failures.tsv", "web page", "good scan", "index.html"),
    ]:
        text = (out / name).read_text()
        assert old in text
        (out / name).write_text(text.replace(old, new, 1))
        assert named in altered_tables(out)
        assert main(["verify", str(out)]) == 1
        (out / name).write_text(text)
    assert altered_tables(out) == []
    (out / "scores.tsv").write_text("case\n")
    os.utime(out / "index.html", (0, 0))
    assert altered_tables(out) == []  # scores came later; the next run shows them
    (out / "index.html").unlink()
    assert altered_tables(out) == ["index.html"]


def test_tables_of_another_version_are_not_judged(out, capsys) -> None:
    path = out / "dataset_description.json"
    path.write_text(path.read_text().replace(__version__, "0.0.1"))
    (out / "index.html").write_text("older")
    assert main(["verify", str(out)]) == 0
    assert "not compared: they are of medsym 0.0.1" in capsys.readouterr().out


def test_a_refused_scan_leaves_no_earlier_result_beside_it(out, scan, tmp_path) -> None:
    good = scan.read_bytes()
    scan.write_text("<html>")
    outcome = run([scan], out, tmp_path / "model", options=OVERWRITE)
    assert outcome.records == ()
    assert (out / "screening.tsv").read_text().count("\n") == 1
    assert "sub-01_T1w\tMS-" in (out / "failures.tsv").read_text()
    assert json.loads((out / "screening.json").read_text())["cases"] == []
    scan.write_bytes(good)  # the same scan again: its result was kept on disk
    again = run([scan], out, tmp_path / "model")
    assert (again.resumed, len(again.records)) == (1, 1)


def test_one_scan_under_two_names_is_reported(out, scan, tmp_path) -> None:
    copy = tmp_path / "copy.nii.gz"
    copy.write_bytes(scan.read_bytes())
    assert run([copy], out, tmp_path / "model").twins == (("sub-01_T1w", "sub-copy"),)


def test_a_recomputation_that_was_cut_off_goes_on_and_a_new_one_begins_anew(
    out, scan, tmp_path
) -> None:
    scans = [scan, store(tmp_path / "sub-02_T1w.nii.gz", scale=0.7)]
    run(scans, out, tmp_path / "model")

    def cut(progress: Progress) -> None:
        if (progress.name, progress.stage) == ("sub-02_T1w", "read"):
            raise KeyboardInterrupt

    def recomputed() -> list[str]:
        told: list[str] = []
        run(
            scans,
            out,
            tmp_path / "model",
            options=OVERWRITE,
            progress=lambda progress: told.append(progress.stage),
        )
        return [stage for stage in told if stage in {"done", "not assessable", "resumed"}]

    with pytest.raises(KeyboardInterrupt):
        run(scans, out, tmp_path / "model", options=OVERWRITE, progress=cut)
    assert recomputed() == ["resumed", "not assessable"]
    assert recomputed() == ["done", "not assessable"]


def test_a_mark_of_a_recomputation_is_believed_by_nothing_but_the_same_kind_of_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    halves = [Shard(index=index, count=2) for index in (1, 2)]

    def since(shard=None, *, cut=False, part=False, weights="a", options=OVERWRITE) -> int | None:
        held = recomputing(tmp_path, options, model={"sha256": weights}, shard=shard, is_part=part)
        with suppress(KeyboardInterrupt), held as chosen:
            if cut:
                raise KeyboardInterrupt
            return chosen.recomputing_since
        return (tmp_path / "logs" / "recomputing").stat().st_mtime_ns

    def marks() -> list[str]:
        return sorted(path.name for path in (tmp_path / "logs").iterdir())

    began = since(cut=True)
    assert since(cut=True) == began
    others = [
        lambda: [since(half) for half in halves],
        lambda: since(halves[0], options=ScreenOptions()),
        lambda: since(part=True),
        lambda: since(options=ScreenOptions()),
        lambda: since(options=ScreenOptions(), weights="b"),
    ]
    for other in others:
        since(cut=True)
        other()
        assert marks() == []
    with suppress(OSError):
        since(halves[0], cut=True)
    assert marks() == ["recomputing-1-of-2"]
    since(halves[1])
    assert marks() == ["recomputing-1-of-2"]
    since()
    assert marks() == []
    began = since(cut=True)
    monkeypatch.setattr("medsym.screening.recompute.software", lambda: {"torch": "another"})
    assert since(cut=True) > began
