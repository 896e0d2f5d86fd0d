"""Write a model as a MONAI bundle: a folder that ``python -m monai.bundle run`` runs offline.

Weights stay safetensors beside the manifest that holds their hash; nothing in the bundle is a
pickle and no code is stored in it. What it runs comes from the installed medsym, by name.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import medsym
from medsym.calibration.reference import REFERENCE_FILE
from medsym.errors import OutputError
from medsym.export.configuration import LOGGING, inference, metadata
from medsym.export.description import NOT_STATED
from medsym.inference.case import reference_of
from medsym.models.store import MANIFEST, WEIGHTS, LoadedModel, load_model
from medsym.strict_json import finite
from medsym.upwards import threshold_text
from medsym.volumes.output_file import writable_folder

CARD = "README.md"  # of a model folder, in the model card's words


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleReport:
    """What was written.

    Attributes:
        folder: The bundle.
        sizes: File below the bundle -> bytes.
    """

    folder: Path
    sizes: dict[str, int]

    @property
    def num_bytes(self) -> int:
        """All files together."""
        return sum(self.sizes.values())


def write_bundle(model: LoadedModel, folder: Path) -> BundleReport:
    """Write a model as a MONAI bundle and load it from there once.

    Args:
        model: A loaded model whose folder also holds the healthy reference.
        folder: The bundle; it must not exist, or be empty. It appears whole or not at all.

    Raises:
        OutputError: MS-362, the folder is not empty; MS-140 and MS-368, it cannot be
            written.
        ModelError: MS-305, no healthy reference; MS-310 to MS-315, the copy does not load.
    """
    facts = metadata(model)
    try:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise OutputError(
                code="MS-362",
                subject=str(folder),
                cause="exists and is not an empty folder",
                fix="give a new folder",
            )
        writable_folder(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".medsym-") as scratch:
            draft = Path(scratch) / "bundle"
            _fill(draft, model, facts)
            reference_of(load_model(draft / "models"))
            if folder.is_dir():
                folder.rmdir()
            draft.rename(folder)
    except OSError as error:
        raise OutputError(
            code="MS-368",
            subject=str(folder),
            cause=f"cannot be written ({error.strerror or error})",
            fix="check free space and write access, or give another folder",
        ) from None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    return BundleReport(folder=folder, sizes=sizes)


def _fill(draft: Path, model: LoadedModel, facts: dict[str, Any]) -> None:
    for name in ("configs", "models", "docs"):
        (draft / name).mkdir(parents=True)
    texts = {
        "configs/inference.json": _json(inference()),
        "configs/metadata.json": _json(facts),
        "configs/logging.conf": LOGGING,
        "docs/README.md": _readme(facts),
        "docs/data_license.txt": "\n".join(facts["medsym"]["training_data"]) + "\n",
        "LICENSE": _licence(facts["medsym"]["licence"]),
    }
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8")
    for name in (MANIFEST, WEIGHTS, REFERENCE_FILE):
        shutil.copyfile(model.folder / name, draft / "models" / name)
    if (model.folder / CARD).is_file():
        shutil.copyfile(model.folder / CARD, draft / "docs" / "model_card.md")


def _json(content: dict[str, Any]) -> str:
    """JSON in the order in which people read it."""
    return json.dumps(finite(content), indent=2, allow_nan=False) + "\n"


def _readme(facts: dict[str, Any]) -> str:
    environment = Environment(
        loader=PackageLoader("medsym.export", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown for people; nothing in it comes from a scan
    )
    environment.filters["threshold"] = threshold_text
    return environment.get_template("bundle.md.j2").render(facts=facts, own=facts["medsym"])


def _licence(weights: str) -> str:
    """What the weights are under, then medsym's own licence in full."""
    try:
        text = distribution("medsym").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    if text is None:
        beside = Path(medsym.__file__).resolve().parents[1] / "LICENSE"
        text = beside.read_text(encoding="utf-8") if beside.is_file() else "Apache License 2.0\n"
    stated = "not stated" if weights == NOT_STATED else weights
    return f"Licence of the weights in models/: {stated}\nLicence of medsym:\n\n{text}"
