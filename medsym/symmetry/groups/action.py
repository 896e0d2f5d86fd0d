"""How a grid group acts on channels: representations, as signed permutations where they are one.

``rho(g)`` acts as ``(rho(g) h)[c] = signs[g][c] h[perms[g][c]]`` with ``rho(g) rho(h) = rho(g
h)``. The kinds follow Cesa, Lang, Weiler, "A program to build E(n)-equivariant steerable CNNs"
(ICLR 2022): trivial fields, one-dimensional characters, regular fields (one channel per element),
quotient fields (one per left coset), vector fields, and direct sums. For the group of one mirror
these are the trivial, sign and regular channels of :class:`ChannelAction`, to and from which
:mod:`medsym.symmetry.groups.mirror` converts. A representation that is no signed permutation
(the two-dimensional E of O) is held as orthogonal matrices; it has no pointwise non-linearity.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from medsym.errors import GridError
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup

Row = tuple[int, ...]
Rows = tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class GroupAction:
    """A representation of a grid group on channels.

    Args:
        group: The group.
        perms: For each element the channel read for each output channel.
        signs: For each element +1 or -1 per channel.
        matrices: (elements, channels, channels) float64 in place of perms and signs, for a
            representation that is no signed permutation.

    Raises:
        GridError: MS-294, not a representation of the group.

    Example:
        >>> GroupAction.regular(GridGroup.named("mirror_x"), 1).perms
        ((0, 1), (1, 0))
    """

    group: GridGroup
    perms: Rows = ()
    signs: Rows = ()
    matrices: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what does not multiply like the group."""
        valid = self._permutes() if self.matrices is None else self._is_orthogonal(self.matrices)
        if not valid:
            raise GridError(
                code="MS-294",
                subject=f"channel action of {self.group.name}",
                cause="it does not multiply like the group: rho(g) rho(h) = rho(g h) fails",
                fix="give one signed permutation or orthogonal matrix per element, in order",
            )

    def _permutes(self) -> bool:
        size, order = len(self.perms[0]) if self.perms else 0, self.group.order
        if not len(self.perms) == len(self.signs) == order:
            return False
        if any(sorted(perm) != list(range(size)) for perm in self.perms):
            return False
        if any([abs(s) for s in row] != [1] * size for row in self.signs):
            return False
        perms, signs, table = (torch.tensor(t) for t in (self.perms, self.signs, self.group.table))
        return all(
            torch.equal(perms[:, perms[g]], perms[table[g]])
            and torch.equal(signs[g] * signs[:, perms[g]], signs[table[g]])
            for g in range(order)
        )

    def _is_orthogonal(self, matrices: Tensor) -> bool:
        table = torch.tensor(self.group.table)
        if self.perms or self.signs or len(matrices) != self.group.order:
            return False
        gaps = [matrices[g] @ matrices - matrices[table[g]] for g in range(len(matrices))]
        gaps.append(matrices @ matrices.mT - torch.eye(matrices.shape[-1], dtype=matrices.dtype))
        return all(float(gap.abs().max()) <= 1e-9 for gap in gaps)

    @classmethod
    def _sum_of(cls, group: GridGroup, rows: Rows, signs: Rows, num: int) -> "GroupAction":
        """``num`` copies of one field."""
        size = len(rows[0])
        perms = tuple(tuple(k * size + p for k in range(num) for p in row) for row in rows)
        return cls(group, perms, tuple(row * num for row in signs))

    @classmethod
    def trivial(cls, group: GridGroup, num: int) -> "GroupAction":
        """Channels that every element leaves alone (an image, a probability)."""
        return cls.character(group, lambda _: 1, num)

    @classmethod
    def character(
        cls, group: GridGroup, sign: Callable[[GridElement], int], num: int = 1
    ) -> "GroupAction":
        """Channels that g multiplies by ``sign(g)`` = +-1; a product must give the product.

        ``lambda g: g.determinant`` is the pseudoscalar (a handedness); ``lambda g: g.signs[0]``
        the left-minus-right difference in D2h.
        """
        signs = tuple((sign(element),) for element in group.elements)
        return cls._sum_of(group, ((0,),) * group.order, signs, num)

    @classmethod
    def regular(cls, group: GridGroup, num: int) -> "GroupAction":
        """One channel per element, ``rho(g) e_h = e_(g h)``; order * num channels."""
        return cls.quotient(group, GridGroup.named("trivial"), num)

    @classmethod
    def quotient(cls, group: GridGroup, subgroup: GridGroup, num: int = 1) -> "GroupAction":
        """One channel per left coset, ``rho(g) e_(h H) = e_(g h H)``: order / |H| * num."""
        cosets = group.cosets(subgroup)
        place = {element: i for i, coset in enumerate(cosets) for element in coset}
        rows = tuple(
            tuple(place[group.table[inverse][coset[0]]] for coset in cosets)
            for inverse in group.inverses
        )
        return cls._sum_of(group, rows, ((1,) * len(cosets),) * group.order, num)

    @classmethod
    def vector(cls, group: GridGroup, num: int = 1) -> "GroupAction":
        """Vector fields (gradients, displacements): (x, y, z) triples that turn with the grid."""
        rows = tuple(tuple(element.source) for element in group.elements)
        return cls._sum_of(group, rows, tuple(tuple(e.signs) for e in group.elements), num)

    def restricted(self, subgroup: GridGroup) -> "GroupAction":
        """The same channels under a subgroup.

        Raises:
            GridError: MS-292, not a subgroup.
        """
        rows = self.group.embed(subgroup)
        if self.matrices is not None:
            return GroupAction(subgroup, matrices=self.matrices[list(rows)])
        perms, signs = (tuple(t[g] for g in rows) for t in (self.perms, self.signs))
        return GroupAction(subgroup, perms, signs)

    def twisted(self, sign: Callable[[GridElement], int]) -> "GroupAction":
        """The same channels times a character: the type of a part that changes sign with it."""
        factors = [sign(element) for element in self.group.elements]
        if self.matrices is not None:
            scale = torch.tensor(factors, dtype=self.matrices.dtype)[:, None, None]
            return GroupAction(self.group, matrices=self.matrices * scale)
        signs = tuple(tuple(f * s for s in row) for f, row in zip(factors, self.signs, strict=True))
        return GroupAction(self.group, self.perms, signs)

    def __add__(self, other: "GroupAction") -> "GroupAction":
        """Direct sum: the channels of self, then those of other."""
        check_same_group(self.group, other.group)
        if self.matrices is None and other.matrices is None:
            perms = tuple(
                a + tuple(p + self.channels for p in b)
                for a, b in zip(self.perms, other.perms, strict=True)
            )
            signs = tuple(a + b for a, b in zip(self.signs, other.signs, strict=True))
            return GroupAction(self.group, perms, signs)
        blocks = zip(self.dense(), other.dense(), strict=True)
        return GroupAction(self.group, matrices=torch.stack([torch.block_diag(*b) for b in blocks]))

    @property
    def channels(self) -> int:
        """Number of channels acted on."""
        return len(self.perms[0]) if self.matrices is None else self.matrices.shape[-1]

    @property
    def is_permutation(self) -> bool:
        """True where pointwise non-linearities commute with the action."""
        return self.matrices is None and all(s == 1 for row in self.signs for s in row)

    def dense(self) -> Tensor:
        """(elements, channels, channels) float64 matrices rho(g)."""
        if self.matrices is not None:
            return self.matrices
        perms, signs = torch.tensor(self.perms), torch.tensor(self.signs, dtype=torch.float64)
        return torch.nn.functional.one_hot(perms, self.channels) * signs[..., None]

    def check_signed(self, name: str) -> None:
        """Refuse a representation that is no signed permutation.

        Raises:
            GridError: MS-296, names what needs one.
        """
        if self.matrices is not None:
            raise GridError(
                code="MS-296",
                subject=name,
                cause=f"a channel action of {self.group.name} with {self.channels} channels is "
                "no signed permutation",
                fix="use trivial, character, regular, quotient or vector fields",
            )

    def apply(self, tensor: Tensor, g: int, *, dim: int = 1, signed: bool = True) -> Tensor:
        """rho(g) along one tensor dimension; ``signed=False`` permutes only (for scales).

        Raises:
            GridError: MS-295, another number of channels; MS-296, unsigned without permutation.
        """
        if tensor.shape[dim] != self.channels:
            raise GridError(
                code="MS-295",
                subject=f"channel action of {self.group.name}",
                cause=f"tensor has {tensor.shape[dim]} channels in dim {dim}, the action has "
                f"{self.channels}",
                fix="give the layer the action of the channels that it receives",
            )
        if self.matrices is not None:
            self.check_signed("unsigned action") if not signed else None
            matrix = self.matrices[g].to(tensor)
            return torch.tensordot(matrix, tensor, dims=([1], [dim])).movedim(0, dim)
        if self.perms[g] != self.perms[0]:
            index = torch.tensor(self.perms[g], device=tensor.device)
            tensor = tensor.index_select(dim, index)
        if signed and min(self.signs[g]) < 0:
            shape = [1] * tensor.ndim
            shape[dim] = self.channels
            tensor = tensor * torch.tensor(self.signs[g], device=tensor.device).reshape(shape)
        return tensor

    def act(self, volume: Tensor, g: int) -> Tensor:
        """Apply g to (b, c, x, y, z): ``(g h)(v) = rho(g) h(g^-1 v)``."""
        return self.apply(self.group.elements[g].apply(volume), g)


def check_same_group(first: GridGroup, second: GridGroup) -> None:
    """Refuse two different groups in one layer.

    Raises:
        GridError: MS-297, names both.
    """
    if first != second:
        raise GridError(
            code="MS-297",
            subject="channel action",
            cause=f"actions of {first.name} and {second.name} meet in one layer",
            fix="give all actions the same group, for example with action.restricted(subgroup)",
        )
