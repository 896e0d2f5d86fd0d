"""From single trainings to the rows of the table."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from medsym.benchmarks.methods.bootstrap import resample_scores
from medsym.benchmarks.methods.cost import Cost
from medsym.evaluation.bootstrap import correlation, interval

RESAMPLED = ("auprc", "dice", "alarms_torque", "alarms_brain")
AVERAGED = ("defect", "defect_brain")
GUARANTEED = ("tightness", "tightness_most", "violations", "voxels", "one_pass_error", "bound_mean")
REFERENCE = "plain"
Unit = Mapping[str, Any]


def summarise(
    units: Sequence[Unit], *, costs: Mapping[str, Cost], resamples: int
) -> dict[str, Any]:
    """Rows, curves and the correlation of defect with accuracy.

    Args:
        units: Results of every training.
        costs: Cost of a training step by method.
        resamples: Of the bootstrap.

    Returns:
        ``rows``: one per method or variant and version: means over seeds, ``*_interval`` for
        resampled scores, ``auprc_gain`` over plain with its interval, parameters and costs;
        ``curves``: loss against steps and processor time; ``correlation``: Spearman's rho of
        defect and AUPRC over all trained networks of a version, with and without the exact ones.
    """
    names = list(dict.fromkeys((u["method"], n) for u in units for n in u["results"]))
    rows: list[dict[str, Any]] = []
    references: dict[str, Tensor] = {}
    versions = list(dict.fromkeys(str(u["version"]) for u in units))
    for version in versions:
        for method, name in names:
            own = [u for u in units if u["method"] == method and u["version"] == version]
            results = [u["results"][name] for u in own]
            drawn = resample_scores([r["per_subject"] for r in results], resamples=resamples)
            references.setdefault(version, drawn["auprc"])
            row = _row(results, version=version, name=name, method=method)
            row.update({f"{score}_interval": interval(drawn[score]) for score in RESAMPLED})
            row["auprc_gain_interval"] = interval(drawn["auprc"] - references[version])
            row["free_parameters"] = own[0]["free_parameters"]
            row["train_cpu_seconds"] = statistics.mean(u["cpu_seconds"] for u in own)
            row["trained"] = name == method
            row.update(costs[method] if name == method else {})
            rows.append(row)
        base = next(r for r in rows if r["version"] == version)
        for row in rows:
            if row["version"] == version:
                row["auprc_gain"] = row["auprc"] - base["auprc"]
    return {
        "rows": rows,
        "curves": _curves(units),
        "correlation": {v: _invariance(units, version=v) for v in versions},
    }


def _row(
    results: Sequence[Mapping[str, Any]], *, version: str, name: str, method: str
) -> dict[str, Any]:
    """Means over the seeds of one method and version."""
    row: dict[str, Any] = {
        "version": version,
        "name": name,
        "method": method,
        "title": results[0]["title"],
        "exact": results[0]["exact"],
        "seeds": len(results),
        "prevalence": results[0]["prevalence"],
        "auprc_per_seed": [r["auprc"] for r in results],
    }
    for score in (*RESAMPLED, *AVERAGED):
        row[score] = statistics.mean(r[score] for r in results)
    if "tightness" in results[0]:
        row.update({s: statistics.mean(r[s] for r in results) for s in GUARANTEED})
        row["violations"] = sum(r["violations"] for r in results)
        row["voxels"] = sum(r["voxels"] for r in results)
        row["one_pass_error"] = max(r["one_pass_error"] for r in results)
        row["tightness_least"] = min(r["tightness"] for r in results)
    found = [r["findings"] for r in results]
    row["findings"] = {k: statistics.mean(f[k] for f in found) for k in found[0]}
    return row


def _curves(units: Sequence[Unit]) -> list[dict[str, Any]]:
    """Mean test loss over seeds along the training, of the methods that record it."""
    curves = []
    for version in dict.fromkeys(str(u["version"]) for u in units):
        kept = [u for u in units if u["version"] == version and u["curve"]]
        for method in dict.fromkeys(u["method"] for u in kept):
            own = [u["curve"] for u in kept if u["method"] == method]
            points = [
                {key: statistics.mean(p[key] for p in at) for key in at[0]}
                for at in zip(*own, strict=True)
            ]
            curves.append({"version": version, "method": method, "points": points})
    return curves


def _invariance(units: Sequence[Unit], *, version: str) -> dict[str, float]:
    """Spearman's rho of defect and AUPRC over networks as they were trained."""
    own = [u["results"][u["method"]] for u in units if u["version"] == version]
    free = [r for r in own if not r["exact"]]
    return {
        "rho": _rho(own),
        "networks": float(len(own)),
        "rho_without_exact": _rho(free),
        "networks_without_exact": float(len(free)),
    }


def _rho(results: Sequence[Mapping[str, Any]]) -> float:
    if len(results) < 3:
        return math.nan
    # exact networks differ by rounding alone, which is not invariance
    defects = [0.0 if r["exact"] else r["defect_brain"] for r in results]
    return correlation(defects, [r["auprc"] for r in results])
