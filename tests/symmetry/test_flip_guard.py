"""Left-right flips are found wherever they hide, refused by name, or split from the odd path."""

from types import SimpleNamespace

import monai.transforms as mt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ConfigError, GridError
from medsym.nn import MirrorConv3d, SoftHead
from medsym.symmetry import ChannelAction, Softness, mirror
from medsym.symmetry.flip_guard import (
    find_flips,
    learns_softness,
    mirror_augmented_loss,
    refuse_flips,
)
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.relaxation import clear_odd_parts
from tests.builders_symmetry import random_volume

R, T = ChannelAction.regular(2), ChannelAction.trivial(1)


class RandomFlip:
    """Looks like TorchIO's: sides by name."""

    def __init__(self, axes: tuple[str | int, ...]) -> None:
        self.axes = axes


class MirrorTransform:
    """Looks like that of batchgenerators (v2)."""

    def __init__(self, allowed_axes: tuple[int, ...]) -> None:
        self.allowed_axes = allowed_axes


FLIPPING = {
    "RandFlip": mt.RandFlip(prob=0.5, spatial_axis=0),
    "RandFlip all": mt.RandFlip(prob=0.5),
    "RandFlip negative": mt.RandFlip(prob=0.5, spatial_axis=-3),
    "RandFlipd": mt.RandFlipd("image", prob=0.5, spatial_axis=[0, 1]),
    "RandFlipDict": mt.RandFlipDict("image", prob=0.5, spatial_axis=0),
    "RandAxisFlip": mt.RandAxisFlip(prob=0.1),
    "RandAxisFlipd": mt.RandAxisFlipd("image", prob=0.1),
    "Flip": mt.Flip(spatial_axis=0),
    "Flipd": mt.Flipd("image", spatial_axis=0),
    "Rotate90d": mt.Rotate90d("image", spatial_axes=(0, 2)),
    "RandRotate90": mt.RandRotate90(prob=0.5, spatial_axes=(0, 1)),
    "torchio": RandomFlip(("LR",)),
    "torchio number": RandomFlip((0, 2)),
    "nnU-Net": MirrorTransform((0, 1, 2)),
}
HARMLESS = {
    "other axis": mt.RandFlip(prob=0.5, spatial_axis=1),
    "other axes": mt.RandFlipd("image", prob=0.5, spatial_axis=[1, -1]),
    "never": mt.RandFlip(prob=0.0, spatial_axis=0),
    "other plane": mt.RandRotate90d("image", prob=0.5, spatial_axes=(1, 2)),
    "full turn": mt.Rotate90(k=4),
    "affine": mt.RandAffine(prob=1.0, rotate_range=0.1),
    "zoom": mt.RandZoomd("image", prob=1.0),
    "noise": mt.RandGaussianNoise(prob=1.0),
    "torchio": RandomFlip(("AP", "Superior")),
    "nothing": None,
}


def soft_network(softness: float = 0.5) -> nn.Sequential:
    torch.manual_seed(1)
    soft = Softness(softness, learned=True)
    return nn.Sequential(
        MirrorConv3d(T, R, softness=soft), nn.Tanh(), MirrorConv3d(R, T, softness=soft)
    ).double()


@pytest.mark.parametrize("name", FLIPPING)
def test_left_right_flips_are_found(name: str) -> None:
    transform = FLIPPING[name]
    assert find_flips(transform) == [type(transform).__name__]
    with pytest.raises(ConfigError, match=rf"MS-332 {type(transform).__name__}: flips along x"):
        refuse_flips(transform, soft_network())


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_flip_left_and_right_is_accepted(name: str) -> None:
    assert find_flips(HARMLESS[name]) == []
    refuse_flips(HARMLESS[name], soft_network())


def test_the_axis_is_that_of_the_mirror() -> None:
    assert find_flips(mt.RandFlip(prob=0.5, spatial_axis=1), axis="y") == ["RandFlip"]
    assert find_flips(mt.RandFlip(prob=0.5, spatial_axis=0), axis="y") == []


def test_nested_flips_are_named_by_their_place() -> None:
    nested = mt.Compose(
        [
            mt.RandGaussianNoise(),
            mt.OneOf([mt.RandZoom(), mt.RandFlip(prob=0.5, spatial_axis=0)]),
            mt.SomeOf([mt.Compose([mt.RandAxisFlip()])], num_transforms=1),
        ]
    )
    found = [
        "transforms[1].transforms[1] RandFlip",
        "transforms[2].transforms[0].transforms[0] RandAxisFlip",
    ]
    assert find_flips(nested) == found
    loader = SimpleNamespace(dataset=SimpleNamespace(transform=nested))
    assert find_flips(loader) == [f"dataset.transform.{place}" for place in found]


def test_flips_are_accepted_where_nothing_odd_is_learned() -> None:
    strict = nn.Sequential(MirrorConv3d(T, R), MirrorConv3d(R, T))
    for network in (strict, nn.Conv3d(1, 1, 3)):
        assert not learns_softness(network)
        refuse_flips(mt.RandFlip(prob=0.5), network)
    assert learns_softness(SoftHead(R, T, hidden=R))


