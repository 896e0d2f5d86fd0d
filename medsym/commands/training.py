"""train, pretrain and samples."""

import argparse
import os
from pathlib import Path

from medsym.commands.console import EXIT_OK, EXIT_UNFINISHED, say
from medsym.commands.stopping import requests_to_stop


def train(arguments: argparse.Namespace) -> int:
    """Train a model as a configuration says.

    Stopped before the last step, it returns the code that says "go on later"; but 0 under
    torchrun, which takes any other code for a crash and ends the other processes.
    """
    from medsym.training.run import train as train_model

    with requests_to_stop() as stop:
        folder = train_model(
            arguments.config,
            out=arguments.out or Path("runs") / arguments.config.stem,
            resume=arguments.resume,
            report=say,
            stop=stop,
        )
    if folder is None:
        return EXIT_OK if "TORCHELASTIC_RUN_ID" in os.environ else EXIT_UNFINISHED
    say(f"model folder: {folder}")
    return EXIT_OK


def pretrain(arguments: argparse.Namespace) -> int:
    """Pre-train a network on scans without labels, as a configuration says."""
    from medsym.training.pretraining.run import pretrain as pretrain_network

    with requests_to_stop() as stop:
        folder = pretrain_network(
            arguments.config,
            out=arguments.out or Path("runs") / "pretrained" / arguments.config.stem,
            resume=arguments.resume,
            report=say,
            stop=stop,
        )
    if folder is None:
        return EXIT_UNFINISHED
    say(f"model folder: {folder}; name it as start_from in a training with the same model")
    return EXIT_OK


def samples(arguments: argparse.Namespace) -> int:
    """Make the synthetic samples again."""
    from medsym.synthesis.samples import write_samples

    write_samples(arguments.out)
    say(f"samples in {arguments.out}")
    return EXIT_OK
