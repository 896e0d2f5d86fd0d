"""The channel action of every layer of a network, from one run on the meta device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from monai.networks.nets.unetr import UNETR
from monai.networks.nets.vit import ViT
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.models.retrofit.channel_rules import (
    CHANNEL_RULES,
    Fact,
    Stacked,
    Tokens,
    Trace,
    TraceRule,
    token_rule,
)
from medsym.models.retrofit.named_rules import NamedRules
from medsym.models.retrofit.rehearsal import empty_volume, meta_copy
from medsym.models.retrofit.spaces import Blocks, Space, channels_of, moved_channels, paired
from medsym.symmetry.dataflow import tensors_in
from medsym.symmetry.mirror import Axis, ChannelAction
from medsym.symmetry.walk import Call, Rule, Walk

Channels = Literal["trivial", "regular"]
"""Hidden channels: all left alone by the mirror, or in pairs (2 k, 2 k + 1) that swap."""

TOKEN_MODULES = (ViT, UNETR, SwinTransformer)
"""Classes whose inside is a transformer, known as a whole; subclasses may do anything."""


@dataclass(frozen=True, kw_only=True)
class LayerActions:
    """Channel actions of a network's layers.

    Attributes:
        convolutions: (action_in, action_out) by path.
        norms: Action by path.
        vectors: Action of other per-channel parameters by dotted name.
        action_out: Action of the network's output.
    """

    convolutions: Mapping[str, tuple[ChannelAction, ChannelAction]]
    norms: Mapping[str, ChannelAction]
    vectors: Mapping[str, ChannelAction]
    action_out: ChannelAction


def layer_actions(
    network: nn.Module,
    grid: Sequence[int],
    *,
    channels: Channels,
    action_in: ChannelAction,
    action_out: ChannelAction | None,
) -> LayerActions:
    """Follow the channels through the network and give every layer its actions.

    Args:
        network: The network; only copies without values are run.
        grid: A size (x, y, z) that the network accepts.
        channels: The action of hidden channels.
        action_in: Action on the input; its axis is the mirrored one.
        action_out: Action on the output, trivial if None.

    Raises:
        ModelError: MS-220, an operation whose mirror is unknown; MS-240, actions that do not fit
            together; MS-244, sign channels or moved channels where they cannot be.
    """
    blocks = Blocks(action_in.axis)
    trace, given, outputs = _trace(network, grid, blocks, action_in.channels, channels)
    blocks.settle(given, action_in, "input")
    for space in outputs:
        wanted = action_out or ChannelAction.trivial(channels_of(space), axis=blocks.axis)
        _check_output(space, wanted)
        blocks.settle(space, wanted, "output")
    for space, place in trace.fixed:
        blocks.settle(space, ChannelAction.trivial(channels_of(space), axis=blocks.axis), place)
    hidden = paired if channels == "regular" else _all_trivial
    blocks.settle_rest(partial(hidden, axis=blocks.axis))
    _check_signs(trace)
    return LayerActions(
        convolutions={
            path: (blocks.action(space), blocks.action((block,)))
            for path, (space, block) in trace.convolutions.items()
        },
        norms={path: blocks.action(space) for path, space in trace.norms.items()},
        vectors={name: blocks.action(space) for name, space in trace.vectors.items()},
        action_out=blocks.action(outputs[0]),
    )


def _all_trivial(channels: int, axis: Axis) -> ChannelAction:
    return ChannelAction.trivial(channels, axis=axis)


def _trace(
    network: nn.Module, grid: Sequence[int], blocks: Blocks, num: int, channels: Channels
) -> tuple[Trace, Space, list[Space]]:
    """A run in training mode (more outputs) and one in evaluation: trace, input, outputs."""
    copied = meta_copy(network)
    trace = Trace(blocks, names={id(p): name for name, p in copied.named_parameters()})
    tokens = {p for p, m in copied.named_modules() if type(m) in TOKEN_MODULES}
    following = _Following(trace=trace, tokens=frozenset(tokens), channels=channels)
    rules: dict[str, Rule[Fact]] = {
        name: partial(following.rule, rule) for name, rule in CHANNEL_RULES.items()
    }
    given: Space = (blocks.new(num, "input"),)
    outputs: list[Space] = []
    for training in (True, False):
        walk = Walk[Fact](
            copied.train(training), rules=NamedRules(rules, partial(following.rule, None))
        )
        with torch.no_grad():
            output = walk.run((empty_volume(num, grid), given))
        outputs += [_output_space(walk, tensor) for tensor in tensors_in(output)]
    return trace, given, outputs


@dataclass(frozen=True, kw_only=True)
class _Following:
    """How one run is followed: the trace that is written and what is known about the network."""

    trace: Trace
    tokens: frozenset[str]
    channels: Channels

    def rule(self, rule: TraceRule | None, call: Call[Fact], output: Any) -> Fact | None:
        """The rule of one function, or the one for transformers, or a refusal by name."""
        inside = not self.tokens.isdisjoint(_ancestors(call.path))
        tensors = [t for t in tensors_in((call.args, call.kwargs)) if _is_token(call.fact(t))]
        convolves = "conv" in call.name
        if tensors and (not inside or convolves):
            for tensor in tensors:
                self._as_volume(tensor, call)
            tensors = []
        if rule is not None and not tensors:
            return rule(self.trace, call, output)
        if not inside:
            raise call.refuse(
                "the mirror of this operation is not known",
                "replace the operation, or soften the output instead (SoftEquivariant)",
            )
        if self.channels == "regular":
            raise call.refuse(
                "transformers mix all channels, pairs that swap cannot be followed through them",
                "use channels='trivial'",
            )
        return token_rule(self.trace, call, output)

    def _as_volume(self, tensor: Tensor, call: Call[Fact]) -> None:
        """What leaves a transformer is a volume of trivial channels."""
        space = (self.trace.blocks.new(tensor.shape[1], call.path),)
        self.trace.fixed.append((space, call.path))
        call.walk.learn(tensor, space)


def _is_token(fact: Fact | None) -> bool:
    return isinstance(fact, Tokens)


def _ancestors(path: str) -> set[str]:
    """The path itself and all modules around it; "" is the network."""
    return {"", path, *(path[:i] for i, c in enumerate(path) if c == ".")}


def _output_space(walk: Walk[Fact], tensor: Tensor) -> Space:
    fact = walk.fact(tensor)
    if isinstance(fact, Stacked):
        return fact.space
    if not isinstance(fact, tuple):
        raise ModelError(
            code="MS-245",
            subject=type(walk.network).__name__,
            cause=f"an output of shape {tuple(tensor.shape)} is not a volume of channels",
            fix="soften() takes networks from volumes to volumes",
        )
    return fact


def _check_output(space: Space, action: ChannelAction) -> None:
    if action.channels != channels_of(space):
        raise ModelError(
            code="MS-246",
            subject="action_out",
            cause=f"it acts on {action.channels} channels, the network returns "
            f"{channels_of(space)}",
            fix="give one entry per output channel",
        )


def _check_signs(trace: Trace) -> None:
    for space, place in trace.permuted:
        action = trace.blocks.action(space)
        if not action.is_permutation:
            raise ModelError(
                code="MS-244",
                subject=place or "network",
                cause=f"channels {list(moved_channels(action))} change sign under the mirror, "
                "which this operation does not commute with",
                fix="use actions without sign channels here",
            )
