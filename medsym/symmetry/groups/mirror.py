"""One mirror as a grid group, a grid group seen from one mirror, and actions from generators.

The same channels can be handed to the layers of one mirror (:class:`ChannelAction`) and to those
of a group (:class:`GroupAction`): a network strict for D2h passes every test of the mirror.
"""

from collections.abc import Mapping

from medsym.symmetry.groups.action import GroupAction, Row
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.mirror import Axis, ChannelAction


def generated_action(
    group: GridGroup, generators: Mapping[GridElement, tuple[Row, Row]]
) -> GroupAction:
    """The action whose (perm, signs) is given for generators of the group.

    Args:
        group: The group.
        generators: Elements that generate it, each with its signed permutation, for example left
            and right labels that swap under the mirror along x and stay under that along y.

    Raises:
        GridError: MS-294, the generators do not generate the group or contradict each other.
    """
    size = max((len(perm) for perm, _ in generators.values()), default=0)
    known: dict[GridElement, tuple[Row, Row]] = {
        group.elements[0]: (tuple(range(size)), (1,) * size)
    }
    border = list(known)
    while border:
        found = {
            g * h: (
                tuple(known[h][0][c] for c in perm),
                tuple(s * known[h][1][c] for s, c in zip(signs, perm, strict=True)),
            )
            for g, (perm, signs) in generators.items()
            for h in border
        }
        border = [element for element in found if element not in known]
        known.update({element: found[element] for element in border})
    rows = [known[element] for element in group.elements if element in known]
    return GroupAction(group, tuple(perm for perm, _ in rows), tuple(signs for _, signs in rows))


def action_from_mirror(action: ChannelAction) -> GroupAction:
    """The action of one mirror as an action of the group ``mirror_x`` (or y, z).

    Example:
        >>> action_from_mirror(ChannelAction.regular(1)).perms
        ((0, 1), (1, 0))
    """
    group = GridGroup.named(f"mirror_{action.axis}")
    return generated_action(group, {group.elements[1]: (action.perm, action.signs)})


def mirror_of_action(action: GroupAction, axis: Axis = "x") -> ChannelAction:
    """What an action does under the mirror along one axis, which its group must hold.

    Raises:
        GridError: MS-292, no such mirror in the group; MS-296, no signed permutation.

    Example:
        >>> mirror_of_action(GroupAction.vector(GridGroup.named("D2h")), "y")
        ChannelAction(perm=(0, 1, 2), signs=(1, -1, 1), axis='y')
    """
    action.check_signed("conversion to a mirror")
    index = action.group.index(GridElement.mirror(axis))
    return ChannelAction(action.perms[index], action.signs[index], axis)
