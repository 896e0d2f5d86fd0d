"""A fitted score and what it says of one case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsym.scores.features import Feature, FeatureTable, feature_table
from medsym.scores.linear import LinearScore, probabilities
from medsym.scores.nuisance import NuisanceColumn, complaints, encode, remarks
from medsym.scores.one_class import OneClass

Record = Mapping[str, Any]
#: Contributions that belong to no region: intercept and calibration.
BASE = "everybody"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The question that a score answers.

    Attributes:
        column: of the user's table.
        yes: its word for the answer 1; "left" for the side.
        no: what the answer 0 is called; "right" for the side.
        is_side: the question is left or right.
    """

    column: str
    yes: str
    no: str
    is_side: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectScore:
    """Everything that was fitted.

    Attributes:
        target: None if only healthy people were described.
        linear: answers the target; None without one.
        bilateral: how unusual both sides together are; None with its reason in ``absent``.
        laterality: how unusual the differences of the sides are.
        absent: reasons by name of what could not be fitted.
        features: f columns that ``feature_table`` gives.
        nuisance: columns of the user's table.
        made_from: identity of the results, see ``medsym.scores.identity``.
        scans: SHA-256 of every scan in the fit, and of its voxels and affine.
        numbers: what was measured when fitting.
    """

    target: Target | None
    linear: LinearScore | None
    bilateral: OneClass | None
    laterality: OneClass | None
    absent: Mapping[str, str]
    features: tuple[Feature, ...]
    nuisance: tuple[NuisanceColumn, ...]
    made_from: Mapping[str, str]
    scans: frozenset[str]
    numbers: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseScore:
    """What a score says of a case; None where it says nothing.

    Attributes:
        case: identifier.
        probability: calibrated, of the answer ``Target.yes``.
        other_probability: of the answer ``Target.no``.
        logit: exactly rounded sum of ``contributions``.
        contributions: by feature name, with ``BASE``.
        regions: the same by region, largest first; sums to the logit up to rounding.
        bilateral_p: p-value of both sides together among healthy people.
        laterality_p: p-value of the differences of the sides.
        asymmetry_p: p-value of the largest deviation, as screening wrote it.
        is_synthetic: that p-value is against drawn heads.
        in_fit: the scan itself was fitted on, so that the numbers flatter.
        not_assessable: reasons why nothing is said.
        remarks: what speaks for care.
    """

    case: str
    probability: float | None = None
    other_probability: float | None = None
    logit: float | None = None
    contributions: Mapping[str, float]
    regions: Mapping[str, float]
    bilateral_p: float | None = None
    laterality_p: float | None = None
    asymmetry_p: float | None = None
    is_synthetic: bool = False
    in_fit: bool = False
    not_assessable: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def score_case(score: SubjectScore, record: Record, *, values: Mapping[str, str]) -> CaseScore:
    """Apply a score to one case of the model that it was fitted for.

    Args:
        score: fitted.
        record: case.json.
        values: what the user's table says of the person; nuisance columns are needed.
    """
    case = str(record["case"])
    if not record["assessable"]:
        return nothing_known(case, reasons=tuple(map(str, record["reasons"])))
    asymmetry_p = record["summary"].get("p_value")
    reasons = tuple(complaints(score.nuisance, values))
    if reasons:
        return nothing_known(case, reasons=reasons, asymmetry_p=asymmetry_p)
    table = feature_table([record])
    nuisance = encode(score.nuisance, [values])
    logit, parts = _answer(score, table, nuisance)
    return CaseScore(
        case=case,
        probability=None if logit is None else float(probabilities(logit)),
        other_probability=None if logit is None else float(probabilities(-logit)),
        logit=logit,
        contributions=parts,
        regions=by_region(parts, score.features),
        bilateral_p=_p_value(score.bilateral, table.bilateral(), nuisance),
        laterality_p=_p_value(score.laterality, table.odd(), nuisance),
        asymmetry_p=asymmetry_p,
        is_synthetic=(record.get("calibration") or {}).get("kind") == "synthetic",
        in_fit=not score.scans.isdisjoint(hashes_of(record)),
        remarks=tuple(remarks(score.nuisance, values)),
    )


def hashes_of(record: Record) -> set[str]:
    """By which a scan is recognised: its file's hash, and that of its voxels and affine."""
    scan = record["scan"]
    return {str(scan[key]) for key in ("sha256", "content_sha256") if scan.get(key)}


def nothing_known(
    case: str, *, reasons: tuple[str, ...], asymmetry_p: float | None = None
) -> CaseScore:
    """A case that a score says nothing about."""
    return CaseScore(
        case=case, contributions={}, regions={}, not_assessable=reasons, asymmetry_p=asymmetry_p
    )


def _answer(
    score: SubjectScore, table: FeatureTable, nuisance: Any
) -> tuple[float | None, dict[str, float]]:
    if score.target is None or score.linear is None:
        return None, {}
    used = table.odd() if score.target.is_side else table.even()
    parts = score.linear.contributions(used.values, nuisance)[0].tolist()
    named = {f.name: part for f, part in zip(used.features, parts, strict=True)}
    logit = float(score.linear.logits(used.values, nuisance)[0])
    return logit, {**named, BASE: score.linear.base}


def _p_value(found: OneClass | None, table: FeatureTable, nuisance: Any) -> float | None:
    return None if found is None else found.p_value(table.values[0], nuisance[0])


def by_region(parts: Mapping[str, float], features: Sequence[Feature]) -> dict[str, float]:
    """Contributions of the features of each region together, largest first."""
    region_of = {feature.name: feature.region for feature in features}
    totals: dict[str, float] = {}
    for name, part in parts.items():
        region = region_of.get(name, BASE)
        totals[region] = totals.get(region, 0.0) + part
    return dict(sorted(totals.items(), key=lambda item: (-abs(item[1]), item[0])))
