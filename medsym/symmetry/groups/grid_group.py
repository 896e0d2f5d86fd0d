"""Finite groups of the cube's symmetries acting on the voxel grid.

A group is a set of :class:`GridElement` closed under products; the one mirror of
:mod:`medsym.symmetry.mirror` is the group ``mirror_x``. Point groups carry their Schoenflies
names: D2h (three mirrors), O (rotations of the cube), Oh (all 48).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from medsym.errors import GridError
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.mirror import check_strided

_GENERATORS: dict[str, tuple[str, ...]] = {
    "trivial": (),
    "mirror_x": ("-x,y,z",),
    "mirror_y": ("x,-y,z",),
    "mirror_z": ("x,y,-z",),
    "inversion": ("-x,-y,-z",),
    "C2_x": ("x,-y,-z",),
    "C2_y": ("-x,y,-z",),
    "C2_z": ("-x,-y,z",),
    "C4_x": ("x,-z,y",),
    "C4_y": ("z,y,-x",),
    "C4_z": ("-y,x,z",),
    "D2": ("-x,-y,z", "x,-y,-z"),
    "D2h": ("-x,y,z", "x,-y,z", "x,y,-z"),
    "D4h_z": ("-y,x,z", "-x,y,z", "x,y,-z"),
    "T": ("-x,-y,z", "y,z,x"),
    "Th": ("-x,y,z", "y,z,x"),
    "Td": ("-x,-y,z", "y,z,x", "y,x,z"),
    "O": ("-y,x,z", "y,z,x"),
    "Oh": ("-y,x,z", "y,z,x", "-x,-y,-z"),
}


_IDENTITY = GridElement((0, 1, 2), (1, 1, 1))


@dataclass(frozen=True)
class GridGroup:
    """A finite group of grid symmetries; make one with :meth:`named` or :meth:`generated`.

    Elements are addressed by their index; 0 is the identity.

    Args:
        elements: All elements, in the order of :meth:`generated`.
        name: What messages call it.

    Raises:
        GridError: MS-291, the elements are not a group.

    Example:
        >>> [element.name for element in GridGroup.named("C4_z").elements]
        ['x,y,z', '-x,-y,z', 'y,-x,z', '-y,x,z']
    """

    elements: tuple[GridElement, ...]
    name: str = field(default="group", compare=False)

    def __post_init__(self) -> None:
        """Refuse a set that is not closed or does not start with the identity."""
        members = set(self.elements)
        closed = len(members) == self.order and all(
            g * h in members for g in members for h in members
        )
        if not closed or not self.elements or self.elements[0] != _IDENTITY:
            raise GridError(
                code="MS-291",
                subject=f"grid group {self.name}",
                cause="its elements are not closed under products, or the identity is not first",
                fix="use GridGroup.generated(*generators), which completes the set",
            )

    @classmethod
    def generated(cls, *generators: GridElement | str, name: str | None = None) -> "GridGroup":
        """The smallest group that holds the generators (elements or triplets)."""
        steps = [GridElement.parse(g) if isinstance(g, str) else g for g in generators]
        found, border = {_IDENTITY}, [_IDENTITY]
        while border:
            border = list({g * h for g in steps for h in border} - found)
            found.update(border)
        ordered = sorted(found, key=lambda e: (e.source, tuple(-s for s in e.signs)))
        return cls(tuple(ordered), name or f"<{'; '.join(g.name for g in steps)}>")

    @classmethod
    def named(cls, name: str) -> "GridGroup":
        """trivial, mirror_x, C2_z, C4_z, D2, D2h (8), D4h_z (16), T, Th, Td, O (24), Oh (48), ...

        Raises:
            GridError: MS-290, lists the names.
        """
        return _named(name)

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @cached_property
    def table(self) -> tuple[tuple[int, ...], ...]:
        """``table[g][h]`` is the index of the product g h."""
        where = {e: i for i, e in enumerate(self.elements)}
        return tuple(tuple(where[g * h] for h in self.elements) for g in self.elements)

    @cached_property
    def inverses(self) -> tuple[int, ...]:
        """Index of the inverse of each element."""
        return tuple(row.index(0) for row in self.table)

    def index(self, element: GridElement | str) -> int:
        """Index of an element (or of its triplet).

        Raises:
            GridError: MS-292, the element is not in the group.
        """
        wanted = GridElement.parse(element) if isinstance(element, str) else element
        if wanted not in self.elements:
            raise GridError(
                code="MS-292",
                subject=f"grid group {self.name}",
                cause=f"does not hold the element {wanted.name}",
                fix=f"use one of {'; '.join(e.name for e in self.elements)}",
            )
        return self.elements.index(wanted)

    def embed(self, subgroup: "GridGroup") -> tuple[int, ...]:
        """Index in this group of each element of a subgroup.

        Raises:
            GridError: MS-292, not a subgroup.
        """
        return tuple(self.index(element) for element in subgroup.elements)

    def cosets(self, subgroup: "GridGroup") -> tuple[tuple[int, ...], ...]:
        """The left cosets g H, each sorted by index; the first is H itself."""
        inside = self.embed(subgroup)
        found = {tuple(sorted(self.table[g][h] for h in inside)) for g in range(self.order)}
        return tuple(sorted(found))

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """Conjugacy classes: g and h g h^-1 lie together."""
        table, inverse = self.table, self.inverses
        found = {
            tuple(sorted({table[table[h][g]][inverse[h]] for h in range(self.order)}))
            for g in range(self.order)
        }
        return tuple(sorted(found))

    @cached_property
    def transversals(self) -> tuple[tuple[int, ...], ...]:
        """Coset representatives along a chain 1 < H1 < ... < G.

        Every g is one product ``t_n ... t_1`` with one ``t_i`` from each entry, so an average over
        the group is one average per entry: 11 terms instead of 48 for Oh.
        """
        steps, inside = [], GridGroup((_IDENTITY,))
        while inside.order < self.order:
            next_group = self._least_extension(inside)
            cosets = next_group.cosets(inside)
            steps.append(tuple(self.index(next_group.elements[c[0]]) for c in cosets))
            inside = next_group
        return tuple(steps)

    def _least_extension(self, inside: "GridGroup") -> "GridGroup":
        """The smallest group between a subgroup and this group; twice its order where possible."""
        outside = (e for e in self.elements if e not in inside.elements)
        best = self
        for larger in (GridGroup.generated(e, *inside.elements) for e in outside):
            best = min(best, larger, key=lambda h: h.order)
            if best.order == 2 * inside.order:
                break
        return best

    def check_grid(self, shape: Sequence[int], *, name: str) -> None:
        """Refuse (x, y, z) sizes that an element would exchange although they differ.

        Raises:
            GridError: MS-293, names the element and the sizes.
        """
        for element in self.elements:
            moved = tuple(shape[i] for i in element.source)
            if moved != tuple(shape):
                raise GridError(
                    code="MS-293",
                    subject=name,
                    cause=f"the element {element.name} of {self.name} turns the grid "
                    f"{tuple(shape)} into {moved}",
                    fix="pad to equal sizes along the exchanged axes, or use a group without "
                    "such elements, for example D2h",
                )

    def check_strided(
        self,
        shape: Sequence[int],
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        name: str,
    ) -> None:
        """Refuse grids on which a strided layer breaks the group, along every axis it flips.

        Raises:
            GridError: MS-203 (sizes that leave voxels of one side unread) or MS-293.
        """
        for numbers in (shape, kernel, stride, padding):
            self.check_grid(numbers, name=name)
        for axis in sorted({axis for element in self.elements for axis in element.flipped}):
            check_strided(
                shape[axis],
                kernel=kernel[axis],
                stride=stride[axis],
                padding=padding[axis],
                name=f"{name} along {'xyz'[axis]}",
            )


@cache
def _named(name: str) -> GridGroup:
    if name not in _GENERATORS:
        raise GridError(
            code="MS-290",
            subject=f"grid group {name!r}",
            cause="is not a known name",
            fix=f"use one of {', '.join(_GENERATORS)}, or GridGroup.generated(...)",
        )
    return GridGroup.generated(*_GENERATORS[name], name=name)
