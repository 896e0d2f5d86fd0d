"""The mathematics of soft bilateral symmetry; pure torch, usable without the rest of medsym."""

from medsym.symmetry.defect import layer_defect, measured_defect, relative_defect
from medsym.symmetry.mirror import Axis, ChannelAction, check_strided, flip, mirror
from medsym.symmetry.output_space import SoftEquivariant, SoftOutput, tolerance_for
from medsym.symmetry.parametrisation import fold, harden, soften_layer
from medsym.symmetry.parts import split_function, split_kernel, split_vector, twin_kernel
from medsym.symmetry.soft_head import defect_bound, one_pass_defect, rounding_slack, soft_odd
from medsym.symmetry.softness import Softness

__all__ = [
    "Axis",
    "ChannelAction",
    "SoftEquivariant",
    "SoftOutput",
    "Softness",
    "check_strided",
    "defect_bound",
    "flip",
    "fold",
    "harden",
    "layer_defect",
    "measured_defect",
    "mirror",
    "one_pass_defect",
    "relative_defect",
    "rounding_slack",
    "soft_odd",
    "soften_layer",
    "split_function",
    "split_kernel",
    "split_vector",
    "tolerance_for",
    "twin_kernel",
]
