"""One scan through the whole pipeline: prepare, find the brain, refine, compare, judge."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from medsym.calibration.calibration import Calibration
from medsym.calibration.comparison import CalibrationUse, Comparison
from medsym.calibration.reference import (
    REFERENCE_FILE,
    REFERENCE_HASH,
    DeviationReference,
    load_reference,
)
from medsym.errors import ConfigError
from medsym.inference.basis import with_bases
from medsym.inference.brain import BrainMask
from medsym.inference.clock import StageClock, one_thread
from medsym.inference.comparing import Covariates, comparison_with, use_of
from medsym.inference.evidence import prior_logit_of
from medsym.inference.findings import DEFAULT_PEAK_SD, Finding, find_findings
from medsym.inference.gate import GateValues, gate_values, reasons_not_assessable
from medsym.inference.maps import CaseMaps, MapRequest, check_bound, compute_maps
from medsym.inference.stated_masks import MaskUse, StatedMasks
from medsym.inference.structures import StructurePair, structure_table
from medsym.inference.summary import Summary, summarise
from medsym.models.store import LoadedModel
from medsym.models.structures import mirror_permutation
from medsym.volumes.grid import SymmetricGrid, prepare_scan, refine
from medsym.volumes.prepared import PreparedScan, scan_name
from medsym.volumes.volume import Volume

#: Share of healthy scans that may show any finding; the threshold is chosen for it.
FALSE_ALARM_RATE = 0.05

STAGES = ("prepare", "anatomy", "refine", "compare", "judge")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a user may change about the analysis.

    Attributes:
        measure_defect: also run the mirrored pass: exact symmetry and a measured defect.
        false_alarm_rate: share of healthy scans that may show any finding, in (0, 1).
    """

    measure_defect: bool = True
    false_alarm_rate: float = FALSE_ALARM_RATE

    def __post_init__(self) -> None:
        """Refuse a rate that is none."""
        if not 0.0 < self.false_alarm_rate < 1.0:
            raise ConfigError(
                code="MS-304",
                subject="false_alarm_rate",
                cause=f"{self.false_alarm_rate} is not a share between 0 and 1",
                fix="give for example 0.05",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """Everything known about one scan.

    Attributes:
        prepared: the scan on the symmetric grid with its mid-plane and transforms.
        maps: voxel maps on the symmetric grid.
        summary: key numbers.
        structures: left/right pairs.
        findings: largest deviation first; empty if not assessable.
        gate: what the assessability was judged by.
        reasons: why the case is not assessable; empty if it is.
        peak_sd: deviation a finding has to reach.
        false_alarm_rate: share of healthy cases that exceed ``peak_sd`` anywhere; None if the
            calibration holds too few of them to say.
        calibration: which healthy cases it was judged by.
        notes: remarks of the reader, the alignment and the analysis.
        masks: masks that the user stated and that were used.
        seconds: time per stage.
    """

    prepared: PreparedScan
    maps: CaseMaps
    summary: Summary
    structures: tuple[StructurePair, ...]
    findings: tuple[Finding, ...]
    gate: GateValues
    reasons: tuple[str, ...]
    peak_sd: float
    false_alarm_rate: float | None
    calibration: CalibrationUse
    notes: tuple[str, ...]
    masks: tuple[MaskUse, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_assessable(self) -> bool:
        """False if numbers and maps are to be withheld."""
        return not self.reasons

    @property
    def p_value(self) -> float | None:
        """Probability that a healthy scan deviates as far anywhere; None if it cannot be said."""
        return self.summary.p_value if self.is_assessable else None


def reference_of(model: LoadedModel) -> DeviationReference:
    """Healthy reference that belongs to a model, from the folder of its weights.

    Raises:
        ModelError: MS-305 if the model has none, or another one than its manifest states.
    """
    stated = model.manifest.get(REFERENCE_HASH)
    return load_reference(model.folder / REFERENCE_FILE, sha256=stated)


def grid_of(model: LoadedModel) -> SymmetricGrid:
    """The symmetric grid that a model was trained on and asks for."""
    return SymmetricGrid.spanning(model.network.settings.spacing_mm)


def analyse_scan(
    scan: Volume,
    model: LoadedModel,
    *,
    options: Options | None = None,
    reference: DeviationReference | None = None,
    calibration: Calibration | None = None,
    covariates: Covariates | None = None,
    progress: Callable[[str], None] | None = None,
    brain_mask: Volume | None = None,
    exclusion: Volume | None = None,
) -> CaseResult:
    """Analyse one scan.

    Args:
        scan: as read from its file; any contrast and orientation.
        model: network and manifest.
        options: see ``Options``.
        reference: healthy reference; by default the one shipped with the model.
        calibration: on healthy scans; used instead of the reference.
        covariates: columns such as age, sex, site, where the calibration asks for them.
        progress: told the name of each stage as it begins.
        brain_mask: used instead of finding the brain; positive inside, any lattice in the world.
        exclusion: what is left out of the comparison together with its mirror places.

    Returns:
        The case. Whether its numbers may be shown is ``is_assessable``.

    Raises:
        ScanError: the scan or a mask cannot be used.
        ConfigError: MS-505 the calibration belongs to another model.
        ModelError: MS-306 if the measured defect exceeds the bound (never on sound hardware).
    """
    options = options or Options()
    clock = StageClock(progress)
    stated = StatedMasks(brain=brain_mask, exclusion=exclusion)
    healthy = calibration or reference or reference_of(model)
    against = comparison_with(
        healthy, model=model, covariates=covariates, alpha=options.false_alarm_rate, scan=scan
    )
    clock.enter("prepare")
    with one_thread():
        whole_head = prepare_scan(scan, grid=grid_of(model))
    clock.enter("anatomy")
    brain = stated.brain_of(whole_head, model=model)
    clock.enter("refine")
    with one_thread():
        prepared = refine(whole_head, stated.finest(brain)) if brain.voxels.any() else whole_head
    clock.enter("compare")
    request = _request(prepared, model=model, options=options, stated=stated)
    maps, parts = compute_maps(
        model.network, prepared.brain_image, request=request, reference=against.reference
    )
    check_bound(maps, subject=scan_name(scan))
    clock.enter("judge")
    result = _judge(
        prepared,
        maps=maps,
        brain=brain,
        against=against,
        options=options,
        rounding=parts.rounding,
        masks=stated.used(request),
    )
    use = use_of(healthy, result.calibration, maps=maps, prepared=prepared, gate=result.gate)
    found = with_bases(result, parts=parts, reference=against.reference, model=model)
    result = replace(result, calibration=use, notes=(*result.notes, *use.remarks), findings=found)
    clock.enter("")
    result.seconds.update(clock.seconds)
    return result


def _request(
    prepared: PreparedScan, *, model: LoadedModel, options: Options, stated: StatedMasks
) -> MapRequest:
    return MapRequest(
        spacing_mm=prepared.grid.spacing_mm,
        brain=prepared.brain,
        coverage=prepared.coverage,
        mirror_classes=mirror_permutation(),
        prior_logit=prior_logit_of(model),
        mirrored=options.measure_defect,
        excluded=stated.excluded_on(prepared),
    )


def _judge(
    prepared: PreparedScan,
    *,
    maps: CaseMaps,
    brain: BrainMask,
    against: Comparison,
    options: Options,
    rounding: float,
    masks: tuple[MaskUse, ...],
) -> CaseResult:
    voxel_ml = prepared.grid.spacing_mm**3 / 1000.0
    gate = gate_values(maps, prepared=prepared, brain_dice=brain.dice)
    use = against.use
    threshold = None if use.reason else against.reference.threshold(options.false_alarm_rate)
    peak_sd = threshold or against.reference.strictest(DEFAULT_PEAK_SD)
    if threshold is None:
        maps = replace(maps, pvalue=None)
    reasons = reasons_not_assessable(gate)
    findings = find_findings(
        maps, plane=prepared.plane, grid_to_world=prepared.grid_to_world, peak_sd=peak_sd
    )
    notes = [*prepared.scan.notes, *prepared.notes, *(mask.sentence for mask in masks)]
    if not options.measure_defect:
        notes.append("the defect was not measured; the rounding term of the bound is assumed")
    return CaseResult(
        prepared=prepared,
        maps=maps,
        summary=summarise(
            maps, prepared=prepared, rounding=rounding, measured=options.measure_defect
        ),
        structures=structure_table(maps, voxel_ml=voxel_ml),
        findings=() if reasons else findings,
        gate=gate,
        reasons=reasons,
        peak_sd=peak_sd,
        false_alarm_rate=None if threshold is None else options.false_alarm_rate,
        calibration=use,
        notes=tuple(dict.fromkeys(notes)),
        masks=masks,
    )
