"""Models on disk: weights as safetensors beside a manifest that proves what they are.

A folder holds ``weights.safetensors`` and ``manifest.json``. Loading checks, in this order: the
manifest's format, the hash of the weights, the exact set of tensors, finiteness, and a self-test
on a phantom made by formula. A changed bit, a partial file or another architecture is refused.
Nothing is unpickled and nothing is downloaded.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.symmetry.parametrisation import fold

WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"
FORMAT = 1
SHIPPED = Path(__file__).parent / "weights"
_SELF_TEST_SHAPE = (1, 1, 32, 32, 32)
_SELF_TEST_TOLERANCE = 1e-3  # log-odds; fp32 on other processors differs by about 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedModel:
    """A network that passed every check, folded to plain weights and in evaluation mode.

    Attributes:
        network: The network.
        manifest: What the manifest says: name, version, sha256, training, licences, rounding.
        folder: Where it came from; sibling files such as the healthy reference lie there.
    """

    network: AsymmetryNet
    manifest: dict[str, Any]
    folder: Path


def self_test_volume() -> Tensor:
    """(1, 1, 32, 32, 32) lopsided phantom made by formula, the same on every machine."""
    axes = [torch.linspace(-1.0, 1.0, n, dtype=torch.float64) for n in _SELF_TEST_SHAPE[2:]]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    head = torch.sigmoid(12.0 * (0.8 - (x**2 + y**2 + z**2).sqrt()))
    lump = torch.exp(-20.0 * ((x + 0.4) ** 2 + (y - 0.1) ** 2 + z**2))
    return (0.6 * head + 0.2 * torch.cos(7.0 * y) * head + 0.5 * lump).float()[None, None]


def self_test_answer(network: AsymmetryNet) -> list[float]:
    """Mean, standard deviation and extremes of even part and tolerance on the phantom."""
    with torch.inference_mode():
        head = network(self_test_volume()).pathology
    return [
        float(statistic)
        for part in (head.even, head.tolerance)
        for statistic in (part.mean(), part.std(), part.min(), part.max())
    ]


def save_model(folder: Path, network: AsymmetryNet, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write weights and manifest; returns the manifest completed with hash and self-test.

    Args:
        folder: Created if missing; files in it are replaced.
        network: Unfolded network (the parametrised weights are kept, so it can be fine-tuned).
        manifest: Name, version, training configuration, versions, licences and the like.
    """
    network.eval()
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in network.state_dict().items()}
    payload = tensors_to_bytes(tensors)
    complete = {
        **manifest,
        "format": FORMAT,
        "settings": network.settings.model_dump(mode="json"),
        "sha256": hashlib.sha256(payload).hexdigest(),
        "self_test": self_test_answer(network),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(payload)
    _write_manifest(folder, complete)
    return complete


def amend_manifest(folder: Path, entries: dict[str, Any]) -> None:
    """Add entries to a manifest: what is known only after the weights were written."""
    _write_manifest(folder, {**_read_manifest(folder), **entries})


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def check_device(device: str | torch.device) -> None:
    """Refuse a GPU that is not there.

    Raises:
        ModelError: MS-316.
    """
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            code="MS-316",
            subject=str(device),
            cause="torch finds no GPU on this machine",
            fix="leave --device out to work on the CPU, or install a CUDA build of torch",
        )


def load_model(
    folder: Path | None = None, *, device: str | torch.device = "cpu", folded: bool = True
) -> LoadedModel:
    """Load a model folder; None is the model shipped with medsym.

    Args:
        folder: Holds weights.safetensors and manifest.json.
        device: Where the network runs.
        folded: Plain weights for inference; False keeps the parametrisation for fine-tuning.

    Raises:
        ModelError: MS-310 missing, MS-311 manifest, MS-312 hash, MS-313 tensors, MS-314 not
            finite, MS-315 self-test, MS-316 no such device.
    """
    check_device(device)
    place = SHIPPED if folder is None else Path(folder)
    manifest = _read_manifest(place)
    network = AsymmetryNet(_settings(place, manifest))
    _fill(network, _read_tensors(place, manifest), place)
    network.eval()
    if folded:
        fold(network)
    _self_test(network, manifest, place)
    return LoadedModel(network=network.to(device), manifest=manifest, folder=place)


def _error(code: str, path: Path, cause: str, fix: str) -> ModelError:
    return ModelError(code=code, subject=str(path), cause=cause, fix=fix)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(
            "MS-310",
            path,
            f"cannot be read ({error.strerror})",
            "give a folder written by `medsym train`, or reinstall medsym",
        ) from None
    except ValueError:
        raise _error("MS-311", path, "is not JSON", "copy the model folder again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _error(
            "MS-311", path, f"is not a manifest of format {FORMAT}", "use a matching medsym version"
        )
    return manifest


def _settings(folder: Path, manifest: dict[str, Any]) -> ModelSettings:
    try:
        return ModelSettings.model_validate(manifest.get("settings"))
    except ValidationError:
        raise _error(
            "MS-311",
            folder / MANIFEST,
            "describes an architecture this medsym does not know",
            "use the medsym version named in the manifest",
        ) from None


def _read_tensors(folder: Path, manifest: dict[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise _error(
            "MS-310", path, f"cannot be read ({error.strerror})", "copy the model folder again"
        ) from None
    if hashlib.sha256(payload).hexdigest() != manifest.get("sha256"):
        raise _error(
            "MS-312",
            path,
            "does not have the hash that the manifest states",
            "the file was changed or cut: copy the model folder again",
        )
    try:
        return tensors_from_bytes(payload)
    except SafetensorError:
        raise _error("MS-313", path, "is not a safetensors file", "copy it again") from None


def _fill(network: AsymmetryNet, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise _error(
            "MS-313",
            folder / WEIGHTS,
            f"does not fit the architecture ({first})",
            "use weights and manifest of one training run",
        ) from None
    if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise _error("MS-314", folder / WEIGHTS, "holds numbers that are not finite", "train again")


def _self_test(network: AsymmetryNet, manifest: dict[str, Any], folder: Path) -> None:
    expected, got = manifest.get("self_test"), self_test_answer(network)
    close = isinstance(expected, list) and len(expected) == len(got)
    if not close or not all(
        math.isclose(e, g, rel_tol=1e-4, abs_tol=_SELF_TEST_TOLERANCE)
        for e, g in zip(expected or [], got, strict=True)
    ):
        raise _error(
            "MS-315",
            folder,
            "the network does not give its known answer on the phantom",
            "this torch build computes something else: use the version in the manifest",
        )
