"""train, samples, bench and evaluate."""

import argparse

from medsym.commands.console import EXIT_OK, say
from medsym.commands.screening import write_numbers

#: Added to the training seed, so that no evaluation draw was seen in training or validation.
EVALUATION_SEED_STEP = 1000


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
        from medsym.benchmarks.alignment import run_alignment_benchmark

        write_numbers(arguments.json, numbers=run_alignment_benchmark())
    else:
        from medsym.benchmarks.layers import run_layer_benchmark

        write_numbers(arguments.json, numbers=run_layer_benchmark())
    return EXIT_OK


def evaluate(arguments: argparse.Namespace) -> int:
    """Score a model on real scans with expert masks, or on synthesised test subjects."""
    from medsym.training.evaluate import evaluate_cases, evaluate_synthetic

    if arguments.cases is not None:
        numbers = evaluate_cases(arguments.cases, model_folder=arguments.model, report=say)
    else:
        from medsym.config import read_config
        from medsym.training.settings import TrainSettings

        settings = read_config(arguments.synthetic, TrainSettings)
        numbers = evaluate_synthetic(
            settings.synthesis,
            number=arguments.number,
            seed=settings.seed + EVALUATION_SEED_STEP,
            model_folder=arguments.model,
            report=say,
        )
    write_numbers(arguments.json, numbers=numbers)
    return EXIT_OK
