"""A case drawn on a GPU is the case of the CPU but for the grain of its image."""

import pytest
import torch

from medsym.synthesis.canvas import CPU, Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.dataset import Sources, draw_case
from medsym.synthesis.settings import SynthesisConfig
from tests.synthesis.heads import head_anatomy

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SOURCES = Sources(anatomies=(head_anatomy(),), shapes=())


def drawn(device: str, index: int) -> SyntheticCase:
    """Case of an index, handed out on the CPU."""
    canvas = Canvas(device=torch.device(device))
    sources = SOURCES.to(canvas.device)
    case = draw_case(sources, config=SynthesisConfig(), canvas=canvas, seed=3, index=index)
    assert case.image.device.type == device
    return case.to(CPU)


@pytest.mark.parametrize("index", range(4))
def test_anatomy_and_lesions_do_not_depend_on_the_device(index: int) -> None:
    here, there = drawn("cpu", index), drawn("cuda", index)
    assert float((here.structures == there.structures).float().mean()) > 0.999
    assert float((here.lesion == there.lesion).float().mean()) > 0.999
    assert [r.side for r in here.records] == [r.side for r in there.records]
    assert here.kind == there.kind
    assert here.stripped == there.stripped
    assert here.coverage.equal(there.coverage)
    for mine, other in zip(here.records, there.records, strict=True):
        assert mine.contrast_sd == pytest.approx(other.contrast_sd, abs=0.3)
    stacked = torch.stack([here.image[here.brain], there.image[here.brain]])
    assert float(torch.corrcoef(stacked)[0, 1]) > 0.5
    assert there.normal_asymmetry is not None
    torch.testing.assert_close(there.normal_asymmetry.flip(0), -there.normal_asymmetry)


def test_a_case_of_the_gpu_can_be_drawn_again() -> None:
    assert drawn("cuda", 5).image.equal(drawn("cuda", 5).image)
