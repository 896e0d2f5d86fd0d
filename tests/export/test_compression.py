"""Compressed copies answer as the full network does, nearly, and the table says how nearly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.evaluation.methods import Candidate, Scan
from medsym.evaluation.subjects import Subject
from medsym.export.compression import benchmark
from medsym.export.compression.benchmark import format_compression
from medsym.export.compression.precisions import Bfloat16Network, Copy, compressed_copies
from medsym.export.onnx_file import phantom
from medsym.models.store import LoadedModel, load_model
from tests.builders_case import flat_reference

pytest.importorskip("onnxruntime", reason="needs the extra [export]")

SHAPE = (24, 28, 20)


@pytest.fixture(scope="module")
def model(model_folder: Path) -> LoadedModel:
    return load_model(model_folder)


def subject() -> Subject:
    inside = np.ones(SHAPE, dtype=bool)
    lesion = np.zeros(SHAPE, dtype=bool)
    lesion[2:6, 10:14, 8:12] = True
    image = phantom(SHAPE)[0, 0].numpy() + lesion
    scan = Scan(
        image=image.astype(np.float32), brain=inside, coverage=inside, kind="", spacing_mm=6.0
    )
    return Subject(
        scan=scan,
        lesion=lesion,
        structures=np.zeros(SHAPE, dtype=np.int64),
        torque_region=inside,
        contrast_sd=1.0,
        anatomy="made",
    )


def test_bfloat16_is_near_and_gives_float32(model: LoadedModel) -> None:
    image = phantom((24, 28, 20))
    with torch.inference_mode():
        full, low = model.network(image), Bfloat16Network(model.network)(image)
    assert low.pathology.even.dtype == low.anatomy_logits.dtype == torch.float32
    scale = float(full.pathology.even.abs().max())
    difference = float((full.pathology.even - low.pathology.even).abs().max())
    assert 0.0 < difference < 0.1 * scale
    assert next(model.network.parameters()).dtype == torch.float32


def test_a_copy_differs_from_the_full_network_and_its_own_bound_holds(model: LoadedModel) -> None:
    candidate = Candidate(name="tiny", model=model, reference=flat_reference())
    copies = [
        Copy(name="full", network=model.network, num_bytes=2),
        Copy(name="low", network=Bfloat16Network(model.network), num_bytes=1),
    ]
    full, low = benchmark._rows(copies, subject(), candidate)
    assert full.difference_sd == 0.0
    assert low.difference_sd > 0.0
    assert full.rounding > 0.0
    assert max(full.excess, low.excess) <= 0.0
    numbers = {
        "copies": [
            {"name": c.name, "bytes": 1, **benchmark._summary([r])}
            for c, r in zip(copies, (full, low), strict=True)
        ],
        "subjects": 1,
        "spacing_mm": 6.0,
        "machine": {"processor": "any"},
        "torch_threads": 1,
    }
    assert "certified numbers need float32" in format_compression(numbers)


@pytest.mark.slow
def test_files_of_fewer_bits_are_smaller_and_mirrored_scans_give_mirrored_answers(
    model: LoadedModel, tmp_path: Path
) -> None:
    healthy = [phantom((32, 40, 32))[0, 0] for _ in range(2)]
    copies = {c.name: c for c in compressed_copies(model, tmp_path, healthy=healthy)}
    assert list(copies) == [
        *("torch float32", "torch bfloat16", "onnx float32", "onnx float16", "onnx int8"),
    ]
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("float32", "float16")]
    assert sizes[1] < sizes[0]
    image = phantom((32, 40, 32))
    with torch.inference_mode():
        wanted = model.network(image).pathology.even
        for name, tolerance in (("onnx float32", 1e-4), ("onnx float16", 0.05), ("onnx int8", 0.5)):
            found = copies[name].network(image).pathology.even
            scale = float(wanted.abs().max())
            assert float((found - wanted).abs().max()) < tolerance * scale, name
            assert float((found - wanted.flip(-3)).abs().max()) > 0.05 * scale, name
