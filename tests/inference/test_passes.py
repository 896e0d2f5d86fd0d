"""Two passes make the parts exactly equivariant and measure the rounding."""

import numpy as np
import torch

from medsym.inference.maps import MapRequest, compute_maps
from medsym.inference.passes import run_network, swap_sides
from medsym.models.structures import mirror_permutation
from medsym.nn.products import fast_products
from tests.builders_case import FakeNetwork, FakeOutput

CLASSES = mirror_permutation()


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((16, 12, 10)).astype(np.float32)


def test_swapping_sides_twice_changes_nothing() -> None:
    scores = torch.randn(len(CLASSES), 8, 4, 4)
    once = swap_sides(scores, mirror_classes=CLASSES)
    assert not torch.equal(once, scores)
    assert torch.equal(swap_sides(once, mirror_classes=CLASSES), scores)


def test_parts_are_equivariant_to_the_last_bit_even_for_a_broken_network() -> None:
    network = FakeNetwork(noise=0.3)
    here = run_network(network, image(), mirror_classes=CLASSES)
    there = run_network(network, image()[::-1], mirror_classes=CLASSES)
    assert torch.equal(there.even, here.even.flip(0))
    assert torch.equal(there.odd, -here.odd.flip(0))
    assert here.rounding > 0.1


def test_left_and_right_classes_follow_the_scan() -> None:
    lopsided = image()
    lopsided[:6] = 0.0  # the patient's left is cut away
    labels = run_network(FakeNetwork(), lopsided, mirror_classes=CLASSES).anatomy.argmax(0)
    mirrored = run_network(FakeNetwork(), lopsided[::-1], mirror_classes=CLASSES).anatomy.argmax(0)
    partner = torch.tensor(CLASSES)
    assert torch.equal(mirrored, partner[labels].flip(0))


def request(*, mirrored: bool = True) -> MapRequest:
    everywhere = np.ones((16, 12, 10), dtype=bool)
    return MapRequest(
        spacing_mm=3.0,
        brain=everywhere,
        coverage=everywhere,
        mirror_classes=CLASSES,
        mirrored=mirrored,
    )


def test_measured_defect_never_exceeds_the_bound() -> None:
    for seed in range(5):
        for noise in (0.0, 0.5):
            network = FakeNetwork(leak=0.4, noise=noise)
            maps, _ = compute_maps(network, image(seed), request=request())
            assert (np.abs(maps.defect) <= maps.bound).all()
            assert np.abs(maps.defect).max() > 0.01


def test_a_symmetric_scan_shows_no_asymmetry_beyond_the_bound() -> None:
    symmetric = image() + image()[::-1]
    maps, _ = compute_maps(FakeNetwork(leak=0.4), symmetric, request=request())
    assert np.abs(maps.asymmetry).max() > 0.01  # the model leans to one side ...
    assert (np.abs(maps.asymmetry) <= maps.bound).all()  # ... and the bound says so


def test_single_pass_measures_nothing_and_widens_the_bound() -> None:
    network = FakeNetwork(leak=0.0)
    maps, parts = compute_maps(network, image(), request=request(mirrored=False))
    assert not parts.is_mirrored
    assert not maps.defect.any()
    paired, _ = compute_maps(network, image(), request=request())
    assert (maps.bound > paired.bound).all()


def test_places_without_a_mirror_in_view_are_zero() -> None:
    seen = np.ones((16, 12, 10), dtype=bool)
    seen[12:] = False
    wanted = MapRequest(
        spacing_mm=3.0, brain=np.ones_like(seen), coverage=seen, mirror_classes=CLASSES
    )
    maps, _ = compute_maps(FakeNetwork(), image(), request=wanted)
    for values in (maps.asymmetry, maps.bound, maps.defect):
        assert not values[12:].any()
        assert not values[:4].any()
        assert values[4:12].any()
        assert np.isfinite(values).all()


class Sized(FakeNetwork):
    """Like AsymmetryNet, states the multiple of its sizes, and remembers what it was shown."""

    size_multiple = 4

    def forward(self, scan: torch.Tensor) -> FakeOutput:
        self.shown = tuple(scan.shape[2:])
        return super().forward(scan)


def small_image() -> np.ndarray:
    small = np.zeros((16, 12, 12), dtype=np.float32)
    small[5:9, 2:8, 3:7] = image()[5:9, 2:8, 3:7]
    return small


def test_only_the_box_that_holds_the_image_is_computed_and_the_rest_is_empty() -> None:
    network = Sized()
    parts = run_network(network, small_image(), mirror_classes=CLASSES)
    assert network.shown == (8, 8, 4)
    assert parts.even.shape == (16, 12, 12)
    assert parts.even[0, 0, 0] == parts.even.min() < -20.0
    assert not parts.odd[:4].any()
    assert not parts.tolerance[12:].any()
    assert not parts.anatomy.argmax(0)[:4].any()


def test_the_box_follows_the_mirror() -> None:
    network = Sized(noise=0.3)
    here = run_network(network, small_image(), mirror_classes=CLASSES)
    there = run_network(network, small_image()[::-1], mirror_classes=CLASSES)
    assert torch.equal(there.even, here.even.flip(0))
    assert torch.equal(there.odd, -here.odd.flip(0))
    assert torch.equal(there.anatomy, here.anatomy.flip(1)[list(CLASSES)])


def test_passes_are_taken_in_float32_whatever_a_program_allowed_before() -> None:
    seen: list[bool] = []

    class Watching(FakeNetwork):
        def forward(self, scan: torch.Tensor) -> FakeOutput:
            seen.append(torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
            return super().forward(scan)

    with fast_products():
        run_network(Watching(), image(), mirror_classes=CLASSES)
        assert torch.backends.cudnn.allow_tf32
    assert seen == [False, False]
