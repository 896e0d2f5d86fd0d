"""bench screening, partial, compression and viewer: what a scan costs, and what could cost less."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from medsym.commands.console import say
from medsym.commands.screening import samples_folder
from medsym.volumes.output_file import writable_folder

if TYPE_CHECKING:
    from medsym.benchmarks.viewer.browser import Start
    from medsym.evaluation.methods import Candidate
    from medsym.synthesis.settings import SynthesisConfig


def screening(arguments: argparse.Namespace) -> tuple[str, object]:
    """Time by stage, memory and throughput of screening from the command line."""
    from medsym.benchmarks.screening.benchmark import ScreeningPlan, run_screening_benchmark
    from medsym.benchmarks.screening.scans import write_fine_scans
    from medsym.benchmarks.screening.table import format_screening

    with tempfile.TemporaryDirectory(prefix="medsym-bench-") as folder:
        scans = tuple(arguments.scan) or write_fine_scans(
            Path(folder), samples=samples_folder(Path(folder) / "samples")
        )
        plan = ScreeningPlan(
            scans=scans,
            repeat=arguments.repeat,
            workers=tuple(arguments.workers or ()),
            scans_per_worker=arguments.scans_per_worker,
            model=arguments.model,
        )
        numbers = run_screening_benchmark(plan, report=say)
    return format_screening(numbers), numbers


def viewer(arguments: argparse.Namespace) -> tuple[str, object]:
    """How the viewer feels in a real browser: a case of a folder, and a list of many made cases."""
    from medsym.benchmarks.viewer.benchmark import ViewerPlan, run_viewer_benchmark
    from medsym.benchmarks.viewer.table import format_viewer

    with tempfile.TemporaryDirectory(prefix="medsym-bench-") as scratch:
        folder = arguments.folder or _fine_results(Path(scratch))
        plan = ViewerPlan(
            folder=folder, case=arguments.case, cases=arguments.cases, repeat=arguments.repeat
        )
        numbers = run_viewer_benchmark(plan, start=_viewer_start, report=say)
    return format_viewer(numbers), numbers


def _viewer_start(shown: Path, port: int) -> "Start":
    from medsym.benchmarks.viewer.browser import Start
    from medsym.commands.view_key import new_key, with_key
    from medsym.commands.viewing import server_command, server_environment

    key = new_key()
    return Start(
        command=server_command(shown, port=port),
        environment=server_environment(key),
        entrance=with_key("/", key),
    )


def _fine_results(scratch: Path) -> Path:
    """Result folder of a sample head on 256 x 256 x 256 voxels."""
    from medsym.benchmarks.viewer.folder import screen_fine_scan

    return screen_fine_scan(scratch, samples=samples_folder(scratch / "samples"), report=say)


def compression(arguments: argparse.Namespace) -> tuple[str, object]:
    """Size, speed, accuracy and bound of compressed networks beside the full one."""
    from medsym.export.compression.benchmark import format_compression, run_compression_benchmark

    candidate = _candidate(arguments)
    with tempfile.TemporaryDirectory(prefix="medsym-bench-") as scratch:
        folder = Path(scratch) if arguments.out is None else writable_folder(arguments.out)
        numbers = run_compression_benchmark(
            candidate, _synthesis(arguments), number=arguments.number, folder=folder, report=say
        )
    return format_compression(numbers), numbers


def partial(arguments: argparse.Namespace) -> tuple[str, object]:
    """What it saves and changes to run the second pass on a part of the brain."""
    from medsym.benchmarks.partial.benchmark import (
        drawn_scans,
        prepared_scans,
        run_partial_benchmark,
    )
    from medsym.benchmarks.partial.table import format_partial

    candidate = _candidate(arguments)
    drawn = drawn_scans(candidate, _synthesis(arguments), number=arguments.number)
    scans = prepared_scans(candidate, arguments.scan) if arguments.scan else drawn
    numbers = run_partial_benchmark(candidate, scans, report=say)
    return format_partial(numbers), numbers


def _candidate(arguments: argparse.Namespace) -> "Candidate":
    """The model on the CPU, with its healthy reference."""
    import torch

    from medsym.evaluation.methods import load_candidates

    (candidate,) = load_candidates([arguments.model], device=torch.device("cpu"))
    return candidate


def _synthesis(arguments: argparse.Namespace) -> "SynthesisConfig":
    """Of the training configuration that was named, else what needs no files of the user's."""
    from medsym.config import read_config
    from medsym.training.settings import TrainSettings

    if arguments.synthetic is None:
        return TrainSettings(name="bench").synthesis
    return read_config(arguments.synthetic, TrainSettings).synthesis
