"""A real Slurm node: arrays bring all results, a cancelled job loses nothing, options arrive."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsym.errors import ConfigError
from medsym.screening.workers import slurm
from medsym.screening.workers.slurm import SlurmExecutor
from medsym.screening.workers.slurm_options import minutes_of
from medsym.screening.workers.supervise import Fleet, reports_of
from tests.screening.workers.light_work import light_task
from tests.screening.workers.slurm_node import slurm_node, why_not
from tests.screening.workers.test_pool import numbered, wait_until

needs_slurm = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is Slurm")


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> Iterator[None]:
    with slurm_node(tmp_path_factory.mktemp("node")) as environment:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, environment[name])
        monkeypatch.setattr(slurm, "_POLL_S", 0.3)
        yield


def jobs() -> list[str]:
    ask = ["squeue", "--noheader", "--array", "--format=%i"]
    return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@needs_slurm
@pytest.mark.usefixtures("node")
def test_a_cancelled_job_loses_nothing(tmp_path: Path) -> None:
    executor = SlurmExecutor(
        tmp_path / "slurm", parameters={"mem": "100M", "comment": "a b"}, grace_s=0.5
    )
    scans = numbered(tmp_path, "a", "b", "c", "slowonce", "d")
    lost: list[str] = []
    cancelled = []

    def news() -> None:
        if (tmp_path / "slowonce.mark").exists() and not cancelled:
            cancelled.extend(jobs())
            subprocess.run(["scancel", *cancelled], check=True)

    fleet = Fleet(executor=executor, work=light_task, at_once=3, scans_per_task=2, news=news)
    found = reports_of(
        scans,
        plan="",
        fleet=fleet,
        lost=lambda scan, cause: lost.append(f"{scan[1].path.name}: {cause}"),
    )
    reports = sorted(found, key=lambda report: report.number)
    executor.shutdown()
    assert [(report.file, report.stage) for report in reports] == [
        (f"{name}.nii", "done") for name in ("a", "b", "c", "slowonce", "d")
    ]
    assert "slowonce.nii" in {text.partition(":")[0] for text in lost}
    assert all("ended without a result" in text for text in lost)
    scripts = [path.read_text() for path in (tmp_path / "slurm").glob("*_submission.sh")]
    assert any("#SBATCH --array=0-2%" in text for text in scripts)
    assert all("#SBATCH --mem=100M" in text and "--comment='a b'" in text for text in scripts)
    assert (tmp_path / "slurm").stat().st_mode & 0o077 == 0


@pytest.mark.slow
@needs_slurm
@pytest.mark.usefixtures("node")
def test_ending_a_run_cancels_its_jobs(tmp_path: Path) -> None:
    executor = SlurmExecutor(tmp_path / "slurm", parameters={"mem": "100M"})

    def news() -> None:
        if list(tmp_path.glob("slow*.mark")):
            raise KeyboardInterrupt

    fleet = Fleet(executor=executor, work=light_task, at_once=2, news=news)
    with pytest.raises(KeyboardInterrupt):
        list(
            reports_of(
                numbered(tmp_path, "slow1", "slow2"),
                plan="",
                fleet=fleet,
                lost=lambda *_: None,
            )
        )
    assert jobs()
    begun = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert time.monotonic() - begun < 15
    wait_until(lambda: jobs() == [], seconds=30)


@pytest.mark.parametrize("key", ["array", "output", "Signal", "a b", "x\n#SBATCH"])
def test_an_option_that_breaks_the_script_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="MS-567"):
        SlurmExecutor(tmp_path, parameters={key: "1"})


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-1", "0"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="MS-567"):
        SlurmExecutor(tmp_path, parameters={"time": text})


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("1:30", 2), ("02:00:00", 120), ("1-12", 2160), ("1-01:30", 1530), ("0-0:1:0", 1)],
)
def test_times_are_those_of_sbatch(text: str, minutes: int) -> None:
    assert minutes_of(text) == minutes


def test_without_slurm_the_remedy_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"MS-566.*medsym\[cluster\]"):
        SlurmExecutor(tmp_path)
