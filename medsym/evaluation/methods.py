"""The methods of a table: baselines and models, each a map of what is abnormal in one scan.

Every method gives one score per voxel, higher is more abnormal, 0 outside its domain. Names are
the rows of the tables:

- "mirror difference": smoothed |x - S x|; "bright", "dark", "bright or dark": tails of intensity;
- "voxel z", "asymmetry z": against healthy reference images (``healthy_images``);
- "NAME pathology": evidence of pathology (nats, monotone in the probability) of a model;
- "NAME deviation": the map from which the pipeline lists findings;
- "NAME one pass": evidence of a model without symmetry as it was trained. The pipeline runs every
  model on the mirrored scan too and averages, which for such a model is test-time averaging.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.calibration.reference import DeviationReference
from medsym.evaluation.baselines import mirror_difference, robust_z
from medsym.evaluation.healthy_images import HealthyImages
from medsym.inference.case import reference_of
from medsym.inference.evidence import evidence, prior_logit_of
from medsym.inference.findings import beyond_bound
from medsym.inference.maps import CaseMaps, MapRequest, compute_maps
from medsym.inference.passes import NetworkParts
from medsym.models.store import LoadedModel, load_model
from medsym.models.structures import mirror_permutation

MIRROR_DIFFERENCE = "mirror difference"
IMAGE_METHODS = (MIRROR_DIFFERENCE, "bright", "dark", "bright or dark")
REFERENCE_METHODS = ("voxel z", "asymmetry z")

BoolMap = NDArray[np.bool_]
Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One normalised scan on the symmetric grid, its brain known.

    Attributes:
        image: (x, y, z) float32, 0 outside the brain.
        brain: (x, y, z) bool.
        coverage: (x, y, z) bool, inside the field of view.
        kind: contrast, for the reference images; any word.
        spacing_mm: edge of a voxel.
    """

    image: Map
    brain: BoolMap
    coverage: BoolMap
    kind: str
    spacing_mm: float

    def mirrored(self) -> "Scan":
        """The mirror image of the scan."""
        return replace(
            self,
            image=np.ascontiguousarray(self.image[::-1]),
            brain=np.ascontiguousarray(self.brain[::-1]),
            coverage=np.ascontiguousarray(self.coverage[::-1]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodMaps:
    """What all methods say about one scan.

    Attributes:
        maps: (x, y, z) score by method.
        anatomy: structure index per voxel by model.
        beyond_bound: by model, voxels whose asymmetry the model cannot have made itself.
        seconds: of the passes, by model.
    """

    maps: dict[str, Map]
    anatomy: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    beyond_bound: dict[str, BoolMap] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model under test.

    Attributes:
        name: in the tables, unique among the candidates.
        model: network and manifest.
        reference: its healthy reference.
    """

    name: str
    model: LoadedModel
    reference: DeviationReference

    @property
    def is_free(self) -> bool:
        """True for a network without symmetry."""
        return self.model.network.settings.softness == "free"

    @property
    def is_strict(self) -> bool:
        """True for a network that is exactly symmetric."""
        return self.model.network.settings.softness == "none"

    @property
    def main_method(self) -> str:
        """The map that the network was trained to give, as it was trained to give it."""
        return f"{self.name} {'one pass' if self.is_free else 'pathology'}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Its rows."""
        kinds = ("one pass", "pathology", "deviation")
        return tuple(f"{self.name} {kind}" for kind in kinds[0 if self.is_free else 1 :])

    def request(self, scan: Scan) -> MapRequest:
        """What the maps of a scan need, as ``analyse_scan`` states it."""
        return MapRequest(
            spacing_mm=scan.spacing_mm,
            brain=scan.brain,
            coverage=scan.coverage,
            mirror_classes=mirror_permutation(),
            prior_logit=prior_logit_of(self.model),
        )

    def compute(self, scan: Scan) -> tuple[CaseMaps, NetworkParts]:
        """The pipeline's maps of a scan whose brain is known."""
        return compute_maps(
            self.model.network,
            scan.image,
            request=self.request(scan),
            reference=self.reference,
        )

    def maps_of(self, found: CaseMaps, parts: NetworkParts) -> dict[str, Map]:
        """Scores by method from the pipeline's maps."""
        prior, brain = prior_logit_of(self.model), found.brain
        maps = {
            f"{self.name} pathology": _evidence(parts.even + parts.odd, prior, brain),
            f"{self.name} deviation": found.deviation,
        }
        if self.is_free:
            maps[f"{self.name} one pass"] = _evidence(parts.raw_logits[0], prior, brain)
        return maps


def _evidence(logit: torch.Tensor, prior_logit: float, brain: BoolMap) -> Map:
    seen = evidence(logit, prior_logit=prior_logit).cpu().numpy()
    return np.where(brain, seen, 0.0).astype(np.float32)


def load_candidates(folders: Sequence[Path | None], *, device: torch.device) -> list[Candidate]:
    """Load models; equal names get the name of their folder or a number.

    Args:
        folders: model folders; None is the shipped model.
        device: where the networks run.

    Raises:
        ModelError: a folder holds no sound model, or no healthy reference.
    """
    candidates: list[Candidate] = []
    for folder in folders:
        model = load_model(folder, device=device)
        taken = {candidate.name for candidate in candidates}
        name = str(model.manifest.get("name", "model"))
        if name in taken and folder is not None:
            name = f"{name} ({folder.resolve().parent.name}/{folder.name})"
        while name in taken:
            name += "'"
        candidates.append(Candidate(name=name, model=model, reference=reference_of(model)))
    return candidates


def baseline_maps(scan: Scan, *, images: HealthyImages | None) -> dict[str, Map]:
    """Scores of the methods that need no network.

    Args:
        scan: normalised scan.
        images: healthy reference; None leaves out what needs one.
    """
    tails = robust_z(scan.image, scan.brain, spacing_mm=scan.spacing_mm)
    difference = mirror_difference(scan.image, spacing_mm=scan.spacing_mm)
    maps: dict[str, NDArray[np.floating]] = {
        MIRROR_DIFFERENCE: np.where(scan.brain, difference, 0.0),
        "bright": tails,
        "dark": -tails,
        "bright or dark": np.abs(tails),
    }
    if images is not None:
        maps["voxel z"] = np.abs(images.voxel_z(scan.image, scan.brain, kind=scan.kind))
        maps["asymmetry z"] = np.abs(images.asymmetry_z(scan.image, scan.brain, kind=scan.kind))
    return {name: np.asarray(values, dtype=np.float32) for name, values in maps.items()}


def method_maps(
    scan: Scan, *, candidates: Sequence[Candidate], images: HealthyImages | None
) -> MethodMaps:
    """All methods on one scan whose brain is known."""
    found = MethodMaps(maps=baseline_maps(scan, images=images))
    for candidate in candidates:
        start = time.perf_counter()
        maps, parts = candidate.compute(scan)
        found.seconds[candidate.name] = time.perf_counter() - start
        found.maps.update(candidate.maps_of(maps, parts))
        found.anatomy[candidate.name] = maps.anatomy
        found.beyond_bound[candidate.name] = beyond_bound(maps)
    return found


def method_names(candidates: Sequence[Candidate], *, with_images: bool) -> tuple[str, ...]:
    """Rows of the table, in order."""
    baselines = IMAGE_METHODS + (REFERENCE_METHODS if with_images else ())
    return baselines + tuple(name for candidate in candidates for name in candidate.methods)
