"""Tasks and answers: what goes in comes out, and it is plain text."""

from argparse import Namespace
from pathlib import Path

import pytest

from medsym.commands.scaling import model_device
from medsym.errors import MedsymError, ScanError
from medsym.inference.case import Options
from medsym.screening.dicom.series import DicomSeries
from medsym.screening.entry import ScanEntry
from medsym.screening.naming import CaseName, name_of
from medsym.screening.progress import ScanReport
from medsym.screening.runner import ScreenOptions
from medsym.screening.workers import work
from medsym.screening.workers.sizing import GPU_WORKERS, WORKER_GIB, default_workers
from medsym.screening.workers.tasks import (
    RunPlan,
    answer_text,
    read_answer,
    read_plan,
    read_task,
    refusal_text,
    task_text,
)


def test_a_task_says_all_that_an_entry_says(tmp_path: Path) -> None:
    entry = ScanEntry(
        path=tmp_path / ("M" + chr(252) + "ller\n.nii"),
        name=name_of(Path("sub-01_ses-b_T1w.nii")),
        brain_mask=tmp_path / "brain.nii",
        covariates={"age": 0.1 + 0.2, "sex": "f"},
    )
    options = ScreenOptions(
        volume_index=2, analysis=Options(false_alarm_rate=0.1 / 3), device="cuda"
    )
    plan = RunPlan(out=tmp_path, model=tmp_path / "m", sha256="f" * 64, options=options, total=9)
    text = task_text(plan.as_text(), [(3, entry)])
    assert text.isascii()
    assert "\n" not in text
    told, scans = read_task(text)
    assert read_plan(told) == plan
    assert scans == ((3, entry),)


def test_an_answer_says_all_that_a_report_says() -> None:
    error = ScanError(code="MS-101", subject="x.nii", cause="cut", fix="copy it again")
    common = {"case": "sub-x", "file": "x.nii", "total_s": 1.5}
    reports = (
        ScanReport(number=1, stage="done", seconds={"read": 0.1}, cost={"cpu_s": 1.0}, **common),
        ScanReport(number=2, stage="refused", error=error, **common),
    )
    first, second = read_answer(answer_text(reports))
    assert first == reports[0]
    assert second.failure == reports[1].failure
    assert str(second.error) == str(error)
    assert type(second.error) is ScanError  # a failure of the machine is something else
    with pytest.raises(MedsymError, match="MS-101"):
        read_answer(refusal_text(error))


def test_workers_never_outnumber_scans_cores_or_memory(monkeypatch) -> None:
    sizing = "medsym.screening.workers.sizing"
    monkeypatch.setattr(f"{sizing}.num_cores", lambda: 8)
    for free, scans, expected in ((100.0, 50, 8), (100.0, 3, 3), (2.5 * WORKER_GIB, 50, 2)):
        monkeypatch.setattr(f"{sizing}.free_gib", lambda free=free: free)
        number, why = default_workers(scans)
        assert number == expected
        assert f"{expected} workers" in why
        assert "8 cores" in why
    monkeypatch.setattr(f"{sizing}.free_gib", lambda: None)
    assert default_workers(50)[0] == 8
    assert default_workers(50, device="cuda")[0] == GPU_WORKERS < 8
    monkeypatch.setattr(f"{sizing}.free_gib", lambda: 0.1)
    assert default_workers(50)[0] == 1


def test_a_dicom_series_and_masks_reach_the_worker(tmp_path: Path) -> None:
    name = CaseName(case="sub-a_acq-series3_MR", subject="a", session=None)
    series = DicomSeries(name=name, files=(tmp_path / "1.dcm", tmp_path / "2.dcm"))
    entry = ScanEntry(
        path=Path(name.case),
        name=name,
        series=series,
        brain_mask=tmp_path / "b.nii",
        exclusion_mask=tmp_path / "e.nii",
        covariates={"age": 70.5, "site": "01"},
    )
    _, ((number, same),) = read_task(task_text("plan", [(3, entry)]))
    assert (number, same) == (3, entry)


def test_a_worker_loads_the_model_where_the_run_says(tmp_path: Path, monkeypatch) -> None:
    asked: list[object] = []

    def load(_: Path, *, device: str) -> None:
        asked.append(device)
        raise ScanError(code="MS-0", subject="", cause="", fix="")

    monkeypatch.setattr(work, "load_model", load)
    options = ScreenOptions(device="cuda")
    plan = RunPlan(out=tmp_path, model=tmp_path, sha256="", options=options, total=1)
    with pytest.raises(ScanError):
        work.screen_task(task_text(plan.as_text(), []))
    assert asked == ["cuda"]


@pytest.mark.parametrize(
    ("executor", "workers", "scans", "expected"),
    [("slurm", None, 1, "cpu"), ("local", 2, 1, "cpu"), ("local", 0, 9, "cuda")],
)
def test_a_run_whose_workers_have_the_gpu_needs_none_itself(
    executor: str, workers: int | None, scans: int, expected: str, monkeypatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: executor == "local")
    options = Namespace(executor=executor, workers=workers, device="cuda")
    assert model_device(options, num_scans=scans) == expected
