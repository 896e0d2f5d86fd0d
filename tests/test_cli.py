"""The command line: exit codes, one line per error and a quick start."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.reference import REFERENCE_FILE, save_reference
from medsym.cli import build_parser, main
from medsym.commands import screening, viewing
from medsym.commands.console import EXIT_USAGE, ProgressLine
from medsym.errors import ScanError
from medsym.screening.lock import output_lock
from medsym.screening.progress import Progress
from tests.builders_case import FakeNetwork, fake_model, flat_reference
from tests.screening.quick_run import patch_known_plane, store


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped model that is the formula network, with a flat healthy reference."""
    folder = tmp_path / "model"
    folder.mkdir()
    model = fake_model(folder)
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    monkeypatch.setattr("medsym.models.store.load_model", lambda _=None, **_more: model)
    patch_known_plane(monkeypatch)
    assert isinstance(model.network, FakeNetwork)
    return folder


@pytest.mark.usefixtures("shipped")
def test_screen_succeeds_and_verify_agrees(tmp_path: Path, capsys) -> None:
    scan = store(tmp_path / "in" / "sub-01_T1w.nii.gz")
    out = tmp_path / "out"
    assert main(["screen", str(scan.parent), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "[1/1] sub-01_T1w  done" in shown.out
    assert RESEARCH_USE_ONLY in shown.out
    assert shown.err == ""
    assert main(["verify", str(out)]) == 0
    image = next(out.rglob("*desc-bound_statmap.nii.gz"))
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    assert main(["verify", str(out)]) == 1
    assert "desc-bound_statmap.nii.gz" in capsys.readouterr().err


@pytest.mark.usefixtures("shipped")
def test_a_refused_scan_gives_one_line_and_exit_code_1(tmp_path, capsys) -> None:
    good = store(tmp_path / "sub-01_T1w.nii.gz")
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_text("<html>")
    assert (
        main(["screen", str(bad), str(good), "--out", str(tmp_path / "out"), "--workers", "0"]) == 1
    )
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert "sub-02_T1w.nii.gz" in shown.err
    assert "Fix:" in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert "[2/2] sub-01_T1w  done" in shown.out
    assert main(["screen", str(bad), "--out", str(tmp_path / "no"), "--workers", "0"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "no case" in last
    assert str(tmp_path / "no" / "failures.tsv") in last


@pytest.mark.usefixtures("shipped")
def test_wrong_use_gives_exit_code_2(tmp_path: Path, capsys) -> None:
    assert main(["screen", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) in (1, 2)
    (tmp_path / "nothing").mkdir()
    assert main(["screen", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 2
    assert "MS-100" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "nothing")]) == 2
    assert main(["view", str(tmp_path / "nothing")]) == 2
    with pytest.raises(SystemExit) as stop:
        main(["screen"])
    assert stop.value.code == 2


@pytest.mark.usefixtures("shipped")
def test_a_locked_folder_gives_exit_code_75(tmp_path: Path, capsys) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    with output_lock(out):
        assert main(["screen", str(scan), "--out", str(out)]) == 75
    assert "MS-151" in capsys.readouterr().err


def test_an_unexpected_error_is_one_line_unless_debugging(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr("medsym.screening.manifest.expand_scans", lambda *_, **__: 1 / 0)
    command = ["screen", "x.nii", "--out", str(tmp_path)]
    assert main(command) == 2
    quiet = capsys.readouterr().err
    assert quiet.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in quiet
    assert main([*command, "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_somebody_elses_folder_of_samples_is_not_screened(monkeypatch, tmp_path: Path) -> None:
    theirs = tmp_path / "data_samples"
    theirs.mkdir()
    monkeypatch.setattr(screening, "SAMPLES", theirs)
    made: list[Path] = []
    monkeypatch.setattr("medsym.synthesis.samples.write_samples", made.append)
    assert screening.samples_folder(tmp_path / "made") == tmp_path / "made"
    (theirs / "CHECKSUMS.sha256").touch()
    assert screening.samples_folder(tmp_path / "again") == theirs
    assert made == [tmp_path / "made"]


def test_viewer_listens_on_this_machine_only(tmp_path: Path) -> None:
    command = viewing.server_command(tmp_path, port=8599)
    assert command[:5] == [sys.executable, "-P", "-m", "streamlit", "run"]
    assert command[5].endswith("app/asgi.py")
    assert "--server.address=127.0.0.1" in command
    assert "--browser.gatherUsageStats=false" in command
    assert command[-2:] == ["--", str(tmp_path.resolve())]


def test_view_starts_the_server_without_a_shell(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "screening.tsv").write_text("case\n")
    started = []

    def start(command, **options):
        started.append((command, options))
        code = "import os; open(os.environ['MEDSYM_VIEW_READY'], 'w').close()"
        return popen([sys.executable, "-c", code], env=options["env"])

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(viewing, "_has_screen", lambda: False)
    assert main(["view", str(tmp_path), "--port", "8600"]) == 0
    (command, options) = started[0]
    assert isinstance(command, list)
    assert not options.get("shell")
    assert options["cwd"] == viewing.entry_file().parent, "settings of other folders do not count"
    assert options["env"]["FORWARDED_ALLOW_IPS"] == ""
    assert "http://127.0.0.1:8600" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["view", "demo"])
@pytest.mark.parametrize("port", ["0", "-1", "65536", "8501.0", "http"])
def test_a_port_that_no_address_can_name_is_refused(command: str, port: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, f"--port={port}"])
    assert ended.value.code == EXIT_USAGE
    assert "is not a port: give a whole number from 1 to 65535" in capsys.readouterr().err
    for known in (1, 65535):
        assert build_parser().parse_args([command, f"--port={known}"]).port == known


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ending_view_ends_its_server(number: int, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "screening.tsv").write_text("case\n")
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(viewing, "server_command", lambda *_a, **_k: sleeper)
    monkeypatch.setattr(viewing, "_has_screen", lambda: False)
    outside = signal.signal(number, signal.SIG_DFL)  # ignored under nohup
    try:
        threading.Timer(1.0, os.kill, [os.getpid(), number]).start()
        since = time.monotonic()
        assert viewing.show(tmp_path, port=8601) == 0
        assert time.monotonic() - since < 30
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, outside)


def test_a_closed_terminal_lets_the_server_tidy_up(tmp_path: Path) -> None:
    ask = "import signal; raise SystemExit(signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)"
    with viewing._server([sys.executable, "-c", ask], key=None, sign=tmp_path / "ready") as server:
        assert server.wait(timeout=30) == 0, "what kills it at once is not its own affair"


def test_progress_is_one_line_per_scan(capsys) -> None:
    line = ProgressLine(terminal=False)
    error = ScanError(code="MS-101", subject="b", cause="cut", fix="copy")
    here = {"number": 1, "total": 2, "name": "sub-1", "seconds": 3.21}
    line(Progress(stage="prepare", **here))
    line(Progress(stage="done", **here))
    line(Progress(stage="refused", error=error, **here))
    shown = capsys.readouterr()
    assert shown.out == "[1/2] sub-1  done  3.2 s\n[1/2] sub-1  refused  3.2 s\n"
    assert shown.err == "MS-101 b: cut. Fix: copy.\n"


def test_help_is_light_and_silent() -> None:
    code = (
        "import sys\nfrom medsym.cli import build_parser\nbuild_parser()\n"
        "assert not {'torch', 'nibabel', 'monai', 'streamlit'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
