"""The trainings of an ablation, several at a time, each in a process of one thread."""

import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, cast

from medsym.benchmarks.ablation.clock import DECIDE_AT, SharedClock, affordable_steps, is_final
from medsym.benchmarks.ablation.drawing import Report
from medsym.benchmarks.ablation.processes import begin
from medsym.benchmarks.ablation.results import Row, keep_network
from medsym.benchmarks.ablation.scores import Scores, score
from medsym.benchmarks.ablation.subjects import SubjectFiles
from medsym.benchmarks.ablation.training import CPU, Training, train
from medsym.errors import ConfigError
from medsym.models.asymmetry_net import AsymmetryNet

_PAUSE_SECONDS = 0.2
SCORING_STEPS = 0.6  # what a test subject costs, in steps of batch 1; measured 0.4 to 0.5


def run_trainings(
    trainings: Sequence[Training],
    *,
    files: SubjectFiles,
    context: BaseContext,
    clock: SharedClock,
    processes: int,
    keep: Callable[[Row], None],
    report: Report,
) -> None:
    """Train and score; every finished training is handed to ``keep`` at once.

    Raises:
        ConfigError: MS-396, a training failed.
    """
    if not trainings:
        return
    waiting, running = list(trainings), dict[str, BaseProcess]()
    rows = context.SimpleQueue()
    waves = -(-len(waiting) // processes)
    first, decided = min(processes, len(waiting)), clock.total.value > 0
    began = time.time()
    wave_end = began + (clock.deadline - began) / waves
    try:
        while waiting or running or not rows.empty():
            while not rows.empty():
                row = rows.get()
                running.pop(row["run"]).join()
                _take(row, keep=keep)
            while waiting and len(running) < processes and not clock.late():
                training = waiting.pop(0)
                running[training.name] = _begin(context, training, files, clock, rows)
            if clock.late() and not running:
                break
            if not decided:
                decided = _decide(
                    clock, files, running=first, began=began, end=wave_end, report=report
                )
            _notice_the_dead(running, rows)
            time.sleep(_PAUSE_SECONDS)
    finally:
        for process in running.values():
            process.terminate()


def _begin(context: BaseContext, *arguments: Any) -> BaseProcess:
    """A process that works on a training and ends with this one."""
    process: BaseProcess = cast(Any, context).Process(target=_work, args=arguments, daemon=True)
    process.start()
    return process


def _work(training: Training, files: SubjectFiles, clock: SharedClock, rows: Any) -> None:
    """One training in its own process; its scores, or what went wrong, go into the queue."""
    begin(training.device.type)
    row: Row = {
        "run": training.name,
        "arm": training.arm.name,
        "seed": training.seed,
        "rate": training.rate,
        "searching": training.searching,
    }
    start = time.process_time()
    try:
        found = train(training, files, clock)
        if found is None:
            rows.put({**row, "late": True})
            return
        network, loss = found
        seconds = time.process_time() - start
        if not training.searching:
            keep_network(files.folder.parent, training.name, network)
        scores = _scores(network, files, split=training.split)
        rows.put(
            {
                **row,
                "steps": clock.done[training.place],
                "mixed_precision": training.mixed_precision,
                "parameters": sum(p.numel() for p in network.parameters()),
                "last_loss": loss,
                "train_cpu_seconds": seconds,
                "score_cpu_seconds": time.process_time() - start - seconds,
                **scores,
            }
        )
    except Exception:  # whatever it is, the parent has to hear of it
        rows.put({**row, "failed": traceback.format_exc()})


def _scores(network: AsymmetryNet, files: SubjectFiles, *, split: str) -> Scores:
    """Scores on all subjects of a split."""
    settings = files.settings
    return score(
        network,
        [files.batch(split, [index], device=CPU) for index in range(settings.counts()[split])],
        voxel_ml=settings.model.spacing_mm**3 / 1000.0,
        mirrored_subjects=settings.mirrored_subjects,
    )


def _take(row: Row, *, keep: Callable[[Row], None]) -> None:
    if "failed" in row:
        last = row["failed"].strip().splitlines()[-1]
        raise _failure(row["run"], cause=last)
    if "late" not in row:
        keep(row)


def _failure(run: str, *, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-396",
        subject=run,
        cause=f"the training failed ({cause})",
        fix="lower --processes if memory ran out; finished trainings are kept",
    )


def _notice_the_dead(running: dict[str, BaseProcess], rows: Any) -> None:
    """A process that was killed leaves no row."""
    for name, process in running.items():
        if process.exitcode not in (None, 0) and rows.empty():
            raise _failure(name, cause=f"its process ended with code {process.exitcode}")


def _decide(
    clock: SharedClock,
    files: SubjectFiles,
    *,
    running: int,
    began: float,
    end: float,
    report: Report,
) -> bool:
    """Choose or correct the number of steps; True once it has to stay."""
    now, how = time.time(), files.settings.optimiser
    if now < began + DECIDE_AT * (end - began):
        return False
    if is_final(clock, cooldown=how.cooldown):
        report(f"every training does {clock.total.value} steps")
        return True
    scored = files.settings.test_subjects + files.settings.mirrored_subjects
    steps = affordable_steps(
        clock,
        running=running,
        now=now,
        end=end,
        extra_steps=SCORING_STEPS * scored,
        most=how.steps,
        cooldown=how.cooldown,
    )
    if steps is not None:
        clock.total.value = steps
    return False
