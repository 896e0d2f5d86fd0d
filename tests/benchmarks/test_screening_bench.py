"""What the benchmark says of a run is what the run's journal and the clock said."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from medsym.benchmarks.screening import process
from medsym.benchmarks.screening.benchmark import ScreeningPlan, run_screening_benchmark
from medsym.benchmarks.screening.process import START, Cost, run_screen
from medsym.benchmarks.screening.scans import fine_scan
from medsym.benchmarks.screening.table import format_screening
from medsym.errors import OutputError
from medsym.volumes.volume import Volume
from tests.builders_head import make_head, rigid

SIZE = 100
STAGES = {"read": 1.0, "prepare": 2.0, "page": 0.5}


def written_journal(out: Path, *, cases: int) -> None:
    (out / "logs").mkdir(parents=True)
    lines = [{"event": "run begins"}]
    lines += [
        {
            "event": "done",
            "case": str(number),
            "seconds": STAGES,
            "stages_cpu_s": {name: 0.5 * spent for name, spent in STAGES.items()},
            "peak_mib": 100 + number,
        }
        for number in range(cases)
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (out / "logs" / "journal.jsonl").write_text(text + "\n")


def test_stages_and_start_add_up_to_the_whole(tmp_path: Path) -> None:
    written_journal(tmp_path, cases=1)
    cost = process._cost(tmp_path, seconds=5.0, cpu_s=2.0, alone=True)
    assert cost.scans == 1
    assert cost.stages == STAGES | {START: 1.5}
    assert cost.stages_cpu_s[START] == pytest.approx(0.25)
    assert sum(cost.stages.values()) == pytest.approx(cost.seconds)


def test_of_several_scans_stages_are_summed_and_the_largest_peak_counts(tmp_path: Path) -> None:
    written_journal(tmp_path, cases=3)
    cost = process._cost(tmp_path, seconds=20.0, cpu_s=None, alone=False)
    assert cost.scans == 3
    assert cost.stages["prepare"] == pytest.approx(6.0)
    assert START not in cost.stages
    assert cost.peak_mib == 102


def test_a_run_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false" if sys.platform != "win32" else "where")
    with pytest.raises(OutputError, match="MS-630"):
        run_screen([tmp_path / "none.nii.gz"], tmp_path / "out")


def test_a_fine_scan_shows_the_same_head_at_1_mm_in_its_place() -> None:
    head = make_head(to_world=rigid(degrees=(0, 0, 0), shift=(4, 9, -3)))
    sample = Volume(voxels=head.voxels * 1000.0, affine=head.affine)
    fine = fine_scan(sample, seed=0, size=SIZE)
    assert fine.shape == (SIZE, SIZE, SIZE)
    assert fine.spacing_mm == (1.0, 1.0, 1.0)
    assert fine.voxels.dtype == np.int16
    index = np.indices(sample.shape).reshape(3, -1)[:, ::29]
    world = sample.affine[:3, :3] @ index + sample.affine[:3, 3:]
    there = np.rint(world - fine.affine[:3, 3:]).astype(int)
    inside = ((there >= 0) & (there < SIZE)).all(axis=0)
    seen, wanted = fine.voxels[tuple(there[:, inside])], sample.voxels[tuple(index[:, inside])]
    assert inside.sum() > 500
    assert np.corrcoef(seen, wanted)[0, 1] > 0.95
    assert not np.array_equal(fine_scan(sample, seed=1, size=SIZE).voxels, fine.voxels)


def made_cost(seconds: float, *, scans: int = 1) -> Cost:
    stages = {"read": 0.25 * seconds, START: 0.75 * seconds}
    return Cost(
        seconds=seconds,
        cpu_s=2.0 * seconds,
        stages=stages,
        stages_cpu_s={name: 2.0 * spent for name, spent in stages.items()},
        peak_mib=700.0,
        scans=scans,
    )


def test_rounds_alternate_and_throughput_is_over_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = [tmp_path / name for name in ("sub-a.nii.gz", "sub-b.nii")]
    for scan in scans:
        scan.write_text("")
    asked: list[tuple[list[str], int | None]] = []

    def fake(paths: list[Path], _out: Path, *, model: object, workers: int | None = None) -> Cost:
        assert model is None
        assert all(path.is_file() for path in paths)
        asked.append(([path.name for path in paths], workers))
        return made_cost(60.0 / (workers or 6), scans=len(paths))

    monkeypatch.setattr("medsym.benchmarks.screening.benchmark.run_screen", fake)
    numbers = run_screening_benchmark(
        ScreeningPlan(scans=tuple(scans), repeat=2, workers=(1, 2), scans_per_worker=4),
        report=lambda _: None,
    )
    assert [names for names, workers in asked if workers is None] == [
        [scan.name] for scan in scans * 2
    ]
    copies = asked[-1][0]
    assert copies == asked[-2][0]
    assert len(set(copies)) == 8
    assert [Path(name).suffix for name in copies[:2]] == [".gz", ".nii"]
    assert [row["ratio"] for row in numbers["throughput"]] == [1.0, 2.0]
    assert numbers["throughput"][1]["scans_per_hour"] == pytest.approx(3600 * 8 / 30)
    text = format_screening(json.loads(json.dumps(numbers)))
    assert "sub-a.nii.gz" in text
    assert "5.00  25%" in text


@pytest.mark.slow
def test_a_real_run_costs_something_at_every_stage(tmp_path: Path) -> None:
    scan = Path(__file__).resolve().parents[2] / "data_samples" / "sub-healthy_T1w.nii.gz"
    cost = run_screen([scan], tmp_path / "out")
    assert cost.scans == 1
    assert list(cost.stages)[:3] == ["read", "prepare", "anatomy"]
    assert min(cost.stages.values()) >= 0.0
    assert cost.stages[START] > 0.1
    assert not (tmp_path / "out").exists()
