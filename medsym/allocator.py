"""Memory that was freed stays with the process: a long computation asks for the same sizes again.

The C library of most Linux systems (glibc) maps blocks above 32 MB one by one and hands them back
when they are freed, so each pass over volumes faults in all of its pages anew. Drawing heads and
training on batches spend a third of their time there (``medsym bench memory``).
"""

import ctypes
import os
from collections.abc import Mapping

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
#: What children read when they start; the same as the calls below make in this process.
VARIABLES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62)}
#: Where one of these is set, a person has chosen otherwise.
_CHOSEN = (*VARIABLES, "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """From now on, this process and those it starts keep freed memory until they end.

    For commands that compute and end, not for servers: what was needed once stays taken. Elsewhere
    than with glibc, and where the environment already has settings for the allocator or another
    allocator (``LD_PRELOAD``), nothing is done. Results are the same to the bit.

    Returns:
        Whether the allocator took it.
    """
    if not is_glibc() or is_chosen(os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    taken = bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
    os.environ.update(VARIABLES)
    return taken


def is_glibc() -> bool:
    """Whether this process runs on the C library whose allocator takes the settings."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # not on every system
        return False


def is_chosen(environment: Mapping[str, str]) -> bool:
    """Whether an environment already says how memory is to be allocated."""
    return any(name in environment for name in _CHOSEN)
