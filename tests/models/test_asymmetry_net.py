"""AsymmetryNet end to end: mirror law, bound, left/right structures, gradients."""

import copy

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import GridError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.structures import STRUCTURES, mirror_permutation
from medsym.nn.position import with_position
from medsym.nn.representations import label_action
from medsym.symmetry import defect_bound, fold, harden, mirror, one_pass_defect
from medsym.symmetry.penalties import learned_softnesses
from medsym.symmetry.softness import softnesses

SHAPE = (1, 1, 16, 24, 16)
LABELS = label_action(mirror_permutation())


def build(softness: str = "head", *, seed: int = 0, **more: object) -> AsymmetryNet:
    torch.manual_seed(seed)
    net = AsymmetryNet(
        ModelSettings.model_validate(
            {
                "pairs": (2, 3, 4),
                "decoder_pairs": 2,
                "head_pairs": 2,
                "window": (0, 1, 1),
                "softness": softness,
                "initial_softness": 0.3,
                **more,
            }
        )
    )
    for name, parameter in net.named_parameters():
        if "logit" not in name:
            nn.init.normal_(parameter, std=0.4)
    return net.eval()


def volume(seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).to(dtype)


def relative(first: Tensor, second: Tensor) -> float:
    return float((first - second).norm() / second.norm().clamp_min(1e-12))


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("more", [{}, {"position": True}, {"head_side_width": 2.0}])
def test_mirror_law_of_every_output(
    dtype: torch.dtype, limit: float, more: dict[str, object]
) -> None:
    net, x = build(**more).to(dtype), volume(dtype=dtype)
    with torch.inference_mode():
        here, there = net(x), net(mirror(x))
    assert relative(there.anatomy_logits, mirror(here.anatomy_logits, LABELS)) <= limit
    assert relative(there.pathology.even, mirror(here.pathology.even)) <= limit
    assert relative(there.pathology.tolerance, mirror(here.pathology.tolerance)) <= limit
    assert relative(there.pathology.odd, -mirror(here.pathology.odd)) <= limit
    assert here.pathology.odd.abs().max() > 1e-3  # the odd part is alive


@pytest.mark.parametrize("seed", range(5))
def test_bound_holds_and_is_informative(seed: int) -> None:
    net, x = build(seed=seed).double(), volume(seed, torch.float64)
    with torch.inference_mode():
        here, there = net(x).pathology, net(mirror(x)).pathology
        measured = torch.sigmoid(there.value) - mirror(torch.sigmoid(here.value))
        predicted = one_pass_defect(here.even, here.odd, readout=torch.sigmoid)
        bound = defect_bound(here.even, here.tolerance, readout=torch.sigmoid)
    torch.testing.assert_close(measured, predicted, atol=1e-10, rtol=1e-7)
    assert (measured.abs() <= bound + 1e-14).all()  # the rounding of the two passes
    assert (measured.abs() / bound).max() > 0.3


def test_position_tells_left_from_right_where_the_scan_cannot() -> None:
    """A symmetric scan has no side of its own: only its place tells a voxel where it is."""
    x = volume()
    x = (x + mirror(x)) / 2
    left, right = STRUCTURES[1].index, STRUCTURES[1].mirror
    for position in (False, True):
        net = build(position=position)
        with torch.inference_mode():
            logits = net(x).anatomy_logits[0]
        side = logits[left] - logits[right]
        torch.testing.assert_close(side.flip(0), -side, atol=1e-4, rtol=0)
        inner = side[2:6, 8:16, 6:10]  # away from the borders, which also tell
        assert float(inner.abs().mean()) > 1e-3 or not position
    places = with_position(x)
    assert places.shape == (1, 4, *SHAPE[2:])
    assert places[0, 3].flip(0).equal(-places[0, 3])
    assert float(places[0, 3, 0, 0, 0]) < 0 < float(places[0, 3, -1, 0, 0])  # x grows to the right
    assert places[0, 1].flip(0).equal(places[0, 1])


def test_a_free_network_is_not_bound_to_the_mirror() -> None:
    net, x = build("free"), volume()
    with torch.inference_mode():
        here, there = net(x), net(mirror(x))
    assert relative(there.pathology.value, mirror(here.pathology.value)) > 0.05
    assert relative(there.anatomy_logits, mirror(here.anatomy_logits, LABELS)) > 0.05


def test_every_level_of_a_soft_encoder_learns_its_own_softness() -> None:
    net = build("encoder")
    names = {name.split(".")[1] for name, _ in softnesses(net) if name.startswith("levels.")}
    assert names == {"0", "1", "2"}
    assert len(learned_softnesses(net)) == 3


def test_left_structure_stays_left_and_swaps_under_the_mirror() -> None:
    """A swap of names or of the axis would break one of the two equalities."""
    net, x = build(), volume()
    x[:, :, : SHAPE[2] // 2] += 2.0  # brighter left half
    with torch.inference_mode():
        here, there = net(x).anatomy_logits, net(mirror(x)).anatomy_logits
    for structure in STRUCTURES:
        partner = STRUCTURES[structure.mirror]
        torch.testing.assert_close(
            there[:, partner.index], here[:, structure.index].flip(1), atol=1e-3, rtol=1e-3
        )
        expected = {"left": "right", "right": "left"}.get(structure.side, structure.side)
        assert partner.side == expected


def test_gradients_reach_every_parameter() -> None:
    net = build("both").train()
    output = net(volume())
    (output.pathology_logits.square().mean() + output.anatomy_logits.square().mean()).backward()
    missing = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    # Instance norm removes what a bias before it adds, and float rounding is all that is left.
    assert [n for n in missing if "bias" not in n] == []


def test_encoder_softness_breaks_the_law_and_harden_restores_it() -> None:
    net, x = build("encoder"), volume()
    with torch.inference_mode():
        law = relative(net(mirror(x)).pathology.even, mirror(net(x).pathology.even))
        assert law > 1e-3
        harden(net)
        law = relative(net(mirror(x)).pathology.even, mirror(net(x).pathology.even))
    assert law <= 1e-5


def test_fold_changes_nothing_and_leaves_the_original_alone() -> None:
    net, x = build("both"), volume()
    folded = fold(copy.deepcopy(net))
    with torch.inference_mode():
        assert (folded(x).pathology_logits - net(x).pathology_logits).abs().max() <= 1e-5
    assert not any("parametrizations" in name for name, _ in folded.named_parameters())


def test_a_network_in_half_precision_runs_and_answers_about_the_same() -> None:
    net = build().eval()
    volume = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        whole = net(volume).pathology_logits
        half = copy.deepcopy(net).bfloat16()(volume.bfloat16()).pathology_logits
    assert half.dtype == torch.bfloat16
    assert float((half.float() - whole).abs().mean()) < 0.1 * float(whole.abs().mean())


def test_sizes_that_break_the_mirror_are_refused() -> None:
    with pytest.raises(GridError, match=r"MS-203 .*size 9 across the mid-plane with kernel 2"):
        build()(torch.zeros(1, 1, 18, 24, 16))
