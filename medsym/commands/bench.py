"""bench and search: measurements of medsym, as tables and as JSON."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medsym.commands.console import EXIT_OK, say, show

if TYPE_CHECKING:
    from medsym.training.settings import TrainSettings


def bench(
    arguments: argparse.Namespace,
    *,
    measure: Callable[[argparse.Namespace], tuple[str, object]],
) -> int:
    """Measure what was asked for: print the table, write the numbers."""
    table, numbers = measure(arguments)
    show(table, numbers=numbers, path=arguments.json)
    return EXIT_OK


def alignment(_arguments: argparse.Namespace) -> tuple[str, object]:
    """Accuracy of the mid-plane on heads whose mid-plane is known."""
    from medsym.benchmarks.alignment import WARPS_MM, format_alignment, run_alignment_benchmark

    say(f"finding the mid-plane of made heads, {len(WARPS_MM)} times 40, about 3 s each")
    numbers = [run_alignment_benchmark(warp_rms_mm=warp) for warp in WARPS_MM]
    return "\n\n".join(format_alignment(result) for result in numbers), numbers


def layers(_arguments: argparse.Namespace) -> tuple[str, object]:
    """Speed of soft, folded and half-work layers against plain ones."""
    from medsym.benchmarks.layers import format_layers, run_layer_benchmark

    say("timing layers on one thread, about three minutes; other programs disturb it")
    numbers = run_layer_benchmark(report=say)
    return format_layers(numbers), numbers


def methods(arguments: argparse.Namespace) -> tuple[str, object]:
    """Every method of soft symmetry at equal data, steps and parameters."""
    from medsym.benchmarks.methods.benchmark import run_method_benchmark
    from medsym.benchmarks.methods.settings import MethodBenchmarkSettings
    from medsym.benchmarks.methods.table import format_methods

    given = {"seeds": arguments.seeds, "methods": arguments.methods}
    settings = MethodBenchmarkSettings(**{k: v for k, v in given.items() if v is not None})
    say("training every method on one thread, about an hour with three seeds")
    if arguments.out is None:
        say("without --out an interrupted run starts again")
    numbers = run_method_benchmark(settings, report=say, cache=arguments.out)
    return format_methods(numbers), numbers


def pretraining(arguments: argparse.Namespace) -> tuple[str, object]:
    """What pre-training gives a training, and what the parts of its latent know."""
    from medsym.benchmarks.pretraining.benchmark import run_pretraining_benchmark
    from medsym.benchmarks.pretraining.settings import PretrainBenchSettings
    from medsym.benchmarks.pretraining.table import format_pretraining
    from medsym.config import config_or_default

    settings = config_or_default(arguments.config, PretrainBenchSettings)
    if arguments.seeds is not None:
        settings = settings.model_copy(update={"seeds": arguments.seeds})
    say("pre-training and training on one thread, about 20 minutes with three seeds")
    numbers = run_pretraining_benchmark(settings, report=say, out=arguments.out)
    return format_pretraining(numbers), numbers


def ablation(arguments: argparse.Namespace) -> tuple[str, object]:
    """What the exchange between the sides gives, and what softness gives."""
    from medsym.benchmarks.ablation.benchmark import run_ablation
    from medsym.benchmarks.ablation.settings import AblationSettings, Resources
    from medsym.benchmarks.ablation.table import format_ablation
    from medsym.config import config_or_default

    settings = config_or_default(arguments.config, AblationSettings)
    given = {
        "seeds": arguments.seeds,
        "arms": arguments.arms,
        "subjects": arguments.subjects,
        "test_subjects": arguments.test_subjects,
    }
    resources = Resources(
        processes=arguments.processes or os.cpu_count() or 1,
        minutes=arguments.minutes,
        out=arguments.out or Path("ablation"),
        device=arguments.device,
    )
    numbers = run_ablation(
        settings.with_changes(given, steps=arguments.steps), resources, report=say
    )
    return format_ablation(numbers), numbers


def throughput(arguments: argparse.Namespace) -> tuple[str, object]:
    """How many subjects are drawn, and trained on, in a second."""
    from medsym.benchmarks.throughput import SECONDS, format_throughput, run_throughput

    settings = _training_settings(arguments.training)
    workers = arguments.drawers or sorted({0, settings.workers})
    say(f"drawing and training, about {SECONDS:.0f} s for each line after its workers have started")
    numbers = run_throughput(settings, workers=workers, report=say)
    return format_throughput(numbers), numbers


def memory(arguments: argparse.Namespace) -> tuple[str, object]:
    """What it brings that freed memory stays with the process."""
    from medsym.benchmarks.memory import SECONDS, format_memory, run_memory_benchmark

    settings = _training_settings(arguments.training)
    say(f"drawing and training on one thread, about {SECONDS + 10:.0f} s for each line")
    numbers = run_memory_benchmark(settings, repeat=arguments.repeat, report=say)
    return format_memory(numbers), numbers


def _training_settings(path: Path | None) -> "TrainSettings":
    """Settings of a training whose speed is measured; by default the template head at 2 mm."""
    from medsym.config import read_config
    from medsym.models.settings import ModelSettings
    from medsym.training.settings import TrainSettings

    if path is None:
        return TrainSettings(name="throughput", model=ModelSettings(spacing_mm=2.0))
    return read_config(path, TrainSettings)


def search(arguments: argparse.Namespace) -> int:
    """Bayesian search over softness settings."""
    from medsym.benchmarks.search import SearchSettings, format_search, run_search
    from medsym.config import read_config

    settings = read_config(arguments.config, SearchSettings)
    numbers = run_search(settings, trials=arguments.trials, out=arguments.out, report=say)
    show(format_search(numbers), numbers=numbers, path=arguments.json)
    return EXIT_OK
