"""Channel types of the mirror, those of escnn; the place where escnn is imported.

A feature map is a direct sum of fields: trivial channels stay under the mirror, sign channels
change sign, regular channels swap in pairs. escnn (Cesa, Lang, Weiler, "A program to build
E(n)-equivariant steerable CNNs", ICLR 2022) defines these representations of the two-element
group. ``mirror_action`` writes them down as plain signed permutations, ``escnn_action`` reads them
off escnn, and a test compares the two: escnn is imported where its kernels are built or its word is
asked for, not whenever a network is, for its import is a third of the start of screening.

Importing escnn 1.0.11 needs three precautions, all undone or confined to escnn itself: it warns
about optional packages, it opens a disk cache inside its own (perhaps read-only) folder, and one
of its functions passes ``numpy.matrix`` on to code that refuses it.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction

__all__ = [
    "Fields",
    "escnn_action",
    "label_action",
    "mirror_action",
    "mirror_space",
    "representations_of",
]


@contextmanager
def _without_disk_cache() -> Iterator[None]:
    """While open, ``joblib.Memory`` writes no folder; a read-only installation imports."""
    memory = joblib.Memory

    def no_cache(*_args: object, **_options: object) -> Any:
        return memory(None, verbose=0)

    joblib.Memory = no_cache
    try:
        yield
    finally:
        joblib.Memory = memory


def _array_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, given a plain array where its first argument was a numpy.matrix."""

    def wrapped(first: Any, *args: Any, **options: Any) -> Any:
        plain = np.asarray(first) if isinstance(first, np.matrix) else first
        return function(plain, *args, **options)

    return wrapped


@cache
def _import_escnn() -> ModuleType:
    """Import escnn without warnings and without a cache on disk, and repair its null space."""
    with warnings.catch_warnings(), _without_disk_cache():
        warnings.simplefilter("ignore")
        import escnn
        import escnn.group._numerical as numerical
        import escnn.nn
    if not hasattr(numerical.null, "__wrapped__"):
        wrapped = _array_first(numerical.null)
        wrapped.__wrapped__ = numerical.null  # type: ignore[attr-defined]  # marks the repair
        numerical.null = wrapped
    return escnn


def __getattr__(name: str) -> Any:
    """``representations.escnn`` is the package, imported when it is first asked for."""
    if name != "escnn":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return _import_escnn()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """How many fields of each kind, in channel order: trivial, sign, then regular pairs.

    Args:
        trivial: Channels that the mirror leaves alone.
        sign: Channels that change sign.
        regular: Adjacent pairs of channels that swap; 2 * regular channels.
    """

    trivial: int = 0
    sign: int = 0
    regular: int = 0

    def __post_init__(self) -> None:
        """Refuse negative counts and an empty sum."""
        counts = (self.trivial, self.sign, self.regular)
        if min(counts) < 0 or max(counts) == 0:
            raise ModelError(
                code="MS-231",
                subject="channel types",
                cause=f"(trivial, sign, regular) = {counts} is not a sum of fields",
                fix="give counts >= 0 with at least one field",
            )


def mirror_space() -> Any:
    """The escnn space of volumes under the mirror that flips the FIRST spatial axis, x.

    escnn's own default, ``mirOnR3()``, flips the last tensor axis; a quarter turn about its
    middle axis, given as ``adjoint``, moves the mirror to the first one.
    """
    escnn, half = _import_escnn(), np.sqrt(0.5)
    quarter_turn = escnn.group.o3_group(1).element((0, np.array([0.0, half, 0.0, half])), "Q")
    return escnn.gspaces.mirOnR3(adjoint=quarter_turn)


def representations_of(fields: Fields) -> list[Any]:
    """The escnn representations of the fields, one entry per field, in channel order."""
    group = _import_escnn().group.cyclic_group(2)
    trivial, sign = group.trivial_representation, group.irrep(1)
    regular = group.regular_representation
    return [trivial] * fields.trivial + [sign] * fields.sign + [regular] * fields.regular


def mirror_action(*, trivial: int = 0, sign: int = 0, regular: int = 0) -> ChannelAction:
    """The mirror's action on a direct sum of fields, channels in the order of ``Fields``.

    Args:
        trivial: Number of channels that stay.
        sign: Number of channels that change sign.
        regular: Number of adjacent channel pairs that swap.

    Returns:
        The signed permutation of trivial + sign + 2 * regular channels.

    Raises:
        ModelError: A count is negative or all are zero.

    Example:
        >>> mirror_action(trivial=1, sign=1, regular=1)
        ChannelAction(perm=(0, 1, 3, 2), signs=(1, -1, 1, 1), axis='x')
    """
    Fields(trivial=trivial, sign=sign, regular=regular)  # refuses counts that make no channels
    return (
        ChannelAction.trivial(trivial) + ChannelAction.sign(sign) + ChannelAction.regular(regular)
    )


def escnn_action(fields: Fields) -> ChannelAction:
    """The same action, read off the matrices of escnn's representations."""
    reflection = _import_escnn().group.cyclic_group(2).element(1)
    perm: list[int] = []
    signs: list[int] = []
    for representation in representations_of(fields):
        local_perm, local_signs = _signed_permutation(representation(reflection))
        perm += [len(perm) + p for p in local_perm]
        signs += local_signs
    return ChannelAction(tuple(perm), tuple(signs))


def label_action(permutation: Sequence[int]) -> ChannelAction:
    """The mirror's action on one channel per structure, where left and right swap by name.

    It is the direct sum of a trivial field per midline structure and a regular field per
    left/right couple, with the channels in the order of the structures.

    Args:
        permutation: For each structure the index of its mirror structure; an involution.

    Raises:
        GridError: The permutation is not an involution.

    Example:
        >>> label_action([0, 2, 1])
        ChannelAction(perm=(0, 2, 1), signs=(1, 1, 1), axis='x')
    """
    return ChannelAction.labels(permutation)


def _signed_permutation(matrix: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Read a representation matrix with one entry +-1 per row as (perm, signs)."""
    exact = np.rint(matrix).astype(int)
    one_per_row = (np.abs(exact).sum(axis=1) == 1).all()
    if not one_per_row or np.abs(matrix - exact).max() > 1e-9:
        raise ModelError(
            code="MS-232",
            subject="channel types",
            cause="the representation is not a signed permutation",
            fix="use trivial, sign and regular fields",
        )
    perm = np.abs(exact).argmax(axis=1)
    return [int(p) for p in perm], [int(exact[row, p]) for row, p in enumerate(perm)]
