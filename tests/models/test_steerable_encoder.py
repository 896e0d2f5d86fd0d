"""The steerable encoder in AsymmetryNet: laws, storage, training, the shipped model unchanged."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import GridError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.store import load_model, save_model
from medsym.models.structures import mirror_permutation
from medsym.nn.representations import label_action
from medsym.nn.steerable import SteerableConv3d
from medsym.symmetry import fold, harden, mirror
from medsym.training.run import train

CONFIG = Path(__file__).parents[2] / "configs" / "train_steerable.yaml"
LABELS = label_action(mirror_permutation())


def build(softness: str, *, encoder: str = "steerable", random: bool = True) -> AsymmetryNet:
    torch.manual_seed(0)
    settings = {
        "encoder": encoder,
        "pairs": (2, 3, 4),
        "decoder_pairs": 2,
        "head_pairs": 2,
        "window": (0, 1, 1),
        "softness": softness,
        "initial_softness": 0.3,
    }
    net = AsymmetryNet(ModelSettings.model_validate(settings))
    if random:
        for name, parameter in net.named_parameters():
            if "logit" not in name:
                nn.init.normal_(parameter, std=0.4)
    return net.eval()


def volume(seed: int = 1) -> Tensor:
    return torch.randn(1, 1, 16, 24, 16, generator=torch.Generator().manual_seed(seed))


def relative(first: Tensor, second: Tensor) -> float:
    return float((first - second).norm() / second.norm().clamp_min(1e-12))


@torch.inference_mode()
def law(net: AsymmetryNet) -> float:
    """Largest relative defect of the outputs that must be symmetric."""
    here, there = net(volume()), net(mirror(volume()))
    anatomy = relative(there.anatomy_logits, mirror(here.anatomy_logits, LABELS))
    return max(anatomy, relative(there.pathology.even, mirror(here.pathology.even)))


def test_strict_encoder_keeps_the_mirror_law() -> None:
    assert law(build("head")) <= 1e-5


def test_soft_encoder_starts_strict_breaks_the_law_when_trained_and_hardens_to_it() -> None:
    assert law(build("encoder", random=False)) <= 1e-5
    net = build("encoder")
    assert law(net) > 1e-3
    assert law(harden(net)) <= 1e-5  # type: ignore[arg-type]


def test_features_have_the_actions_of_the_mirrors_encoder() -> None:
    """Skips, exchanges and decoder take either encoder: the same shapes and channel actions."""
    steerable, plain = build("head"), build("head", encoder="mirror")
    features, other = volume(), volume()
    for ours, theirs in zip(steerable.levels, plain.levels, strict=True):
        features, other = ours(features), theirs(other)
        assert features.shape == other.shape
    names = {type(module) for module in steerable.modules()}
    assert SteerableConv3d in {base for kind in names for base in kind.__mro__}


def test_folded_network_is_plain_and_says_the_same() -> None:
    net = build("both")
    folded = fold(copy.deepcopy(net))
    with torch.inference_mode():
        difference = folded(volume()).pathology_logits - net(volume()).pathology_logits
    assert difference.abs().max() <= 1e-5
    assert not any("parametrizations" in name for name, _ in folded.named_parameters())
    plain = fold(build("both", encoder="mirror"))
    count = [sum(p.numel() for p in n.levels.parameters()) for n in (folded, plain)]
    assert count[0] == count[1]


@pytest.mark.parametrize("softness", ["head", "both"])
def test_saved_model_loads_with_the_same_answer(tmp_path: Path, softness: str) -> None:
    net = build(softness, random=False)
    save_model(tmp_path, net, {"name": "steerable"})
    loaded = load_model(tmp_path)
    assert loaded.network.settings.encoder == "steerable"
    tuned = load_model(tmp_path, folded=False).network
    with torch.inference_mode():
        expected = net(volume()).pathology_logits
        for network in (loaded.network, tuned):
            assert (network(volume()).pathology_logits - expected).abs().max() <= 1e-5


def test_default_encoder_and_shipped_model_are_unchanged() -> None:
    assert ModelSettings().encoder == "mirror"
    assert load_model().network.settings.encoder == "mirror"
    assert not any(
        isinstance(m, SteerableConv3d) for m in build("head", encoder="mirror").modules()
    )


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(GridError, match="MS-203"):
        build("head")(torch.zeros(1, 1, 18, 24, 16))


@pytest.mark.slow
def test_training_run_writes_a_model_that_loads(tmp_path: Path) -> None:
    lines: list[str] = []
    folder = train(CONFIG, out=tmp_path, report=lines.append)
    loaded = load_model(folder)
    assert loaded.manifest["settings"]["encoder"] == "steerable"
    assert any("step 2/2" in line for line in lines)
    with torch.inference_mode():
        assert loaded.network(volume()).pathology_logits.isfinite().all()
