"""Arguments of bench, each said to be of which benchmark."""

import argparse
from pathlib import Path

from medsym.commands.arguments import add_json, add_model, count

BENCHMARKS = (
    *("ablation", "alignment", "compression", "layers", "methods", "partial", "pretraining"),
    *("screening", "throughput", "viewer"),
)


def add_bench(bench: argparse.ArgumentParser) -> None:
    """Arguments of bench."""
    bench.add_argument("what", choices=BENCHMARKS)
    _add_viewer(bench)
    bench.add_argument(
        "--seeds", type=count, metavar="N", help="methods, ablation, pretraining: trainings of each"
    )
    bench.add_argument(
        "--methods", nargs="+", metavar="NAME", help="methods, ablation: only these; default all"
    )
    bench.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="methods, ablation, pretraining: keep finished trainings here, to go on",
    )
    _add_ablation(bench)
    bench.add_argument(
        "--workers",
        nargs="+",
        type=int,
        metavar="N",
        help="throughput: numbers of drawing processes to try (default: 0 and the configuration's);"
        " screening: numbers of workers whose throughput is measured, such as 1 2",
    )
    bench.add_argument(
        "--scans-per-worker",
        type=count,
        default=3,
        metavar="N",
        help="screening: scans of a throughput for each worker, so that starting counts less",
    )
    _add_screening(bench)
    add_json(bench)


def _add_ablation(bench: argparse.ArgumentParser) -> None:
    """Arguments of the benchmarks that train."""
    bench.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="ablation, pretraining: settings, YAML; throughput, compression, partial: a training "
        "configuration",
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


def _add_screening(bench: argparse.ArgumentParser) -> None:
    """Arguments of the benchmarks that analyse scans."""
    bench.add_argument(
        "--scan",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="screening, partial: scans to measure with (default: samples on a 1 mm grid)",
    )
    bench.add_argument(
        "--repeat",
        type=count,
        default=1,
        metavar="N",
        help="screening: runs of each scan; viewer: how often a case is opened",
    )
    bench.add_argument(
        "--number",
        type=count,
        default=8,
        metavar="N",
        help="compression, partial: synthetic subjects with lesions",
    )
    add_model(bench)


def _add_viewer(bench: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark of the viewer."""
    bench.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="viewer: result folder (default: a sample on 256 x 256 x 256 voxels is screened)",
    )
    bench.add_argument("--case", metavar="NAME", help="viewer: case to open; default the first")
    bench.add_argument(
        "--cases", type=count, default=1000, metavar="N", help="viewer: cases of a made work list"
    )
