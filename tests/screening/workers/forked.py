"""Work in a forked process that is killed, and what a killed run may never leave behind."""

import gzip
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from medsym.screening.records import damaged_files, find_records, read_record


def forked(work: Callable[[], object], *, kill_after: float | None = None) -> bool:
    """Do something in a forked process; returns whether it was killed.

    Args:
        work: what to do.
        kill_after: seconds after which it is killed; None lets it end, or kill itself.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forking while threads of other tests may exist
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert status in {0, signal.SIGKILL}, "the work failed"
    return status == signal.SIGKILL


def assert_nothing_is_half_written(out: Path) -> None:
    for path in find_records(out):
        assert damaged_files(read_record(path), out=out) == []
    for path in out.rglob("sub-*.nii.gz"):
        gzip.decompress(path.read_bytes())
