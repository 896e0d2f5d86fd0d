"""evaluate: how good models are, beside methods that need no training."""

import argparse
from typing import TYPE_CHECKING, Any

from medsym.commands.console import EXIT_OK, EXIT_REFUSED, say
from medsym.commands.measuring import show
from medsym.errors import ConfigError

if TYPE_CHECKING:
    from medsym.evaluation.methods import Candidate
    from medsym.evaluation.run import Frozen

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
    import torch

    from medsym.evaluation.cases import evaluate_cases
    from medsym.evaluation.cases_table import format_cases
    from medsym.evaluation.methods import load_candidates
    from medsym.evaluation.synthetic_table import format_synthetic

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    candidates = load_candidates([arguments.model, *arguments.against], device=device)
    numbers: dict[str, Any] = {}
    tables, frozen = [], None
    if arguments.synthetic is not None:
        numbers["synthetic"], frozen = _synthetic(arguments, candidates, device)
        tables.append(format_synthetic(numbers["synthetic"]))
    if arguments.cases is not None:
        numbers["cases"] = evaluate_cases(arguments.cases, candidates, report=say, frozen=frozen)
        tables.append(format_cases(numbers["cases"]))
    show("\n\n".join(tables), numbers=numbers, path=arguments.json)
    refused = numbers.get("cases", {}).get("failures")
    return EXIT_REFUSED if refused else EXIT_OK


def _synthetic(
    arguments: argparse.Namespace, candidates: "list[Candidate]", device: Any
) -> "tuple[dict[str, Any], Frozen]":
    """As many test subjects as asked for, of the anatomies that a configuration keeps for it."""
    from medsym.config import read_config
    from medsym.evaluation.run import Plan, evaluate_synthetic
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
    if arguments.out is None:
        say("without --out an interrupted evaluation starts again")
    return evaluate_synthetic(plan, candidates, report=say, device=device, folder=arguments.out)
