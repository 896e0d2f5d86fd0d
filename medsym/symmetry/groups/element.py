"""One symmetry of the cube acting on the voxel grid, exactly.

An element g is one of the 48 signed permutations of the axes (x, y, z). It acts on functions of
the grid by ``(g f)(v) = f(g^-1 v)``: a permutation of the last three tensor dimensions followed
by flips, so nothing is interpolated and ``(g h) f = g (h f)`` holds to the bit.

Elements carry the coordinate triplet of crystallography (International Tables for
Crystallography A, 2016, section 1.4.2): ``-y,x,z`` sends the point (x, y, z) to (-y, x, z), a
quarter turn about z.
"""

from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from medsym.errors import GridError
from medsym.symmetry.mirror import Axis, check_axis

_AXES: tuple[str, ...] = get_args(Axis)


@dataclass(frozen=True, slots=True)
class GridElement:
    """A signed permutation of the axes; the image of v is ``(g v)[i] = signs[i] v[source[i]]``.

    Args:
        source: For each axis of the output the axis of the input that it shows.
        signs: For each axis of the output +1, or -1 where it is flipped.

    Raises:
        GridError: MS-290, not a signed permutation.
    """

    source: tuple[int, int, int]
    signs: tuple[int, int, int]

    def __post_init__(self) -> None:
        """Refuse anything but a signed permutation of three axes."""
        if sorted(self.source) != [0, 1, 2] or [abs(s) for s in self.signs] != [1, 1, 1]:
            raise GridError(
                code="MS-290",
                subject="grid element",
                cause=f"axes {self.source} with signs {self.signs} are not a signed permutation",
                fix="use each of the axes 0, 1, 2 once, with a sign of +1 or -1",
            )

    @classmethod
    def parse(cls, triplet: str) -> "GridElement":
        """Read a triplet such as ``-x,y,z`` (mirror) or ``-y,x,z`` (quarter turn about z).

        Raises:
            GridError: MS-290, not a triplet of signed axes.
        """
        parts = [part.strip() for part in triplet.split(",")]
        letters = [part.lstrip("+-") for part in parts]
        if sorted(letters) != list(_AXES) or any(
            len(p) - len(c) > 1 for p, c in zip(parts, letters, strict=True)
        ):
            raise GridError(
                code="MS-290",
                subject=f"grid element {triplet!r}",
                cause="is not a triplet of the axes x, y, z",
                fix="write for example '-x,y,z' (mirror) or '-y,x,z' (quarter turn about z)",
            )
        x, y, z = (_AXES.index(letter) for letter in letters)
        a, b, c = (-1 if part.startswith("-") else 1 for part in parts)
        return cls((x, y, z), (a, b, c))

    @classmethod
    def mirror(cls, axis: Axis) -> "GridElement":
        """The reflection that flips one axis."""
        check_axis(axis)
        a, b, c = (-1 if axis == letter else 1 for letter in _AXES)
        return cls((0, 1, 2), (a, b, c))

    @property
    def name(self) -> str:
        """Coordinate triplet, for example ``-y,x,z``."""
        return ",".join(
            ("-" if s < 0 else "") + _AXES[i] for i, s in zip(self.source, self.signs, strict=True)
        )

    @property
    def determinant(self) -> int:
        """+1 for a rotation, -1 for a reflection, inversion or rotoinversion."""
        a, b, c = self.source
        parity = 1 if (b - a) % 3 == 1 and (c - b) % 3 == 1 else -1
        return parity * self.signs[0] * self.signs[1] * self.signs[2]

    @property
    def flipped(self) -> tuple[int, ...]:
        """Axes (0 is x) of the output that are flipped."""
        return tuple(i for i in range(3) if self.signs[i] < 0)

    def __mul__(self, other: "GridElement") -> "GridElement":
        """The product g h: first h, then g."""
        x, y, z = (other.source[i] for i in self.source)
        a, b, c = (s * other.signs[i] for i, s in zip(self.source, self.signs, strict=True))
        return GridElement((x, y, z), (a, b, c))

    def inverse(self) -> "GridElement":
        """The element that undoes this one."""
        x, y, z = (self.source.index(i) for i in range(3))
        a, b, c = (self.signs[i] for i in (x, y, z))
        return GridElement((x, y, z), (a, b, c))

    def apply(self, tensor: Tensor) -> Tensor:
        """(g f)(v) = f(g^-1 v) on the last three dimensions (x, y, z); channels stay."""
        first = tensor.ndim - 3
        if self.source != (0, 1, 2):
            tensor = tensor.permute(*range(first), *(first + i for i in self.source))
        return tensor.flip([first + i for i in self.flipped]) if self.flipped else tensor
