"""The exact defect of every layer of a network, from one pass over a scan and its mirror image.

The network runs once on the batch [x, S x]. At each layer the output h for S x is compared with
the mirrored output for x: ``E = h(S x) - S h(x)``. This defect has travelled: it holds what all
layers before have added. What the layer itself adds is found by giving it its own input mirrored:
``m(S u) - S m(u)``, zero for a layer that keeps the mirror however bad its input is. A defect
that grows between layers without any layer adding to it comes from a function between modules.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medsym.audit.feature_layout import Layout, layout_of
from medsym.audit.layer_actions import ActionBook, Source, mirrored
from medsym.audit.place import Place, place_of
from medsym.symmetry.mirror import Axis, ChannelAction, flip

ROOT = "(network)"
"""Path of the network itself, where it has no layers inside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDefect:
    """One layer in the pass over a scan and its mirror image.

    Attributes:
        path: Dotted name in the network; a layer that runs again gets "#2" and so on.
        kind: Class of the layer.
        shape: (channels, x, y, z) of its output.
        defect: ``|h(S x) - S h(x)| / |h(x)|`` in the 2-norm: 0 is exact, 2 the opposite sign.
        own: ``|m(S u) - S m(u)| / |m(u)|``, added by the layer itself; None if it could not be
            run alone.
        place: Where the defect lies across the mirrored axis.
        action: Whose word the channels' behaviour is; "assumed" means trivial.
        voxels: Largest ``|E|`` over the channels, (x, y, z) on the layer's grid, mirrored back to
            the places of x; None unless asked for.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    defect: float
    own: float | None
    place: Place
    action: Source
    voxels: Tensor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerReport:
    """All layers of one pass, in the order in which they ran.

    Attributes:
        layers: The layers that could be compared.
        not_compared: Reason for each one that could not, by path.
        output: What the network returned for the batch [x, S x].
    """

    layers: tuple[LayerDefect, ...]
    not_compared: Mapping[str, str]
    output: Any

    def first_above(self, tolerance: float) -> LayerDefect | None:
        """The first layer whose output has lost the mirror by more than a relative defect."""
        return next((layer for layer in self.layers if layer.defect > tolerance), None)


def layer_defects(
    network: nn.Module,
    volume: Tensor,
    *,
    axis: Axis = "x",
    action_in: ChannelAction | None = None,
    actions: Mapping[str, ChannelAction] | None = None,
    keep_voxels: bool = False,
) -> LayerReport:
    """Defect of every layer of a network at one input.

    Layers are the modules without children and those that own parameters. The network runs in
    evaluation mode (batch statistics would mix x with S x) and is left as it was.

    Args:
        network: Any network; medsym's own layers state how the mirror acts on their channels.
        volume: x, (b, c, x, y, z).
        axis: The mirrored axis.
        action_in: Channel action on the input, trivial if None.
        actions: Channel action on the output of layers that do not state it, by path.
        keep_voxels: Keep a map of the defect for every layer, 4 bytes a voxel.

    Returns:
        The defects and the network's own output for [x, S x].
    """
    pair = torch.cat([volume, mirrored(volume, action_in, axis)])
    watch = _Watch(book=ActionBook(axis, actions or {}), pair=pair, keep_voxels=keep_voxels)
    watch.book.learn(pair, action_in)
    with evaluating(network), torch.no_grad(), ExitStack() as hooks:
        for path, module in watched_modules(network):
            hook = partial(watch, path)
            hooks.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
        output = network(pair)
    return LayerReport(layers=tuple(watch.found), not_compared=watch.not_compared, output=output)


def watched_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules without children, and those that own parameters, without their parametrisations."""
    for path, module in network.named_modules():
        if "parametrizations" in path.split("."):
            continue
        children = [name for name, _ in module.named_children() if name != "parametrizations"]
        owns = any(True for _ in module.parameters(recurse=False))
        if not children or owns:
            yield path or ROOT, module


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every module is then left as it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@dataclass
class _Watch:
    """Forward hook of every layer."""

    book: ActionBook
    pair: Tensor
    keep_voxels: bool
    found: list[LayerDefect] = field(default_factory=list)
    not_compared: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _alone: bool = False

    def __call__(
        self,
        path: str,
        module: nn.Module,
        inputs: tuple[Any, ...],
        options: Mapping[str, Any],
        output: Any,
    ) -> None:
        """Compare the two halves of the batch at one layer."""
        if self._alone:  # inside of a layer that is run by itself
            return
        self._calls[path] = self._calls.get(path, 0) + 1
        name = path if self._calls[path] == 1 else f"{path}#{self._calls[path]}"
        layout = self._layout(output, module)
        if layout is None:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            self.not_compared[name] = f"its output {shape} is not a volume"
            return
        values = layout.volume(output)
        before = self._incoming(module, inputs)
        action, source = self.book.of_output(path, module, before=before, channels=values.shape[1])
        self.book.learn(output, action)
        expected, found = self._halves(values, action)
        defect = found - expected
        self.found.append(
            LayerDefect(
                path=name,
                kind=type(module).__name__.removeprefix("Parametrized"),
                shape=tuple(values.shape[1:]),
                defect=relative_size(defect, expected),
                own=self._own(module, inputs, options, action_in=before, action_out=action),
                place=place_of(defect, self.book.axis),
                action=source,
                voxels=largest_at_source(defect, self.book.axis) if self.keep_voxels else None,
            )
        )

    def _layout(self, value: object, module: nn.Module) -> Layout | None:
        if not isinstance(value, Tensor):
            return None
        return layout_of(value, module, batch=self.pair.shape[0], grid=self.pair.shape[2:])

    def _incoming(self, module: nn.Module, inputs: tuple[Any, ...]) -> ChannelAction | None:
        """Action of the first input."""
        layout = self._layout(inputs[0], module) if inputs else None
        if layout is None:
            return None
        return self.book.of_input(module, inputs[0], layout.volume(inputs[0]).shape[1])

    def _halves(self, values: Tensor, action: ChannelAction | None) -> tuple[Tensor, Tensor]:
        """(S h(x), h(S x)) of a batch [h(x), h(S x)]."""
        size = values.shape[0] // 2
        return mirrored(values[:size], action, self.book.axis), values[size:]

    def _own(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        options: Mapping[str, Any],
        *,
        action_in: ChannelAction | None,
        action_out: ChannelAction | None,
    ) -> float | None:
        """What the layer adds, on its input for x and that input mirrored."""
        layouts = [self._layout(value, module) for value in inputs]
        if len(inputs) != 1 or layouts[0] is None or options:
            return None
        single = layouts[0].volume(inputs[0])[: inputs[0].shape[0] // 2]
        pair = torch.cat([single, mirrored(single, action_in, self.book.axis)])
        run: Callable[[Tensor], Tensor] = module.forward
        self._alone = True
        try:
            output = run(layouts[0].tensor(pair))
        finally:
            self._alone = False
        layout = self._layout(output, module)
        if layout is None:
            return None
        expected, found = self._halves(layout.volume(output), action_out)
        return relative_size(found - expected, expected)


def largest_at_source(defect: Tensor, axis: Axis) -> Tensor:
    """Largest |E| over batch and channels, (x, y, z), at the places of x.

    ``E = f(S x) - S f(x)`` lies at the places of S x; laid over the scan x it has to be flipped.
    """
    return flip(defect.abs().amax(dim=(0, 1)), axis)


def relative_size(defect: Tensor, reference: Tensor) -> float:
    """|defect| / |reference| in the 2-norm; 0 if both vanish, infinite if only the second does."""
    above, below = float(defect.double().norm()), float(reference.double().norm())
    if below == 0.0:
        return 0.0 if above == 0.0 else math.inf
    return above / below
