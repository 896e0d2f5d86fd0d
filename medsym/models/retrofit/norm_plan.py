"""How norms and per-channel scales are softened, and which of them cannot keep the mirror."""

from functools import partial

from torch import nn

from medsym.models.retrofit.batch_norm import soften_affine, soften_batch_norm
from medsym.models.retrofit.report import Finding
from medsym.models.retrofit.soft_tensors import permute_softly
from medsym.models.retrofit.steps import Planning, Step, kept, refused, said
from medsym.symmetry.mirror import ChannelAction

_TIED = "scale and shift tied under the mirror"


def plan_norm(planning: Planning, path: str, layer: nn.Module) -> Step:
    """The step for an instance, batch or group norm."""
    action = planning.actions.norms.get(path)
    if action is None:
        return kept(path, "norm", "is never run by the network")
    if action == ChannelAction.trivial(action.channels, axis=planning.axis):
        return kept(path, "norm", "acts on trivial channels; statistics run over whole volumes")
    softness = planning.softness(path, action.channels)
    if isinstance(layer, nn.BatchNorm3d):
        return Step(
            findings=(said(path, "norm", "fixed", _TIED), _statistics(path, layer)),
            apply=partial(soften_batch_norm, layer, action, softness),
        )
    if isinstance(layer, nn.GroupNorm):
        problem = _mixing(layer, action)
        if problem:
            return refused(path, "norm", problem)
    if isinstance(layer, nn.InstanceNorm3d) and layer.track_running_stats:
        return refused(path, "norm", "instance norm with running statistics on moved channels")
    text = _TIED if getattr(layer, "weight", None) is not None else "has no scale and shift"
    return Step(
        findings=(said(path, "norm", "fixed", text),),
        apply=partial(soften_affine, layer, action, softness),
    )


def _statistics(path: str, layer: nn.BatchNorm3d) -> Finding:
    if layer.running_mean is None:
        return said(path, "batch-norm statistics", "kept", "has none")
    text = "running mean and variance of swapped channels are shared when evaluating"
    return said(path, "batch-norm statistics", "fixed", text)


def _mixing(layer: nn.GroupNorm, action: ChannelAction) -> str:
    """Why a group norm does not commute with the action; "" if it does."""
    width = layer.num_channels // layer.num_groups
    groups = [[p // width for p in action.perm[g : g + width]] for g in _starts(layer, width)]
    if any(len(set(group)) > 1 for group in groups):
        return f"its groups of {width} channels are torn apart by the pairs that swap"
    if width > 1 and not action.is_permutation:
        return "its groups mix channels that change sign with others"
    return ""


def _starts(layer: nn.GroupNorm, width: int) -> range:
    return range(0, layer.num_channels, width)


def plan_vector(planning: Planning, name: str, layer: nn.Module) -> Step:
    """The step for a per-channel parameter that is no norm's: PReLU slopes, MedNeXt's GRN."""
    path, _, attribute = name.rpartition(".")
    action = planning.actions.vectors[name]
    if action == ChannelAction.trivial(action.channels, axis=planning.axis):
        return kept(path, "channel scale", f"{attribute} acts on trivial channels")
    dim = 0 if getattr(layer, attribute).ndim == 1 else 1
    softness = planning.softness(name, 1)
    return Step(
        findings=(said(path, "channel scale", "fixed", f"{attribute} tied under the mirror"),),
        apply=partial(permute_softly, layer, attribute, action.perm, softness, dim=dim),
    )
