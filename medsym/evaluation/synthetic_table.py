"""The tables of an evaluation on synthesised subjects as plain text."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from medsym.evaluation.bootstrap import LEVEL, RESAMPLES
from medsym.evaluation.columns import FALSE_PER_SCAN, SPECIFICITIES
from medsym.text_table import aligned
from medsym.upwards import percent_text

Numbers = Mapping[str, Any]


def format_synthetic(numbers: Numbers) -> str:
    """All tables; every interval is a bootstrap over subjects, or exact for counts."""
    main = numbers["main"]
    lines = [*_opening(numbers), "", *_voxels(main), "", *_lesions(main)]
    lines += ["", *_differences(numbers), "", *_strata(numbers)]
    for name, section in (("conditions", _conditions), ("torque", _torque), ("pairs", _pairs)):
        if name in numbers:
            lines += ["", *section(numbers[name])]
    return "\n".join([*lines, "", *_models(numbers["models"])])


def _opening(numbers: Numbers) -> Iterator[str]:
    main, reference = numbers["main"], numbers["reference"]
    yield (
        f"{main['subjects']} synthesised subjects with {main['lesions']} lesions and "
        f"{main['healthy_subjects']} healthy ones, test split; chance (prevalence) "
        f"{main['prevalence']:.4f}"
    )
    yield (
        f"drawn from {len(main['anatomies'])} anatomies: every interval speaks of further draws of "
        "these, not of further anatomies"
    )
    yield (
        f"[low, high]: {LEVEL:.0%} interval, {RESAMPLES} resamples of subjects; exact "
        "(Clopper-Pearson) for flagged"
    )
    yield (
        f"thresholds frozen on {reference['threshold_draws']} healthy subjects of the "
        f"{reference['split']} split: promised, at most {percent_text(numbers['alpha'])}% of "
        "healthy scans flagged"
    )
    yield from (f"note: {remark}" for remark in numbers["remarks"])


def interval(found: Numbers | None, *, percent: bool = False) -> str:
    """Value and interval; a dash where there is none."""
    scale, form = (100.0, ".0f") if percent else (1.0, ".3f")
    parts = [None if found is None else found[name] for name in ("value", "low", "high")]
    value, low, high = (number(None if p is None else scale * p, form=form) for p in parts)
    return value if low == "-" else f"{value} [{low}, {high}]"


def number(value: float | None, *, form: str = ".3f") -> str:
    """A number; a dash where it is undefined."""
    return f"{value:{form}}" if value is not None and math.isfinite(value) else "-"


def method_rows(methods: Numbers, columns: Mapping[str, Callable[[Numbers], str]]) -> Iterator[str]:
    """One line per method."""
    head = ["method", *columns]
    yield from aligned(
        [
            head,
            *([name, *(cell(row) for cell in columns.values())] for name, row in methods.items()),
        ]
    )


def _voxels(main: Numbers) -> Iterator[str]:
    yield "Voxels: Dice of the findings at the frozen threshold (outlined down to half of it), of"
    yield "the voxels above it alone, and at the best threshold of each subject (oracle, no result)"
    yield from method_rows(
        main["methods"],
        {
            "AUPRC, mean": lambda r: interval(r["auprc"]),
            "AUPRC, pooled": lambda r: interval(r["auprc_pooled"]),
            "Dice": lambda r: interval(r["dice"]),
            "Dice, peak": lambda r: interval(r["dice_peak"]),
            "oracle Dice": lambda r: interval(r["oracle_dice"]),
            "healthy flagged %": lambda r: interval(r["flagged"], percent=True),
        },
    )
    largest = max(r["auprc_pooled"]["binning_error"] for r in main["methods"].values())
    yield f"(pooled over all voxels, from counts between fixed levels: +- {largest:.4f} at most)"


def _lesions(main: Numbers) -> Iterator[str]:
    yield "Lesions and subjects: lesions found (a tenth covered by findings of which a tenth is"
    yield "lesion) at the frozen threshold and at false positives per scan, healthy ones included;"
    yield "a subject's score is its largest value; specificity is that on these healthy subjects"

    def found(per_scan: float) -> Callable[[Numbers], str]:
        return lambda r: number(r[f"found_at_{per_scan:g}"]["value"])

    def sensitivity(specificity: float) -> Callable[[Numbers], str]:
        return lambda r: interval(r[f"sensitivity_at_{specificity:.0%}"])

    yield from method_rows(
        main["methods"],
        {
            "F1": lambda r: interval(r["lesion_f1"]),
            "found": lambda r: interval(r["lesions_found"]),
            **{f"@{per_scan:g}": found(per_scan) for per_scan in FALSE_PER_SCAN},
            "AUROC": lambda r: interval(r["subject_auroc"]),
            **{f"sens. at {s:.0%}": sensitivity(s) for s in SPECIFICITIES},
        },
    )


def _differences(numbers: Numbers) -> Iterator[str]:
    rival = numbers["rival"]
    yield f"Difference from {rival!r}, paired by subject"
    columns = {"AUPRC": "auprc", "Dice": "dice", "lesion F1": "lesion_f1"}
    columns |= {"found @1": "found_at_1", "AUROC": "subject_auroc"}

    def cell(score: str) -> Callable[[Numbers], str]:
        return lambda r: interval(r.get(score))

    yield from method_rows(
        numbers["main"]["differences"][rival], {word: cell(s) for word, s in columns.items()}
    )


def _strata(numbers: Numbers) -> Iterator[str]:
    models = [m for m in numbers["main"]["methods"] if _of_model(m, numbers["candidates"])]
    for kind, parts in numbers["strata"].items():
        yield f"By {kind}: AUPRC, for models also its difference from {numbers['rival']!r}"
        head = ["method", *(_stratum_title(words, part) for words, part in parts.items())]
        rows = [head]
        for name in numbers["main"]["methods"]:
            for score in ("auprc", "difference") if name in models else ("auprc",):
                if score == "difference" and name == numbers["rival"]:
                    continue
                label = name if score == "auprc" else "  difference"
                cells = [_stratum_cell(part, name, score) for part in parts.values()]
                rows.append([label, *cells])
        yield from aligned(rows)
        yield ""


def _of_model(method: str, candidates: Sequence[str]) -> bool:
    return any(method.startswith(f"{name} ") for name in candidates)


def _stratum_title(words: str, part: Numbers) -> str:
    if not part["subjects"]:
        return f"{words} (0)"
    return f"{words} ({part['subjects']}, chance {part['prevalence']:.3f})"


def _stratum_cell(part: Numbers, name: str, score: str) -> str:
    return interval(part["methods"][name][score]) if part["subjects"] else "-"


def _conditions(conditions: Numbers) -> Iterator[str]:
    yield "Robustness: the same subjects under a condition; change of the AUPRC, healthy flagged"
    for name, condition in conditions.items():
        diseased, healthy = condition["subjects"], condition["healthy_subjects"]
        yield f"{name} ({diseased} with lesions, {healthy} healthy)"
        yield from method_rows(
            condition["methods"],
            {
                "AUPRC": lambda r: interval(r["auprc"]),
                "change": lambda r: interval(r["change"]),
                "found": lambda r: interval(r["found"]),
                "flagged %": lambda r: interval(r["flagged"], percent=True),
                "before": lambda r: interval(r["flagged_standard"], percent=True),
            },
        )
        yield ""


def _torque(torque: Numbers) -> Iterator[str]:
    yield (
        f"Torque region ({torque['healthy_subjects']} healthy subjects with 3-6 mm of torque, "
        f"{torque['lesions_inside']} lesions in the region): found relative to "
        f"{torque['reference']!r}"
    )
    yield from method_rows(
        torque["methods"],
        {
            "flagged in it %": lambda r: interval(r["flagged_inside"], percent=True),
            "elsewhere %": lambda r: interval(r["flagged_outside"], percent=True),
            "lesions found": lambda r: interval(r["found_inside"]),
            "relative": lambda r: interval(r["relative"]),
        },
    )


def _pairs(pairs: Numbers) -> Iterator[str]:
    yield (
        f"Mirrored copies of {pairs['mirrored']} subjects: |AUPRC(x) - AUPRC(Sx)|; second sessions "
        f"of {pairs['retest']} (another scanner's bias, blur, slices, noise and gamma)"
    )
    yield from method_rows(
        pairs["methods"],
        {
            "parity": lambda r: interval(r.get("parity")),
            "largest": lambda r: number(r["parity_largest"], form=".2g"),
            "retest Dice": lambda r: f"{interval(r['retest_dice'])} (n {r['retest_marked']})",
            "retest ICC": lambda r: interval(r["retest_icc"]),
            "ICC of scores": lambda r: number(r["retest_peak_icc"]),
        },
    )


def _models(models: Numbers) -> Iterator[str]:
    yield "Models: structures found (mean Dice), share of lesions beyond what the model can invent,"
    yield "healthy subjects flagged in % at the threshold in the model's own folder"
    yield from method_rows(
        models,
        {
            "parameters": lambda m: f"{m['parameters']:,}",
            "s per scan": lambda m: number(m["seconds"], form=".2f"),
            "structure Dice": lambda m: number(m["structure_dice"]),
            "beyond bound": lambda m: number(m["beyond_bound"]),
            "flagged %": lambda m: interval(m["flagged_shipped"], percent=True),
        },
    )
