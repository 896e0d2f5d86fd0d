"""Screening on a Dask cluster: its own executor, its own way of replacing workers that die."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from medsym.errors import ConfigError

_SECONDS_TO_CONNECT = 30


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Executor of a Dask cluster, closed with the block.

    Args:
        address: of the scheduler, such as "tcp://node1:8786".

    Raises:
        ConfigError: MS-568 dask is missing or nobody answers at the address.
    """
    try:
        from distributed import Client

        client: Any = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (ImportError, OSError, ValueError) as error:
        missing = isinstance(error, ImportError)
        raise ConfigError(
            code="MS-568",
            subject=address,
            cause="dask is not installed" if missing else "no Dask scheduler answers there",
            fix="pip install 'medsym[cluster]'" if missing else "start one with 'dask scheduler'",
        ) from None
    executor = client.get_executor(pure=False)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)
        client.close()
