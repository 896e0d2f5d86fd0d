"""How many workers fit on this machine: its cores, its free memory and limits decide."""

import os
from contextlib import suppress
from pathlib import Path

from medsym.screening.workers.limits import cores_by_limits, memory_by_limits

#: Memory reckoned for a worker, GiB: the peak was 0.89 on a 1 mm scan of 256 x 256 x 256 voxels,
#: and larger scans need more.
WORKER_GIB = 1.5
#: Workers that share a GPU unless the user says otherwise: each has a CUDA context and the network
#: in its memory. Chosen with care, not measured.
GPU_WORKERS = 4
_GIB = 2**30


def num_cores() -> int:
    """Processor cores that this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cores = affinity or os.cpu_count() or 1
    return min(cores, cores_by_limits() or cores)


def free_gib() -> float | None:
    """Memory that is free for workers, GiB; None if this system does not say."""
    known = [value for value in (_available(), memory_by_limits()) if value is not None]
    return min(known) / _GIB if known else None


def default_workers(num_scans: int, *, device: str = "cpu") -> tuple[int, str]:
    """Number of workers for some scans on this machine, and why, in one line.

    Args:
        num_scans: scans of the run.
        device: where each worker runs the network; those of one GPU share its memory.

    Example:
        >>> default_workers(1)[0]
        1
    """
    cores, free = num_cores(), free_gib()
    fitting = cores if free is None else max(1, int(free / WORKER_GIB))
    sharing = cores if device == "cpu" else min(cores, GPU_WORKERS)
    number = max(1, min(num_scans, sharing, fitting))
    memory = "" if free is None else f", {free:.1f} GiB free at {WORKER_GIB:g} GiB a worker"
    plural = "s" if number > 1 else ""
    shared = "" if device == "cpu" else f", at most {GPU_WORKERS} share a GPU"
    return number, f"{number} worker{plural} ({cores} cores{memory}{shared}; change with --workers)"


def _available() -> int | None:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
