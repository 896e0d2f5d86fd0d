"""Whole scan in, maps on the scan's own voxels out: the analysis of medsym as a MONAI inferer.

As MONAI's sliding windows hide how a network is run over a large volume, this one hides the way to
the mid-plane and back: the network sees the brain on the symmetric grid, and its image in the
mirror; who calls it sees the scan. It is ``medsym.analyse_scan``, so the maps are the same numbers.
"""

import logging
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import decollate_batch
from monai.inferers.inferer import Inferer
from numpy.typing import NDArray
from torch import Tensor, nn

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.reference import DeviationReference
from medsym.export.channels import UnstackedNetwork
from medsym.export.scans import MAP_KINDS, volume_of
from medsym.inference.case import CaseResult, Options, analyse_scan, reference_of
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import LoadedModel
from medsym.screening.map_kinds import ANATOMY, MapKind
from medsym.upwards import beside_threshold, threshold_text
from medsym.volumes.grid import to_scan_grid
from medsym.volumes.prepared import scan_name

log = logging.getLogger(__name__)


class MirrorInferer(Inferer):
    """Scans (b, 1, x, y, z) -> maps (b, map, x, y, z) on the same voxels.

    The maps are those of ``medsym.export.scans.MAP_KINDS``: probability of pathology, asymmetry
    (nats), deviation (standard deviations of healthy cases), bound (nats), family-wise p-value (1
    if the reference is too small for one), structure. A case that is not assessable gets NaN in all
    of them, and the reasons are logged.

    Args:
        model: The model whose spacing, prior and healthy reference apply.
        reference: Healthy reference; by default the one in the model's folder.
        options: Of the analysis.

    Raises:
        ModelError: MS-305, a model without its healthy reference.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        reference: DeviationReference | None = None,
        options: Options | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.reference = reference or reference_of(model)
        self.options = options or Options()
        log.info(RESEARCH_USE_ONLY)

    def __call__(self, inputs: Tensor, network: Any, *args: Any, **kwargs: Any) -> MetaTensor:
        """Analyse every scan of a batch.

        Args:
            inputs: Batch of scans with affines (a MetaTensor).
            network: Module with the stacked output of ``medsym.export.channels``; it runs where its
                weights are.
            args: Not used; MONAI's interface.
            kwargs: Not used; MONAI's interface.

        Raises:
            ScanError: MS-367 no scan, MS-121 a constant one.
            ModelError: MS-306, the measured defect exceeds the bound.
        """
        del args, kwargs
        run = UnstackedNetwork(cast("nn.Module", network), like=self.model.network)
        # The analysis asks for a pass, the settings and the sizes: UnstackedNetwork has them all.
        model = replace(self.model, network=cast("AsymmetryNet", run))
        # The search for the mid-plane climbs a gradient; MONAI's evaluators switch gradients off.
        with torch.inference_mode(mode=False), torch.enable_grad():
            maps = torch.stack([self._maps(scan, model) for scan in decollate_batch(inputs)])
        placed = MetaTensor(maps)
        placed.copy_meta_from(inputs)  # type: ignore[no-untyped-call]
        return placed

    def _maps(self, image: Tensor, model: LoadedModel) -> Tensor:
        """(map, x, y, z) float32 of one scan."""
        scan = volume_of(image)
        result = analyse_scan(scan, model, options=self.options, reference=self.reference)
        for note in result.notes:
            log.info("%s: %s", scan_name(scan), note)
        if not result.is_assessable:
            log.warning("%s: not assessable: %s", scan_name(scan), "; ".join(result.reasons))
            return torch.full((len(MAP_KINDS), *scan.shape), torch.nan)
        _tell_findings(result)
        maps = [_on_scan(result, kind) for kind in MAP_KINDS]
        return torch.from_numpy(np.stack([values.astype(np.float32) for values in maps]))


def _on_scan(result: CaseResult, kind: MapKind) -> NDArray[np.generic]:
    """A map on the scan's own voxels; 1, no claim, if the reference is too small for p-values."""
    found = getattr(result.maps, kind.key)
    if found is None:
        return np.ones(result.prepared.scan.shape, dtype=np.float32)
    return to_scan_grid(result.prepared, found, order=_order(kind.key), fill=kind.outside)


def _order(key: str) -> int:
    """Labels are carried over by the nearest voxel, all else linearly."""
    return 0 if key == ANATOMY.key else 1


def _tell_findings(result: CaseResult) -> None:
    name = scan_name(result.prepared.scan)
    peak_sd = result.peak_sd
    log.info("%s: %d findings at %s SD", name, len(result.findings), threshold_text(peak_sd))
    for finding in result.findings:
        log.info(
            "%s: finding %d, %s %s, %s SD",
            *(name, finding.rank, finding.side, finding.structure),
            beside_threshold(finding.deviation, peak_sd),
        )
