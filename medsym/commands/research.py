"""train, samples and evaluate."""

import argparse
from collections.abc import Mapping, Sequence

from medsym.commands.console import EXIT_OK, say
from medsym.commands.measuring import show

#: Added to the training seed, so that no evaluation draw was seen in training or validation.
EVALUATION_SEED_STEP = 1000


def train(arguments: argparse.Namespace) -> int:
    """Train a model as a configuration says."""
    from medsym.training.run import train as train_model

    folder = train_model(arguments.config, out=arguments.out, resume=arguments.resume, report=say)
    if folder is not None:
        say(f"model folder: {folder}")
    return EXIT_OK


def samples(arguments: argparse.Namespace) -> int:
    """Make the synthetic samples again."""
    from medsym.synthesis.samples import write_samples

    write_samples(arguments.out)
    say(f"samples in {arguments.out}")
    return EXIT_OK


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a model on real scans with expert masks, or on synthesised test subjects."""
    from medsym.training.evaluate import evaluate_cases

    if arguments.cases is not None:
        numbers = evaluate_cases(arguments.cases, model_folder=arguments.model, report=say)
        show(format_rows(numbers), numbers=numbers, path=arguments.json)
    else:
        _evaluate_synthetic(arguments)
    return EXIT_OK


def _evaluate_synthetic(arguments: argparse.Namespace) -> None:
    """Lesions and false alarms of as many test subjects as asked for."""
    from medsym.config import read_config
    from medsym.models.store import load_model
    from medsym.training.evaluate import evaluate_synthetic
    from medsym.training.false_alarms import count_false_alarms
    from medsym.training.settings import TrainSettings

    settings = read_config(arguments.synthetic, TrainSettings)
    model, seed = load_model(arguments.model), settings.seed + EVALUATION_SEED_STEP
    draws = {"number": arguments.number, "seed": seed, "model": model, "report": say}
    rows = evaluate_synthetic(settings.synthesis, **draws)
    healthy = count_false_alarms(settings.synthesis, **draws)
    lines = [f"{name:15s} {'n/a' if v is None else f'{v:.4g}'}" for name, v in healthy.items()]
    table = "\n".join([format_rows(rows), "", "Healthy subjects of the same anatomies:", *lines])
    show(table, numbers={"lesions": rows, "healthy": healthy}, path=arguments.json)


def format_rows(rows: Sequence[Mapping[str, float | str]]) -> str:
    """Rows with the same keys as a table in plain text: names left, numbers right."""
    from medsym.text_table import aligned

    cells = [list(rows[0])] + [
        [value if isinstance(value, str) else f"{value:.4g}" for value in row.values()]
        for row in rows
    ]
    return "\n".join(aligned(cells))
