"""A calibration: normative maps and scores of healthy people, ready to judge new scans."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.adjustment import Adjustment
from medsym.calibration.comparison import CalibrationUse, Comparison, too_few
from medsym.calibration.conformal import conformal_threshold, rarity_steps
from medsym.calibration.groups import GroupColumn, group_of, missing_columns
from medsym.calibration.people import PERSON, person_sha256
from medsym.calibration.reference import DeviationReference, FloatMap
from medsym.calibration.shift import exchangeability, feature_row
from medsym.errors import ConfigError

Covariates = Mapping[str, str | float]

#: Rates of the table of thresholds.
ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2)
#: Options of the analysis that patients and healthy people have to share.
_SAME_OPTIONS = ("measure_defect",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What healthy people look like to one model.

    Attributes:
        name: as it is shown.
        model: name, version and sha256 of the model it belongs to.
        spread: ``REFERENCE_SHAPE`` float32, nats.
        mean: ``REFERENCE_SHAPE`` float32, nats, antisymmetric: mean asymmetry of the people.
        minus_mean: True if the mean is taken off before the comparison.
        mean_p_value: sign-flip test of "there is no mean asymmetry"; None if it was not made.
        num_spread: people behind spread and mean.
        scores: (k,) float32, largest deviation of each person in each of their groups, SD, divided
            by the factor of the adjustment.
        largest: (people,) ascending float32, largest deviation of every person, SD; never divided.
        groups: (k,) label of the group of each score; "" without groups.
        group_by: columns that make the groups.
        adjustment: of the scores, by covariates; None without.
        features: (s, d) of the scans of the people, for the test of exchangeability.
        feature_names: (d,)
        owners: (s,) number of the person of each row.
        feature_groups: (s,) label of the group of each row.
        scan_hashes: of the files of the scans, and of their voxels and affines.
        salt: of the next.
        person_hashes: by which people are recognised.
        counts: people, scans, scans left out.
        options: of reading and analysis that the healthy scans were measured with.
        cross_validation: share of these people that was flagged when they were left out, as
            ``cross_validate`` gives it; None if nobody asked.
        sha256: of the manifest; "" before it is written.
        folder: where it was read from, absolute; None before it is written.
    """

    name: str
    model: Mapping[str, str]
    spread: FloatMap
    mean: FloatMap
    minus_mean: bool
    mean_p_value: float | None
    num_spread: int
    scores: NDArray[np.float32]
    largest: NDArray[np.float32]
    groups: tuple[str, ...]
    group_by: tuple[GroupColumn, ...] = ()
    adjustment: Adjustment | None = None
    features: NDArray[np.float64]
    feature_names: tuple[str, ...]
    owners: NDArray[np.int64]
    feature_groups: tuple[str, ...]
    scan_hashes: tuple[str, ...]
    salt: str = ""
    person_hashes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    cross_validation: Mapping[str, Any] | None = None
    sha256: str = ""
    folder: Path | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Covariates that a scan has to state."""
        adjusted = self.adjustment.columns if self.adjustment else ()
        return tuple(dict.fromkeys([*(c.column for c in self.group_by), *adjusted]))

    def compare(
        self, covariates: Covariates, *, alpha: float, hashes: Collection[str] = ()
    ) -> Comparison:
        """What a scan is compared with.

        Without the columns that it needs, or with too few people, there is no p-value: the reason
        says why, and nobody else stands in. The maxima are then the largest deviations of
        everybody as they were measured, not divided by any adjustment, only so that no finding is
        below what healthy people reach.

        Args:
            covariates: of the scan; ``PERSON`` among them says whose it is.
            alpha: false-alarm rate that is asked for.
            hashes: of the scan's file and content; a scan that made the calibration has no p-value.
        """
        group = group_of(covariates, self.group_by)
        own = np.array([label == group for label in self.groups], dtype=bool)
        obstacle = self._obstacle(covariates, group=group)
        if set(hashes) & set(self.scan_hashes):
            obstacle = "the scan is one of those that made the calibration"
        whom = f"the group {group} of the calibration" if group else "the calibration"
        reason = obstacle or too_few(int(own.sum()), alpha=alpha, whom=whom)
        comparable = self.largest if obstacle else self._maxima(covariates, own=own)
        reference = DeviationReference(
            spread=self.spread,
            maxima=self.largest if reason else comparable,
            num_spread=self.num_spread,
            mean=self.mean if self.minus_mean else None,
        )
        use = CalibrationUse(
            name=self.name,
            kind="healthy scans",
            n=int(own.sum()),
            group=group or None,
            sha256=self.sha256,
            minus_mean=self.minus_mean,
            adjusted_for=self.adjustment.columns if self.adjustment else (),
            reason=reason,
            namesake=self._namesake(covariates),
            cross_validation=self.cross_validation,
            thresholds=() if obstacle else rarity_steps(comparable),
        )
        return Comparison(reference=reference, use=use)

    def _namesake(self, covariates: Covariates) -> bool:
        """True if somebody with the label of the scan's person made the calibration."""
        person = covariates.get(PERSON)
        return person is not None and (
            person_sha256(str(person), salt=self.salt) in self.person_hashes
        )

    def _maxima(self, covariates: Covariates, *, own: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Scores of a group at the covariates of a scan, ascending, SD."""
        factor = self.adjustment.factor(covariates) if self.adjustment else 1.0
        return np.sort(self.scores[own] * np.float32(factor))

    def _obstacle(self, covariates: Covariates, *, group: str | None) -> str | None:
        """Why nobody of the calibration can be compared with a scan; None if they can."""
        if group is None:
            missing = ", ".join(missing_columns(covariates, self.group_by))
            return f"the scan does not state what the calibration is grouped by: {missing}"
        return self.adjustment.problem(covariates) if self.adjustment else None

    def judge(self, use: CalibrationUse, *, features: Mapping[str, float]) -> CalibrationUse:
        """The use of the calibration with the test whether the scan is exchangeable.

        Args:
            use: of ``compare``.
            features: of the scan.
        """
        label = use.group or ""
        rows = np.array([group == label for group in self.feature_groups], dtype=bool)
        row = feature_row(features, self.feature_names)
        found = exchangeability(
            self.features[rows], self.owners[rows], scan=row, names=self.feature_names
        )
        return replace(use, exchangeability=found)

    def check_model(self, manifest: Mapping[str, Any]) -> None:
        """Refuse a model that it was not made with.

        Raises:
            ConfigError: MS-505.
        """
        if self.model.get("sha256") != str(manifest.get("sha256", "")):
            raise ConfigError(
                code="MS-505",
                subject=self.name,
                cause=f"the calibration was made with other weights ({self.model.get('name')})",
                fix="use the model it was made with, or run 'medsym calibrate' with this one",
            )

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse an analysis of another kind than that of the healthy scans.

        How files are read (volume, orientation, shear) is stored for the record only: files of
        patients may need other settings than those of the healthy.

        Raises:
            ConfigError: MS-518.
        """
        for key in _SAME_OPTIONS:
            if key in self.options and key in options and self.options[key] != options[key]:
                raise ConfigError(
                    code="MS-518",
                    subject=self.name,
                    cause=f"the calibration was made with {key} {self.options[key]}, this run has "
                    f"{options[key]}",
                    fix="use the same options (--single-pass) for calibrating and screening",
                )

    def thresholds(self, alphas: Sequence[float] = ALPHAS) -> list[dict[str, Any]]:
        """Rows group, people, alpha, threshold (SD before the adjustment; None: too few people)."""
        rows: list[dict[str, Any]] = []
        for group in sorted(set(self.groups)):
            own = np.sort(self.scores[[label == group for label in self.groups]])
            rows += [
                {
                    "group": group or None,
                    "people": int(own.size),
                    "alpha": alpha,
                    "threshold": conformal_threshold(own, alpha),
                }
                for alpha in alphas
            ]
        return rows
