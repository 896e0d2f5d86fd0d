"""Checkpoints that resume exactly: weights, averages, optimiser, random numbers; tensors only.

A process may be killed at any moment. A checkpoint gets its name when it is whole and on disk, and
the one before it is kept: if the newest cannot be read, a run goes on from there.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from pydantic import BaseModel

from medsym.errors import ModelError
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState
from medsym.volumes.output_file import writable_folder

FILE_NAME = "checkpoint.pt"
PREVIOUS_NAME = "checkpoint.previous.pt"
#: Settings that change no result, or that may be changed to go on longer or elsewhere.
MAY_CHANGE = frozenset(
    {
        *("optimiser.steps", "optimiser.cooldown", "workers", "threads", "device"),
        *("synthesis_device", "checkpoint_every", "report_every", "max_minutes", "tensorboard"),
        *("validation_cases", "reference_cases", "name", "data_licences"),
        "synthesis.source.cache",
    }
)


def save_checkpoint(
    folder: Path, state: TrainingState, *, step: int, settings: TrainSettings | None = None
) -> None:
    """Write the state after ``step`` steps; the last checkpoint becomes the previous one.

    Args:
        folder: Of the run.
        state: To write.
        step: Steps done.
        settings: Of the run, which one that goes on has to share; None leaves them out.
    """
    content = {
        "step": step,
        "settings": None if settings is None else fixed_settings(settings),
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "schedule": state.schedule.state_dict(),
        "softness": state.softness.state_dict(),
        "random": {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
    }
    with written_whole(folder / FILE_NAME, keep_as=PREVIOUS_NAME) as stream:
        torch.save(content, stream)


@contextmanager
def written_whole(path: Path, *, keep_as: str | None = None) -> Iterator[IO[bytes]]:
    """A stream whose file gets its name only when all of it is on disk.

    Args:
        path: Of the file.
        keep_as: Name that the file before it gets; None lets it go.
    """
    for left_over in path.parent.glob(f".{path.name}.*"):  # of a process that was killed
        left_over.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    if keep_as is not None and path.exists():
        path.replace(path.with_name(keep_as))
    temporary.replace(path)


def claim_folder(
    folder: Path, *, resume: bool, names: Sequence[str] = (FILE_NAME, PREVIOUS_NAME)
) -> None:
    """Make the folder of a new run, and find out now whether a checkpoint can be written to it.

    A run that starts anew would lose, checkpoint by checkpoint, what another has learned.

    Args:
        folder: Of the run.
        resume: Whether a run goes on; that there is none is said when its checkpoint is read.
        names: Of its checkpoints.

    Raises:
        ModelError: MS-324, the folder of a new run holds a checkpoint.
        OutputError: MS-140, no file can be written to it.
    """
    if not resume and any((folder / name).exists() for name in names):
        raise ModelError(
            code="MS-324",
            subject=str(folder),
            cause="the folder holds the checkpoint of a run, which a new run would overwrite",
            fix="add --resume to go on with it, or start in another --out folder",
        )
    if not resume or folder.is_dir():
        writable_folder(folder)


def load_checkpoint(
    folder: Path,
    state: TrainingState,
    *,
    settings: TrainSettings | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Restore the state in place; returns the number of steps already done.

    Args:
        folder: Of the run.
        state: Of a run with the same configuration.
        settings: Of that run, compared with those in the checkpoint, which older ones lack.
        say: Told when the newest checkpoint is damaged and the previous one is used.

    Raises:
        ModelError: MS-320 without a checkpoint, MS-321 when it is of another run, MS-323 when
            nothing in the folder can be read.
    """
    path, content = _read_newest(folder, say or (lambda _line: None))
    if settings is not None:
        refuse_other_settings(path, content.get("settings"), settings)
    try:
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.optimiser.load_state_dict(content["optimiser"])
        state.schedule.load_state_dict(content["schedule"])
        state.softness.load_state_dict(content.get("softness", {}))
        _restore_random(content.get("random"))
        return int(content["step"])
    except Exception as error:
        raise ModelError(
            code="MS-321",
            subject=str(path),
            cause=f"the checkpoint does not fit this run ({type(error).__name__})",
            fix="resume with the configuration that wrote it, or start a new --out folder",
        ) from error


def _read_newest(folder: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]]:
    """The newest checkpoint that can be read."""
    paths = [folder / name for name in (FILE_NAME, PREVIOUS_NAME) if (folder / name).exists()]
    if not paths:
        raise ModelError(
            code="MS-320",
            subject=str(folder / FILE_NAME),
            cause="there is no checkpoint to resume from",
            fix="start without --resume, or correct the --out folder",
        )
    for path in paths:
        try:
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a cut or altered file makes of the reader
            say(f"{path} cannot be read ({type(error).__name__})")
        else:
            return path, content
    raise ModelError(
        code="MS-323",
        subject=str(paths[0]),
        cause="neither this checkpoint nor the one before it can be read",
        fix="copy a checkpoint back from a backup, or start without --resume",
    )


def fixed_settings(settings: BaseModel) -> str:
    """The settings that a run keeps from its first step to its last, as JSON for a checkpoint."""
    return json.dumps(_fixed(settings))


def _fixed(settings: BaseModel) -> dict[str, Any]:
    """By dotted name."""
    flat: dict[str, Any] = {}

    def collect(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                collect(part, f"{name}.{key}" if name else key)
        elif name not in MAY_CHANGE:
            flat[name] = value

    collect(settings.model_dump(mode="json"), "")
    return flat


def refuse_other_settings(path: Path, text: str | None, settings: BaseModel) -> None:
    """Results of two configurations in one run would be stated as those of the second.

    A setting that the checkpoint does not know is newer than it, and had its default.

    Args:
        path: Of the checkpoint.
        text: What :func:`fixed_settings` returned when it was written; None if it is older.
        settings: Of the run that goes on.

    Raises:
        ModelError: MS-321, naming the first setting that differs.
    """
    if text is None:
        return
    stored, current = json.loads(text), _fixed(settings)
    held = {**_fixed(type(settings).model_validate({"name": "defaults"})), **stored}
    for name in [*current, *(name for name in stored if name not in current)]:
        then, now = (json.dumps(values.get(name)) for values in (held, current))
        if then != now:
            raise ModelError(
                code="MS-321",
                subject=str(path),
                cause=f"the run began with {name} {then}, and the configuration says {now}",
                fix="resume with the configuration that wrote it, or start a new --out folder",
            )


def _restore_random(state: dict[str, Any] | None) -> None:
    """Random number generators as they were; older checkpoints do not hold them."""
    if state is None:
        return
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
