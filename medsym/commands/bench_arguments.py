"""Arguments of bench that belong to one measurement."""

import argparse
from pathlib import Path

from medsym.commands.arguments import count


def add_ablation(bench: argparse.ArgumentParser) -> None:
    """Arguments of bench ablation and its kind."""
    bench.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="ablation, pretraining: settings, YAML; throughput: a training configuration",
    )
    bench.add_argument("--steps", type=count, metavar="N", help="ablation: of each training")
    bench.add_argument(
        "--subjects", type=count, metavar="N", help="ablation: training subjects, drawn once"
    )
    bench.add_argument("--test-subjects", type=count, metavar="N", help="ablation: test subjects")
    bench.add_argument(
        "--processes", type=count, metavar="P", help="ablation: trainings at a time; default cores"
    )
    bench.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="ablation: where networks train"
    )
    bench.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="ablation: end in this time; the steps of all trainings are chosen to fit",
    )
