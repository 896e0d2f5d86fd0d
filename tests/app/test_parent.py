"""A server whose command was killed does not go on serving."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVER = (
    "import time; from app import parent; parent.LOOK_EVERY_S = 0.02\nparent.end_with_parent()\n"
)
COMMAND = f"""
import subprocess, sys, time
from medsym.commands.viewing import server_environment
serve = {SERVER!r} + "print(flush=True); time.sleep(60)"
server = subprocess.Popen([sys.executable, "-c", serve], env=server_environment(), stdout=-1)
server.stdout.readline()
print(server.pid, flush=True)
time.sleep(60)
"""


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_the_server_ends_with_the_command_that_was_killed() -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=-1, env=env) as command:
        assert command.stdout is not None
        server = int(command.stdout.readline())
        time.sleep(0.1)
        assert _is_running(server), "not before"
        command.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not _is_running(server):
            return
        time.sleep(0.02)
    os.kill(server, signal.SIGKILL)
    pytest.fail("it goes on")
