"""How fast this machine draws subjects and trains on them, each alone and both together."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch

from medsym.benchmarks.machine import machine
from medsym.nn.products import fast_products
from medsym.text_table import aligned
from medsym.training.distributed import Ranks
from medsym.training.loader import (
    PLANES,
    Packed,
    Waiting,
    box_of,
    load,
    synthesis_device,
    training_device,
    unpack,
)
from medsym.training.settings import TrainSettings
from medsym.training.state import build_state
from medsym.training.step import Stepper
from medsym.training.user_data import make_dataset

SECONDS = 15.0  # that each speed is measured for, after a warm-up
WARM_UP = 2  # batches of each worker, and steps, before the clock starts


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """One measurement.

    Attributes:
        what: "draw", "train" or "draw and train".
        device: Of the part that is measured; with both, where subjects are drawn.
        workers: Processes that draw; 0 is this one.
        subjects_per_second: Subjects drawn or trained on.
        steps_per_second: Optimiser steps; None where none were taken.
        waiting: Share of the time that training waited for subjects; None without both.
    """

    what: str
    device: str
    workers: int
    subjects_per_second: float
    steps_per_second: float | None = None
    waiting: float | None = None


def run_throughput(
    settings: TrainSettings,
    *,
    workers: Sequence[int],
    report: Callable[[str], None],
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Measure drawing, training and both at once.

    Args:
        settings: Of the run whose speed is of interest; its ``workers`` are not used.
        workers: Numbers of drawing processes to try.
        report: Receives a line per measurement.
        seconds: That each speed is measured for.

    Returns:
        "speeds", "machine", and what was measured on, as plain values.
    """
    device = training_device(settings, Ranks())
    drawing = synthesis_device(settings, device)
    speeds: list[Speed] = []

    def keep(speed: Speed) -> None:
        speeds.append(speed)
        report(_line(speed))

    for number in workers:
        keep(measure_drawing(settings, workers=number, seconds=seconds))
    keep(measure_training(settings, seconds=seconds))
    for number in workers:
        keep(measure_both(settings, workers=number, seconds=seconds))
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    return {
        "speeds": [asdict(speed) for speed in speeds],
        "machine": machine(),
        "training_device": device_name(device),
        "synthesis_device": device_name(drawing),
        "spacing_mm": settings.model.spacing_mm,
        "batch": settings.optimiser.batch,
        "mixed_precision": settings.mixed_precision,
        "threads": torch.get_num_threads(),
        "peak_gpu_memory_gib": peak,
    }


def device_name(device: torch.device) -> str:
    """What a person calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def measure_drawing(settings: TrainSettings, *, workers: int, seconds: float) -> Speed:
    """Subjects that reach the training process per second when it does nothing else."""
    device = training_device(settings, Ranks())
    batches = _batches(settings, workers=workers, batch=1)
    for _ in islice(batches, WARM_UP * max(workers, 1)):
        pass
    count, took = _count(batches, seconds=seconds)
    return Speed(
        what="draw",
        device=synthesis_device(settings, device).type,
        workers=workers,
        subjects_per_second=count / took,
    )


def measure_training(settings: TrainSettings, *, seconds: float) -> Speed:
    """Steps per second on one and the same batch."""
    device, batch = training_device(settings, Ranks()), settings.optimiser.batch
    packed = next(_batches(settings, workers=0, batch=batch))
    with fast_products():
        step = _stepper(settings, device)
        count, took = _count(
            (step(packed) for _ in iter(int, 1)), seconds=seconds, warm_up=WARM_UP, device=device
        )
    return Speed(
        what="train",
        device=device.type,
        workers=0,
        subjects_per_second=count * batch / took,
        steps_per_second=count / took,
    )


def measure_both(settings: TrainSettings, *, workers: int, seconds: float) -> Speed:
    """Steps per second on subjects that are drawn meanwhile."""
    device, batch = training_device(settings, Ranks()), settings.optimiser.batch
    waiting = Waiting(_batches(settings, workers=workers, batch=batch))
    with fast_products():
        step = _stepper(settings, device)
        for packed in islice(waiting, WARM_UP * max(workers, 1)):
            step(packed)
        before = waiting.seconds
        count, took = _count(map(step, waiting), seconds=seconds, device=device)
    return Speed(
        what="draw and train",
        device=synthesis_device(settings, device).type,
        workers=workers,
        subjects_per_second=count * batch / took,
        steps_per_second=count / took,
        waiting=min((waiting.seconds - before) / took, 1.0),
    )


def _stepper(settings: TrainSettings, device: torch.device) -> Callable[[Packed], object]:
    """Takes a step on packed subjects."""
    torch.manual_seed(settings.seed)
    state = build_state(settings, device)
    stepper, multiple = Stepper(state, settings), state.network.size_multiple

    def step(packed: Packed) -> object:
        shape = packed["image"].shape[2:]
        box = box_of(packed[PLANES], shape=shape, multiple=multiple)
        return stepper(unpack(packed, box, device))

    return step


def _batches(settings: TrainSettings, *, workers: int, batch: int) -> Iterator[Packed]:
    device = training_device(settings, Ranks())
    drawing = synthesis_device(settings, device)
    return iter(
        load(
            make_dataset(settings, split="train", device=drawing),
            range(10**9),
            batch=batch,
            workers=workers,
            synthesis=drawing,
            training=device,
        )
    )


def _count(
    things: Iterator[object],
    *,
    seconds: float,
    warm_up: int = 0,
    device: torch.device | None = None,
) -> tuple[int, float]:
    """How many things came in at least so many seconds, and the seconds they took."""
    for _ in islice(things, warm_up):
        pass
    _wait_for(device)
    began, count = time.perf_counter(), 0
    for _ in things:
        count += 1
        if time.perf_counter() - began >= seconds:
            break
    _wait_for(device)
    return count, time.perf_counter() - began


def _wait_for(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def _line(speed: Speed) -> str:
    return f"{speed.what} on {speed.device}, {speed.workers} workers: " + ", ".join(_cells(speed))


def _cells(speed: Speed) -> list[str]:
    steps, waiting = speed.steps_per_second, speed.waiting
    return [
        f"{speed.subjects_per_second:.2f} subjects/s",
        "-" if steps is None else f"{steps:.2f} steps/s",
        "-" if waiting is None else f"{100 * waiting:.0f} % waiting",
    ]


def format_throughput(numbers: dict[str, Any]) -> str:
    """The speeds as a table, and what they were measured on."""
    rows = [["", "device", "workers", "subjects/s", "steps/s", "waiting"]]
    for entry in numbers["speeds"]:
        speed = Speed(**entry)
        cells = [cell.split()[0] for cell in _cells(speed)]
        cells[2] += " %" if speed.waiting is not None else ""
        rows.append([speed.what, speed.device, str(speed.workers), *cells])
    memory = numbers["peak_gpu_memory_gib"]
    where = numbers["training_device"]
    return "\n".join(
        [
            *aligned(rows),
            "",
            f"{numbers['spacing_mm']:g} mm, batches of {numbers['batch']}, trained on {where}"
            + ("" if memory is None else f", at most {memory:.1f} GiB of its memory"),
            f"{numbers['machine']['processor']}, {numbers['threads']} torch threads",
        ]
    )
