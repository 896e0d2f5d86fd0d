"""What Slurm's queue holds of this user, asked of ``squeue``; no accounting database is needed."""

import subprocess
from collections.abc import Iterable
from contextlib import suppress

#: squeue waits 10 s for a controller, several times if there are several.
_ANSWER_S = 60.0
_LIVE = {
    *("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "COMPLETING", "REQUEUED"),
    *("RESIZING", "SIGNALING", "STAGE_OUT", "PREEMPTED"),
}


def live_jobs() -> dict[str, str] | None:
    """Number -> name of jobs that wait or work; None if the controller does not answer."""
    command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i %T %j"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_ANSWER_S
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    if asked.returncode:
        return None
    rows = (line.split(maxsplit=2) for line in asked.stdout.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] in _LIVE}


def cancel_named(names: Iterable[str]) -> None:
    """Cancel all jobs of some names, as far as the controller answers."""
    for name in names:
        with suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(
                ["scancel", f"--name={name}"], capture_output=True, check=False, timeout=_ANSWER_S
            )
