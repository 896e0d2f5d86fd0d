"""train and samples."""

import argparse

from medsym.commands.console import EXIT_OK, say


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
