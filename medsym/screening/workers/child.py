"""A worker process: takes one task after another from its standard input, answers in lines of JSON.

Nothing is pickled in either direction: a task names a function of an installed module and carries
one text, an answer is a text. The process ends at once when its input ends, with the programs it
started, so that none outlives the run that started it, however that run ended.
"""

import json
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from medsym.errors import MedsymError

#: What starts a worker: this module by its own name, not as "__main__".
START = "from medsym.screening.workers.child import main; main()"
#: Under Linux the kernel ends the process with the highest score first when memory runs out: a
#: worker (0 to 1000), which can be replaced, and not the run or what else the person works with.
_OOM_SCORE = "500"
_told: list[Callable[[dict[str, Any]], None]] = []


def tell(news: dict[str, Any]) -> None:
    """Send news of the current task to the run; outside a worker process nobody listens."""
    for listener in _told:
        listener(news)


def main() -> None:
    """Work until the standard input ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    with suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the run; it ends its workers
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    _told.append(lambda news: _send(channel, {"news": news}))
    while True:
        _send(channel, _answer(json.loads(tasks.get())))


def _read(tasks: "queue.SimpleQueue[bytes]") -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    _end()  # whatever runs now: files are written whole or not at all


def _answer(task: dict[str, str]) -> dict[str, Any]:
    try:
        module, _, name = task["work"].partition(":")
        return {"result": getattr(import_module(module), name)(task["text"])}
    except MedsymError as error:
        return {"refusal": [error.code, error.subject, error.cause, error.fix]}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _send(channel: BinaryIO, message: dict[str, Any]) -> None:
    try:
        channel.write(json.dumps(message).encode("ascii") + b"\n")
        channel.flush()
    except OSError:
        _end()  # the run is gone


def _end() -> None:
    if os.name == "posix" and os.getpgrp() == os.getpid():  # else it is the group of the run
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
