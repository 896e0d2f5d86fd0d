"""Layer-wise certificates: upper bounds on a network's defect from its weights and one pass.

The mirror twin of a network f is ``S f S``; the defect ``|f(S x) - S f(x)|`` is the distance of
the twin's output from f's. Behind a layer with weights W, whose twin has ``W~ = W - 2 a W_odd``,
a distance e before it has become at most

    running:   |W| e + |2 a W_odd h + 2 a b_odd|       with the features h of this input, one pass
    a priori:  |W_even| e + 2 |a W_odd| M + 2 |a b_odd| sqrt(voxels)    for all inputs, |h| <= M

and an activation multiplies it by its largest slope (``medsym.symmetry.certificates.norms`` has
the rule for norms). For a single layer both are attained: ``2 |a W_odd|`` is the largest defect of
``W_even + a W_odd`` on inputs of norm 1, and ``a |W_odd|`` its distance from the nearest exactly
equivariant layer. The rounding of the arithmetic that ran is a term of its own, so the bounds hold
for the numbers that a computer prints; convolutions that transform first (Winograd) are excepted.

Every layer multiplies the worst case of the ones before it, so beyond about three convolutions
the bounds are sound and vacuous, up to a factor of a million. Use them to rank layers by
their source term, never to tell a reader of scans anything: two passes (``SoftEquivariant``) or
the one-pass head (``soft_head``) know the defect itself.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.certificates.comparison import Comparison, Source
from medsym.symmetry.certificates.gap import Gap, size
from medsym.symmetry.certificates.rules import certificate_rules
from medsym.symmetry.certificates.twin import Twin
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.walk import Walk
from medsym.upwards import figures_up


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkCertificate:
    """Bounds on the defect of one network, with their tightness; see the module for their use.

    Attributes:
        sources: Layers, the one that contributes most first.
        running: (b,), bound on the 2-norm of the defect on each volume of the batch.
        rounding: (b,), the part of ``running`` that only covers rounding.
        a_priori: Bound for every input with a norm of at most ``radius``.
        radius: See ``a_priori``.
        measured: (b,), the defect itself, by one mirrored pass.
        output_norm: (b,), norm of the output, to compare with.
    """

    sources: tuple[Source, ...]
    running: Tensor
    rounding: Tensor
    a_priori: float
    radius: float
    measured: Tensor
    output_norm: Tensor

    @property
    def tightness(self) -> Tensor:
        """(b,), measured / running: 1 is exact, 0 is vacuous."""
        return self.measured / self.running.clamp_min(1e-300)

    @property
    def a_priori_tightness(self) -> float:
        """Largest measured / a priori; small also because this input is not the worst."""
        return float(self.measured.max()) / max(self.a_priori, 1e-300)

    def __str__(self) -> str:
        """A table of the layers that contribute and a line per bound."""
        width = max([len(s.name) for s in self.sources if s.source > 0.0], default=5)
        lines = [f"{'layer':<{width}} {'softness':>8} {'|even|':>9} {'2|a odd|':>9} {'source':>9}"]
        lines += [
            f"{s.name:<{width}} {s.softness:8.3g} {s.even_norm:9.3g} {2.0 * s.odd_norm:9.3g}"
            f" {s.source:9.3g}"
            for s in self.sources
            if s.source > 0.0
        ]
        running, rounding = float(self.running.max()), float(self.rounding.max())
        tight, tight_any = float(self.tightness.max()), self.a_priori_tightness
        lines += [f"norm of the output    {float(self.output_norm.max()):10.4g}"]
        lines += [f"defect, measured      {float(self.measured.max()):10.4g}"]
        running, a_priori = (figures_up(bound, figures=4) for bound in (running, self.a_priori))
        lines += [f"bound on this input   {running:10.4g}  tightness {tight:.2g}"]
        lines[-1] += f", rounding {figures_up(rounding):.2g}"
        lines += [f"bound for all inputs  {a_priori:10.4g}  tightness {tight_any:.2g}"]
        lines[-1] += f", |x| <= {self.radius:.4g}"
        lines += ["The bounds multiply worst cases: they rank layers and describe no scan."]
        return "\n".join(lines)


@torch.no_grad()
@contextmanager
def _told(network: nn.Module, report: Callable[[str], object] | None) -> Iterator[None]:
    """While open, ``report`` hears of every layer with weights that is about to run."""
    with ExitStack() as stack:
        for path, module in network.named_modules():
            if report is not None and isinstance(
                module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear
            ):
                told = partial(_tell, report, path or type(network).__name__)
                stack.callback(module.register_forward_pre_hook(told).remove)
        yield


def _tell(report: Callable[[str], object], path: str, *_hook: object) -> None:
    report(path)


@torch.no_grad()
def certify(
    network: nn.Module,
    volume: Tensor,
    *,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
    radius: float | None = None,
    report: Callable[[str], object] | None = None,
) -> NetworkCertificate:
    """Bound the defect of a network built of known functions; three passes and a norm per layer.

    The norms take the time, and wide layers most of it: 0.2 s of a processor for 32 channels, 1.2
    for 64, 7 for 128.

    Softened convolutions say how the mirror acts on their channels; every other weight counts as
    acting on trivial channels, with all of its odd part.

    Args:
        network: Deterministic, in evaluation mode; maps (b, c, x, y, z) to one tensor.
        volume: The input x; a network in float64 is certified with less rounding.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None.
        radius: The a-priori bound holds for inputs up to this norm; that of ``volume`` if None.
        report: Told the name of every layer before its turn, for example ``print``.

    Raises:
        ModelError: MS-220, a function without a rule, in training mode, or one that breaks the
            mirror, by module; MS-261, no single tensor comes out, or it is not finite; MS-262, a
            half-width format; MS-263, a network that does not repeat itself.
        GridError: MS-203, a stride that breaks the mirror on this size.
    """
    given = action_in or ChannelAction.trivial(volume.shape[1])
    reach = radius if radius is not None else float(size(volume).max())
    comparison = Twin()
    with _told(network, report):
        output, gap = compared_pass(network, volume, comparison, action=given, radius=reach)
    wanted = action_out or ChannelAction.trivial(output.shape[1], axis=given.axis)
    gap = comparison.retyped(output, gap, wanted)
    _check_repeats(network, volume, output, gap)
    mirrored = network(mirror(volume, given))
    twin = wanted.apply(output) if output.ndim == 2 else mirror(output, wanted)
    return NetworkCertificate(
        sources=tuple(sorted(comparison.sources, key=lambda source: -source.source)),
        running=torch.where(size(volume) <= reach, gap.total.clamp_max(gap.error_any), gap.total),
        rounding=gap.rounding,
        a_priori=gap.error_any,
        radius=reach,
        measured=size(mirrored.double() - twin.double()),
        output_norm=size(output),
    )


def _check_repeats(network: nn.Module, volume: Tensor, output: Tensor, gap: Gap) -> None:
    """Refuse a network whose second pass differs by more than rounding (MS-263)."""
    if bool((size(network(volume.clone()).double() - output.double()) > gap.rounding).any()):
        raise ModelError(
            code="MS-263",
            subject=type(network).__name__,
            cause="two passes over the same volume differ: it draws noise, or keeps a state",
            fix="certify it in evaluation mode, with its noise and its state switched off",
        )


def compared_pass(
    network: nn.Module,
    volume: Tensor,
    comparison: Comparison,
    *,
    action: ChannelAction,
    radius: float,
) -> tuple[Tensor, Gap]:
    """One pass with its gap to the other pass at the output.

    Raises:
        ModelError: MS-261, the network returns something else than one finite tensor that depends
            on the input.
    """
    zero = volume.new_zeros(len(volume), dtype=torch.float64)
    start = Gap(action=action, error=zero, rounding=zero, error_any=0.0, magnitude=radius)
    walk = Walk(network, rules=certificate_rules(comparison))
    output = walk.run((volume.detach().clone(), start))
    gap = walk.fact(output) if isinstance(output, Tensor) else None
    if gap is None or not math.isfinite(float(size(volume).max() + size(output).max())):
        raise ModelError(
            code="MS-261",
            subject=type(network).__name__,
            cause="it does not return one finite tensor that depends on its input",
            fix="wrap it so that it returns the one output to certify, on a finite input",
        )
    return output, gap
