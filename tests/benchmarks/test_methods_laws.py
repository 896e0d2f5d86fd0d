"""Every method's defining law, each beside a control that breaks it."""

import pytest
import torch
from torch import Tensor

from medsym.benchmarks.methods.backbone import UNet, free_parameters, soften_unet
from medsym.benchmarks.methods.baselines import Flips, Plain, Strict
from medsym.benchmarks.methods.input_family import (
    FramedNetwork,
    MultiStream,
    ReferenceFrame,
    TwoStreams,
)
from medsym.benchmarks.methods.loss_family import LatentLoss, Remul
from medsym.benchmarks.methods.method import FREE, TIED, Method, lesion_loss
from medsym.benchmarks.methods.output_family import (
    Augerino,
    MirrorMixture,
    SoftByHead,
    Symmetrisation,
    Symmetriser,
)
from medsym.benchmarks.methods.registry import METHODS
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.softness import Softness
from tests.benchmarks.method_problem import EXACT, built, defect, subjects, trained

BY_NAME = pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.name)


@BY_NAME
def test_training_reduces_the_task_loss(kind: type[Method]) -> None:
    method, batch = built(kind), subjects()[slice(2)]

    def loss() -> float:
        with torch.inference_mode():
            return float(lesion_loss(method.predict(batch.image), batch))

    before = loss()
    trained(method, steps=6)
    method.finish()
    assert loss() < 0.9 * before


@BY_NAME
def test_parameters_are_nearly_equal(kind: type[Method]) -> None:
    method = built(kind)
    method.finish()
    assert method.free_parameters() == pytest.approx(200_000, rel=0.1)


@BY_NAME
def test_a_method_that_calls_itself_exact_is(kind: type[Method]) -> None:
    method = built(kind)
    trained(method, steps=2)
    method.finish()
    method.network.eval()
    if method.exact:
        assert defect(method.predict) <= EXACT
    for variant in method.variants(subjects()).values():
        assert (defect(variant.predict) <= EXACT) == variant.exact


@BY_NAME
def test_names_say_which_method_is_free_to_break_the_mirror(kind: type[Method]) -> None:
    method = built(kind)
    trained(method, steps=4)
    if not method.exact:  # some start exact and have hardly left it after four steps
        assert defect(method.predict) > 10 * EXACT


def test_free_parameters_of_a_tied_network_are_half() -> None:
    assert free_parameters(UNet(FREE)) == 206_465
    tied, free = soften_unet(UNet(FREE), Softness), soften_unet(UNet(FREE), lambda: Softness(1.0))
    assert free_parameters(tied) == pytest.approx(206_465 / 2, rel=1e-3)
    assert free_parameters(free) == 206_465
    assert built(Strict).free_parameters() == free_parameters(soften_unet(UNet(TIED), Softness))


def test_flips_turn_image_and_lesion_together_and_only_some_subjects() -> None:
    method, batch = built(Flips), subjects()
    turned = method.augment(batch, torch.Generator().manual_seed(1))
    twin, flipped = batch.mirrored(), []
    for one, before, other in zip(turned.image, batch.image, twin.image, strict=True):
        assert torch.equal(one, before) or torch.equal(one, other)
        flipped.append(torch.equal(one, other))
    assert any(flipped)
    assert not all(flipped)
    for k, other in enumerate(flipped):
        assert torch.equal(turned.lesion[k], (twin if other else batch).lesion[k])
    assert torch.equal(built(Plain).augment(batch, torch.Generator()).image, batch.image)


def test_augerino_is_exact_at_one_half_only() -> None:
    network = built(Augerino).network
    assert isinstance(network, MirrorMixture)
    assert defect(network) > 100 * EXACT
    torch.nn.init.constant_(network.logit, 40.0)
    assert float(network.flip_probability.detach()) == 0.5
    assert defect(network) <= EXACT


@torch.no_grad()
def test_symmetrisation_weighs_the_scan_and_its_mirror_image_by_odd_odds() -> None:
    network = built(Symmetrisation).network
    assert isinstance(network, Symmetriser)
    image = subjects().image[:2]
    assert torch.allclose(network.odds(mirror(image)), -network.odds(image), atol=1e-6)
    assert float(network.odds(image).detach().abs().min()) > 1e-4
    assert defect(network) <= EXACT
    assert defect(network.network) > 100 * EXACT


@torch.no_grad()
def test_remul_adds_the_measured_defect() -> None:
    method, batch = built(Remul), subjects()[slice(2)]
    image = batch.image
    measured = method.network(mirror(image)) - mirror(method.network(image))
    extra = method.loss(batch) - lesion_loss(method.network(image), batch)
    assert float(extra.detach()) == pytest.approx(
        0.1 * float(measured.detach().square().mean()), rel=1e-3
    )
    method.network = built(Strict).network
    free_of_charge = method.loss(batch) - lesion_loss(method.network(image), batch)
    assert float(free_of_charge.detach()) == pytest.approx(0.0, abs=1e-6)


@torch.no_grad()
def test_latent_loss_is_free_for_a_strict_network_alone() -> None:
    method, batch = built(LatentLoss), subjects()[slice(2)]
    extra = method.loss(batch) - lesion_loss(method.network(batch.image), batch)
    assert float(extra) > 0.01
    method.network = built(Strict).network
    extra = method.loss(batch) - lesion_loss(method.network(batch.image), batch)
    assert float(extra.detach()) == pytest.approx(0.0, abs=1e-5)


def test_reference_frame_breaks_the_mirror_through_the_left_right_channel_alone() -> None:
    network = built(ReferenceFrame).network
    assert isinstance(network, FramedNetwork)
    assert defect(network) > 100 * EXACT
    enter = network.network.enter
    with torch.no_grad():
        enter.parametrizations.weight.original[:, 1] = 0.0  # channel 0 is the image, 1 is x
    assert defect(network) <= EXACT


@torch.no_grad()
def test_one_stream_has_the_mirror_and_the_other_has_not() -> None:
    network = built(MultiStream).network
    assert isinstance(network, TwoStreams)
    image, action = subjects().image[:1], ChannelAction.regular(8)

    def gap(stream: UNet) -> float:
        direct = stream.features(image)
        other = mirror(stream.features(mirror(image)), action)
        return float((direct - other).norm() / direct.norm())

    assert gap(network.strict) <= EXACT
    assert gap(network.free) > 100 * EXACT


def test_soft_head_knows_its_defect_from_one_pass_and_never_leaves_its_bound() -> None:
    method = built(SoftByHead)
    trained(method, steps=6)
    known = method.guarantee()
    worst = 0.0
    for image in (subjects().image[:2], 5.0 * torch.randn(2, 1, 20, 24, 20)):
        with torch.inference_mode():
            measured = method.predict(mirror(image)) - mirror(method.predict(image))
            one_pass, bound = known(image)
        assert torch.allclose(measured, one_pass, atol=1e-4)
        assert bool((measured.abs() <= bound).all())
        worst = max(worst, float((measured.abs() / bound).max()))
    assert worst > 0.05  # a bound that is never approached would prove little


@torch.no_grad()
def test_the_wrong_mirror_is_no_law() -> None:
    method = built(Strict)
    image = subjects().image[:1]

    def along_y(volume: Tensor) -> Tensor:
        return volume.flip(-2)

    with torch.inference_mode():
        gap = method.predict(along_y(image)) - along_y(method.predict(image))
    assert float(gap.norm() / method.predict(image).std()) > 1.0
