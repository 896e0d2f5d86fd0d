"""Evaluation on cases with known lesions: real scans with expert masks, synthesised test subjects.

Two rows of a table are comparable only on the same voxels: every method is scored inside one mask,
the brain that medsym found together with the truth, so that a lesion cut off by the mask counts as
missed. Precision-recall is shown beside the prevalence, which is what chance would score.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medsym.errors import ConfigError
from medsym.evaluation.baselines import mirror_difference
from medsym.evaluation.metrics import auprc
from medsym.inference.case import analyse_scan, prior_logit_of, reference_of
from medsym.inference.deviation import DeviationReference
from medsym.inference.maps import BoolMap, CaseMaps, MapRequest, compute_maps
from medsym.models.store import LoadedModel, load_model
from medsym.models.structures import mirror_permutation
from medsym.synthesis.generator import SyntheticCase
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.data import SyntheticSubjects
from medsym.volumes.grid import to_scan_grid
from medsym.volumes.nifti import read_label_map, read_scan

COLUMNS = ("case", "scan", "mask")
_AFFINE_TOLERANCE_MM = 1e-3
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseScore:
    """Scores of one case; every AUPRC in [0, 1], higher is better, chance is ``prevalence``.

    Attributes:
        case: Name.
        prevalence: Share of lesion voxels among the scored voxels.
        deviation: AUPRC of the deviation map (signed: the side that stands out).
        pathology: AUPRC of the pathology probability.
        mirror_difference: AUPRC of the smoothed mirror difference.
        times_chance: deviation over prevalence.
        times_baseline: deviation over mirror_difference.
        inside: Mean deviation in the lesion, healthy SD.
        outside: Mean deviation in the rest of the brain, healthy SD.
        beyond_bound: Share of lesion voxels where the asymmetry exceeds the bound.
    """

    case: str
    prevalence: float
    deviation: float
    pathology: float
    mirror_difference: float
    times_chance: float
    times_baseline: float
    inside: float
    outside: float
    beyond_bound: float


Maps = Mapping[str, NDArray[np.floating]]


def score(
    case: str, maps: Maps, *, truth: NDArray[np.bool_], brain: NDArray[np.bool_]
) -> CaseScore:
    """Score maps of one shape against the truth inside brain or truth."""
    scored = brain | truth
    values = {name: np.asarray(m)[scored] for name, m in maps.items()}
    lesion = truth[scored]
    prevalence = float(lesion.mean())
    found = {
        name: auprc(values[name], lesion)
        for name in ("deviation", "pathology", "mirror_difference")
    }
    beyond = np.abs(values["asymmetry"]) > values["bound"]
    return CaseScore(
        case=case,
        prevalence=prevalence,
        times_chance=found["deviation"] / prevalence,
        times_baseline=found["deviation"] / found["mirror_difference"],
        inside=float(values["deviation"][lesion].mean()),
        outside=float(values["deviation"][~lesion].mean()),
        beyond_bound=float(beyond[lesion].mean()),
        **found,
    )


def evaluate_cases(
    table: Path, *, model_folder: Path | None = None, report: Report | None = None
) -> list[dict[str, float | str]]:
    """Score real scans against expert masks.

    Args:
        table: CSV file with columns case, scan, mask and optionally brain (a mask that limits the
            scored voxels); paths are relative to the file. A mask is positive inside the lesion.
        model_folder: None is the shipped model.
        report: Receives one line per case.

    Returns:
        One dictionary per case, the fields of :class:`CaseScore`.

    Raises:
        ConfigError: MS-330 the table lacks columns, MS-331 mask and scan do not share a grid.
        ScanError: A scan or mask is refused.
    """
    model = load_model(model_folder)
    rows = []
    for row in _read_table(table):
        scores = _score_scan(row, table.parent, model)
        if report:
            report(
                f"{row['case']}: deviation {scores.deviation:.3f}, chance {scores.prevalence:.4f}"
            )
        rows.append(asdict(scores))
    return rows


def _read_table(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigError(
            code="MS-330",
            subject=str(path),
            cause=f"cannot be read ({error.strerror})",
            fix=f"give a CSV file with the columns {', '.join(COLUMNS)}",
        ) from None
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise ConfigError(
            code="MS-330",
            subject=str(path),
            cause="has no rows or lacks a column",
            fix=f"give a header line with {', '.join(COLUMNS)} and one line per case",
        )
    yield from rows


def _score_scan(row: dict[str, str], folder: Path, model: LoadedModel) -> CaseScore:
    scan = read_scan(folder / row["scan"])
    mask = read_label_map(folder / row["mask"])
    if mask.shape != scan.shape or not np.allclose(
        mask.affine, scan.affine, atol=_AFFINE_TOLERANCE_MM
    ):
        raise ConfigError(
            code="MS-331",
            subject=row["mask"],
            cause=f"does not lie on the grid of {row['scan']}",
            fix="resample the mask to the scan",
        )
    result = analyse_scan(scan, model)
    maps = _maps(
        result.maps,
        mirror_difference(result.prepared.brain_image, spacing_mm=result.prepared.grid.spacing_mm),
    )
    native = {
        name: np.asarray(to_scan_grid(result.prepared, m), dtype=np.float64)
        for name, m in maps.items()
    }
    brain = to_scan_grid(result.prepared, result.maps.brain, order=0).astype(bool)
    if row.get("brain"):
        brain = read_label_map(folder / row["brain"]).voxels > 0
    return score(row["case"], native, truth=mask.voxels > 0, brain=brain)


def _maps(maps: CaseMaps, difference: NDArray[np.floating]) -> Maps:
    return {
        "deviation": maps.deviation,
        "pathology": maps.pathology,
        "asymmetry": maps.asymmetry,
        "bound": maps.bound,
        "mirror_difference": difference,
    }


def evaluate_synthetic(
    config: SynthesisConfig,
    *,
    number: int,
    seed: int,
    model: LoadedModel,
    report: Report | None = None,
) -> list[dict[str, float | str]]:
    """Score synthesised test subjects with a lesion, on anatomies that training never saw.

    Args:
        config: Synthesis whose test anatomies and test lesion shapes are drawn from; scans are
            drawn without skull, as the second pass of the pipeline sees them.
        number: Subjects with a lesion to score.
        seed: Of the draws; another one than training used.
        model: Network with its healthy reference.
        report: Receives one line per ten subjects.

    Returns:
        One dictionary per subject and a last one, case "all voxels", pooled over subjects.
    """
    reference = reference_of(model)
    degradation = config.degradation.model_copy(update={"stripped": 1.0})
    lesions = config.lesions.model_copy(update={"present": 1.0})
    always = config.model_copy(update={"degradation": degradation, "lesions": lesions})
    subjects = SyntheticSubjects(always, seed=seed, split="test")
    rows: list[dict[str, float | str]] = []
    flat: list[tuple[Maps, BoolMap]] = []
    index = -1
    while len(rows) < number:
        index += 1
        case = subjects[index]
        truth, brain = case.lesion.numpy().astype(bool), case.brain.numpy().astype(bool)
        if not truth.any():
            continue
        maps = synthetic_maps(case, model, reference)
        rows.append(asdict(score(f"synthetic-{index:04d}", maps, truth=truth, brain=brain)))
        scored = brain | truth
        flat.append(({name: np.asarray(m)[scored] for name, m in maps.items()}, truth[scored]))
        if report and len(rows) % 10 == 0:
            report(f"{len(rows)}/{number} subjects")
    pooled = {name: np.concatenate([maps[name] for maps, _ in flat]) for name in flat[0][0]}
    truth = np.concatenate([lesion for _, lesion in flat])
    rows.append(asdict(score("all voxels", pooled, truth=truth, brain=np.ones_like(truth))))
    return rows


def synthetic_maps(case: SyntheticCase, model: LoadedModel, reference: DeviationReference) -> Maps:
    """Maps of a synthesised subject, whose brain is known, as the second pass computes them."""
    brain = case.brain.numpy().astype(bool)
    request = MapRequest(
        spacing_mm=model.network.settings.spacing_mm,
        brain=brain,
        coverage=case.coverage.numpy().astype(bool),
        mirror_classes=mirror_permutation(),
        prior_logit=prior_logit_of(model),
    )
    image = case.image.numpy()
    found, _ = compute_maps(model.network, image, request=request, sigma=reference.sigma_on(brain))
    return _maps(found, mirror_difference(image, spacing_mm=request.spacing_mm))
