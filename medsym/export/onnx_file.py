"""The network as one ONNX file, compared with torch before it is given its name.

The file holds the network alone: its input is an aligned brain on the symmetric grid, and its
outputs are the raw parts of one pass. Every spatial size may change, in steps of the network's
``size_multiple``. It says what it is in its metadata.
"""

import json
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from medsym.errors import ModelError, OutputError
from medsym.export.accurate_norm import with_accurate_norms
from medsym.export.channels import OUTPUT_CHANNELS, NamedNetwork
from medsym.export.description import describe
from medsym.export.extras import require
from medsym.models.store import LoadedModel, self_test_volume
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.output_file import write_atomically

#: Version of ONNX's operators: the lowest that torch's exporter writes, so that most runtimes read
#: it.
OPSET = 18
INPUT = "image"
#: Largest difference to torch, in log-odds and relative to the value. Float32 sums in another order
#: differed by 4e-5 on the whole grid of a trained network; a wrong operator differs by far more.
ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE = 5e-4, 5e-5
_SMALL_SHAPES = ((32, 32, 32), (48, 32, 64))  # rounded up to what the network can halve


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxReport:
    """What was written and how near it is to torch.

    Attributes:
        path: The file.
        sha256: Its hash.
        num_bytes: Its size.
        opset: Version of ONNX's operators.
        shapes: Sizes (x, y, z) that were compared.
        differences: Output name -> largest absolute difference to torch, log-odds.
    """

    path: Path
    sha256: str
    num_bytes: int
    opset: int
    shapes: tuple[tuple[int, ...], ...]
    differences: Mapping[str, float]


def write_onnx(model: LoadedModel, path: Path) -> OnnxReport:
    """Write a model as ONNX, after running it in onnxruntime beside torch.

    Args:
        model: A loaded (folded) model.
        path: The file; its folder has to exist, a file of that name is replaced.

    Raises:
        ConfigError: MS-360, a package is not installed.
        ModelError: MS-363, onnxruntime gives other numbers than torch; MS-364, torch cannot
            translate the network.
        OutputError: MS-140, before anything is done; MS-141, the file cannot be written.
    """
    require("export")
    _require_writable(path)
    network = NamedNetwork(model.network).eval()
    with _quiet():
        content = _translate(with_accurate_norms(network), model)
    _check(content, path)
    images = [phantom(shape) for shape in _compared_shapes(model)]
    differences = _compare(content, network, images, path=path)
    return OnnxReport(
        path=path,
        sha256=write_atomically(path, content),
        num_bytes=len(content),
        opset=OPSET,
        shapes=tuple(tuple(image.shape[2:]) for image in images),
        differences=differences,
    )


def _compared_shapes(model: LoadedModel) -> list[tuple[int, ...]]:
    """A small box, one of another shape, and the whole grid."""
    step = model.network.size_multiple
    small = [tuple(step * math.ceil(n / step) for n in shape) for shape in _SMALL_SHAPES]
    return [*small, SymmetricGrid.spanning(model.network.settings.spacing_mm).shape]


def phantom(shape: tuple[int, ...]) -> Tensor:
    """(1, 1, x, y, z) the lopsided phantom of the self-test, stretched to a shape."""
    return F.interpolate(self_test_volume(), size=shape, mode="trilinear", align_corners=False)


def _require_writable(path: Path) -> None:
    """Refuse to begin what takes a minute where no file can be written (MS-140)."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        cause = "is a folder, not a file" if path.is_dir() else ""
    except OSError as error:
        cause = f"its folder cannot be written to ({error.strerror or error})"
    if cause:
        raise OutputError(
            code="MS-140",
            subject=str(path),
            cause=cause,
            fix="create the folder, check its write access, or give another path",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from talking about packages and arguments that are not the user's."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _translate(network: NamedNetwork, model: LoadedModel) -> bytes:
    """The ONNX file's bytes, weights included."""
    step = model.network.size_multiple
    example = self_test_volume().new_zeros(1, 1, *(step * n for n in (4, 6, 5)))
    sizes = {dim: step * Dim(name, min=1) for dim, name in enumerate("xyz", start=2)}
    try:
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=(sizes,),
            input_names=[INPUT],
            output_names=list(OUTPUT_CHANNELS),
            opset_version=OPSET,
            verbose=False,
        )
    except Exception as error:  # torch's exporter answers with exceptions of any kind
        raise ModelError(
            code="MS-364",
            subject=str(model.folder),
            cause=f"torch cannot translate the network to ONNX ({type(error).__name__}: {error})",
            fix="use the versions in requirements-dev.txt; if they are, report it",
        ) from error
    assert program is not None
    for key, value in describe(model).items():
        text = value if isinstance(value, str) else json.dumps(value)
        program.model.metadata_props[key] = text
    return _without_traces(program.model_proto)


def _without_traces(proto: Any) -> bytes:
    """The file's bytes without the exporter's notes: they name the folders of this machine."""
    for item in (proto.graph, *proto.graph.node, *proto.graph.value_info):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    return bytes(proto.SerializeToString())


def _check(content: bytes, path: Path) -> None:
    """Let onnx's own checker look at the file."""
    import onnx

    try:
        onnx.checker.check_model(content, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise _wrong(path, f"onnx.checker refuses the file ({error})") from None


def _compare(
    content: bytes, network: nn.Module, images: list[Tensor], *, path: Path
) -> dict[str, float]:
    """Largest absolute difference per output over all images.

    Raises:
        ModelError: MS-363, beyond the tolerance.
    """
    session = onnx_session(content)
    differences = dict.fromkeys(OUTPUT_CHANNELS, 0.0)
    for image in images:
        found = session.run(list(OUTPUT_CHANNELS), {INPUT: image.numpy()})
        with torch.inference_mode():
            expected = [part.numpy() for part in network(image)]
        for name, got, wanted in zip(OUTPUT_CHANNELS, found, expected, strict=True):
            difference, beyond = _difference(got, wanted)
            differences[name] = max(differences[name], difference)
            if beyond:
                raise _wrong(path, f"onnxruntime and torch differ by {difference:.3g} in {name}")
    return differences


def _difference(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> tuple[float, bool]:
    """Largest absolute difference, and whether any value is beyond the tolerance."""
    close = np.allclose(got, wanted, atol=ABSOLUTE_TOLERANCE, rtol=RELATIVE_TOLERANCE)
    return float(np.abs(got - wanted).max()), got.shape != wanted.shape or not close


def onnx_session(content: bytes) -> Any:
    """A session of onnxruntime on the CPU, with torch's number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _wrong(path: Path, cause: str) -> ModelError:
    return ModelError(
        code="MS-363",
        subject=str(path),
        cause=cause,
        fix="nothing was written; use the versions in requirements-dev.txt; if they are, report it",
    )
