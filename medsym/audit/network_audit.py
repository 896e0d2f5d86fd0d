"""The equivariance report of one network: everything that is measured on it, in one place."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from medsym.audit.compliance import Compliance
from medsym.audit.cost import REPEATS, Cost, cost_of
from medsym.audit.layer_softness import LayerSoftness, layer_softness
from medsym.audit.layers import LayerDefect
from medsym.audit.place import Place
from medsym.audit.subject import Subject, subject_of
from medsym.audit.volume_audit import OutputDefect, Report, VolumeAudit, audit_volume
from medsym.strict_json import finite
from medsym.symmetry.mirror import Axis, ChannelAction

TOLERANCE = 1e-5
"""Relative defect that counts as lost symmetry; float32 rounding makes about 1e-6."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkAudit:
    """The equivariance report of one network.

    Attributes:
        name: Of the network.
        axis: The mirrored axis.
        parameters: Number of trained numbers.
        tolerance: Relative defect from which a layer counts as having lost the mirror.
        volumes: One entry per volume.
        softness: One entry per softened weight.
        cost: Processor time on the first volume.
    """

    name: str
    axis: Axis
    parameters: int
    tolerance: float
    volumes: tuple[VolumeAudit, ...]
    softness: tuple[LayerSoftness, ...]
    cost: tuple[Cost, ...]

    def numbers(self) -> dict[str, Any]:
        """All numbers, ready for JSON; pictures are left out, ratios to nothing become None."""
        numbers = {
            "name": self.name,
            "axis": self.axis,
            "parameters": self.parameters,
            "tolerance": self.tolerance,
            "softness": [dataclasses.asdict(row) for row in self.softness],
            "cost": [dataclasses.asdict(row) for row in self.cost],
            "volumes": [_volume_numbers(volume, self.tolerance) for volume in self.volumes],
        }
        strict: dict[str, Any] = finite(numbers)
        return strict


def audit_network(
    network: nn.Module,
    volume: Tensor,
    *,
    name: str | None = None,
    axis: Axis = "x",
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
    tolerance: float = TOLERANCE,
    report: Report | None = None,
) -> NetworkAudit:
    """The equivariance report of any network at one volume.

    Args:
        network: An AsymmetryNet, a SoftEquivariant, or a module that returns one tensor (b, c',
            x, y, z).
        volume: x, (1, c, x, y, z), with sizes that the network takes.
        name: For tables; the network's class by default.
        axis: The mirrored axis.
        action_in: Channel action on the input; by default the network's own, or trivial.
        action_out: Channel action on the output; by default the network's own, or trivial.
        tolerance: Relative defect from which a layer counts as having lost the mirror.
        report: Told what is being measured.

    Raises:
        ModelError: MS-276, the network does not return one volume.

    Example:
        >>> import torch
        >>> found = audit_network(torch.nn.Conv3d(1, 1, 3), torch.rand(1, 1, 8, 8, 8))
        >>> found.volumes[0].outputs[0].defect > 0.01
        True
    """
    subject = subject_of(
        network,
        name=name,
        axis=axis,
        action_in=action_in,
        action_out=action_out,
        in_channels=volume.shape[1],
    )
    found = audit_volume(subject, volume, name="volume", report=report)
    return combine(subject, [found], volume, tolerance=tolerance, report=report)


def combine(
    subject: Subject,
    volumes: Sequence[VolumeAudit],
    timed: Tensor,
    *,
    tolerance: float = TOLERANCE,
    repeats: int = REPEATS,
    report: Report | None = None,
) -> NetworkAudit:
    """Add what does not depend on the volume: softness, and the cost of a pass over ``timed``."""
    if report is not None:
        report("processor time")
    return NetworkAudit(
        name=subject.name,
        axis=subject.axis,
        parameters=sum(p.numel() for p in subject.network.parameters()),
        tolerance=tolerance,
        volumes=tuple(volumes),
        softness=layer_softness(subject.network),
        cost=cost_of(subject, timed, repeats=repeats),
    )


def _volume_numbers(volume: VolumeAudit, tolerance: float) -> dict[str, Any]:
    first = volume.layers.first_above(tolerance)
    return {
        "name": volume.name,
        "shape": list(volume.image.shape),
        "outputs": [_without_map(output) for output in volume.outputs],
        "first_layer_above_tolerance": first.path if first is not None else None,
        "layers": [_without_map(layer) for layer in volume.layers.layers],
        "layers_not_compared": dict(volume.layers.not_compared),
        "layer_shift": dict(volume.layer_shift),
        "motions": [dataclasses.asdict(motion) for motion in volume.motions],
        "disturbances": [dataclasses.asdict(row) for row in volume.disturbances],
    }


def _without_map(measured: OutputDefect | LayerDefect) -> dict[str, Any]:
    """All fields but the map."""
    values = {f.name: getattr(measured, f.name) for f in dataclasses.fields(measured)}
    del values["voxels"]
    return {
        name: dataclasses.asdict(value) if isinstance(value, Place | Compliance) else value
        for name, value in values.items()
    }
