"""Freed memory stays with a process that computes, and with the processes it starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medsym import allocator, cli
from medsym.allocator import VARIABLES, is_chosen, is_glibc, keep_freed_memory
from medsym.commands import screening, viewing

glibc = pytest.mark.skipif(not is_glibc(), reason="the allocator of another C library")
_BLOCK = 64 * 2**20  # bytes; glibc maps blocks above 32 MiB one by one unless told otherwise
_FAULTS = f"""
import json, resource, sys
from medsym.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytes_of = bytearray({_BLOCK})
    bytes_of[::4096] = b"x" * len(bytes_of[::4096])
    del bytes_of
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory() if sys.argv[1] == "call" else None
counts = [faults() for _ in range(12)]
print(json.dumps([kept, counts]))
"""


def page_faults(how: str, **environment: str) -> tuple[bool | None, list[int]]:
    """What 64 MiB cost twelve times over in a process of their own."""
    names = {*allocator._CHOSEN}
    clean = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS, how],
        env={**clean, **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    kept, counts = json.loads(done.stdout)
    return kept, counts


@glibc
def test_kept_memory_is_not_faulted_in_again() -> None:
    kept, counts = page_faults("call")
    assert kept is True
    assert sum(counts[-4:]) < 100


@glibc
def test_without_it_every_block_is_faulted_in_anew() -> None:
    _, counts = page_faults("none")
    assert min(counts) > _BLOCK // 2**21 // 2  # at least one a huge page, if the system has them


@glibc
def test_processes_started_afterwards_keep_it_too() -> None:
    _, counts = page_faults("none", **VARIABLES)
    assert sum(counts[-4:]) < 100


@glibc
@pytest.mark.parametrize(
    "name", ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"]
)
def test_what_a_person_has_chosen_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {name: "1"})
    assert not keep_freed_memory()
    assert os.environ == {name: "1"}


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.delattr(os, "confstr", raising=False)
    assert not is_glibc()
    assert not keep_freed_memory()
    assert os.environ == {}


def test_an_empty_environment_has_chosen_nothing() -> None:
    assert not is_chosen({})


@pytest.mark.parametrize(
    ("line", "expected"),
    [("verify DIR", True), ("view DIR", False), ("demo", False)],
)
def test_commands_that_end_keep_memory_and_servers_do_not(
    line: str, *, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: calls.append(True))
    for module, name in ((viewing, "view"), (screening, "demo")):
        replaced = lambda _arguments: 0  # noqa: E731
        monkeypatch.setattr(module, name, replaced)
    monkeypatch.setattr(cli, "_SERVERS", (viewing.view, screening.demo))
    cli.main(line.replace("DIR", str(tmp_path)).split())
    assert bool(calls) is expected
