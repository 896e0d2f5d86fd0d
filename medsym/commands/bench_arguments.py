"""Arguments of bench: a parser for each benchmark, so that none takes another one's options."""

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from medsym.commands import bench, bench_costs
from medsym.commands.arguments import add_json, add_model, count
from medsym.commands.menu import Menu


def minutes(text: str) -> float:
    """A time longer than none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        msg = f"{text!r} is not a number of minutes above 0"
        raise argparse.ArgumentTypeError(msg)
    return value


def add_bench(menu: Menu) -> None:
    """The benchmarks, by name.

    Args:
        menu: of bench.
    """
    _add_training(menu)
    _add_screening(menu)
    _add_networks(menu)
    _add_viewer(menu)


def _add(
    menu: Menu, name: str, measure: Callable[[argparse.Namespace], tuple[str, object]], text: str
) -> argparse.ArgumentParser:
    """One benchmark; all of them can write their numbers."""
    parser = menu.add(name, partial(bench.bench, measure=measure), text)
    add_json(parser)
    return parser


def _add_training(menu: Menu) -> None:
    """Benchmarks that train networks."""
    ablation = _add(menu, "ablation", bench.ablation, "what each part of our network gives")
    ablation.add_argument(
        "--arms", nargs="+", metavar="NAME", help="only these, such as head-exchange (default: all)"
    )
    for name, what in (
        ("--steps", "steps of each training"),
        ("--subjects", "training subjects, drawn once"),
        ("--test-subjects", "test subjects"),
    ):
        ablation.add_argument(
            name, type=count, metavar="N", help=f"{what} (default: as the settings say)"
        )
    ablation.add_argument(
        "--processes", type=count, metavar="P", help="trainings at a time (default: cores)"
    )
    ablation.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where networks train"
    )
    ablation.add_argument(
        "--minutes",
        type=minutes,
        metavar="M",
        help="end in this time; the steps of all trainings are chosen to fit (default: no limit)",
    )
    _add_repeats(ablation, out="folder ablation")
    _add_settings(ablation)
    methods = _add(menu, "methods", bench.methods, "methods of soft symmetry, side by side")
    methods.add_argument(
        "--methods", nargs="+", metavar="NAME", help="only these (default: all, see results.md)"
    )
    _add_repeats(methods, out="nothing is kept")
    pretraining = _add(menu, "pretraining", bench.pretraining, "what pre-training gives a training")
    _add_repeats(pretraining, out="nothing is kept")
    _add_settings(pretraining)


def _add_repeats(parser: argparse.ArgumentParser, *, out: str) -> None:
    """How often each network is trained, and where finished trainings are kept."""
    parser.add_argument(
        "--seeds", type=count, metavar="N", help="trainings of each (default: as the settings say)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"keep finished trainings here, to go on (default: {out})",
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings of the benchmark, YAML"
    )


def _add_screening(menu: Menu) -> None:
    """Benchmarks that analyse scans."""
    screening = _add(menu, "screening", bench_costs.screening, "what a scan costs, by stage")
    _add_scans(screening)
    screening.add_argument("--repeat", type=count, default=1, metavar="N", help="runs of each scan")
    screening.add_argument(
        "--workers",
        nargs="+",
        type=count,
        metavar="N",
        help="numbers of workers whose throughput is measured, such as 1 2 (default: none)",
    )
    screening.add_argument(
        "--scans-per-worker",
        type=count,
        default=3,
        metavar="N",
        help="scans of a throughput for each worker; the more, the less starting counts",
    )
    add_model(screening)
    partial_pass = _add(
        menu, "partial", bench_costs.partial, "the second pass on a part of the brain"
    )
    _add_scans(partial_pass)
    _add_drawn(partial_pass)
    compression = _add(
        menu, "compression", bench_costs.compression, "networks of 16 and 8 bits beside the full"
    )
    compression.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the compressed networks here"
    )
    _add_drawn(compression)


def _add_scans(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scan",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="scans to measure with (default: drawn heads)",
    )


def _add_drawn(parser: argparse.ArgumentParser) -> None:
    """Synthetic subjects, and the model they are given to."""
    parser.add_argument(
        "--number", type=count, default=8, metavar="N", help="synthetic subjects with lesions"
    )
    parser.add_argument(
        "--synthetic",
        type=Path,
        metavar="CONFIG",
        help="training configuration to draw them from (default: the template head)",
    )
    add_model(parser)


def _add_networks(menu: Menu) -> None:
    """Benchmarks of parts."""
    _add(menu, "layers", bench.layers, "speed of soft layers against plain ones")
    _add(menu, "alignment", bench.alignment, "accuracy of the mid-plane on made heads")
    throughput = _add(
        menu, "throughput", bench.throughput, "subjects drawn, and trained on, in a second"
    )
    memory = _add(menu, "memory", bench.memory, "what it brings to keep freed memory")
    memory.add_argument(
        "--repeat", type=count, default=3, metavar="N", help="processes of each kind"
    )
    for parser in (throughput, memory):
        parser.add_argument(
            "--training",
            type=Path,
            metavar="CONFIG",
            help="training configuration to measure (default: the template head, 2 mm)",
        )
    throughput.add_argument(
        "--drawers",
        nargs="+",
        type=int,
        metavar="N",
        help="numbers of drawing processes to try (default: 0 and the configuration's)",
    )


def _add_viewer(menu: Menu) -> None:
    """The benchmark of the viewer."""
    viewer = _add(menu, "viewer", bench_costs.viewer, "how the viewer feels in a real browser")
    viewer.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="result folder (default: a sample head on 256 x 256 x 256 voxels is screened)",
    )
    viewer.add_argument("--case", metavar="NAME", help="case to open (default: the first)")
    viewer.add_argument(
        "--cases", type=count, default=1000, metavar="N", help="cases of a made work list"
    )
    viewer.add_argument(
        "--repeat", type=count, default=1, metavar="N", help="how often a case is opened"
    )
