"""Laws of the split: the symmetric part ignores the mirror, the antisymmetric part changes sign."""

import pytest
import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.symmetry.mirror import flip, mirror
from medsym.training.pretraining.latent import (
    Latent,
    check_splits,
    latent_actions,
    mirror_latent,
    split,
    stack,
)

SMALL = {"pairs": (2, 3, 4), "window": (0, 1, 1), "decoder_pairs": 2, "head_pairs": 2}
ROUNDING = 1e-4  # of float32 passes over features of size about 1 to 10
DIFFERS = 0.1


def network(**changes: object) -> AsymmetryNet:
    torch.manual_seed(0)
    return AsymmetryNet(ModelSettings.model_validate({**SMALL, **changes})).eval()


def scan(seed: int = 0) -> Tensor:
    """A lopsided head: brighter on the patient's left."""
    volume = torch.rand(1, 1, 16, 8, 8, generator=torch.Generator().manual_seed(seed))
    volume[:, :, :5] += 1.0
    return volume


def distance(first: Latent, second: Latent) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(first, second, strict=True))


def negative(latent: Latent) -> Latent:
    return tuple(-h for h in latent)


def test_encoding_and_decoding_are_the_network() -> None:
    net, volume = network(), scan()
    features, output = net.decode(net.encode(volume)), net(volume)
    assert torch.equal(net.anatomy(features), output.anatomy_logits)
    assert torch.equal(net.pathology(features).even, output.pathology.even)


def test_parts_add_up_and_are_orthogonal() -> None:
    net = network()
    latent = net.encode(scan())
    parts = split(latent, latent_actions(net))
    for whole, one, other in zip(latent, parts.symmetric, parts.antisymmetric, strict=True):
        torch.testing.assert_close(one + other, whole)
        assert abs(float((one * other).detach().sum())) < 1e-4 * float(
            whole.detach().square().sum()
        )


def test_parts_are_eigenvectors_of_the_mirror_to_the_last_bit() -> None:
    net = network()
    actions = latent_actions(net)
    parts = split(net.encode(scan()), actions)
    assert distance(mirror_latent(parts.symmetric, actions), parts.symmetric) == 0.0
    assert distance(mirror_latent(parts.antisymmetric, actions), negative(parts.antisymmetric)) == 0


def test_mirrored_scan_keeps_the_symmetric_part_and_changes_the_sign_of_the_other() -> None:
    net = network()
    actions = latent_actions(net)
    own = split(net.encode(scan()), actions)
    other = split(net.encode(mirror(scan())), actions)
    assert distance(own.symmetric, other.symmetric) < ROUNDING
    assert distance(own.antisymmetric, negative(other.antisymmetric)) < ROUNDING
    assert distance(own.antisymmetric, other.antisymmetric) > DIFFERS  # the sign is seen


def test_symmetric_scan_has_no_antisymmetric_part() -> None:
    net = network()
    volume = (scan() + mirror(scan())) / 2
    parts = split(net.encode(volume), latent_actions(net))
    assert max(float(h.detach().abs().max()) for h in parts.antisymmetric) < ROUNDING


def test_a_free_encoder_keeps_neither_law() -> None:
    net = network(softness="free")
    actions = latent_actions(net)
    own = split(net.encode(scan()), actions)
    other = split(net.encode(mirror(scan())), actions)
    assert distance(own.symmetric, other.symmetric) > DIFFERS
    with pytest.raises(ModelError, match=r"MS-375 .*'free'.* Fix: set model.softness to head or"):
        check_splits(net)


def test_decoder_of_the_symmetric_part_gives_symmetric_features_only() -> None:
    net = network()
    actions = latent_actions(net)
    features = net.decode(split(net.encode(scan()), actions).symmetric)
    mirrored = mirror(features, net.ascents[0].up.action_out)
    assert float((mirrored - features).detach().abs().max()) < ROUNDING


def test_splitting_a_pair_at_one_place_would_separate_nothing() -> None:
    """Equal channels of a pair, (a + b) / 2 at one place, are of trivial type, yet not symmetric.

    A decoder of them alone gives features with an antisymmetric half, through odd kernels.
    """
    net = network()
    latent = net.encode(scan())
    trivial = tuple((h + action.apply(h)) / 2 for h, action in
                    zip(latent, latent_actions(net), strict=True))  # fmt: skip
    features = net.decode(trivial)
    half = features - mirror(features, net.ascents[0].up.action_out)
    assert float(half.detach().abs().max()) > DIFFERS


def test_stacked_latents_are_decoded_as_apart() -> None:
    net = network()
    first, second = net.encode(scan(1)), net.encode(scan(2))
    both = net.decode(stack(first, second))
    torch.testing.assert_close(both[1:], net.decode(second))
    assert not torch.allclose(both[:1], both[1:])


def test_left_and_right_are_not_exchanged_unnoticed() -> None:
    """The sign of the antisymmetric part says on which side the scan is brighter."""
    net = network()
    actions = latent_actions(net)
    parts = split(net.encode(scan()), actions).antisymmetric[0]
    swapped = split(net.encode(flip(scan())), actions).antisymmetric[0]
    direction = parts.flatten() @ swapped.flatten()
    assert float(direction.detach()) < -0.9 * float(parts.detach().square().sum())
