"""Which healthy people a scan is compared with, and whether it is like them."""

from collections.abc import Mapping
from dataclasses import replace

from medsym.calibration.calibration import Calibration
from medsym.calibration.comparison import CalibrationUse, Comparison
from medsym.calibration.reference import DeviationReference
from medsym.inference.features import scan_features
from medsym.inference.gate import GateValues
from medsym.inference.maps import CaseMaps
from medsym.models.store import LoadedModel
from medsym.volumes.prepared import PreparedScan
from medsym.volumes.volume import Volume, content_sha256

Covariates = Mapping[str, str | float]


def comparison_with(
    healthy: Calibration | DeviationReference,
    *,
    model: LoadedModel,
    covariates: Covariates | None,
    alpha: float,
    scan: Volume,
) -> Comparison:
    """What a scan is compared with.

    Args:
        healthy: a calibration, or the reference beside the model's weights.
        model: network and manifest.
        covariates: columns such as age, sex, site of this scan.
        alpha: false-alarm rate that is asked for.
        scan: recognised if it made the calibration itself.

    Raises:
        ConfigError: MS-505 the calibration was made with another model.
    """
    if isinstance(healthy, Calibration):
        healthy.check_model(model.manifest)
        return healthy.compare(covariates or {}, alpha=alpha, hashes=hashes_of(scan))
    return Comparison.with_reference(healthy, alpha=alpha, manifest=model.manifest)


def hashes_of(scan: Volume) -> tuple[str, ...]:
    """By which a scan is recognised: its file's hash, and that of its content."""
    content = content_sha256(scan)
    return (scan.sha256, content) if scan.sha256 else (content,)


def use_of(
    healthy: Calibration | DeviationReference,
    use: CalibrationUse,
    *,
    maps: CaseMaps,
    prepared: PreparedScan,
    gate: GateValues,
) -> CalibrationUse:
    """The use of a calibration with the features of the scan and the test of exchangeability."""
    features = scan_features(maps, prepared=prepared, gate=gate)
    known = replace(use, features=features)
    if isinstance(healthy, Calibration):
        return healthy.judge(known, features=features)
    return known
