"""`medsym screen` and `verify` at the terminal: wrong use, interruption, closed output."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.reference import REFERENCE_FILE, save_reference
from medsym.cli import main
from medsym.commands.console import ProgressLine, complain, say
from medsym.screening import runner
from medsym.screening.lock import LOCK_FILE
from medsym.screening.progress import Progress
from tests.builders_case import fake_model, flat_reference
from tests.screening.quick_run import store

pytestmark = pytest.mark.usefixtures("known_plane")


class ClosedPipe:
    """Standard output whose reader is gone."""

    encoding = "utf-8"
    closed = False

    def isatty(self) -> bool:
        return False

    def write(self, _text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError

    def fileno(self) -> int:
        raise OSError


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    model = fake_model(folder)
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    monkeypatch.setattr("medsym.models.store.load_model", lambda _=None, **_more: model)


def tiny(path: Path) -> Path:
    """A head that is not assessable, which is quick to find out."""
    return store(path, scale=0.7)


def screen(tmp_path: Path, *arguments: object) -> int:
    here = ("--workers", "0")  # what these tests replace, they replace in this process
    return main(["screen", "--out", str(tmp_path / "out"), *here, *map(str, arguments)])


@pytest.mark.parametrize(
    "option",
    [
        *(f"--max-gib={value}" for value in ("nan", "0", "-1", "-inf")),
        *(f"--assume-orientation={value}" for value in ("RAX", "RA", "", "LLS", "north")),
    ],
)
def test_a_wrong_option_is_refused_before_any_scan(tmp_path: Path, capsys, option: str) -> None:
    scan = tmp_path / "sub-01_T1w.nii.gz"
    scan.write_text("<html>")
    assert screen(tmp_path, scan, option) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert option.partition("=")[0] in shown.err
    assert shown.out.strip() == RESEARCH_USE_ONLY
    assert not (tmp_path / "out").exists()


def test_an_orientation_may_be_written_small(tmp_path: Path, monkeypatch) -> None:
    codes = []
    monkeypatch.setattr(runner, "read_scan", lambda *_, **k: codes.append(k) or 1 / 0)
    screen(tmp_path, "x.nii", "--assume-orientation", "lps")
    assert [given["assume_orientation"] for given in codes] == ["LPS"]


def test_a_request_to_end_leaves_whole_tables_and_no_lock(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    read_scan = runner.read_scan

    def terminate(path: Path, **options: object) -> object:
        if path.name.startswith("sub-02"):
            os.kill(os.getpid(), signal.SIGTERM)
        return read_scan(path, **options)

    monkeypatch.setattr(runner, "read_scan", terminate)
    scans = [tiny(tmp_path / f"sub-0{n}_T1w.nii.gz") for n in (1, 2)]
    assert screen(tmp_path, *scans) == 130
    out = tmp_path / "out"
    assert (out / "screening.tsv").read_text().count("sub-0") == 2  # case and file of one row
    assert (out / "failures.tsv").is_file()
    assert "sub-01_T1w" in (out / "index.html").read_text()
    assert not (out / LOCK_FILE).exists()
    assert capsys.readouterr().err.startswith("stopped;")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("stream", [ClosedPipe(), None], ids=["pipe", "none"])
def test_a_closed_output_does_not_stop_a_batch(tmp_path: Path, monkeypatch, stream) -> None:
    scan = tiny(tmp_path / "sub-01_T1w.nii.gz")
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_text("<html>")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    assert screen(tmp_path, bad, scan) == 1
    assert "sub-01_T1w\t" in (tmp_path / "out" / "screening.tsv").read_text()
    assert "sub-02_T1w\t" in (tmp_path / "out" / "failures.tsv").read_text()


def test_a_reader_that_leaves_is_not_complained_about_at_exit() -> None:
    code = (
        "from medsym.commands.console import say\n"
        "for _ in range(9999): say('x' * 99)\n"
        "open(2, 'w').write('went on')"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "went on"
    assert process.returncode == 0


def test_any_file_name_can_be_shown_in_any_encoding(monkeypatch, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        say("M" + chr(252) + "ller")
        complain(chr(0x4E00))
        here = {"number": 1, "total": 1, "stage": "done", "seconds": 0.0}
        ProgressLine()(Progress(name="x" + chr(252), **here))
    assert (tmp_path / "log").read_text() == "M\\xfcller\n\\u4e00\n[1/1] x\\xfc  done  0.0 s\n"


def test_an_edited_or_lost_record_does_not_verify(tmp_path: Path, capsys) -> None:
    scans = [tiny(tmp_path / "in" / f"sub-0{n}_T1w.nii.gz") for n in (1, 2)]
    screen(tmp_path, *scans)
    first, second = sorted((tmp_path / "out").glob("sub-*/anat/*_case.json"))
    original = first.read_text()
    assert '"assessable": false' in original
    first.write_text(original.replace('"assessable": false', '"assessable": true'))
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr()
    assert "MS-153 sub-01_T1w_case.json" in shown.err
    assert "1 of 2 cases" in shown.out
    first.write_text(original)
    second.write_text('{"schema": 1}')
    assert main(["verify", str(tmp_path / "out")]) == 1
    second.unlink()
    assert main(["verify", str(tmp_path / "out")]) == 1
    assert "sub-02_T1w" in capsys.readouterr().err


def test_damaged_files_do_not_hide_an_edited_table(tmp_path: Path, capsys) -> None:
    screen(tmp_path, tiny(tmp_path / "in" / "sub-01_T1w.nii.gz"))
    out = tmp_path / "out"
    (out / "sub-01_T1w.html").write_text("")
    capsys.readouterr()
    assert main(["verify", str(out)]) == 1
    assert "screening.tsv" not in capsys.readouterr().err
    (out / "screening.tsv").write_text("case\n")
    assert main(["verify", str(out)]) == 1
    shown = capsys.readouterr()
    assert "damaged or missing: sub-01_T1w.html" in shown.err
    assert "screening.tsv is not what the cases give" in shown.err
    assert "0 of 1 cases are intact" in shown.out
    next(out.glob("sub-*/anat/*_case.json")).write_text("{")
    assert main(["verify", str(out)]) == 1
    assert "not compared: 1 records cannot be read" in capsys.readouterr().err


def test_one_scan_under_two_names_gives_one_warning_line(tmp_path: Path, capsys) -> None:
    scan = tiny(tmp_path / "sub-01_T1w.nii.gz")
    copy = tmp_path / "copy.nii.gz"
    copy.write_bytes(scan.read_bytes())
    assert screen(tmp_path, scan, copy) == 0
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "sub-01_T1w, sub-copy" in shown


def test_a_record_that_cannot_be_used_is_named_with_exit_code_1(tmp_path: Path, capsys) -> None:
    scan = tiny(tmp_path / "sub-01_T1w.nii.gz")
    record = tmp_path / "out" / "sub-09" / "anat" / "sub-09_T1w_case.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"schema": 1}')
    assert screen(tmp_path, scan) == 1
    shown = capsys.readouterr()
    assert "MS-153 sub-09_T1w_case.json" in shown.err
    assert "[1/1] sub-01_T1w  not assessable" in shown.out


def test_overwriting_goes_on_after_an_interruption_and_recomputing_does_all(
    tmp_path: Path, capsys
) -> None:
    scan = tiny(tmp_path / "sub-01_T1w.nii.gz")
    assert screen(tmp_path, scan) == 0
    store(scan, scale=0.6)
    assert screen(tmp_path, scan) == 1  # another scan of that name is not replaced unasked
    kept = []
    for option in ("--overwrite", "--overwrite", "--recompute"):
        capsys.readouterr()
        assert screen(tmp_path, scan, option) == 0
        kept.append(capsys.readouterr().out.rpartition(" kept from before")[0].rpartition("(")[2])
    assert kept == ["0", "1", "0"]