def gradients(model: nn.Module, loss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Even and odd part of the gradient of all weights, and that of the softness."""
    model.zero_grad()
    loss.backward()
    parts = [t.weight.split(t.raw.grad) for t in soft_tensors(model) if t.raw.grad is not None]
    logit = next(p for n, p in model.named_parameters() if n.endswith("logit"))
    softness = torch.zeros(1).double() if logit.grad is None else logit.grad.clone()
    return (
        torch.cat([even.flatten() for even, _ in parts]),
        torch.cat([odd.flatten() for _, odd in parts]),
        softness,
    )


def batch() -> tuple[Tensor, Tensor]:
    """Two samples and their mirror images, with targets."""
    volume, target = (
        torch.cat([random_volume(T, seed=s, dtype=torch.float64) for s in seeds])
        for seeds in ((1, 2), (3, 4))
    )
    return torch.cat([volume, mirror(volume)]), torch.cat([target, mirror(target)])


FLAGS = torch.tensor([False, False, True, True])


def test_without_the_split_the_odd_part_at_zero_has_no_gradient_at_all() -> None:
    model = clear_odd_parts(soft_network())
    volume, target = batch()
    even, odd, _ = gradients(model, F.mse_loss(model(volume), target))
    assert odd.abs().max() < 1e-15
    assert even.abs().max() > 1e-3


@pytest.mark.parametrize("cleared", [True, False])
def test_with_the_split_odd_part_and_softness_learn_from_unflipped_samples_alone(
    cleared: bool,
) -> None:
    model = soft_network()
    if cleared:
        clear_odd_parts(model)
    volume, target = batch()
    loss = mirror_augmented_loss(model, volume, target, F.mse_loss, flipped=FLAGS)
    torch.testing.assert_close(loss, F.mse_loss(model(volume), target))
    even, odd, softness = gradients(model, loss)
    alone = F.mse_loss(model(volume[:2]), target[:2]) / 2  # half of the batch
    alone_even, alone_odd, alone_softness = gradients(model, alone)
    whole_even, _, _ = gradients(model, F.mse_loss(model(volume), target))
    torch.testing.assert_close(odd, alone_odd)
    torch.testing.assert_close(softness, alone_softness)
    assert odd.abs().max() > 1e-4
    torch.testing.assert_close(even, whole_even)
    assert (even - alone_even).abs().max() > 1e-4


def test_the_step_can_do_the_flips_itself() -> None:
    model, (volume, target) = soft_network(), batch()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(4, generator=generator) < 0.5
    assert drawn.any()
    assert not drawn.all()
    generator.manual_seed(0)
    found = mirror_augmented_loss(model, volume, target, F.mse_loss, generator=generator)
    turned = drawn[:, None, None, None, None]
    expected = F.mse_loss(
        model(torch.where(turned, volume.flip(2), volume)),
        torch.where(turned, target.flip(2), target),
    )
    torch.testing.assert_close(found, expected)
    for share, images in ((0.0, (volume, target)), (1.0, (volume.flip(2), target.flip(2)))):
        found = mirror_augmented_loss(model, volume, target, F.mse_loss, share=share)
        torch.testing.assert_close(found, F.mse_loss(model(images[0]), images[1]))


def test_the_odd_path_of_a_soft_head_is_split_too() -> None:
    torch.manual_seed(2)
    head = SoftHead(R, T, hidden=R)
    features = random_volume(R, seed=5)

    def loss(output: object, target: Tensor) -> Tensor:
        return F.mse_loss(output.value, target)  # type: ignore[attr-defined]

    flags = torch.tensor([True])
    mirror_augmented_loss(head, features, random_volume(T, seed=6), loss, flipped=flags).backward()
    silent = {n for n, p in head.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == {n for n, _ in head.named_parameters() if n.startswith(("odd", "tolerance"))}


def test_flags_must_be_one_bool_per_sample() -> None:
    volume, target = batch()
    with pytest.raises(ConfigError, match=r"MS-333 flipped: torch.int64 of shape \(4,\) for 4"):
        mirror_augmented_loss(soft_network(), volume, target, F.mse_loss, flipped=FLAGS.long())


def test_flips_are_found_behind_private_names_dictionaries_and_joined_data_sets() -> None:
    flip = mt.RandFlip(spatial_axis=0, prob=0.5)
    one_of = SimpleNamespace(transforms_dict={RandomFlip(axes=("lr",)): 0.5})  # TorchIO's OneOf
    subjects = SimpleNamespace(_transform=one_of)  # TorchIO's SubjectsDataset
    joined = SimpleNamespace(datasets=[subjects, SimpleNamespace(transform={"train": flip})])
    assert find_flips(SimpleNamespace(dataset=joined)) == [
        "dataset.datasets[0]._transform.transforms_dict[0] RandomFlip",
        "dataset.datasets[1].transform[1] RandFlip",
    ]


def test_targets_without_a_volume_are_kept_and_those_without_channels_refused() -> None:
    model = nn.Sequential(MirrorConv3d(T, T), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    volume, target = random_volume(T, seed=1), torch.ones(2, 1)
    volume = torch.cat([volume[:1]] * 2)
    loss = mirror_augmented_loss(model, volume, target, F.mse_loss, share=1.0)
    torch.testing.assert_close(loss, F.mse_loss(model(volume), target))
    with pytest.raises(GridError, match="MS-209"):
        mirror_augmented_loss(model, volume, volume[:, 0], F.mse_loss)
