"""Measure healthy scans for a calibration: each goes through the analysis that judges patients."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from medsym.calibration.people import PERSON, HealthyScan
from medsym.errors import ConfigError, MedsymError
from medsym.inference.case import CaseResult, analyse_scan, reference_of
from medsym.inference.clock import one_thread
from medsym.inference.maps import regional
from medsym.models.store import LoadedModel
from medsym.screening.entry import ScanEntry
from medsym.screening.progress import Progress
from medsym.screening.runner import ScreenOptions
from medsym.screening.sources import read_source
from medsym.volumes.volume import content_sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Healthy scans, and those that cannot be used.

    Attributes:
        scans: measured.
        left_out: (case, sentence) of scans that were refused or are not assessable.
    """

    scans: tuple[HealthyScan, ...]
    left_out: tuple[tuple[str, str], ...]


def people_of(entries: Sequence[ScanEntry]) -> dict[str, dict[str, Mapping[str, str | float]]]:
    """Covariates of every scan of each person.

    Raises:
        ConfigError: MS-516 nothing says whose scan one is: two visits of somebody would count as
            two people, and the promised rate would not hold; MS-519 one has an exclusion mask.
    """
    entries = [entry for entry in entries if entry.refusal is None]
    unknown = [e for e in entries if not e.name.subject_stated and PERSON not in e.covariates]
    if unknown:
        raise ConfigError(
            code="MS-516",
            subject=unknown[0].path.name,
            cause=f"nothing says whose scan this is ({len(unknown)} of {len(entries)} scans)",
            fix="name files sub-<person>_T1w.nii.gz, or give a table with a row per scan and the "
            f"columns scan and {PERSON}",
        )
    masked = [entry for entry in entries if entry.exclusion_mask is not None]
    if masked:
        raise ConfigError(
            code="MS-519",
            subject=masked[0].path.name,
            cause=f"has an exclusion mask ({len(masked)} of {len(entries)} scans): less of the "
            "brain was compared, so its largest deviation is too small for patients without a mask",
            fix="leave these scans out of the calibration",
        )
    people: dict[str, dict[str, Mapping[str, str | float]]] = {}
    for entry in entries:
        people.setdefault(entry.person, {})[entry.name.case] = entry.covariates
    return people


def measure_healthy(
    entries: Sequence[ScanEntry],
    *,
    model: LoadedModel,
    options: ScreenOptions,
    progress: Callable[[Progress], None] | None = None,
) -> Measured:
    """Analyse healthy scans one after another; a scan that cannot be used is left out by name.

    A patient's scan that is not assessable gets no p-value, so a healthy one gives none.

    Args:
        entries: scans with covariates; ``PERSON`` among them, or the subject, says whose they are.
        model: that the calibration is for.
        options: of reading and analysis, as patients' scans will get.
        progress: told about every stage of every scan.
    """
    tell = progress or (lambda _: None)
    reference = reference_of(model)
    scans, left_out = [], []
    for number, entry in enumerate(entries, start=1):
        begun = time.perf_counter()
        here = Progress(
            number=number, total=len(entries), name=entry.name.case, stage="", seconds=0.0
        )

        def show(stage: str, *, here: Progress = here, begun: float = begun) -> None:
            tell(replace(here, stage=stage, seconds=time.perf_counter() - begun))

        try:
            if entry.refusal is not None:
                raise entry.refusal
            show("read")
            source = read_source(entry, read=options.read)
            with one_thread():  # as in screening: other thread counts give other last digits
                result = analyse_scan(
                    source.scan,
                    model,
                    options=options.analysis,
                    reference=reference,
                    progress=show,
                    brain_mask=source.brain_mask,
                    exclusion=source.exclusion,
                )
        except MedsymError as error:
            left_out.append((entry.name.case, str(error)))
            show("refused")
            continue
        if result.is_assessable:
            scans.append(kept_of(result, entry))
        else:
            left_out.append((entry.name.case, f"not assessable: {'; '.join(result.reasons)}"))
        show("done" if result.is_assessable else "not assessable")
    return Measured(scans=tuple(scans), left_out=tuple(left_out))


def kept_of(result: CaseResult, entry: ScanEntry) -> HealthyScan:
    """What a calibration keeps of a scan."""
    maps = result.maps
    spacing = result.prepared.grid.spacing_mm
    return HealthyScan.of(
        regional(maps.asymmetry, domain=maps.domain, spacing_mm=spacing),
        domain=maps.domain,
        brain=maps.brain,
        person=entry.person,
        sha256=result.prepared.scan.sha256 or "",
        content_sha256=content_sha256(result.prepared.scan),
        features=result.calibration.features,
        covariates=entry.covariates,
    )
