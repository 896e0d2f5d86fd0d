"""Bayesian search over softness settings, on the harness of the method comparison.

Tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter Optimization",
NeurIPS 2011), as optuna implements them. The objective is the AUPRC on validation subjects of the
asymmetric version; the test subjects of the comparison are never looked at. Trial k depends on the
seed and on the finished trials alone, so an interrupted search goes on as if nothing had happened.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages.journal import JournalFileBackend
from pydantic import BaseModel, ConfigDict, Field

from medsym.benchmarks.methods.data import cached_subjects
from medsym.benchmarks.methods.scores import passes
from medsym.benchmarks.methods.settings import TrainingBudget
from medsym.benchmarks.methods.training import Population, train
from medsym.benchmarks.search_space import (
    ChosenSoftness,
    SoftnessChoice,
    SoftnessSpace,
    describe,
    suggest,
)
from medsym.errors import ConfigError
from medsym.evaluation.metrics import auprc
from medsym.volumes.output_file import writable_folder

VALIDATION_SEED_STEP = 2  # after the training and the test subjects of the comparison
Report = Callable[[str], None]


class SearchSettings(BaseModel):
    """A search; ``medsym search CONFIG`` reads it from YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="name of the study")
    seed: int = Field(default=0, ge=0, description="of the sampler and of every training")
    validation_subjects: int = Field(default=100, ge=4)
    budget: TrainingBudget = TrainingBudget()
    space: SoftnessSpace = SoftnessSpace()


def run_search(
    settings: SearchSettings,
    *,
    trials: int,
    report: Report = lambda _line: None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Search until there are ``trials`` finished trials.

    Args:
        settings: Space, budget and seed.
        trials: Finished trials in all, those of an earlier run in ``out`` included.
        report: Called with one line per trial.
        out: Folder with the journal of the study and the subjects; it is made if missing. None
            keeps everything in memory.

    Returns:
        ``settings``, ``trials`` (number, auprc and choice of each) and ``best``.

    Raises:
        ConfigError: MS-341, no trial asked for; MS-342, the journal is of other settings.
    """
    if trials < 1:
        raise ConfigError(
            code="MS-341",
            subject="search",
            cause=f"{trials} trials find nothing",
            fix="ask for at least one trial",
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(settings, out)
    data = _populations(settings, out)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while len(done := _finished(study)) < trials:
            study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(done))
            trial = study.ask()
            choice = suggest(trial, settings.space)
            value, findings = validate(choice, data, settings=settings)
            trial.set_user_attr("findings", findings)
            study.tell(trial, value)
            report(f"trial {len(done) + 1} of {trials}: AUPRC {value:.4f}, {describe(choice)}")
    finally:
        torch.set_num_threads(threads)
    rows = [_row(number, trial) for number, trial in enumerate(_finished(study))]
    best = max(rows, key=lambda row: float(row["auprc"]))
    return {"settings": settings.model_dump(mode="json"), "trials": rows, "best": best}


def validate(
    choice: SoftnessChoice, data: Population, *, settings: SearchSettings
) -> tuple[float, dict[str, float]]:
    """(AUPRC on the validation subjects, findings) of one training."""
    make = partial(ChosenSoftness, choice=choice)
    trained = train(make, data, seed=settings.seed, budget=settings.budget)
    method, held = trained.method, data.test
    method.network.eval()
    logits, brain = passes(method.predict, held.image), held.brain > 0
    findings = {**method.findings(), "cpu_seconds": trained.cpu_seconds}
    return auprc(logits[brain].numpy(), (held.lesion[brain] > 0).numpy()), findings


def format_search(result: dict[str, Any]) -> str:
    """All trials as a Markdown table, best first."""
    lines = ["| AUPRC | trial | softness | mean at the end |", "|---|---|---|---|"]
    for row in sorted(result["trials"], key=lambda row: -row["auprc"]):
        words = describe(SoftnessChoice(**row["choice"]))
        mean = row["findings"]["softness_mean"]
        lines.append(f"| {row['auprc']:.4f} | {row['trial']} | {words} | {mean:.3f} |")
    return "\n".join(lines)


def _populations(settings: SearchSettings, out: Path | None) -> Population:
    """Training subjects of the comparison, with validation subjects in place of the test ones."""
    budget = settings.budget
    seed = budget.data_seed
    draw = partial(cached_subjects, version="asymmetric", cache=out)
    return Population(
        version="asymmetric",
        train=draw(budget.train_subjects, seed=seed),
        test=draw(settings.validation_subjects, seed=seed + VALIDATION_SEED_STEP),
    )


def _study(settings: SearchSettings, out: Path | None) -> optuna.Study:
    """A new study, or the one in the folder."""
    storage: optuna.storages.BaseStorage = optuna.storages.InMemoryStorage()
    if out is not None:
        writable_folder(out)
        backend = JournalFileBackend(str(out / "search.jsonl"))
        storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(
        storage=storage, study_name=settings.name, direction="maximize", load_if_exists=True
    )
    asked = settings.model_dump_json()
    if study.user_attrs.setdefault("settings", asked) != asked:
        raise ConfigError(
            code="MS-342",
            subject=str(out),
            cause="its search was started with other settings",
            fix="give another folder, or the configuration that the search was started with",
        )
    study.set_user_attr("settings", asked)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # it was interrupted
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))


def _row(number: int, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    return {
        "trial": number,
        "auprc": trial.value,
        "choice": SoftnessChoice(**trial.params).model_dump(mode="json"),
        "findings": trial.user_attrs["findings"],
    }
