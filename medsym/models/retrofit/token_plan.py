"""How the patch embedding of a vision transformer is softened (UNETR).

Attention treats tokens as a set, so its linear maps and norms on trivial channels need nothing.
What knows the places is the position embedding, which the mirror permutes, and a "perceptron"
patch embedding, whose linear map reads the voxels of a patch in a row.
"""

from collections.abc import Sequence
from functools import partial

from monai.networks.blocks.patchembedding import PatchEmbeddingBlock
from torch import nn

from medsym.models.retrofit.report import Finding
from medsym.models.retrofit.soft_tensors import flipped_order, permute_softly
from medsym.models.retrofit.steps import Planning, Step, refused, said
from medsym.symmetry.softness import Softness


def plan_patch_embedding(planning: Planning, path: str, layer: PatchEmbeddingBlock) -> Step:
    """The step for MONAI's ``PatchEmbeddingBlock`` (position embedding, perceptron)."""
    embeddings = layer.patch_embeddings
    patch = _patch(embeddings)
    if patch is None:
        return refused(path, "patch embedding", f"{type(embeddings).__name__} is not known")
    tokens = tuple(n // p for n, p in zip(planning.grid, patch, strict=True))
    learned = layer.position_embeddings
    if tokens[0] * tokens[1] * tokens[2] != learned.shape[1]:
        return refused(path, "position embedding", f"{learned.shape[1]} tokens on {tokens}")
    softness = planning.softness(path, 1)
    text = f"{tokens[0]}x{tokens[1]}x{tokens[2]} tokens split into even and odd part"
    findings = [said(path, "position embedding", "fixed", text)]
    changes = [
        partial(
            permute_softly,
            layer,
            "position_embeddings",
            flipped_order(tokens, planning.axis),
            softness,
            dim=1,
        )
    ]
    if isinstance(embeddings, nn.Sequential):
        findings.append(_perceptron_finding(path))
        changes.append(_perceptron_change(planning, embeddings, patch, softness))
    return Step(findings=tuple(findings), apply=partial(_all, changes))


def _all(changes: Sequence[partial[None]]) -> None:
    for change in changes:
        change()


def _patch(embeddings: nn.Module) -> tuple[int, ...] | None:
    """Edges of a patch: of the convolution, or of the rearrangement before a linear map."""
    if isinstance(embeddings, nn.Conv3d):
        return embeddings.kernel_size
    if isinstance(embeddings, nn.Sequential) and len(embeddings) == 2:
        lengths = dict(getattr(embeddings[0], "axes_lengths", {}))
        if set(lengths) == {"p1", "p2", "p3"} and isinstance(embeddings[1], nn.Linear):
            return lengths["p1"], lengths["p2"], lengths["p3"]
    return None


def _perceptron_finding(path: str) -> Finding:
    text = "the linear map over the voxels of a patch is split into even and odd part"
    return said(path, "patch embedding", "fixed", text)


def _perceptron_change(
    planning: Planning, embeddings: nn.Sequential, patch: tuple[int, ...], softness: Softness
) -> partial[None]:
    linear = embeddings[1]
    assert isinstance(linear, nn.Linear)
    channels = linear.in_features // (patch[0] * patch[1] * patch[2])
    order = flipped_order(patch, planning.axis, last=channels)
    return partial(permute_softly, linear, "weight", order, softness, dim=1)
