"""train, samples, bench and evaluate."""

import argparse

from medsym.commands.console import EXIT_OK, say
from medsym.commands.screening import write_numbers


def train(arguments: argparse.Namespace) -> int:
    """Train a model as a configuration says."""
    from medsym.training.run import train as train_model

    folder = train_model(arguments.config, out=arguments.out, resume=arguments.resume, report=say)
    say(f"model folder: {folder}")
    return EXIT_OK


def samples(arguments: argparse.Namespace) -> int:
    """Make the synthetic samples again."""
    from medsym.synthesis.samples import write_samples

    write_samples(arguments.out)
    say(f"samples in {arguments.out}")
    return EXIT_OK


def bench(arguments: argparse.Namespace) -> int:
    """Measure alignment or layers on this machine."""
    if arguments.what == "alignment":
        from medsym.benchmarks.alignment import run_alignment_benchmark as run
    else:
        from medsym.benchmarks.layers import run_layer_benchmark as run
    write_numbers(arguments.json, numbers=run())
    return EXIT_OK


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a model on cases with known lesions."""
    from medsym.training.evaluate import evaluate_cases

    numbers = evaluate_cases(arguments.cases, model_folder=arguments.model)
    write_numbers(arguments.json, numbers=numbers)
    return EXIT_OK
