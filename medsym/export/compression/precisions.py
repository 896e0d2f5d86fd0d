"""The exported network in fewer bits, each copy behind the interface of the full one.

Float16 halves the file: weights and sums are kept in 16 bits. Int8 keeps weights and inputs of
convolutions in 8 bits, scaled to what a few healthy subjects show (post-training quantisation with
calibration, B. Jacob et al., CVPR 2018). Bfloat16 is torch's own, on processors that multiply it.
"""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medsym.export.channels import OUTPUT_CHANNELS
from medsym.export.extras import require
from medsym.export.onnx_file import INPUT, onnx_session, write_onnx
from medsym.models.asymmetry_net import AsymmetryNet, NetworkOutput
from medsym.models.store import LoadedModel
from medsym.models.support import support_box
from medsym.nn.head import HeadOutput


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """One version of a network.

    Attributes:
        name: runtime and precision.
        network: what the analysis runs.
        num_bytes: of its file; None for what torch makes of the full weights.
    """

    name: str
    network: nn.Module
    num_bytes: int | None


class OnnxNetwork(nn.Module):
    """(b, 1, x, y, z) -> :class:`NetworkOutput` from an ONNX file, on the CPU.

    Args:
        content: bytes of the file.
        like: the network that it stands for.
    """

    def __init__(self, content: bytes, *, like: AsymmetryNet) -> None:
        super().__init__()
        self.session = onnx_session(content)
        self.settings, self.size_multiple = like.settings, like.size_multiple

    def forward(self, image: Tensor) -> NetworkOutput:
        """One pass."""
        found = self.session.run(list(OUTPUT_CHANNELS), {INPUT: image.contiguous().numpy()})
        anatomy, even, odd, tolerance = (torch.from_numpy(part) for part in found)
        head = HeadOutput(even=even, odd=odd, tolerance=tolerance)
        return NetworkOutput(anatomy_logits=anatomy, pathology=head)


class Bfloat16Network(nn.Module):
    """The network in torch's bfloat16; its outputs are given back as float32.

    Args:
        network: is copied.
    """

    def __init__(self, network: AsymmetryNet) -> None:
        super().__init__()
        self.low = copy.deepcopy(network).bfloat16()
        self.settings, self.size_multiple = network.settings, network.size_multiple

    def forward(self, image: Tensor) -> NetworkOutput:
        """One pass."""
        output = self.low(image.bfloat16())
        head = output.pathology
        return NetworkOutput(
            anatomy_logits=output.anatomy_logits.float(),
            pathology=HeadOutput(
                even=head.even.float(), odd=head.odd.float(), tolerance=head.tolerance.float()
            ),
        )


def compressed_copies(
    model: LoadedModel, folder: Path, *, healthy: Sequence[Tensor]
) -> tuple[Copy, ...]:
    """The full network and its compressed copies; the first is torch in float32.

    Args:
        model: on the CPU.
        folder: gets the files ``float32.onnx``, ``float16.onnx`` and ``int8.onnx``.
        healthy: (x, y, z) normalised brains whose values set the scales of int8.

    Raises:
        ConfigError: MS-360, a package is not installed.
    """
    require("export")
    network = model.network
    full = write_onnx(model, folder / "float32.onnx").path
    with _quiet():
        _write_float16(full, folder / "float16.onnx")
        _write_int8(full, folder / "int8.onnx", images=[_cut(i, network) for i in healthy])
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    copies = [
        Copy(name="torch float32", network=network, num_bytes=weights),
        Copy(name="torch bfloat16", network=Bfloat16Network(network), num_bytes=weights // 2),
    ]
    for precision in ("float32", "float16", "int8"):
        content = (folder / f"{precision}.onnx").read_bytes()
        onnx_network = OnnxNetwork(content, like=network)
        copies.append(Copy(name=f"onnx {precision}", network=onnx_network, num_bytes=len(content)))
    return tuple(copies)


def _cut(image: Tensor, network: AsymmetryNet) -> Tensor:
    """(1, 1, x, y, z) the part of an image that the analysis runs the network on."""
    box = support_box((image != 0).numpy(), multiple=network.size_multiple)
    return image[box][None, None].contiguous()


def _write_float16(full: Path, target: Path) -> None:
    """Weights and arithmetic in 16 bits; input and outputs stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(full), keep_io_types=True), target)


def _write_int8(full: Path, target: Path, *, images: Sequence[Tensor]) -> None:
    """Weights (per channel) and inputs of convolutions in 8 bits."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    quantize_static(
        full,
        target,
        _Examples(images),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
    )


class _Examples:
    """What onnxruntime asks for examples: one after the other, then None."""

    def __init__(self, images: Sequence[Tensor]) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        image = next(self._left, None)
        return None if image is None else {INPUT: image.numpy()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep onnxruntime's tools from advising on files that are not the user's."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
