"""The equivariance report of one network at one volume."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from medsym.audit.compliance import Compliance, compliance_of
from medsym.audit.layer_motion import layer_motion
from medsym.audit.layers import (
    LayerReport,
    evaluating,
    largest_at_source,
    layer_defects,
    relative_size,
)
from medsym.audit.place import Place, place_of
from medsym.audit.robustness import Disturbance, robustness
from medsym.audit.subject import Output, Subject
from medsym.symmetry.lie_derivative import (
    Motion,
    lie_derivative,
    motions_of_plane,
    pointwise_floor,
    smoothed,
)

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputDefect:
    """Defect of one output at one volume.

    Attributes:
        name: Of the output.
        defect: ``|f(S x) - S f(x)| / |f(x)|`` in the 2-norm.
        largest: Largest ``|E|`` of a voxel, units of the output.
        place: Where it lies across the mirrored axis.
        compliance: Against the tolerance, for outputs that have one.
        voxels: Largest ``|E|`` over the channels, (x, y, z), mirrored back to the places of x, so
            that it can be laid over the volume.
    """

    name: str
    defect: float
    largest: float
    place: Place
    compliance: Compliance | None
    voxels: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionResponse:
    """Lie derivative of the main output for one motion of the mid-plane.

    It is taken at the volume smoothed by a Gaussian of one voxel, whose motion the grid holds.

    Attributes:
        motion: Its name, for example "shift x".
        unit: voxel or degree.
        change: ``|L f| / |f|`` per unit.
        share: ``|L f| / |X f|``: 0 follows the motion, 1 ignores it.
        floor: The share of a pointwise function on the same volume; below it nothing is seen.
        method: How the derivative was found.
    """

    motion: str
    unit: str
    change: float
    share: float
    floor: float
    method: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeAudit:
    """What was measured on one volume.

    Attributes:
        name: Of the volume.
        image: First channel of the volume, (x, y, z).
        layers: Defect of every layer.
        outputs: Defect of every output, the main one first.
        motions: Lie derivatives of the main output.
        layer_shift: How far each layer is from following a shift across the mid-plane, by path.
        disturbances: Robustness of the main output.
    """

    name: str
    image: NDArray[np.float32]
    layers: LayerReport
    outputs: tuple[OutputDefect, ...]
    motions: tuple[MotionResponse, ...]
    layer_shift: Mapping[str, float]
    disturbances: tuple[Disturbance, ...]


def audit_volume(
    subject: Subject, volume: Tensor, *, name: str, report: Report | None = None
) -> VolumeAudit:
    """Everything that depends on the volume: layers, outputs, motions, disturbances."""
    say = report or silent
    say(f"{name}: layers")
    layers = layer_defects(subject.network, volume, axis=subject.axis, action_in=subject.action_in)
    outputs = tuple(_output_defect(subject, output, layers.output) for output in subject.outputs)
    with evaluating(subject.network):
        smooth = smoothed(volume)
        motions = _motions(subject, smooth, say=lambda step: say(f"{name}: {step}"))
        say(f"{name}: motions of the mid-plane, layer by layer")
        layer_shift = layer_motion(subject.network, smooth, Motion(subject.axis))
        say(f"{name}: disturbances")
        disturbances = robustness(subject, volume)
    return VolumeAudit(
        name=name,
        image=volume[0, 0].float().cpu().numpy(),
        layers=layers,
        outputs=outputs,
        motions=motions,
        layer_shift=layer_shift,
        disturbances=disturbances,
    )


def _output_defect(subject: Subject, output: Output, returned: Any) -> OutputDefect:
    """Compare the halves of what the network returned for [x, S x]."""
    values = output.read(returned)
    size = values.shape[0] // 2
    expected = subject.mirrored_output(values[:size], output)
    defect = values[size:] - expected
    compliance = None
    if output.bound is not None:
        bound = output.bound(returned)[:size]
        compliance = compliance_of(defect, bound, value=expected)
    return OutputDefect(
        name=output.name,
        defect=relative_size(defect, expected),
        largest=float(defect.abs().max()),
        place=place_of(defect, subject.axis),
        compliance=compliance,
        voxels=largest_at_source(defect, subject.axis).float().cpu().numpy(),
    )


def _motions(subject: Subject, volume: Tensor, *, say: Report) -> tuple[MotionResponse, ...]:
    found = []
    for motion in motions_of_plane(subject.axis):
        say(f"motions of the mid-plane, {motion.name}")
        derivative = lie_derivative(subject.value, volume, motion)
        found.append(
            MotionResponse(
                motion=motion.name,
                unit=motion.unit,
                change=derivative.change,
                share=derivative.share,
                floor=pointwise_floor(volume, motion),
                method=derivative.method,
            )
        )
    return tuple(found)


def silent(_line: str) -> None:
    """Report nothing."""
