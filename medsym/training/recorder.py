"""What a run leaves behind while it goes on: history, curves, a picture, TensorBoard."""

import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from medsym.errors import ConfigError
from medsym.training.history import History
from medsym.training.plots import as_png, draw_curves, draw_subject
from medsym.training.progress import Report
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState
from medsym.training.validation import Scores, UnseenSubjects
from medsym.volumes.output_file import write_atomically

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

CURVES, PICTURE, BOARD = "training.png", "unseen.png", "tensorboard"


class Recorder:
    """Writes into the folder of a run.

    Args:
        folder: Of the run.
        settings: Of the run; ``tensorboard`` says whether event files are written.
        done: Steps that the run goes on from; what was recorded after them is dropped.
    """

    def __init__(self, folder: Path, settings: TrainSettings, *, done: int) -> None:
        self.folder = folder
        self.settings = settings
        self.history = History(folder, done=done)
        self._board = _board(folder / BOARD, done=done) if settings.tensorboard else None

    def progress(self, report: Report) -> None:
        """Keep a progress report."""
        numbers = report.numbers()
        self.history.add("progress", report.step, {k: v for k, v in numbers.items() if k != "step"})
        self._scalars("loss", {"total": report.loss, **report.parts}, step=report.step)
        speed = {"subjects_per_second": report.subjects_per_second, "waiting": report.waiting}
        self._scalars("speed", speed, step=report.step)

    def checkpoint(
        self,
        step: int,
        *,
        means: dict[str, float],
        scores: Scores,
        state: TrainingState,
        unseen: UnseenSubjects,
    ) -> None:
        """Keep the scores of a checkpoint, and draw curves and a subject."""
        rate = float(state.schedule.get_last_lr()[0])
        softness = state.softness.values()
        numbers: dict[str, Any] = {
            "loss": sum(means.values()),
            "parts": means,
            "unseen": asdict(scores),
            "learning_rate": rate,
            "softness": softness,
        }
        self.history.add("checkpoint", step, numbers)
        self._scalars("mean_loss", {"total": numbers["loss"], **means}, step=step)
        self._scalars("unseen", asdict(scores), step=step)
        self._scalars("softness", softness, step=step)
        self._scalars("optimiser", {"learning_rate": rate}, step=step)
        title = f"{self.settings.name}, {step} of {self.settings.optimiser.steps} steps"
        curves = draw_curves(self.history.of_kind("checkpoint"), title=title)
        write_atomically(self.folder / CURVES, as_png(curves))
        maps = unseen.maps_of(state.average.module)
        picture = as_png(draw_subject(maps, title=f"unseen subject; {title}"))
        write_atomically(self.folder / PICTURE, picture)
        if self._board is not None:
            self._board.add_image("unseen_subject", _pixels(picture), step, dataformats="HWC")
            self._board.flush()

    def close(self) -> None:
        """Write what is still held back."""
        if self._board is not None:
            self._board.close()

    def _scalars(self, group: str, values: dict[str, float], *, step: int) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)


def check_recorder(settings: TrainSettings) -> None:
    """Refuse at once what would fail after the first subjects are drawn.

    Raises:
        ConfigError: MS-371, TensorBoard is asked for and not installed.
    """
    if not settings.tensorboard:
        return
    try:
        import tensorboard  # noqa: F401  (torch's writer is made of it)
    except ImportError:
        raise ConfigError(
            code="MS-371",
            subject="tensorboard",
            cause="the package tensorboard is not installed",
            fix="install it, or set tensorboard: false; history and pictures are written anyway",
        ) from None


def _board(folder: Path, *, done: int) -> "SummaryWriter":
    """TensorBoard's writer; it tells TensorBoard to forget what came after ``done`` steps."""
    from torch.utils.tensorboard import SummaryWriter  # slow to import, and not always asked for

    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)


def _pixels(png: bytes) -> np.ndarray:
    """(height, width, 3) uint8 of a PNG file."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
