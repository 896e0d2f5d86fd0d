"""What one scan is compared with, in numbers and in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from medsym.calibration.conformal import RarityStep, fewest_cases, rarity_steps
from medsym.calibration.reference import REFERENCE_HASH, DeviationReference
from medsym.upwards import p_text

Kind = Literal["synthetic", "healthy scans"]

#: Entry of a model's manifest about its healthy reference: kind and caution.
REFERENCE_ENTRY = "reference"
#: What has to stand wherever a model's own reference is named: synthetic heads are nobody's own.
REFERENCE_NAMES: dict[Kind, str] = {
    "synthetic": "synthetic healthy reference",
    "healthy scans": "healthy scans of the training",
}
#: Said of a synthetic reference of which nothing else was measured.
CAUTION = (
    "drawn heads of a few anatomies, not people: on other heads more than the stated share may be "
    "flagged"
)


_NAMESAKE = (
    "somebody with the label of this person made the calibration: if that is the same person, the "
    "p-value is invalid"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchangeability:
    """Does a scan look like the scans of the calibration, in what decides their quality?

    Attributes:
        p_value: conformal p-value of the scan's features, in (0, 1].
        false_alarm_rate: share of scans like those of the calibration that get the warning.
        warning: sentence if the scan is unlike them; None if nothing speaks against it.
    """

    p_value: float
    false_alarm_rate: float
    warning: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationUse:
    """Which calibration a case was judged by, and how far it goes.

    Attributes:
        name: as it is shown.
        kind: "synthetic" (drawn heads) or "healthy scans" (of people).
        n: number of units behind a p-value: people, or drawings of the synthetic reference.
        group: people it is compared with, such as "site=A, age=60-80"; None for all.
        sha256: of the calibration or reference; "" if it has no file.
        minus_mean: True if the healthy mean asymmetry is taken off before the comparison; then a
            mirrored scan no longer gets the mirrored result.
        adjusted_for: covariates that the scale of the deviation is adjusted for.
        caution: sentence that goes with every p-value of a synthetic reference; None for people.
        reason: sentence that says why no p-value is given; None if one is.
        namesake: True if somebody with the label of the scan's person made the calibration.
        exchangeability: None where that cannot be tested.
        features: what the test of exchangeability looks at.
        cross_validation: promised rates beside the share of the calibration's people that was
            flagged when they were left out of it; None if that was not measured.
        thresholds: deviation that at most one in N of them reaches anywhere; empty where nobody
            can be compared with.
    """

    name: str
    kind: Kind
    n: int
    group: str | None = None
    sha256: str = ""
    minus_mean: bool = False
    adjusted_for: tuple[str, ...] = ()
    caution: str | None = None
    reason: str | None = None
    namesake: bool = False
    exchangeability: Exchangeability | None = None
    features: Mapping[str, float] | None = None
    cross_validation: Mapping[str, Any] | None = None
    thresholds: tuple[RarityStep, ...] = ()

    @property
    def warning(self) -> str | None:
        """Why the p-value may not be trusted; None if nothing is known."""
        unlike = self.exchangeability.warning if self.exchangeability else None
        if not self.namesake or self.reason:  # without a p-value there is nothing to doubt
            return unlike
        return f"{_NAMESAKE}; {unlike}" if unlike else _NAMESAKE

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that a reader of the result has to see."""
        refused = (f"no p-value: {self.reason}",) if self.reason else ()
        return (*refused, self.warning) if self.warning else refused

    def as_dict(self) -> dict[str, Any]:
        """Plain values for case.json."""
        return {**asdict(self), "warning": self.warning}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What one scan is compared with.

    Attributes:
        reference: spread, mean and maxima that hold for this scan.
        use: the same in words.
    """

    reference: DeviationReference
    use: CalibrationUse

    @classmethod
    def with_reference(
        cls, reference: DeviationReference, *, alpha: float, manifest: Mapping[str, Any]
    ) -> "Comparison":
        """Compare with the reference that is kept beside a model's weights.

        Args:
            reference: of the model.
            alpha: false-alarm rate that is asked for.
            manifest: of the model; synthetic unless it says that people made the reference.
        """
        n = int(reference.maxima.size)
        about = manifest.get(REFERENCE_ENTRY) or {}
        people = about.get("kind") == "healthy scans"
        kind: Kind = "healthy scans" if people else "synthetic"
        use = CalibrationUse(
            name=f"{REFERENCE_NAMES[kind]} of {manifest.get('name', '')}",
            kind=kind,
            n=n,
            sha256=str(manifest.get(REFERENCE_HASH, "")),
            caution=None if people else str(about.get("caution", CAUTION)),
            reason=too_few(n, alpha=alpha),
            thresholds=rarity_steps(reference.maxima),
        )
        return cls(reference=reference, use=use)


def too_few(n: int, *, alpha: float, whom: str = "the healthy reference") -> str | None:
    """Sentence if n units cannot keep a false-alarm rate; None if they can."""
    needed = fewest_cases(alpha)
    if n >= needed:
        return None
    return f"{whom} holds {n} of the {needed} that a false-alarm rate of {p_text(alpha)} needs"
