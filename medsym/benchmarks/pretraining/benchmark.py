"""Pre-train, train and ask, once per seed; what was finished is kept, so a run can go on."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from medsym.benchmarks.machine import machine
from medsym.benchmarks.pretraining.effect import pretrain_on, score_start
from medsym.benchmarks.pretraining.separability import ask
from medsym.benchmarks.pretraining.settings import STARTS, PretrainBenchSettings
from medsym.benchmarks.pretraining.subjects import Population, draw_population
from medsym.benchmarks.pretraining.summary import summarise
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import load_model
from medsym.strict_json import to_json
from medsym.volumes.output_file import writable_folder, write_atomically

Report = Callable[[str], None]
Unit = dict[str, Any]
PRETRAINED = {"whole": False, "split": True}
"""Kinds of pre-training, and whether they split the latent."""


def run_pretraining_benchmark(
    settings: PretrainBenchSettings,
    *,
    report: Report = lambda _line: None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure on one thread what pre-training gives and what the parts of the latent know.

    Args:
        settings: Subjects, budgets and seeds.
        report: Called with one line per training.
        out: Folder for subjects, models and finished trainings; None keeps nothing.

    Returns:
        ``settings``, ``machine``, ``effect`` and ``separability``, see
        :mod:`medsym.benchmarks.pretraining.summary`, and ``pretrain_cpu_seconds``.

    Raises:
        ConfigError, AnatomyError: The configured sources cannot be used.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        population = draw_population(settings, out=out, report=report)
        with TemporaryDirectory() as temporary:
            work = Path(temporary) if out is None else out / f"run-{settings.run_key()}"
            keep = _Keeper(work, settings, population, report)
            pretrained, trained, asked = [], [], []
            for seed in range(settings.seeds):
                pretrained += [keep.pretrained(kind, seed) for kind in PRETRAINED]
                asked += [keep.asked(kind, seed) for kind in ("random", *PRETRAINED)]
                trained += [
                    keep.trained(start, labelled, seed)
                    for labelled in settings.labelled
                    for start in STARTS
                ]
    finally:
        torch.set_num_threads(threads)
    return {
        "settings": settings.model_dump(mode="json", exclude={"synthesis": {"source"}}),
        "machine": machine(),
        "pretrain_cpu_seconds": {
            kind: sum(u["cpu_seconds"] for u in pretrained if u["kind"] == kind) / settings.seeds
            for kind in PRETRAINED
        },
        **summarise(trained, asked, resamples=settings.resamples),
    }


class _Keeper:
    """Does units of work, or reads them from the folder where they are kept."""

    def __init__(
        self,
        folder: Path,
        settings: PretrainBenchSettings,
        population: Population,
        report: Report,
    ) -> None:
        self.folder, self.settings = folder, settings
        self.population, self.report = population, report
        writable_folder(folder)

    def pretrained(self, kind: str, seed: int) -> Unit:
        """A pre-training; its model lies in a folder of its name."""
        name = f"pretrained-{kind}-{seed}"

        def work() -> Unit:
            seconds = pretrain_on(
                self.population.pool,
                settings=self.settings,
                seed=seed,
                split=PRETRAINED[kind],
                folder=self.folder / name,
            )
            return {"kind": kind, "seed": seed, "cpu_seconds": seconds}

        return self._kept(name, work, lambda unit: f"{unit['cpu_seconds']:.0f} s")

    def trained(self, start: str, labelled: int, seed: int) -> Unit:
        """A training from one kind of start, scored."""

        def work() -> Unit:
            return score_start(
                start,
                self.population,
                settings=self.settings,
                seed=seed,
                labelled=labelled,
                start_from=self._model(start, seed),
            )

        return self._kept(
            f"trained-{start}-{labelled}-{seed}",
            work,
            lambda unit: (
                f"AUPRC {unit['auprc']:.3f}, Dice {unit['dice']:.3f}, {unit['cpu_seconds']:.0f} s"
            ),
        )

    def asked(self, kind: str, seed: int) -> Unit:
        """Probes on the latent of an untrained or pre-trained network."""

        def work() -> Unit:
            model = self._model(kind, seed)
            if model is None:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    network = AsymmetryNet(self.settings.model).eval()
            else:
                network = load_model(model).network
            found = ask(network, self.population, probe_subjects=self.settings.probe_subjects)
            scores = [
                {
                    "question": question,
                    "part": part,
                    "accuracy": score.accuracy,
                    "chance": score.chance,
                    "right": score.right.tolist(),
                    "number": score.number.tolist(),
                }
                for (question, part), score in found.items()
            ]
            return {"kind": kind, "seed": seed, "scores": scores}

        return self._kept(f"asked-{kind}-{seed}", work, lambda _unit: "probes done")

    def _model(self, kind: str, seed: int) -> Path | None:
        return self.folder / f"pretrained-{kind}-{seed}" if kind in PRETRAINED else None

    def _kept(
        self, name: str, work: Callable[[], Unit], words: Callable[[Mapping[str, Any]], str]
    ) -> Unit:
        path = self.folder / f"{name}.json"
        if path.is_file():
            kept: Unit = json.loads(path.read_text(encoding="utf-8"))
            return kept
        unit = work()
        write_atomically(path, to_json(unit).encode("ascii"))
        self.report(f"{name}: {words(unit)}")
        return unit
