"""The output folder: another program's files stay, and only screened scans are remembered."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medsym.errors import OutputError
from medsym.screening.folder import open_folder
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset_description.json", '{"Name": "My study", "BIDSVersion": "1.10.0"}'),
        ("dataset_description.json", '{"GeneratedBy": [{"Name": "fMRIPrep"}]}'),
        ("dataset_description.json", "not JSON"),
        ("index.html", "<h1>My home page</h1>"),
        ("screening.tsv", "my\ttable\n"),
    ],
)
def test_a_folder_of_another_program_is_refused_and_kept(
    tmp_path: Path, name: str, text: str
) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    out = tmp_path / "study"
    out.mkdir()
    (out / name).write_text(text)
    before = contents(out)
    with pytest.raises(OutputError, match="MS-156") as refusal:
        run([scan], out, tmp_path / "model")
    assert name in str(refusal.value)
    assert contents(out) == before
    assert [path.name for path in out.iterdir()] == [name]


@pytest.mark.parametrize("lost", ["dataset_description.json", "index.html", "screening.tsv"])
def test_a_folder_of_medsym_is_opened_again(tmp_path: Path, lost: str) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    out = tmp_path / "out"
    run([scan], out, tmp_path / "model")
    (out / lost).unlink()
    assert open_folder(out) == out.resolve()


def test_a_folder_with_scans_and_no_results_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert open_folder(tmp_path) == tmp_path.resolve()


def test_runs_that_start_together_open_one_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = set(pool.map(lambda _: open_folder(tmp_path / "out"), range(400)))
    assert opened == {(tmp_path / "out").resolve()}
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["logs"]


def test_a_refused_scan_leaves_the_remembered_places_alone(tmp_path: Path) -> None:
    first = store(tmp_path / "a" / "sub-01_T1w.nii.gz", scale=0.7)
    other = store(tmp_path / "b" / "sub-01_T1w.nii.gz", scale=0.6)
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_text("<html>")
    out = tmp_path / "out"
    run([first], out, tmp_path / "model")
    outcome = run([other, bad], out, tmp_path / "model")
    assert [row["code"] for row in outcome.failures] == ["MS-152", outcome.failures[1]["code"]]
    sources = json.loads((out / "logs" / "sources.json").read_text())
    assert sources == {"sub-01_T1w": str(first)}
