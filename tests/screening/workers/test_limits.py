"""Limits of control groups at any level, and of Slurm jobs, on drawn file trees."""

from pathlib import Path

import pytest

from medsym.screening.workers import limits, sizing

GIB = 2**30


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "_OWN", tmp_path / "own")
    for name in ("CPUS_PER_TASK", "CPUS_ON_NODE", "MEM_PER_NODE", "MEM_PER_CPU"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    return tmp_path / "cgroup"


def own(root: Path, text: str) -> None:
    (root.parent / "own").write_text(text)


def state(group: Path, **files: object) -> None:
    group.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (group / name.replace("__", ".")).write_text(f"{text}\n")


def test_without_limits_there_are_none(root: Path) -> None:
    assert (limits.cores_by_limits(), limits.memory_by_limits()) == (None, None)
    own(root, "0::/user.slice\n")
    state(root / "user.slice", cpu__max="max 100000", memory__max="max", memory__current=5)
    assert (limits.cores_by_limits(), limits.memory_by_limits()) == (None, None)


def test_the_smallest_limit_above_the_process_counts(root: Path) -> None:
    own(root, "0::/system.slice/job.scope/step\n")
    state(root / "system.slice", memory__max=64 * GIB, memory__current=0, cpu__max="800000 100000")
    job = root / "system.slice" / "job.scope"
    state(job, memory__max=8 * GIB, memory__current=3 * GIB, cpu__max="250000 100000")
    state(job / "step", memory__max="max", memory__current=GIB, cpu__max="max 100000")
    assert limits.memory_by_limits() == 5 * GIB
    assert limits.cores_by_limits() == 2
    state(job, memory__stat=f"anon 5\ninactive_file {2 * GIB}")  # given back when it is needed
    assert limits.memory_by_limits() == 7 * GIB


@pytest.mark.parametrize("place", ["/docker/abc", "/", "/../.."])
def test_a_container_sees_its_limits_whatever_its_path_is(root: Path, place: str) -> None:
    own(root, f"4:memory:{place}\n3:cpu,cpuacct:{place}\n")
    memory = {"memory__limit_in_bytes": 4 * GIB, "memory__usage_in_bytes": 2 * GIB}
    state(root / "memory", **memory, memory__stat=f"total_inactive_file {GIB}")
    quota = {"cpu__cfs_quota_us": 150000, "cpu__cfs_period_us": 100000}
    state(root / "cpu,cpuacct", **quota)
    assert limits.memory_by_limits() == 3 * GIB
    assert limits.cores_by_limits() == 1
    state(root / "cpu,cpuacct", cpu__cfs_quota_us=-1)
    assert limits.cores_by_limits() is None


def test_a_slurm_job_states_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "2048")
    assert (limits.cores_by_limits(), limits.memory_by_limits()) == (3, 6 * GIB)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "4096")
    assert limits.memory_by_limits() == 4 * GIB
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # the whole machine
    assert limits.memory_by_limits() == 6 * GIB


def test_limits_decide_how_many_workers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(sizing, "_available", lambda: 512 * GIB)
    assert sizing.default_workers(100)[0] == 64
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "4")
    assert sizing.default_workers(100)[0] == 4
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3072")
    assert sizing.default_workers(100)[0] == 2
