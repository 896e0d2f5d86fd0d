"""Groups beyond one mirror: any finite subgroup of the cube's symmetries, acting on the grid."""

from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.defect import group_layer_bound, group_layer_defect
from medsym.symmetry.groups.degree import ElementDistribution, SubgroupShares
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import action_from_mirror, mirror_of_action
from medsym.symmetry.groups.output import GroupEquivariant
from medsym.symmetry.groups.parts import (
    element_defect,
    project_function,
    project_kernel,
    project_vector,
    worst_defect,
)
from medsym.symmetry.groups.softness import soften_group_layer

__all__ = [
    "ElementDistribution",
    "GridElement",
    "GridGroup",
    "GroupAction",
    "GroupEquivariant",
    "SubgroupShares",
    "action_from_mirror",
    "element_defect",
    "group_layer_bound",
    "group_layer_defect",
    "mirror_of_action",
    "project_function",
    "project_kernel",
    "project_vector",
    "soften_group_layer",
    "worst_defect",
]
