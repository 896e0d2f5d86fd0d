"""Options of sbatch that a user may state, checked, and the engine that is given them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError

_DEFAULTS = {"time": "60", "mem": "4G", "cpus-per-task": "1"}
_OURS = {"array", "output", "error", "open-mode", "signal", "ntasks", "nodes", "wrap"}
_KEY = re.compile(r"[a-z][a-z-]*")
_TIME = re.compile(r"(?:(?P<days>\d{1,3})-)?(?P<clock>\d{1,5}(?::\d{1,2}){0,2})")


def engine_of(folder: Path, *, parameters: Mapping[str, str], at_once: int) -> Any:
    """Submitit's executor for some options of sbatch.

    Args:
        folder: for scripts, logs and results of jobs.
        parameters: options of sbatch.
        at_once: jobs of an array that may run at a time.

    Raises:
        ConfigError: MS-566 submitit is missing or there is no Slurm here, MS-567 a parameter that
            cannot be used.
    """
    given = {**_DEFAULTS, **{key.replace("_", "-"): value for key, value in parameters.items()}}
    wrong = [key for key in given if key in _OURS or not _KEY.fullmatch(key)]
    minutes, name = minutes_of(given.pop("time")), given.pop("job-name", "medsym")
    if wrong or minutes is None:
        raise ConfigError(
            code="MS-567",
            subject="--slurm",
            cause=f"'{wrong[0] if wrong else 'time'}' cannot be set like this",
            fix="give options of sbatch, such as partition=short time=02:00:00 mem=4G",
        )
    try:
        import submitit

        engine = submitit.SlurmExecutor(folder=folder)
    except (ImportError, RuntimeError):
        raise ConfigError(
            code="MS-566",
            subject="--executor slurm",
            cause="there is no Slurm on this machine, or submitit is not installed",
            fix="run it where sbatch works, after: pip install 'medsym[cluster]'",
        ) from None
    engine.update_parameters(
        time=minutes, job_name=name, array_parallelism=at_once, additional_parameters=given
    )
    return engine


def minutes_of(text: str) -> int | None:
    """Minutes of a time as sbatch takes it: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S.

    Example:
        >>> minutes_of("90"), minutes_of("02:00:00"), minutes_of("1-12"), minutes_of("soon")
        (90, 120, 2160, None)
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    parts = [int(part) for part in match["clock"].split(":")]
    if match["days"] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    else:
        hours, minutes, seconds = ((0, *parts, 0), (0, *parts), tuple(parts))[len(parts) - 1]
    total = int(match["days"] or 0) * 1440 + hours * 60 + minutes + -(-seconds // 60)
    return total or None
