"""Worker processes of this machine, as an executor of concurrent.futures.

Python's own process pool gives up when one of its processes dies, and loses the work of the others.
Here a death costs one task: its future gets ``WorkerDiedError``, the process is replaced and the
others go on.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from medsym.errors import MedsymError
from medsym.screening.workers.child import START

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECONDS_TO_END = 10.0
Item = tuple[Future[Any], bytes]


class WorkerDiedError(RuntimeError):
    """A worker process ended in the middle of a task."""


class WorkerPool(Executor):
    """Processes that each do one task at a time, with one thread each.

    Args:
        workers: number of processes; each starts with its first task.
        listener: given every piece of news of a running task, from several threads.
        variables: of the environment, that the workers have in another way than this process.
    """

    def __init__(
        self,
        workers: int,
        *,
        listener: Callable[[dict[str, Any]], None] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._variables = dict(variables or {})
        self._listener = listener or (lambda _: None)
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._is_closed = self._is_stopped = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker {number + 1}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def process_ids(self) -> list[int]:
        """Numbers of the worker processes that exist now."""
        with self._guard:
            return [child.pid for child in self._children if child.poll() is None]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a task: a function at the top of a module, and one text.

        Raises:
            RuntimeError: the pool was shut down.
            TypeError: more or other arguments than one text.
        """
        if kwargs or len(args) != 1 or not isinstance(args[0], str):
            raise TypeError("a task takes one text")
        if self._is_closed:
            raise RuntimeError("the pool was shut down")
        work = f"{fn.__module__}:{fn.__qualname__}"
        line = json.dumps({"work": work, "text": args[0]}).encode("ascii") + b"\n"
        future: Future[Any] = Future()
        self._waiting.put((future, line))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: after all tasks, or at once if futures are cancelled."""
        self._is_closed = True
        if cancel_futures:
            with suppress(queue.Empty):
                while item := self._waiting.get_nowait():
                    item[0].cancel()
                    item[0].set_running_or_notify_cancel()  # tells those who wait for it
            with self._guard:
                self._is_stopped = True
                for child in self._children:
                    if child.poll() is None:
                        _kill(child)
        for _ in self._threads:
            self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _serve(self) -> None:
        """Life of one worker slot: its process is started, asked, replaced and ended here."""
        child = None
        while item := self._waiting.get():
            future, line = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                child = child or self._start()
                future.set_result(self._ask(child, line))
            except Exception as error:
                if isinstance(error, WorkerDiedError | OSError):
                    self._end(child)
                    child = None
                future.set_exception(error)
        self._end(child)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._guard:
            if self._is_stopped:
                raise WorkerDiedError("the run was stopped")
            child = subprocess.Popen(
                [sys.executable, "-P", "-c", START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment() | self._variables,
                process_group=0 if os.name == "posix" else None,
            )
            self._children.add(child)
            return child

    def _ask(self, child: "subprocess.Popen[bytes]", line: bytes) -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(OSError):  # a dead worker is noticed by the end of its answers
            child.stdin.write(line)
            child.stdin.flush()
        for answer in child.stdout:
            message = json.loads(answer)
            if "news" in message:
                self._listener(message["news"])
            elif "refusal" in message:
                code, subject, cause, fix = message["refusal"]
                raise MedsymError(code=code, subject=subject, cause=cause, fix=fix)
            elif "error" in message:
                raise RuntimeError(message["error"])
            else:
                return str(message["result"])
        code = child.wait()
        _kill(child)
        raise WorkerDiedError(_how_it_ended(code))

    def _end(self, child: "subprocess.Popen[bytes] | None") -> None:
        if child is None:
            return
        for stream in (child.stdin, child.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_SECONDS_TO_END)
        _kill(child)
        child.wait()
        with self._guard:
            self._children.discard(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End a worker and the programs it started; they are its process group."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()


def _environment() -> dict[str, str]:
    """This environment, with this module search path and one thread for every library."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    return {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(_THREAD_VARIABLES, "1")}


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"the worker process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"the worker process was ended by {name}{why}"
