"""How each torch function treats the channels of its input: one rule per function.

Rules read and write a :class:`Trace`: blocks and equations between spaces, and which layer or
vector of weights meets which space. Tensors inside transformers are *tokens*: their layout is
not followed, their channels must be trivial.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from medsym.models.retrofit.spaces import Block, Blocks, Space, channels_of
from medsym.symmetry.dataflow import tensors_in
from medsym.symmetry.walk import Call


@dataclass(frozen=True, slots=True)
class Tokens:
    """Fact about a tensor inside a transformer: any layout, trivial channels."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """Fact about several outputs of the same space that were stacked behind the batch."""

    space: Space


Fact = Space | Tokens | Stacked


@dataclass
class Trace:
    """What one run of a network says about its channels.

    Attributes:
        blocks: Blocks and equations.
        convolutions: Input space and output block of every convolution, by path.
        norms: Space of every norm, by path.
        vectors: Space of every other per-channel parameter (shape (channels,) or (1, channels,
            1, 1, 1)), by its dotted name.
        permuted: Spaces that pass a non-linearity or a product: no sign channels there.
        fixed: Spaces that must be trivial, with the place.
        names: Dotted name of every parameter, by id of the copy that ran.
    """

    blocks: Blocks
    names: dict[int, str]
    convolutions: dict[str, tuple[Space, Block]] = field(default_factory=dict)
    norms: dict[str, Space] = field(default_factory=dict)
    vectors: dict[str, Space] = field(default_factory=dict)
    permuted: list[tuple[Space, str]] = field(default_factory=list)
    fixed: list[tuple[Space, str]] = field(default_factory=list)

    def note_vector(self, tensor: Tensor, space: Space, call: Call[Fact]) -> None:
        """What is no feature met a space: one number, one per sample, or one per channel.

        Raises:
            ModelError: MS-220, a tensor that differs between voxels, or one per channel that is
                no parameter.
        """
        if tensor.numel() == 1 or (tensor.ndim == 5 and tensor[0].numel() == 1):
            return
        name = self.names.get(id(tensor))
        size, shape = channels_of(space), tuple(tensor.shape)
        alone = shape == (size,) and call.name.endswith("prelu")
        if name is None or not (alone or shape in ((size, 1, 1, 1), (1, size, 1, 1, 1))):
            raise call.refuse(
                f"{name or 'a tensor that is no parameter'} of shape {shape} is not one parameter "
                "per channel",
                "use per-channel parameters, or treat the network as a whole by two passes",
            )
        known = self.vectors.setdefault(name, space)
        self.blocks.equate(known, space, call.path)


TraceRule = Callable[[Trace, Call[Fact], Any], Fact | None]


def space_of(call: Call[Fact], tensor: object) -> Space | None:
    """The space of a tensor argument; None for weights and numbers.

    Raises:
        ModelError: MS-220, the tensor is a stack of outputs, which nothing may follow.
    """
    fact = call.fact(tensor) if isinstance(tensor, Tensor) else None
    if isinstance(fact, Stacked):
        raise call.refuse("stacked outputs are used again", "stack only what is returned")
    return fact if isinstance(fact, tuple) else None


def same(_trace: Trace, call: Call[Fact], output: Any) -> Fact | None:
    """Copies, dropout, pooling, resampling: channels stay as they are."""
    space = space_of(call, call.argument(0, "input"))
    if space is not None and (output.ndim != 5 or output.shape[1] != channels_of(space)):
        raise call.refuse("it changes the number of channels", "keep the channels as they are")
    return space


def pointwise(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """A non-linearity voxel by voxel: commutes with permutations of channels, not with signs."""
    space = space_of(call, call.argument(0, "input"))
    if space is not None:
        trace.permuted.append((space, call.path))
        for weight in tensors_in([*call.args[1:], *call.kwargs.values()]):
            trace.note_vector(weight, space, call)
    return space


def softmax(trace: Trace, call: Call[Fact], output: Any) -> Fact | None:
    """Softmax over the channels."""
    if call.argument(1, "dim") not in (1, -4):
        raise call.refuse("a softmax over space is not followed", "take it over the channels")
    return pointwise(trace, call, output)


def convolution(trace: Trace, call: Call[Fact], output: Any) -> Fact | None:
    """A convolution, plain or transposed: makes the block of its output channels."""
    space = space_of(call, call.argument(0, "input"))
    if space is None or not isinstance(call.module, nn.Conv3d | nn.ConvTranspose3d):
        raise call.refuse(
            "the convolution is not made by a Conv3d or ConvTranspose3d module",
            "use torch's own layers",
        )
    known = trace.convolutions.get(call.path)
    if known is not None:
        trace.blocks.equate(known[0], space, call.path)
        return (known[1],)
    made = trace.blocks.new(output.shape[1], call.path)
    trace.convolutions[call.path] = (space, made)
    if call.module.groups == call.module.in_channels == call.module.out_channels > 1:
        trace.blocks.equate(space, (made,), call.path)
    return (made,)


def norm(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Instance, batch and group norm: act on the space as it is."""
    space = space_of(call, call.argument(0, "input"))
    if space is not None:
        known = trace.norms.setdefault(call.path, space)
        trace.blocks.equate(known, space, call.path)
    return space


