"""Maps of a case are read and resampled side by side: numpy, scipy and zlib let go of Python."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
THREADS = 2  # every map at hand takes memory: 70 MB of a scan of 256^3 voxels


def over_kinds(given: Mapping[str, Given], work: Callable[[str, Given], Made]) -> dict[str, Made]:
    """Kind -> work(kind, what is given), in the order of what is given.

    Args:
        given: by kind of map.
        work: must not touch Streamlit: it runs on other threads than the page.

    Returns:
        What was made of each; the first error is raised as it was.
    """
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return dict(zip(given, pool.map(work, given.keys(), given.values()), strict=True))
