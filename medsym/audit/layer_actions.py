"""How the mirror acts on the channels of each layer, as far as a network says.

Layers of medsym carry their action. Layers without weights (activations, pooling) hand on the
action of the tensor they were given. Where nothing is known the channels count as trivial: they
are expected to stay, which is what a symmetric kernel gives.
"""

from collections.abc import Mapping
from typing import Literal, cast

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from medsym.symmetry.mirror import Axis, ChannelAction, flip, mirror

Source = Literal["given", "layer", "input", "assumed"]
"""Where an action comes from."""


def own_action(module: nn.Module, side: Literal["in", "out"]) -> ChannelAction | None:
    """The action that a layer itself states for its input or output; None if it states none."""
    name = f"action_{side}"
    parametrised = getattr(module, "parametrizations", None)
    if isinstance(parametrised, nn.ModuleDict):
        for entry in parametrised.values():
            weight = cast("nn.ModuleList", entry)[0]
            found = getattr(weight, name, getattr(weight, "action", None))
            if isinstance(found, ChannelAction):
                return found
    found = getattr(module, name, getattr(module, "action", None))
    return found if isinstance(found, ChannelAction) else None


class ActionBook:
    """Remembers the actions of the tensors that pass through a network.

    Args:
        axis: The mirrored axis.
        given: Actions of outputs that the user states, by path of the module.
    """

    def __init__(self, axis: Axis, given: Mapping[str, ChannelAction]) -> None:
        self.axis, self._given = axis, given
        self._tensors = WeakIdKeyDictionary()
        self._latest: dict[int, ChannelAction] = {}

    def learn(self, tensor: Tensor, action: ChannelAction | None) -> None:
        """State the action of a tensor."""
        if action is not None:
            self._tensors[tensor] = action
            self._latest[action.channels] = action

    def of_input(self, module: nn.Module, tensor: Tensor, channels: int) -> ChannelAction | None:
        """The action of a tensor that enters a module; None counts as trivial."""
        stated = own_action(module, "in") or self._tensors.get(tensor)
        found = stated or self._latest.get(channels)
        return found if found is not None and found.channels == channels else None

    def of_output(
        self, path: str, module: nn.Module, *, before: ChannelAction | None, channels: int
    ) -> tuple[ChannelAction | None, Source]:
        """The action of a tensor that leaves a module, and where it comes from."""
        weighted = any(True for _ in module.parameters(recurse=False))
        candidates: tuple[tuple[ChannelAction | None, Source], ...] = (
            (self._given.get(path), "given"),
            (own_action(module, "out"), "layer"),
            (None if weighted else before, "input"),
        )
        for action, source in candidates:
            if action is not None and action.channels == channels:
                return action, source
        return None, "assumed"


def mirrored(volume: Tensor, action: ChannelAction | None, axis: Axis) -> Tensor:
    """S of (b, c, x, y, z); without an action the channels stay and the axis alone is flipped."""
    return flip(volume, axis) if action is None else mirror(volume, action)
