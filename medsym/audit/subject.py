"""What is audited: a network, how its outputs are read, and how the mirror acts on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from medsym.audit.layer_actions import mirrored, own_action
from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.network_file import load_network_file
from medsym.models.store import load_model
from medsym.models.structures import mirror_permutation
from medsym.symmetry.mirror import Axis, ChannelAction, mirror
from medsym.symmetry.output_space import SoftEquivariant
from medsym.volumes.frame import SymmetricGrid


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One output of a network.

    Attributes:
        name: For tables.
        read: What the network returns -> (b, c, x, y, z).
        action: Channel action of the mirror, trivial if None.
        bound: What the network returns -> the bound 2 S t on the defect, if it has a tolerance.
    """

    name: str
    read: Callable[[Any], Tensor]
    action: ChannelAction | None = None
    bound: Callable[[Any], Tensor] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A network with what an audit has to know.

    Attributes:
        name: For tables.
        network: Softness kept, evaluation mode.
        outputs: The first one is the main one.
        axis: The mirrored axis.
        action_in: Channel action on the input, trivial if None.
        in_channels: Channels of the input; a scan is repeated in each.
        grid: Grid that scans are put on.
        size_multiple: Sizes that the network is run on are multiples of it; None is the whole
            grid.
        plain: The network as it would be without softness, for the cost; None if there is none.
    """

    name: str
    network: nn.Module
    outputs: tuple[Output, ...]
    axis: Axis = "x"
    action_in: ChannelAction | None = None
    in_channels: int = 1
    grid: SymmetricGrid = field(default_factory=SymmetricGrid)
    size_multiple: int | None = None
    plain: nn.Module | None = None

    @property
    def main(self) -> Output:
        """The output that motions and disturbances are measured on."""
        return self.outputs[0]

    def value(self, volume: Tensor) -> Tensor:
        """The main output, (b, c, x, y, z)."""
        return self.main.read(self.network(volume))

    def mirrored_input(self, volume: Tensor) -> Tensor:
        """S x."""
        return mirrored(volume, self.action_in, self.axis)

    def mirrored_output(self, values: Tensor, output: Output | None = None) -> Tensor:
        """S of an output, the main one by default."""
        return mirrored(values, (output or self.main).action, self.axis)


def subject_of(
    network: nn.Module,
    *,
    name: str | None = None,
    axis: Axis = "x",
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
    in_channels: int = 1,
) -> Subject:
    """Any network as a subject; what it says about itself is used.

    Args:
        network: An AsymmetryNet, a SoftEquivariant, or a module that returns one tensor.
        name: For tables; its class by default.
        axis: The mirrored axis.
        action_in: Channel action on the input; by default the network's own ``action_in``, and
            trivial where it has none.
        action_out: The same for the output.
        in_channels: Channels of the input.
    """
    title = name or type(network).__name__
    if isinstance(network, AsymmetryNet):
        return Subject(
            name=title,
            network=network,
            outputs=_outputs_of_asymmetry_net(),
            size_multiple=network.size_multiple,
            grid=SymmetricGrid.spanning(network.settings.spacing_mm),
        )
    action_in = action_in or own_action(network, "in")
    action = action_out or own_action(network, "out")
    output = Output(name="output", read=_single_tensor, action=action)
    plain = None
    if isinstance(network, SoftEquivariant):
        output = Output(name="output", read=_value, action=action, bound=_bound)
        plain = network.network
    return Subject(
        name=title,
        network=network,
        outputs=(output,),
        axis=action.axis if action is not None else axis,
        action_in=action_in,
        in_channels=action_in.channels if action_in is not None else in_channels,
        plain=plain,
    )


def load_subject(model: Path | None) -> Subject:
    """Read what ``medsym audit`` was given.

    Args:
        model: A model folder, a YAML network file, or None for the shipped model.

    Raises:
        ModelError: The model cannot be loaded; see ``load_model`` and ``load_network_file``.
            MS-791, it is neither a folder nor a YAML file.
        ConfigError: The network file is not one.
        GridError: MS-160, the network file asks for odd sizes, which no scan is put on.
    """
    if model is None or model.is_dir():
        loaded = load_model(model, folded=False)
        words = [loaded.manifest.get(key) for key in ("name", "version")]
        return subject_of(loaded.network, name=" ".join(str(w) for w in words if w) or "model")
    if model.suffix not in (".yaml", ".yml"):
        raise ModelError(
            code="MS-791",
            subject=str(model),
            cause="is neither a folder nor a YAML file",
            fix="give a model folder, or a network file such as configs/network_segresnet.yaml",
        )
    named = load_network_file(model)
    settings = named.settings
    return Subject(
        name=f"{settings.network} ({model.name})",
        network=named.network,
        outputs=(Output(name="output", read=_single_tensor, action=named.action_out),),
        axis=settings.axis,
        in_channels=named.in_channels,
        grid=SymmetricGrid(shape=settings.shape, spacing_mm=settings.spacing_mm),
    )


def _outputs_of_asymmetry_net() -> tuple[Output, ...]:
    def pathology_bound(output: Any) -> Tensor:
        return 2.0 * mirror(output.pathology.tolerance)

    return (
        Output(
            name="pathology", read=lambda output: output.pathology_logits, bound=pathology_bound
        ),
        Output(
            name="anatomy",
            read=lambda output: output.anatomy_logits,
            action=ChannelAction.labels(mirror_permutation()),
        ),
    )


def _value(output: Any) -> Tensor:
    value: Tensor = output.value
    return value


def _bound(output: Any) -> Tensor:
    bound: Tensor = output.bound
    return bound


def _single_tensor(output: Any) -> Tensor:
    if isinstance(output, Tensor) and output.ndim == 5:
        return output
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    raise ModelError(
        code="MS-276",
        subject="audit",
        cause=f"the network returns {shape}, not one tensor (b, c, x, y, z)",
        fix="audit a network that returns one volume, or give a Subject whose outputs read one",
    )
