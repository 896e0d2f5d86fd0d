"""What the numbers of a case mean, in plain words; no number is ever turned into "normal"."""

from medsym.scores.one_class import LEVEL
from medsym.scores.score import BASE, CaseScore, SubjectScore
from medsym.upwards import p_text

_NOT_UNUSUAL = "Among the healthy it would not stand out, which does not mean normal."
_SHOWN_REGIONS = 3
#: Parts of the logit smaller than this are not worth a word.
_SMALLEST_PART = 0.005
#: p-values in records have six decimals.
_ROUNDING = 1e-6


def words_of(found: CaseScore, score: SubjectScore) -> str:
    """One or more sentences for a row of the table."""
    if found.not_assessable:
        return f"Not assessable: {'; '.join(found.not_assessable).rstrip('.')}."
    said = [_probability(found, score), *_unusual(found)]
    if found.bilateral_p is None:
        said.append("Disease that is equal on both sides was not looked for.")
    if found.in_fit:
        said.append("This scan was used in the fit, its numbers flatter: see unseen.tsv.")
    said += [f"Care: {remark}." for remark in found.remarks]
    return " ".join(text for text in said if text)


def _probability(found: CaseScore, score: SubjectScore) -> str:
    target, one, other = score.target, found.probability, found.other_probability
    if target is None or one is None or other is None:
        return ""
    if target.is_side:
        return f"Left {percent(one)}, right {percent(other)}, if it is one of the two."
    return f"{target.yes} {percent(one)}, where it is as common as in the fit."


def percent(probability: float) -> str:
    """Whole percent; never 0 or 100, which nobody measured.

    Example:
        >>> percent(0.426), percent(0.9991), percent(0.002)
        ('43 %', 'over 99 %', 'under 1 %')
    """
    if probability > 0.99:
        return "over 99 %"
    return "under 1 %" if probability < 0.01 else f"{100 * probability:.0f} %"


def _unusual(found: CaseScore) -> list[str]:
    """What stands out: several numbers are looked at, and each has its own chance to."""
    whom = "drawn healthy heads" if found.is_synthetic else "healthy people"
    meanings = (
        (found.asymmetry_p, f"one place differs from its mirror place more than in {whom}"),
        (found.laterality_p, "the sides differ more than in healthy people"),
        (
            found.bilateral_p,
            "both sides together are unlike healthy people, which comparing sides does not measure",
        ),
    )
    known = [(p, text) for p, text in meanings if p is not None]
    small = [f"{text} (p {p_text(p)})" for p, text in known if p <= LEVEL]
    if not small:
        return [_NOT_UNUSUAL] if known else []
    said = "; ".join(small)
    if min(p for p, _ in known) <= LEVEL / len(known) + _ROUNDING:
        return [f"Unusual: {said}."]
    share = percent(LEVEL * len(known))
    odds = (
        f"{len(known)} such numbers are looked at, so up to {share} of the healthy have one like it"
    )
    return [f"Stands out a little: {said}. {odds}."]


def top_regions(found: CaseScore) -> str:
    """Regions that moved the logit most, with how far."""
    parts = [
        f"{region} {part:+.2f}"
        for region, part in found.regions.items()
        if region != BASE and abs(part) >= _SMALLEST_PART
    ]
    return "; ".join(parts[:_SHOWN_REGIONS])
