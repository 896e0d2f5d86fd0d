"""What this process may use of its machine: limits of its control groups and of its Slurm job.

A limit may be set at any level above the process: by systemd at a slice, by docker at a container,
by Slurm at a job. The smallest counts.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MIB = 2**20
#: Limit, use, and the name of what of it is given back when others need it: cgroup 2 and 1.
_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def cores_by_limits() -> int | None:
    """Processor cores that control groups and Slurm leave to this process; None: no limit."""
    found = [cores for group in _groups("cpu") if (cores := _quota(group)) is not None]
    stated = _number("SLURM_CPUS_PER_TASK")
    found += [stated] if stated else []
    return max(1, int(min(found))) if found else None


def memory_by_limits() -> int | None:
    """Memory that control groups and Slurm leave to this process, bytes; None: no limit."""
    found = [free for group in _groups("memory") if (free := _below_limit(group)) is not None]
    cpus = _number("SLURM_CPUS_ON_NODE") or _number("SLURM_CPUS_PER_TASK") or 1
    for stated in (_number("SLURM_MEM_PER_NODE"), (_number("SLURM_MEM_PER_CPU") or 0) * cpus):
        found += [stated * _MIB] if stated else []  # 0: all that the machine has
    return min(found) if found else None


def _groups(controller: str) -> Iterator[Path]:
    """Folders of this process's group and of all above it, in both versions of cgroup."""
    with suppress(OSError, ValueError):
        for line in _OWN.read_text(encoding="utf-8").splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            parts = PurePosixPath(place).parts[1:]
            names = (controllers, controller) if controllers else ("", "unified")
            for base in (_ROOT / name for name in names):
                # A container may see a path of its host: then its own group is the mounted one.
                depths = range(len(parts), -1, -1) if ".." not in parts else (0,)
                yield from (base.joinpath(*parts[:depth]) for depth in depths)


def _quota(group: Path) -> float | None:
    with suppress(OSError, ValueError):  # "max" is no number: there is no limit
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota, period = (
            (group / name).read_text(encoding="ascii")
            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        )
        return int(quota) / int(period) if int(quota) > 0 else None
    return None


def _below_limit(group: Path) -> int | None:
    for limit, used, given_back in _MEMORY:
        with suppress(OSError, ValueError):
            most = int((group / limit).read_text(encoding="ascii"))
            now = int((group / used).read_text(encoding="ascii"))
            return max(0, most - max(0, now - _stated(group / "memory.stat", given_back)))
    return None


def _stated(path: Path, key: str) -> int:
    with suppress(OSError, ValueError):
        rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
        return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == key), 0)
    return 0


def _number(variable: str) -> int | None:
    """A number in the environment of a Slurm job."""
    with suppress(ValueError):
        return max(0, int(os.environ.get(variable, "")))
    return None
