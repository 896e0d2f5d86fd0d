"""The fast twin is the plain one, and the soft weight's gradient is the true one."""

import copy
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from medsym.symmetry import Axis, ChannelAction, Softness, mirror, soften_layer
from medsym.symmetry.parts import split_kernel, twin_kernel
from medsym.symmetry.twin import KernelTwin, VectorTwin, soft_weight
from tests.builders_symmetry import ACTIONS

DOUBLE = torch.float64


def kernel_for(
    first: ChannelAction, second: ChannelAction, *, transposed: bool = False, groups: int = 1
) -> Tensor:
    rows, columns = (first, second) if transposed else (second, first)
    torch.manual_seed(3)
    return torch.randn(rows.channels, columns.channels // groups, 3, 2, 4, dtype=DOUBLE)


@pytest.mark.parametrize(("first", "second"), list(product(ACTIONS, ACTIONS)))
@pytest.mark.parametrize("transposed", [False, True])
def test_twin_is_the_plain_twin(first: str, second: str, transposed: bool) -> None:
    a, b = ACTIONS[first], ACTIONS[second]
    kernel = kernel_for(a, b, transposed=transposed)
    before = kernel.clone()
    twin = KernelTwin(a, b, transposed=transposed)
    assert torch.equal(twin(kernel), twin_kernel(kernel, a, b, transposed=transposed))
    assert torch.equal(twin(twin(kernel)), kernel)
    assert torch.equal(kernel, before)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("groups", [1, 2])
def test_twin_flips_the_axis_of_the_mirror_and_keeps_groups(axis: Axis, groups: int) -> None:
    a, b = ChannelAction.regular(2, axis=axis), ChannelAction.regular(4, axis=axis)
    kernel = kernel_for(a, b, groups=groups)
    twin = KernelTwin(a, b, groups=groups)(kernel)
    assert torch.equal(twin, twin_kernel(kernel, a, b, groups=groups))
    for other in {"x", "y", "z"} - {axis}:
        c, d = ChannelAction.regular(2, axis=other), ChannelAction.regular(4, axis=other)
        assert not torch.equal(twin, twin_kernel(kernel, c, d, groups=groups))


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("signed", [False, True])
def test_vector_twin_is_the_action(name: str, signed: bool) -> None:
    vector = torch.randn(ACTIONS[name].channels)
    twin = VectorTwin(ACTIONS[name], signed=signed)(vector)
    assert torch.equal(twin, ACTIONS[name].apply(vector, dim=0, signed=signed))
    assert twin is not vector


@pytest.mark.parametrize("softness", [None, 0.0, 0.3, 1.0])
def test_soft_weight_is_even_part_plus_softness_times_odd_part(softness: float | None) -> None:
    a, b = ACTIONS["sum"], ACTIONS["labels"]
    kernel = kernel_for(a, b)
    even, odd = split_kernel(kernel, a, b)
    factor = None if softness is None else torch.full((1,) * 5, softness, dtype=DOUBLE)
    found = soft_weight(kernel, KernelTwin(a, b), factor)
    torch.testing.assert_close(found, even + (softness or 0.0) * odd)
    if softness is None:
        assert torch.equal(found, twin_kernel(found, a, b))
    if softness == 1.0:
        assert torch.equal(found, kernel)


@pytest.mark.parametrize("channels", [1, 4])
def test_gradients_of_first_and_second_order_are_true(channels: int) -> None:
    a = b = ACTIONS["regular"]
    kernel = kernel_for(a, b)[:, :, :, :1, :2].clone().requires_grad_()
    logit = torch.randn(channels, dtype=DOUBLE, requires_grad=True)

    def weight(raw: Tensor, logit: Tensor) -> Tensor:
        value = torch.sigmoid(logit)
        if channels > 1:
            value = (value + b.apply(value, dim=0, signed=False)) / 2
        return soft_weight(raw, KernelTwin(a, b), value.reshape(-1, 1, 1, 1, 1))

    assert torch.autograd.gradcheck(weight, (kernel, logit))
    assert torch.autograd.gradgradcheck(weight, (kernel, logit))
    assert torch.autograd.gradcheck(lambda raw: soft_weight(raw, KernelTwin(a, b), None), kernel)


def test_softness_gets_no_gradient_at_all_where_the_odd_part_is_zero() -> None:
    a = ACTIONS["regular"]
    kernel = split_kernel(kernel_for(a, a).float(), a, a)[0].requires_grad_()
    factor = torch.full((1,) * 5, 0.4, requires_grad=True)
    out = soft_weight(kernel, KernelTwin(a, a), factor)
    (out * torch.randn_like(out)).sum().backward()
    assert factor.grad is not None
    assert float(factor.grad) == 0.0


def test_per_sample_gradients_work_through_torch_func() -> None:
    a = ChannelAction.regular(1)
    layer = soften_layer(
        nn.Conv3d(2, 2, 3, padding=1), action_in=a, action_out=a, softness=Softness(0.5)
    ).double()
    parameters = dict(layer.named_parameters())
    volumes = torch.randn(3, 1, 2, 4, 3, 2, dtype=DOUBLE)

    def loss(parameters: dict[str, Tensor], volume: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (volume,)).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, volumes)
    loss(parameters, volumes[1]).backward()
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(each[name][1], parameter.grad)


def test_copies_of_a_layer_are_independent() -> None:
    a = ACTIONS["labels"]
    layer = soften_layer(
        nn.Conv3d(4, 4, 3, padding=1), action_in=a, action_out=a, softness=Softness(0.5)
    )
    volume = torch.randn(1, 4, 6, 4, 4)
    before = layer(volume).detach()
    with torch.no_grad():
        for parameter in copy.deepcopy(layer).parameters():
            parameter.zero_()
    assert torch.equal(layer(volume), before)
    assert not torch.equal(layer(mirror(volume, a)), mirror(before, a))


@pytest.mark.parametrize(
    "twin", [KernelTwin(ACTIONS["sum"], ACTIONS["sum"]), VectorTwin(ACTIONS["sum"])]
)
def test_tables_made_in_inference_mode_can_be_trained_with(twin: KernelTwin | VectorTwin) -> None:
    size = ACTIONS["sum"].channels
    shape = (size, size, 3, 3, 3) if isinstance(twin, KernelTwin) else (size,)
    raw = torch.randn(shape, requires_grad=True)
    with torch.inference_mode():
        twin(raw)
    (twin(raw) * twin(raw)).sum().backward()
    torch.testing.assert_close(raw.grad, 2.0 * raw.detach())
