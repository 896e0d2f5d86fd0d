"""Laws of the block with block-diagonal maps: equal to the dense block, only cheaper."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.nn.half_work.block import HalfBlock
from medsym.nn.half_work.convolution import half_types
from medsym.nn.half_work.pointwise import butterfly, regular_gelu
from medsym.nn.half_work.rule import block_wins
from medsym.symmetry import ChannelAction, Softness, fold, harden, relative_defect
from tests.nn.half_work.builders import choose, random_block, relative, volume_for

NORMS = ["instance", "layer"]


def added(block: HalfBlock, volume: Tensor) -> Tensor:
    """What the block adds to its input, which else hides the rest."""
    return block(volume) - volume


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [(8, 6, 4), (7, 5, 3), (12, 11, 10)])
@pytest.mark.parametrize("width", [4, 8, 16, 64, 128])
def test_block_diagonal_maps_give_the_dense_output(
    width: int,
    size: tuple[int, int, int],
    norm: str,
    grad: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = random_block(width, norm=norm)
    volume = volume_for(width, size, batch=2)
    with torch.set_grad_enabled(grad):
        choose(monkeypatch, half=False)
        dense = added(block, volume)
        choose(monkeypatch, half=True)
        assert relative(added(block, volume), dense) <= 4e-6


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_block_is_exact_at_softness_zero(
    dtype: torch.dtype, limit: float, norm: str, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, half=half)
    block = random_block(16, norm=norm).to(dtype)
    action, volume = half_types(16), volume_for(16, (7, 6, 5)).to(dtype)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            defect = relative_defect(
                lambda x: added(block, x), volume, action_in=action, action_out=action
            )
        assert defect <= limit


def test_gelu_on_sign_channels_would_break_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, half=True)
    block = random_block(16)
    action, volume = half_types(16), volume_for(16, (6, 6, 6)).requires_grad_()
    monkeypatch.setattr("medsym.nn.half_work.pointwise.regular_gelu", F.gelu)
    broken = relative_defect(lambda x: added(block, x), volume, action_in=action, action_out=action)
    assert broken > 0.05


def test_block_moves_information_between_the_types(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, half=True)
    block = random_block(16)
    volume = volume_for(16, (6, 6, 6))
    volume[:, 8:] = 0  # trivial channels alone: odd kernels make sign channels of them
    with torch.no_grad():
        assert added(block, volume)[:, 8:].abs().max() > 0.01


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_those_of_the_dense_block(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    block = random_block(8, norm=norm).double()
    gradients = []
    for half in (False, True):
        choose(monkeypatch, half=half)
        volume = volume_for(8, (5, 6, 4), batch=2).double().requires_grad_()
        wanted = [volume, *block.parameters()]
        gradients.append(torch.autograd.grad(block(volume).sin().sum(), wanted))
    for dense, half_work in zip(*gradients, strict=True):
        assert (half_work - dense).norm() <= 1e-10 * (dense.norm() + 1e-6)


def test_regular_gelu_has_the_gradients_of_its_definition() -> None:
    hidden = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(regular_gelu(hidden), butterfly(F.gelu(butterfly(hidden))))
    assert torch.autograd.gradcheck(regular_gelu, hidden, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(regular_gelu, hidden)


def test_soft_block_runs_dense_and_leaves_the_symmetry() -> None:
    block = random_block(32, softness=0.5)
    action, volume = half_types(32), volume_for(32, (18, 16, 16))
    assert not block.works_half(volume, recorded=False)
    with torch.no_grad():
        defect = relative_defect(
            lambda x: added(block, x), volume, action_in=action, action_out=action
        )
        assert defect > 1e-2
        harden(block)
        assert block.works_half(volume, recorded=False)
        defect = relative_defect(
            lambda x: added(block, x), volume, action_in=action, action_out=action
        )
        assert defect <= 1e-5


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("softness", [0.0, 0.5])
def test_fold_changes_nothing(softness: float, norm: str) -> None:
    block = random_block(64, softness=softness, norm=norm)
    volume = volume_for(64, (12, 10, 11))
    folded = fold(copy.deepcopy(block))
    with torch.no_grad():
        assert relative(added(folded, volume), added(block, volume)) <= 4e-6
    assert folded.works_half(volume, recorded=False) == (softness == 0.0)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_statistics_are_exact_on_large_volumes_with_a_large_mean(
    offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = random_block(8)
    volume = volume_for(8, (48, 40, 40))
    volume[:, :4] += offset
    choose(monkeypatch, half=True)
    with torch.no_grad():
        output = added(block, volume)
        expected = added(copy.deepcopy(block).double(), volume.double())
    assert relative(output.double(), expected) <= 1e-6 * (1 + offset)


def test_rule_depends_on_width_and_size_alone() -> None:
    assert not block_wins(torch.empty(1, 8, 48, 48, 48), recorded=False)
    assert not block_wins(torch.empty(1, 16, 24, 24, 24), recorded=False)
    assert block_wins(torch.empty(1, 32, 16, 16, 16), recorded=False)
    assert not block_wins(torch.empty(1, 256, 3, 3, 3), recorded=False)
    assert not block_wins(torch.empty(1, 128, 24, 24, 24), recorded=True)
    assert block_wins(torch.empty(1, 256, 16, 16, 16), recorded=True)


def test_refusals_name_the_cause() -> None:
    with pytest.raises(ModelError, match="MS-215"):
        HalfBlock(ChannelAction.regular(4), softness=Softness())
    with pytest.raises(ModelError, match="MS-218"):
        HalfBlock(half_types(6))
