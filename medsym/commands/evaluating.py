"""evaluate: how good models are, beside methods that need no training."""

import argparse
from typing import TYPE_CHECKING, Any

from medsym.commands.console import EXIT_OK, EXIT_REFUSED, say, show
from medsym.errors import ConfigError

if TYPE_CHECKING:
    from medsym.evaluation.run import Plan

#: Added to the training seed, so that no evaluation draw was seen in training or validation.
EVALUATION_SEED_STEP = 1000
#: Share of the subjects that also go through every condition, unless another number is asked for.
ROBUSTNESS_SHARE = 0.25


def evaluate(arguments: argparse.Namespace) -> int:
    """Score models on synthesised test subjects, on real scans, or on both."""
    if arguments.synthetic is None and arguments.cases is None:
        raise ConfigError(
            code="MS-385",
            subject="evaluate",
            cause="nothing to score was named",
            fix="give --cases TABLE, --synthetic CONFIG or both",
        )
    plan, device = (None, "auto") if arguments.synthetic is None else _plan(arguments)
    from medsym.nn.products import exact_products

    with exact_products():
        numbers, tables = _measure(arguments, plan=plan, device=device)
    show("\n\n".join(tables), numbers=numbers, path=arguments.json)
    refused = numbers.get("cases", {}).get("failures")
    return EXIT_REFUSED if refused else EXIT_OK


def _plan(arguments: argparse.Namespace) -> "tuple[Plan, str]":
    """As many test subjects as asked for, of the anatomies that a configuration keeps for it."""
    from medsym.config import read_config
    from medsym.evaluation.run import Plan
    from medsym.training.settings import TrainSettings

    settings = read_config(arguments.synthetic, TrainSettings)
    few = arguments.robustness
    plan = Plan(
        synthesis=settings.synthesis,
        seed=settings.seed + EVALUATION_SEED_STEP,
        number=arguments.number,
        robustness=round(ROBUSTNESS_SHARE * arguments.number) if few is None else few,
        reference_draws=settings.reference_cases,
    )
    return plan, settings.device


def _measure(
    arguments: argparse.Namespace, *, plan: "Plan | None", device: str
) -> tuple[dict[str, Any], list[str]]:
    """(numbers, tables) of what was asked for; networks run on a GPU if there is one."""
    import torch

    from medsym.evaluation.cases import evaluate_cases
    from medsym.evaluation.cases_table import format_cases
    from medsym.evaluation.methods import load_candidates
    from medsym.evaluation.run import evaluate_synthetic
    from medsym.evaluation.synthetic_table import format_synthetic

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(device)
    candidates = load_candidates([arguments.model, *arguments.against], device=place)
    numbers: dict[str, Any] = {}
    tables, frozen = [], None
    if plan is not None:
        if arguments.out is None:
            say("without --out an interrupted evaluation starts again")
        numbers["synthetic"], frozen = evaluate_synthetic(
            plan, candidates, report=say, device=place, folder=arguments.out
        )
        tables.append(format_synthetic(numbers["synthetic"]))
    if arguments.cases is not None:
        numbers["cases"] = evaluate_cases(arguments.cases, candidates, report=say, frozen=frozen)
        tables.append(format_cases(numbers["cases"]))
    return numbers, tables
