"""`medsym bids` and `medsym-bids` at the terminal; what they write is a BIDS derivative."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medsym import cli
from medsym.calibration.reference import REFERENCE_FILE, save_reference
from medsym.cli import main
from medsym.screening.folder import open_folder
from medsym.screening.shards import part_lock
from medsym.screening.table import read_failures
from tests.builders_case import fake_model, flat_reference
from tests.screening.quick_run import store

pytestmark = pytest.mark.usefixtures("known_plane")
VALIDATOR = "bids-validator-deno"
#: No worker processes: they would read the model from its folder.
ALONE = ("--workers", "0")


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    model = fake_model(folder)
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    monkeypatch.setattr("medsym.models.store.load_model", lambda _=None, **_more: model)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    store(data / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_T1w.nii.gz")
    store(data / "sub-02" / "anat" / "sub-02_T1w.nii.gz", scale=0.7)  # not assessable: quick
    store(data / "sub-02" / "anat" / "sub-02_FLAIR.nii.gz", scale=0.6)
    about = {"Name": "x", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:10.18112/openneuro.ds1.v1"}
    (data / "dataset_description.json").write_text(json.dumps(about))
    return data


def cases(out: Path) -> list[str]:
    return sorted(path.name.removesuffix("_case.json") for path in out.rglob("*_case.json"))


def test_participants_then_group(root: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    out = tmp_path / "out"
    assert (
        main(["bids", str(root), str(out), "participant", *ALONE, "--participant-label", "sub-02"])
        == 0
    )
    assert cases(out) == ["sub-02_FLAIR", "sub-02_T1w"]
    assert "the level 'group' writes the tables" in capsys.readouterr().out
    assert not (out / "index.html").exists()
    monkeypatch.setattr(sys, "argv", ["medsym-bids", str(root), str(out), "participant", *ALONE])
    assert cli.bids_app() == 0
    assert cases(out) == ["sub-01_ses-1_T1w", "sub-02_FLAIR", "sub-02_T1w"]
    assert "2 kept from before" in capsys.readouterr().out
    tables = [out / name for name in ("screening.tsv", "screening.json", "index.html")]
    before = [path.read_bytes() for path in tables]
    for path in tables:
        path.unlink()
    monkeypatch.setattr(
        "medsym.models.store.load_model", lambda _=None, **_more: 1 / 0
    )  # no screening
    assert main(["bids", str(root), str(out), "group"]) == 0
    assert [path.read_bytes() for path in tables] == before
    described = json.loads((out / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative"
    assert described["GeneratedBy"][0]["Name"] == "medsym"
    (source,) = described["SourceDatasets"]
    assert source["DOI"] == "doi:10.18112/openneuro.ds1.v1"
    _validate(out)


def test_jobs_of_single_participants_share_a_folder(root: Path, tmp_path: Path, capsys) -> None:
    out = open_folder(tmp_path / "out")
    for scan in (root / "sub-02" / "anat").iterdir():
        scan.write_text("<html>")  # quick to refuse
    job = ["bids", str(root), str(out), "participant", *ALONE, "--participant-label", "02"]
    group = ["bids", str(root), str(out), "group"]
    with part_lock(out):  # another job is at work
        assert main(job) == 1
        store(root / "sub-02" / "anat" / "sub-02_T1w.nii.gz", scale=0.7)
        assert main(job) == 1
        assert main(group) == 75
    assert "MS-151" in capsys.readouterr().err
    assert not (out / "failures.tsv").exists()
    assert main(group) == 0
    assert [row["case"] for row in read_failures(out / "failures.tsv")] == ["sub-02_FLAIR"]
    assert "sub-02_T1w" in (out / "screening.tsv").read_text()
    assert list((out / "logs" / "parts").iterdir()) == []
    assert list(out.glob(".medsym*")) == []


def _validate(out: Path) -> None:
    """The official validator finds no error, where it is installed."""
    if shutil.which(VALIDATOR) is None:
        return
    command = [VALIDATOR, "--format", "json", str(out)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    issues = json.loads(found.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    names = {issue["location"] for issue in issues}
    assert names <= {"/dataset_description.json", *(n for n in names if n.endswith("_dseg.tsv"))}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["participant", "--participant_label", "3"], "MS-551"),
        (["participant", "--session-label", "9"], "MS-551"),
        (["group"], "MS-154"),
        (["group", "--participant-label", "01"], "MS-555"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    root: Path, tmp_path: Path, capsys, arguments, code
) -> None:
    out = tmp_path / "out"
    assert main(["bids", str(root), str(out), *arguments]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(code)
    assert shown.count("\n") == 1
    assert not out.exists()


def test_the_data_set_itself_is_no_output_folder(root: Path, capsys) -> None:
    before = sorted(root.rglob("*"))
    assert main(["bids", str(root), str(root / "sub-01" / ".."), "participant"]) == 2
    assert "MS-554" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


def test_results_inside_the_data_set_are_not_screened_again(root: Path) -> None:
    out = root / "derivatives" / "medsym"
    choice = ["--participant-label", "02"]
    assert main(["bids", str(root), str(out), "participant", *ALONE, *choice]) == 0
    assert main(["bids", str(root), str(out), "participant", *ALONE, *choice]) == 0
    assert cases(out) == ["sub-02_FLAIR", "sub-02_T1w"]


def test_a_bad_table_is_a_warning_and_the_columns_of_a_good_one_are_said(
    root: Path, tmp_path: Path, capsys
) -> None:
    run = ["bids", str(root), str(tmp_path / "out"), "participant", *ALONE]
    run += ["--participant-label", "02"]
    (root / "participants.tsv").write_text("participant_id\tage\tage\n02\t1\t2\n")
    assert main(run) == 0
    shown = capsys.readouterr()
    assert "warning: MS-509" in shown.err
    assert "columns about" not in shown.out
    (root / "participants.tsv").write_text("participant_id\tsex\tage\n02\tF\t2\n")
    assert main(run) == 0
    assert "columns about the scans: age, sex" in capsys.readouterr().out
