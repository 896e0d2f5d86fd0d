"""Finished trainings of an ablation, one JSON line each, so that a stopped run goes on."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from medsym.benchmarks.ablation.settings import AblationSettings
from medsym.strict_json import finite
from medsym.volumes.output_file import write_atomically

FILE_NAME = "ablation.jsonl"
NETWORKS = "networks"
Row = dict[str, Any]


class Results:
    """The lines of these settings in a folder's file; lines of other settings stay there.

    Args:
        folder: An existing folder.
        settings: Whose trainings count.
        steps: Of trainings that count; None takes those with most steps.
        searching: The trainings that choose a rate count, not those that are compared.
    """

    def __init__(
        self,
        folder: Path,
        settings: AblationSettings,
        *,
        steps: int | None,
        searching: bool = False,
    ) -> None:
        self.path, self.key = folder / FILE_NAME, settings.run_key()
        rows = [
            row for row in self._lines() if (row["key"], row["searching"]) == (self.key, searching)
        ]
        wanted = max((row["steps"] for row in rows), default=0) if steps is None else steps
        self.rows: dict[str, Row] = {row["run"]: row for row in rows if row["steps"] == wanted}

    def _lines(self) -> list[Row]:
        """All lines of the file but one that was cut off when its writer was killed."""
        if not self.path.is_file():
            return []
        text = self.path.read_text(encoding="utf-8")
        whole, end, rest = text.rpartition("\n")
        if rest:  # the next line must not go on where that one stopped
            self.path.write_text(whole + end, encoding="utf-8")
        return [json.loads(line) for line in whole.splitlines()]

    def add(self, row: Row) -> None:
        """Keep a finished training."""
        row["key"] = self.key
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(row), allow_nan=False) + "\n")
        self.rows[row["run"]] = row

    def shared(self, name: str) -> Any:
        """What all trainings have in common, such as ``steps``; None without any."""
        return next((row[name] for row in self.rows.values()), None)


def keep_network(folder: Path, training: str, network: nn.Module) -> None:
    """Keep the averaged weights of a training, for a closer look: networks/ARM-SEED.safetensors."""
    place = folder / NETWORKS
    place.mkdir(exist_ok=True)
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in network.state_dict().items()}
    write_atomically(place / f"{training.replace('/', '-')}.safetensors", save(tensors))
