"""What an exported file says about its model: identity, use, data, guarantee, structures."""

from typing import Any

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.export.channels import OUTPUT_CHANNELS
from medsym.models.settings import ModelSettings
from medsym.models.store import LoadedModel
from medsym.models.structures import STRUCTURES

NOT_STATED = "not stated in the model's manifest"

_MEANING = (
    "Log-odds of pathology f = pathology_even + pathology_odd. S mirrors a volume left to right; "
    "image, even part and tolerance are scalar maps, anatomy channels also swap left and right."
)
_GUARANTEES = {
    "head": "For every image x, in exact arithmetic: |pathology_odd| <= tolerance, and the "
    "network's own contribution to a left-right difference, f(Sx) - S f(x), is exactly "
    "-2 S pathology_odd(x), so at most 2 S tolerance. Rounding comes on top; errors of alignment "
    "and the natural asymmetry of healthy brains are not covered.",
    "none": "For every image x, in exact arithmetic: f(Sx) = S f(x); pathology_odd and tolerance "
    "are zero. Rounding comes on top; errors of alignment and the natural asymmetry of healthy "
    "brains are not covered.",
    "free": "None: the network is not symmetric. pathology_odd and tolerance are zero and bound "
    "nothing.",
}
_LEARNED_WEIGHTS = (
    "None from one pass: weights depart from the mirror, and tolerance bounds the odd part of the "
    "head alone. A second pass on the mirrored image gives the defect f(Sx) - S f(x) itself."
)
IMAGE = (
    "Brain without skull on the symmetric grid, one channel: x grows to the patient's right, y to "
    "the front, z to the head; the mid-plane lies between the two middle voxels of x. Intensities "
    "scaled so that percentiles 1 and 99 inside the brain are 0 and 1, clipped to [-0.5, 1.5], 0 "
    "outside. In medsym: prepare_scan, then PreparedScan.brain_image. A scan that is not aligned "
    "like this gives meaningless outputs."
)


def guarantee(settings: ModelSettings) -> str:
    """What the tolerance bounds, for this kind of network."""
    return f"{_MEANING} {_GUARANTEES.get(settings.softness, _LEARNED_WEIGHTS)}"


def structures() -> list[dict[str, Any]]:
    """One entry per anatomy channel, with the channel of its mirror partner."""
    return [
        {
            "index": s.index,
            "name": s.title,
            "side": s.side,
            "mirror": s.mirror,
            "freesurfer": list(s.freesurfer),
        }
        for s in STRUCTURES
    ]


def channel_names() -> list[str]:
    """Name of every channel of the stacked output."""
    rest = list(OUTPUT_CHANNELS)[1:]
    return [*(structure.title for structure in STRUCTURES), *rest]


def describe(model: LoadedModel) -> dict[str, Any]:
    """What goes into every exported file; JSON values.

    Args:
        model: The model; what its manifest does not state is said to be missing.
    """
    manifest, settings = model.manifest, model.network.settings
    return {
        "name": str(manifest.get("name", NOT_STATED)),
        "version": str(manifest.get("version", NOT_STATED)),
        "weights_sha256": str(manifest.get("sha256", NOT_STATED)),
        "licence": str(manifest.get("licence", NOT_STATED)),
        "intended_use": str(manifest.get("intended_use", NOT_STATED)),
        "research_use_only": RESEARCH_USE_ONLY,
        "training_data": [str(line) for line in manifest.get("training_data", [NOT_STATED])],
        "guarantee": guarantee(settings),
        "image": IMAGE,
        "spacing_mm": settings.spacing_mm,
        "size_multiple": model.network.size_multiple,
        "structures": structures(),
        "medsym_version": __version__,
    }