def arithmetic(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Sums: both sides carry the same action; a single channel broadcasts to all."""
    return _combined(trace, call, product=False)


def product(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Products and quotients: as sums, and without sign channels."""
    return _combined(trace, call, product=True)


def _combined(trace: Trace, call: Call[Fact], *, product: bool) -> Fact | None:
    operands = [call.argument(0, "input"), call.argument(1, "other")]
    spaces = [space_of(call, operand) for operand in operands]
    wide = [s for s in spaces if s is not None and channels_of(s) > 1]
    present = wide or [s for s in spaces if s is not None]
    if len(present) == 2:
        trace.blocks.equate(present[0], present[1], call.path)
    result = present[0]
    if product or len(present) < 2:
        trace.permuted.extend((s, call.path) for s in spaces if s is not None)
    for operand, space in zip(operands, spaces, strict=True):
        if space is None and isinstance(operand, Tensor):
            trace.note_vector(operand, result, call)
    return result


def concatenation(_trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Concatenation along the channels: spaces in a row."""
    spaces = [space_of(call, part) for part in call.argument(0, "tensors")]
    if call.argument(1, "dim", 0) not in (1, -4) or any(s is None for s in spaces):
        raise call.refuse(
            "only features can be concatenated, along the channels", "concatenate with dim=1"
        )
    return tuple(block for space in spaces if space is not None for block in space)


def stack(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Several outputs stacked behind the batch (deep supervision): all of the same space."""
    spaces = [s for part in call.argument(0, "tensors") if (s := space_of(call, part)) is not None]
    for space in spaces[1:]:
        trace.blocks.equate(spaces[0], space, call.path)
    return Stacked(spaces[0])


def repetition(_trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Repeating all channels in a row."""
    counts = call.args[1] if isinstance(call.args[1], list | tuple) else call.args[1:]
    space = space_of(call, call.args[0])
    if space is None or any(n != 1 for i, n in enumerate(counts) if i != 1) or len(counts) != 5:
        raise call.refuse("only channels can be repeated", "repeat along dim 1")
    return space * int(counts[1])


def reduction(trace: Trace, call: Call[Fact], output: Any) -> Fact | None:
    """Norms and means that keep five dimensions, over space or over the channels."""
    space = space_of(call, call.args[0])
    if space is None or output.ndim != 5:
        raise call.refuse("a reduction that drops dimensions is not followed", "use keepdim=True")
    trace.permuted.append((space, call.path))
    if output.shape[1] == channels_of(space):
        return space
    made = trace.blocks.new(1, call.path)
    trace.fixed.append(((made,), call.path))
    return (made,)


def token_rule(trace: Trace, call: Call[Fact], _output: Any) -> Fact | None:
    """Inside a transformer the layout is not followed; its channels are then trivial."""
    for tensor in tensors_in((call.args, call.kwargs)):
        space = space_of(call, tensor)
        if space is not None:
            trace.fixed.append((space, call.path))
    return Tokens()


_BY_RULE: dict[TraceRule, str] = {
    convolution: "conv3d conv_transpose3d",
    norm: "instance_norm batch_norm group_norm",
    same: "contiguous clone detach to float half dropout dropout1d dropout2d dropout3d "
    "alpha_dropout feature_alpha_dropout max_pool3d avg_pool3d adaptive_avg_pool3d "
    "adaptive_max_pool3d interpolate upsample pad as_tensor",
    pointwise: "relu leaky_relu prelu elu gelu silu mish sigmoid tanh softplus hardswish "
    "hardsigmoid hardtanh relu6 selu celu rrelu threshold clamp clip abs square exp sqrt pow",
    softmax: "softmax log_softmax",
    arithmetic: "add sub",
    product: "mul multiply div divide truediv",
    concatenation: "cat concat concatenate",
    stack: "stack",
    repetition: "repeat",
    reduction: "norm mean sum amax amin",
}

CHANNEL_RULES: dict[str, TraceRule] = {
    name: rule for rule, names in _BY_RULE.items() for name in names.split()
}
"""Bare name of the torch function -> what it does to channels."""
