"""Our convolution against escnn's: an independent implementation of the same mathematics."""

import pytest
import torch

from medsym.nn.layers import MirrorConv3d
from medsym.nn.representations import Fields, mirror_action
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parts import split_kernel
from tests.nn.escnn_reference import ReferenceConv, reference_conv

PAIRS = [
    pytest.param(Fields(trivial=1), Fields(regular=3), id="trivial-regular"),
    pytest.param(Fields(regular=2), Fields(regular=2), id="regular-regular"),
    pytest.param(Fields(regular=2), Fields(sign=2), id="regular-sign"),
    pytest.param(Fields(sign=1), Fields(trivial=2), id="sign-trivial"),
    pytest.param(
        Fields(trivial=1, sign=1, regular=1), Fields(trivial=1, sign=2, regular=1), id="all-all"
    ),
]


def action_of(fields: Fields) -> ChannelAction:
    return mirror_action(trivial=fields.trivial, sign=fields.sign, regular=fields.regular)


def volume_for(fields: Fields) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(2, action_of(fields).channels, 8, 6, 7, generator=generator)


def ours(reference: ReferenceConv, incoming: Fields, outgoing: Fields) -> MirrorConv3d:
    layer = MirrorConv3d(action_of(incoming), action_of(outgoing))
    layer.weight = reference.weight
    layer.bias = reference.bias
    return layer


@pytest.mark.parametrize(("incoming", "outgoing"), PAIRS)
def test_escnn_filter_in_our_strict_layer_gives_escnn_output(
    incoming: Fields, outgoing: Fields
) -> None:
    reference = reference_conv(incoming, outgoing=outgoing)
    volume = volume_for(incoming)
    expected = reference.apply(volume)
    with torch.no_grad():
        difference = (ours(reference, incoming, outgoing)(volume) - expected).abs().max().item()
    assert expected.abs().max() > 0.1
    assert difference <= 1e-5


@pytest.mark.parametrize(("incoming", "outgoing"), PAIRS)
def test_projection_leaves_escnn_filter_unchanged(incoming: Fields, outgoing: Fields) -> None:
    weight = reference_conv(incoming, outgoing=outgoing).weight
    even, odd = split_kernel(weight, action_of(incoming), action_of(outgoing))
    assert odd.abs().max() <= 1e-6 * weight.abs().max()
    assert torch.allclose(even, weight, atol=1e-6)


def test_projection_changes_a_filter_that_is_not_equivariant() -> None:
    weight = reference_conv(Fields(regular=1), outgoing=Fields(regular=1)).weight
    damaged = weight.clone()
    damaged[0, 0, 0] += 1.0
    _, odd = split_kernel(damaged, ChannelAction.regular(1), ChannelAction.regular(1))
    assert odd.abs().max() > 0.4


@pytest.mark.parametrize(("incoming", "outgoing"), PAIRS)
def test_escnn_layer_commutes_with_our_mirror_and_with_no_other_flip(
    incoming: Fields, outgoing: Fields
) -> None:
    reference = reference_conv(incoming, outgoing=outgoing)
    volume = volume_for(incoming)
    action_in, action_out = action_of(incoming), action_of(outgoing)
    plain = reference.apply(volume)
    mirrored = reference.apply(mirror(volume, action_in))
    assert (mirrored - mirror(plain, action_out)).abs().max() <= 1e-5
    for dim in (3, 4):
        wrong_axis = reference.apply(action_in.apply(volume).flip(dim))
        assert (wrong_axis - action_out.apply(plain).flip(dim)).abs().max() > 0.05


def test_swapping_the_channels_of_one_side_breaks_the_agreement() -> None:
    """Left and right exchanged on the output only: the comparison must notice."""
    incoming, outgoing = Fields(trivial=1), Fields(regular=1)
    reference = reference_conv(incoming, outgoing=outgoing)
    volume = volume_for(incoming)
    with torch.no_grad():
        swapped = ours(reference, incoming, outgoing)(volume).flip(1)
    assert (swapped - reference.apply(volume)).abs().max() > 0.05


def test_same_seed_same_filter_and_the_global_random_state_is_untouched() -> None:
    state = torch.random.get_rng_state()
    first = reference_conv(Fields(trivial=1), outgoing=Fields(regular=1), seed=3)
    second = reference_conv(Fields(trivial=1), outgoing=Fields(regular=1), seed=3)
    other = reference_conv(Fields(trivial=1), outgoing=Fields(regular=1), seed=4)
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_our_filter_space_is_complete_where_escnn_default_basis_is_not() -> None:
    """27 of 27 dimensions for trivial -> regular with a 3x3x3 filter; escnn's basis spans fewer."""
    action_in, action_out = ChannelAction.trivial(1), ChannelAction.regular(1)
    units = torch.eye(54).reshape(54, 2, 1, 3, 3, 3)
    ours_rank = torch.linalg.matrix_rank(
        torch.stack([split_kernel(u, action_in, action_out)[0].flatten() for u in units])
    )
    drawn = [
        reference_conv(Fields(trivial=1), outgoing=Fields(regular=1), seed=seed).weight.flatten()
        for seed in range(20)
    ]
    escnn_rank = torch.linalg.matrix_rank(torch.stack(drawn).double(), rtol=1e-5)
    assert int(ours_rank) == 27
    assert int(escnn_rank) == 10
