"""A grown network says what the trained one said."""

import pytest
import torch
from torch import nn

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.growth import grown
from medsym.models.settings import ModelSettings
from medsym.symmetry import mirror

SMALL = ModelSettings(pairs=(2, 3), decoder_pairs=2, head_pairs=2, window=(0, 1))


def trained() -> AsymmetryNet:
    """A network with random weights everywhere."""
    torch.manual_seed(0)
    network = AsymmetryNet(SMALL)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_new_channels_change_nothing_at_first_and_the_head_starts_anew() -> None:
    old = trained()
    settings = SMALL.model_copy(
        update={"position": True, "head_side_width": 2.0, "head_tolerance": 0.5}
    )
    new = grown(old, settings, subject="model").eval()
    x = torch.randn((1, 1, 8, 12, 8), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before, after = old(x), new(x)
    torch.testing.assert_close(after.anatomy_logits, before.anatomy_logits)
    torch.testing.assert_close(after.pathology.even, before.pathology.even)
    assert float(after.pathology.odd.abs().max()) == 0.0
    assert float(after.pathology.tolerance.mean()) == pytest.approx(0.5, rel=0.5)


def test_a_grown_network_is_exact_and_can_learn_its_place() -> None:
    settings = SMALL.model_copy(update={"position": True})
    network = grown(trained(), settings, subject="model").double()
    x = torch.randn((1, 1, 8, 12, 8), dtype=torch.float64)
    even = network(x).pathology.even
    torch.testing.assert_close(network(mirror(x)).pathology.even, mirror(even))
    even.square().mean().backward()
    (gradient,) = (
        p.grad
        for name, p in network.named_parameters()
        if name.startswith("levels.0.enter") and "weight" in name
    )
    assert gradient is not None
    assert float(gradient[:, 1:].abs().max()) > 0.0


def test_the_same_settings_give_the_same_network() -> None:
    old = trained()
    new = grown(old, SMALL, subject="model")
    for first, second in zip(old.parameters(), new.parameters(), strict=True):
        assert first.equal(second)


@pytest.mark.parametrize("change", [{"pairs": (2, 4)}, {"exchange": False}])
def test_other_differences_are_refused_by_name(change: dict[str, object]) -> None:
    settings = SMALL.model_copy(update=change)
    with pytest.raises(ModelError, match=rf"MS-322 runs/first.*{next(iter(change))}"):
        grown(trained(), settings, subject="runs/first")


def sided(**more: object) -> AsymmetryNet:
    """A trained network whose head knows its side."""
    torch.manual_seed(0)
    network = AsymmetryNet(SMALL.model_copy(update={"head_side_width": 2.0, **more}))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_another_spacing_keeps_what_the_head_has_learned() -> None:
    old = sided()
    new = grown(old, old.settings.model_copy(update={"spacing_mm": 2.0}), subject="model").eval()
    x = torch.randn((1, 1, 8, 12, 8), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before, after = old(x).pathology, new(x).pathology
    assert float(before.odd.abs().max()) > 1e-3
    torch.testing.assert_close(after.odd, before.odd)
    torch.testing.assert_close(after.tolerance, before.tolerance)


def test_what_was_learned_is_not_dropped_silently() -> None:
    old = sided(position=True)
    for change in ({"head_side_width": None}, {"position": False}):
        with pytest.raises(ModelError, match=next(iter(change))):
            grown(old, old.settings.model_copy(update=change), subject="model")


def test_a_steerable_network_cannot_be_given_places_later() -> None:
    network = AsymmetryNet(SMALL.model_copy(update={"encoder": "steerable"}))
    with pytest.raises(ModelError, match=r"MS-322 model.*position"):
        grown(network, network.settings.model_copy(update={"position": True}), subject="model")
