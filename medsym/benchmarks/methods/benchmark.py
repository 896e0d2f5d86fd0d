"""Every method, every version, every seed: trains, scores and gathers what the table shows.

Each training is a unit of work whose scores are kept as JSON in a folder if one is given, so an
interrupted run goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from medsym.benchmarks.machine import machine
from medsym.benchmarks.methods.cost import measure_costs
from medsym.benchmarks.methods.method import Guaranteed, Method, Predict
from medsym.benchmarks.methods.registry import chosen
from medsym.benchmarks.methods.scores import Scores, score
from medsym.benchmarks.methods.settings import MethodBenchmarkSettings
from medsym.benchmarks.methods.summary import summarise
from medsym.benchmarks.methods.training import Population, draw_population, train
from medsym.volumes.output_file import writable_folder

Report = Callable[[str], None]
Unit = dict[str, Any]


def run_method_benchmark(
    settings: MethodBenchmarkSettings | None = None,
    *,
    report: Report = lambda _line: None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Train and score all methods on one thread.

    With the default settings 102 trainings, 1,590 s of processor time where the kept table was
    measured, and about a third more for scores.

    Args:
        settings: Budget, seeds and methods; None is the default.
        report: Called with one line per training.
        cache: Folder for subjects and finished trainings; it is made if missing. None keeps
            nothing.

    Returns:
        ``settings``, ``machine``, ``rows`` (one per method or variant and version, with means over
        seeds and 95 % intervals), ``curves`` and ``correlation``; see
        :mod:`medsym.benchmarks.methods.summary`.

    Raises:
        ConfigError: MS-340, an unknown method.
    """
    wanted = MethodBenchmarkSettings() if settings is None else settings
    kinds = chosen(wanted.methods)
    if cache is not None:
        writable_folder(cache)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        populations = {v: draw_population(v, wanted.budget, cache) for v in wanted.versions}
        units = [
            _kept(cache, kind, populations[version], seed=seed, settings=wanted, report=report)
            for seed in range(wanted.seeds)
            for kind in kinds
            for version in wanted.versions
        ]
        report("training steps are timed")
        costs = measure_costs(
            kinds, populations[wanted.versions[-1]], budget=wanted.budget, rounds=wanted.cost_rounds
        )
    finally:
        torch.set_num_threads(threads)
    summary = summarise(units, costs=costs, resamples=wanted.resamples)
    return {"settings": wanted.model_dump(mode="json"), "machine": machine(), **summary}


def _kept(
    cache: Path | None,
    kind: type[Method],
    population: Population,
    *,
    seed: int,
    settings: MethodBenchmarkSettings,
    report: Report,
) -> Unit:
    """A unit from the folder, or a new one that is put there."""
    name = f"{kind.name}-{population.version}-{seed}"
    path = None if cache is None else cache / f"{name}-{_fingerprint(settings)}.json"
    if path is not None and path.is_file():
        unit: Unit = json.loads(path.read_text(encoding="utf-8"))
        return unit
    unit = run_unit(kind, population, seed=seed, settings=settings)
    if path is not None:
        part = path.with_suffix(".part")
        part.write_text(json.dumps(unit), encoding="utf-8")
        part.replace(path)
    own = unit["results"][kind.name]
    report(
        f"{name}: AUPRC {own['auprc']:.3f}, defect {own['defect']:.2g}, {unit['cpu_seconds']:.0f} s"
    )
    return unit


def _fingerprint(settings: MethodBenchmarkSettings) -> str:
    """Of everything that a unit depends on."""
    parts = (
        settings.budget.model_dump_json(),
        str(settings.specificity),
    )
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def run_unit(
    kind: type[Method], population: Population, *, seed: int, settings: MethodBenchmarkSettings
) -> Unit:
    """One training with the scores of its network and of the network's variants."""
    trained = train(kind, population, seed=seed, budget=settings.budget)
    method = trained.method
    method.network.eval()

    def scored(predict: Predict, guarantee: Guaranteed | None) -> Scores:
        return score(
            predict,
            population,
            specificity=settings.specificity,
            threshold_subjects=settings.budget.threshold_subjects,
            guarantee=guarantee,
        )

    own = scored(method.predict, method.guarantee())
    results = {kind.name: _described(own, kind.title, method.exact, method.findings())}
    known = population.train[slice(settings.budget.threshold_subjects)]
    for name, variant in method.variants(known).items():
        numbers = scored(variant.predict, variant.guarantee)
        results[name] = _described(numbers, variant.title, variant.exact, variant.findings)
    return {
        "method": kind.name,
        "version": population.version,
        "seed": seed,
        "free_parameters": method.free_parameters(),
        "cpu_seconds": trained.cpu_seconds,
        "curve": trained.curve,
        "results": results,
    }


def _described(scores: Scores, title: str, exact: bool, findings: dict[str, float]) -> Scores:
    return {**scores, "title": title, "exact": exact, "findings": findings}
