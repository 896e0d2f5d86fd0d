"""Groups and representations of escnn, restricted to the voxel grid.

escnn (Cesa, Lang, Weiler, ICLR 2022) defines groups acting on R^3 and their representations. A
finite group whose elements are symmetries of the cube acts on the grid exactly; here it becomes a
:class:`GridGroup`, and each representation, evaluated at the elements, a :class:`GroupAction`: a
signed permutation where it is one (trivial, regular, quotient fields, the standard representation)
and orthogonal matrices else (the two-dimensional E).

escnn numbers the tensor dimensions z, y, -x: its point (a, b, c) lies in our point (c, b, -a).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.errors import ModelError
from medsym.nn.representations import escnn
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup

_TO_TENSOR = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
_DEVIATION = 1e-6  # of a matrix entry from an integer, where escnn computes with quaternions


def octahedral_space(*, reflections: bool) -> Any:
    """The escnn space of the cube's rotations O (24), or with reflections Oh (48)."""
    return escnn.gspaces.fullOctaOnR3() if reflections else escnn.gspaces.octaOnR3()


def three_mirrors_space() -> Any:
    """The escnn space of D2h (8): mirrors along x, y and z.

    escnn's own ``fullCylindricalOnR3(2)`` puts two of the mirrors on the diagonals; an eighth turn
    about its third axis, given as ``adjoint``, moves them onto the grid.
    """
    turn = np.array([0.0, 0.0, np.sin(np.pi / 8.0), np.cos(np.pi / 8.0)])
    adjoint = escnn.group.o3_group(1).element((0, turn), "Q")
    return escnn.gspaces.fullCylindricalOnR3(2, adjoint=adjoint)


def grid_group_of(space: Any) -> GridGroup:
    """The grid group of an escnn space on R^3.

    Raises:
        ModelError: MS-239, the group is continuous or moves voxels off the grid.
    """
    return GridGroup.generated(*_elements(space), name=str(space.fibergroup.name))


def group_action_of(space: Any, representations: Sequence[Any]) -> GroupAction:
    """The direct sum of escnn representations as a channel action of :func:`grid_group_of`.

    Args:
        space: An escnn space on R^3 whose group acts on the grid.
        representations: Representations of its group, in channel order.

    Raises:
        ModelError: MS-239, as :func:`grid_group_of`.
    """
    group = grid_group_of(space)
    place = {element: i for i, element in enumerate(_elements(space))}
    ordered = [space.fibergroup.elements[place[e]] for e in group.elements]
    fields = [_action(group, [np.asarray(r(e)) for e in ordered]) for r in representations]
    return sum(fields[1:], start=fields[0])


def _action(group: GridGroup, matrices: list[NDArray[np.float64]]) -> GroupAction:
    """One field from its matrices, in the order of the group."""
    stacked = np.stack(matrices)
    exact = np.rint(stacked).astype(int)
    one_per_row = bool((np.abs(exact).sum(axis=2) == 1).all())
    if not one_per_row or np.abs(stacked - exact).max() > _DEVIATION:
        return GroupAction(group, matrices=torch.from_numpy(stacked).double())
    perms = np.abs(exact).argmax(axis=2)
    signs = exact.sum(axis=2)
    return GroupAction(group, tuple(map(tuple, perms.tolist())), tuple(map(tuple, signs.tolist())))


def _elements(space: Any) -> list[GridElement]:
    """The grid element of every element of an escnn group, in escnn's order."""
    name = str(space.fibergroup.name)
    if space.fibergroup.order() < 1:
        raise _off_grid(name, "is a continuous group")
    found = []
    for element in space.fibergroup.elements:
        matrix = _TO_TENSOR @ np.asarray(space.basespace_action(element)) @ _TO_TENSOR.T
        exact = np.rint(matrix).astype(int)
        if np.abs(matrix - exact).max() > _DEVIATION:
            raise _off_grid(name, f"holds {element}, which moves voxels off the grid")
        x, y, z = (int(i) for i in np.abs(exact).argmax(axis=1))
        a, b, c = (int(s) for s in exact.sum(axis=1))
        found.append(GridElement((x, y, z), (a, b, c)))
    return found


def _off_grid(name: str, cause: str) -> ModelError:
    return ModelError(
        code="MS-239",
        subject=f"escnn group {name}",
        cause=cause,
        fix="use a finite group of quarter turns and axis mirrors, for example octahedral_space()",
    )
