"""The scan on review and its prior: which place is which, and what changed between them."""

import gzip
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.prior import visit_of
from app.results import Case, compared_with
from app.viewer.encoding import MAGIC, NO_DATA, EncodedVolume
from medsym.volumes.midplane import MidPlane
from medsym.volumes.pairing import PosedScan, pair_scans
from medsym.volumes.volume import Volume

GOOD_OVERLAP = 0.85  # Dice of two masks of one brain; ten pairs of real scans reached 0.93 to 0.98
MIDLINE_MM = 2.5  # from the mid-plane: there a link's error may change the side of a finding
REACH_MM = 15.0  # peaks of one finding in two scans lie no farther apart, or within its own size
KEPT_LINKS = 64

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """How places of the current scan are found in the prior.

    Attributes:
        matrix: rows of (4, 4), current world mm to prior world mm; None where none was found.
        overlap: Dice coefficient of the two brains under it, from 0 to 1.
        similarity: normalised mutual information of the brains under it, 1 to 2.
        words: what the reader should know about it.
        doubtful: whether it should not be relied on.
    """

    matrix: tuple[tuple[float, ...], ...] | None
    overlap: float | None
    similarity: float | None
    words: str
    doubtful: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON for the browser."""
        return asdict(self)


NO_LINK = Link(
    matrix=None,
    overlap=None,
    similarity=None,
    doubtful=True,
    words="One of the scans is not assessable, so they could not be matched: both start at their"
    " centres. Link them by hand.",
)


_LINKS: dict[tuple[Hashable, Hashable], Link] = {}  # of the last pairs; the volumes are not kept


def link_cases(
    current: Case,
    current_volumes: Mapping[str, EncodedVolume],
    prior: Case,
    prior_volumes: Mapping[str, EncodedVolume],
) -> Link:
    """Match the prior to the current scan; kept for the last few pairs.

    Args:
        current: the case on review; with its volumes as `case_volumes` returns them.
        current_volumes: of the current case.
        prior: the case beside it.
        prior_volumes: of the prior.
    """
    pair = (_content(current, current_volumes), _content(prior, prior_volumes))
    if None in pair:
        return NO_LINK
    if pair not in _LINKS:
        while len(_LINKS) >= KEPT_LINKS:
            _LINKS.pop(next(iter(_LINKS)), None)
        _LINKS[pair] = _link(_posed(current, current_volumes), _posed(prior, prior_volumes))
    return _LINKS[pair]


def forget_links() -> None:
    """Forget what was found about pairs, as when an uploaded scan is removed."""
    _LINKS.clear()


def _content(case: Case, volumes: Mapping[str, EncodedVolume]) -> Hashable:
    """What decides a match; None where a scan cannot be matched."""
    plane = case.record.get("midplane") or {}
    if not {"scan", "anatomy"} <= volumes.keys() or not plane.get("normal"):
        return None
    digests = volumes["scan"].digest, volumes["anatomy"].digest
    return (*digests, tuple(plane["normal"]), plane["offset_mm"])


def _link(current: PosedScan, prior: PosedScan) -> Link:
    found = pair_scans(current, prior)
    doubtful = found.overlap < GOOD_OVERLAP or found.similarity < found.start_similarity
    words = (
        "Not registered: matched by their mid-planes, then by a search for pitch and shift"
        f" ({abs(found.pitch_deg):.1f}\u00b0, {math.hypot(found.front_mm, found.up_mm):.1f} mm)."
        f" The two brains overlap by {100 * found.overlap:.0f} %."
    )
    if doubtful:
        words += " That is little: check the match, or link by hand."
    return Link(
        matrix=tuple(tuple(float(value) for value in row) for row in found.matrix),
        overlap=found.overlap,
        similarity=found.similarity,
        words=words,
        doubtful=doubtful,
    )


def _posed(case: Case, volumes: Mapping[str, EncodedVolume]) -> PosedScan:
    about = case.record["midplane"]
    normal = np.asarray(about["normal"], dtype=np.float64)
    plane = MidPlane(
        normal=normal / np.linalg.norm(normal), offset_mm=float(about["offset_mm"]), score=0.0
    )
    brain = decoded(volumes["anatomy"])
    mask = Volume(voxels=(brain.voxels > 0).astype(np.float32), affine=brain.affine)
    return PosedScan(image=decoded(volumes["scan"]), brain=mask, plane=plane)


def decoded(volume: EncodedVolume) -> Volume:
    """The volume that the browser gets, as an array; the lowest value where there is no data."""
    body = gzip.decompress(volume.body)[len(MAGIC) :]
    stored = np.frombuffer(body, dtype="<i2").reshape(volume.grid.shape, order="F")
    values = stored.astype(np.float32) * np.float32(volume.slope) + np.float32(volume.intercept)
    values[stored == NO_DATA] = volume.low
    return Volume(voxels=values, affine=volume.grid.affine)


def changes(
    current: Case, prior: Case, *, matrix: Sequence[Sequence[float]] | None
) -> list[dict[str, Any]]:
    """Findings now and then, matched on the same side where their peaks lie together.

    A deviation on the left and one on the right are never one finding, however near they are; only
    where both peaks lie in the mid-plane, within the error of the link, may the sides differ.

    Args:
        current: the case on review.
        prior: the case beside it.
        matrix: current world mm to prior world mm; without one nothing is matched.

    Returns:
        One row per finding or matched pair: "now" and "then" are findings of the records or None,
        "across" is whether the two of a pair lie on different sides of the mid-plane.
        Findings of the current case come first, in their order.
    """
    now, then = _findings(current), _findings(prior)
    near: list[tuple[float, int, int]] = []
    if matrix is not None:
        moved = np.asarray(matrix, dtype=np.float64)
        for i, one in enumerate(now):
            place = moved[:3, :3] @ np.asarray(one["peak_mm"], dtype=np.float64) + moved[:3, 3]
            for k, other in enumerate(then):
                if one["side"] != other["side"] and not (_midline(one) and _midline(other)):
                    continue
                apart = float(np.linalg.norm(place - np.asarray(other["peak_mm"])))
                if apart <= max(REACH_MM, _radius_mm(one) + _radius_mm(other)):
                    near.append((apart, i, k))
    pairs: dict[int, int] = {}
    for _, i, k in sorted(near):
        if i not in pairs and k not in pairs.values():
            pairs[i] = k
    rows: list[dict[str, Any]] = []
    for i, one in enumerate(now):
        same = then[pairs[i]] if i in pairs else None
        across = same is not None and same["side"] != one["side"]
        rows.append({"now": one, "then": same, "across": across})
    rest = [other for k, other in enumerate(then) if k not in pairs.values()]
    return rows + [{"now": None, "then": other, "across": False} for other in rest]


def cautions(current: Case, prior: Case) -> list[str]:
    """What speaks against comparing the numbers of two cases, in words; none if nothing does."""
    visits = visit_of(current.name), visit_of(prior.name)
    contrasts = visits[0].contrast, visits[1].contrast
    texts = []
    if not visits[0].subject or visits[0].subject != visits[1].subject:
        texts.append(
            "By their names these are not scans of one person: places correspond roughly, and a"
            " difference is no change."
        )
    if contrasts[0] != contrasts[1]:
        texts.append(
            f"The contrasts differ ({contrasts[0] or 'unknown'}, {contrasts[1] or 'unknown'}):"
            " volumes and deviations of the two are not comparable."
        )
    models = [case.record.get("model", {}).get("sha256") for case in (current, prior)]
    if models[0] != models[1]:
        texts.append("The two were screened with different models.")
    compared = [compared_with(case.record) for case in (current, prior)]
    if compared[0] != compared[1]:
        texts.append("Their p-values come from different calibrations.")
    return texts


def _findings(case: Case) -> list[Mapping[str, Any]]:
    return list(case.record.get("findings", [])) if case.assessable else []


def _midline(finding: Mapping[str, Any]) -> bool:
    """Whether the peak lies in the mid-plane, as far as two scans can be matched."""
    peak, mirror = (np.asarray(finding[key], dtype=np.float64) for key in ("peak_mm", "mirror_mm"))
    return float(np.linalg.norm(peak - mirror)) / 2.0 <= MIDLINE_MM


def _radius_mm(finding: Mapping[str, Any]) -> float:
    """Radius of a ball of the finding's volume, mm."""
    return float((3000.0 * float(finding.get("volume_ml") or 0.0) / (4.0 * math.pi)) ** (1 / 3))
