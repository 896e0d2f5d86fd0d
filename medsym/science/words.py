"""What the figures show, said in sentences; every number in them was measured."""

from medsym.calibration.normative import FLOOR_NATS
from medsym.science.intervals import Numbers
from medsym.upwards import percent_text


def interval_words(found: Numbers, *, digits: int = 2, sign: bool = False) -> str:
    """An estimate with its interval: "0.31 [0.20, 0.44]"."""
    kind = f"{'+' if sign else ''}.{digits}g"
    if found.get("value") is None or found["value"] != found["value"]:
        return "not defined"
    if not all(found[end] == found[end] for end in ("low", "high")):
        return format(found["value"], kind)
    return f"{found['value']:{kind}} [{found['low']:{kind}}, {found['high']:{kind}}]"


def share_words(found: Numbers) -> str:
    """A share with its exact interval: "2 of 40 (5.0 % [0.6, 16.9])"."""
    ends = f"[{100 * found['low']:.1f}, {100 * found['high']:.1f}]"
    return f"{found['hits']} of {found['of']} ({100 * found['value']:.1f} % {ends})"


def tolerance_words(numbers: Numbers, *, soft_head: bool) -> list[str]:
    """What the tolerance atlas says."""
    if not soft_head:
        exact = "it learned no tolerance, and its tolerance is exactly zero everywhere."
        return [f"This model has no soft head: {exact}"]
    side = numbers["largest_at"]["side"]
    left, right = (interval_words(numbers[name]) for name in ("left", "right"))
    difference = interval_words(numbers["left_minus_right"], sign=True)
    mean = f"{interval_words(numbers['mean'])} log-odds (95 % interval over"
    said = [
        f"Mean tolerance in the brain: {mean} {numbers['subjects']} subjects).",
        (
            f"Largest value of the mean map: {numbers['largest_of_mean_map']:.2g}, on the "
            f"patient's {side}; in any voxel of any subject: {numbers['largest_voxel']:.2g}."
        ),
        f"Patient's left {left}, right {right}; left minus right {difference} log-odds.",
    ]
    if numbers["practically_zero"]:
        said.insert(
            0,
            "The learned tolerance is practically zero everywhere: even where its mean is largest, "
            f"it changes the asymmetry by less than {FLOOR_NATS:g} nats. This model uses none of "
            "the softness that it was offered; the ranks below exist at any size, and say nothing "
            "about what the model does.",
        )
    return said


def correlation_words(atlas: Numbers, structures: Numbers) -> list[str]:
    """Whether the tolerance lies where healthy brains differ from their mirror image."""
    said = []
    for name, words in (
        ("torque_mm", "the natural torque"),
        ("asymmetry", "the natural asymmetry of intensities"),
    ):
        found = atlas["correlation"][name]
        numbers = (
            f"Rank correlation of tolerance with {words}: {interval_words(found)} over "
            f"{atlas['places_compared']} places (both sides averaged), "
            f"{interval_words(structures['correlation'][name])} over "
            f"{len(structures['rows'])} structures."
        )
        verdict = "" if atlas["practically_zero"] else f" {_direction(found, words)}"
        said.append(numbers + verdict)
    return said


def _direction(found: Numbers, words: str) -> str:
    """What a rank correlation over places says, in words."""
    if found["low"] > 0.0:
        return f"The tolerance is larger where {words} is larger."
    if found["high"] < 0.0:
        return f"The tolerance is larger where {words} is smaller: it was not spent on that."
    return f"The tolerance is not shown to follow {words}."


def softness_words(numbers: Numbers) -> str:
    """Whether weights of the backbone may break the mirror."""
    count = len(numbers["layers"])
    if numbers["exact"]:
        head = {
            "head": " Only its head is soft, through the tolerance above.",
            "none": " Its head is exact as well.",
        }.get(numbers["where"], "")
        return (
            "This model has no learned softness in its layers: its backbone is exact. All "
            f"{count} weights that could be soft have softness 0.{head}"
        )
    if not numbers["learned"]:
        low = min(row["low"] for row in numbers["layers"])
        high = max(row["high"] for row in numbers["layers"])
        return (
            f"The softness of this model's {count} weights was not learned: it is fixed between "
            f"{low:g} and {high:g}."
        )
    soft = [row for row in numbers["layers"] if row["learned"]]
    largest = max(soft, key=lambda row: row["high"])
    return (
        f"{len(soft)} of {count} weights have a learned softness; the largest is "
        f"{largest['high']:.2g}, in {largest['path']}."
    )


def reliability_words(numbers: Numbers) -> list[str]:
    """How far the probabilities can be taken at their word."""
    everything, likely = numbers["all"], numbers["likely"]
    if not everything.get("lesion_voxels"):
        return ["No subject that was drawn has a lesion: nothing can be said about reliability."]
    drawn = f"{numbers['subjects']} subjects, {numbers['subjects_with_lesion']} with a lesion"
    lesion = f"{100 * everything['prevalence']['value']:.2g} % of them lesion"
    ratio = interval_words(everything["expected_over_observed"])
    said = [
        (
            f"{drawn}, drawn as in training; {everything['voxels']} voxels of the brain, {lesion} "
            f"({numbers['lesion_voxels_beyond_mask']} more lie beyond the brain masks)."
        ),
        (
            f"Expected calibration error over all of them: "
            f"{interval_words(everything['calibration_error'])}; expected over observed lesion "
            f"voxels: {ratio}."
        ),
    ]
    if likely.get("lesion_voxels"):
        said.append(
            f"Over the {likely['voxels']} voxels that the model calls more likely than its prior "
            f"({numbers['prior']:.2g}): {interval_words(likely['calibration_error'])}; expected "
            f"over observed {interval_words(likely['expected_over_observed'])}."
        )
    return said


def alarm_words(name: str, curve: Numbers, *, alpha: float) -> str:
    """Realised share of flagged scans at the rate that the pipeline promises."""
    point = next(p for p in curve["points"] if p["alpha"] == alpha)
    if point["flagged"] is None:
        return (
            f"{name}: the model's {curve['calibration_cases']} calibration cases are too few to "
            f"promise a rate of {percent_text(alpha)}%."
        )
    several = curve.get("scans", curve["subjects"]) > curve["subjects"]
    rate = f"{percent_text(alpha)}%{' of single scans' if several else ''}"
    return (
        f"{name}: at a promised rate of {rate}, {share_words(point['flagged'])} "
        "are flagged; the interval is exact, 95 %."
    )
