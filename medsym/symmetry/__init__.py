"""The mathematics of soft bilateral symmetry; pure torch, usable without the rest of medsym.

Groups beyond one mirror are in :mod:`medsym.symmetry.groups`, certificates of layers and networks
in :mod:`medsym.symmetry.certificates`.
"""

from medsym.symmetry.defect import layer_defect, measured_defect, relative_defect
from medsym.symmetry.flip_guard import mirror_augmented_loss, refuse_flips
from medsym.symmetry.freezing import StagedFreezing, even_only
from medsym.symmetry.mirror import Axis, ChannelAction, check_strided, flip, mirror
from medsym.symmetry.output_space import SoftEquivariant, SoftOutput, tolerance_for
from medsym.symmetry.parametrisation import fold, harden, soften_layer
from medsym.symmetry.parts import split_function, split_kernel, split_vector, twin_kernel
from medsym.symmetry.penalties import DualSoftness, softness_penalty
from medsym.symmetry.relaxation import clear_odd_parts, relax
from medsym.symmetry.schedules import parameter_groups, set_softness
from medsym.symmetry.soft_head import defect_bound, one_pass_defect, rounding_slack, soft_odd
from medsym.symmetry.softness import Softness, load_softness, softness_values

__all__ = [
    "Axis",
    "ChannelAction",
    "DualSoftness",
    "SoftEquivariant",
    "SoftOutput",
    "Softness",
    "StagedFreezing",
    "check_strided",
    "clear_odd_parts",
    "defect_bound",
    "even_only",
    "flip",
    "fold",
    "harden",
    "layer_defect",
    "load_softness",
    "measured_defect",
    "mirror",
    "mirror_augmented_loss",
    "one_pass_defect",
    "parameter_groups",
    "refuse_flips",
    "relative_defect",
    "relax",
    "rounding_slack",
    "set_softness",
    "soft_odd",
    "soften_layer",
    "softness_penalty",
    "softness_values",
    "split_function",
    "split_kernel",
    "split_vector",
    "tolerance_for",
    "twin_kernel",
]
