"""Deformation: identity at rest, and every displacement goes the way its name says."""

import pytest
import torch

from medsym.synthesis.canvas import Canvas
from medsym.synthesis.contrast import majority, pool
from medsym.synthesis.deformation import (
    Deformation,
    Push,
    apply_push,
    draw_deformation,
    on_grid,
    sample_aged,
    sample_classes,
)
from medsym.synthesis.randomness import random_rotation, rotation, smooth_field
from medsym.synthesis.tissues import CLASS_LABELS
from medsym.volumes.frame import SymmetricGrid
from tests.synthesis.heads import CANVAS, STILL, head_anatomy

COARSE, FINE, GRID = CANVAS.coarse, CANVAS.fine, CANVAS.shape


def sources(**ranges: tuple[float, float]) -> torch.Tensor:
    """Source positions when only the named ranges are not at rest."""
    config = STILL.model_copy(update=ranges)
    generator = torch.Generator().manual_seed(0)
    head = draw_deformation(head_anatomy(), canvas=CANVAS, config=config, generator=generator)
    return head.sources


def centroid_mm(field: torch.Tensor, label: int) -> torch.Tensor:
    """Centre of a label of the drawn head, mm."""
    classes = sample_classes(head_anatomy(), canvas=CANVAS, sources=field, shape=FINE)
    return CANVAS.lattice(FINE)[:, classes == CLASS_LABELS.index(label)].mean(dim=1)


def test_at_rest_every_point_is_its_own_source() -> None:
    torch.testing.assert_close(sources(), CANVAS.lattice(COARSE), atol=1e-3, rtol=0)


@pytest.mark.parametrize("spacing", [2.0, 3.0, 4.0])
def test_voxel_centres_get_their_own_place_from_the_coarse_lattice(spacing: float) -> None:
    canvas = Canvas(grid=SymmetricGrid.spanning(spacing))
    found = on_grid(canvas.lattice(canvas.coarse), canvas=canvas)
    torch.testing.assert_close(found, canvas.points(), atol=1e-3, rtol=0)


def test_torque_is_told_along_the_axes_of_the_drawn_head() -> None:
    def head(size: float) -> Deformation:
        config = STILL.model_copy(
            update={"torque_mm": (size, size), "pitch_deg": (8.0, 8.0), "scale": (0.9, 0.9)}
        )
        generator = torch.Generator().manual_seed(0)
        return draw_deformation(head_anatomy(), canvas=CANVAS, config=config, generator=generator)

    still, moved = head(0.0), head(3.0)
    points = CANVAS.lattice(CANVAS.coarse).reshape(3, -1)
    linear = torch.linalg.lstsq(points.T, still.sources.reshape(3, -1).T).solution.T
    difference = (still.sources - moved.sources).reshape(3, -1)  # tissue moves the other way
    expected = torch.linalg.solve(linear, difference).view(moved.torque.shape)
    torch.testing.assert_close(moved.torque, expected, atol=1e-3, rtol=1e-3)
    assert float(moved.torque[2].abs().max()) > 0.1  # the pitch turns forwards into downwards


def test_shift_moves_the_head_forwards_and_up() -> None:
    moved = centroid_mm(sources(shift_mm=(6.0, 6.0)), 16) - centroid_mm(sources(), 16)
    torch.testing.assert_close(moved, torch.tensor([0.0, 6.0, 6.0]), atol=0.5, rtol=0)


def test_scale_enlarges() -> None:
    def volume(field: torch.Tensor) -> float:
        classes = sample_classes(head_anatomy(), canvas=CANVAS, sources=field)
        return float((classes == CLASS_LABELS.index(41)).sum())

    ratio = volume(sources(scale=(1.1, 1.1))) / volume(sources())
    assert ratio == pytest.approx(1.1**3, rel=0.06)


def test_torque_moves_the_right_front_forwards_and_the_left_back_backwards() -> None:
    moved = CANVAS.lattice(COARSE) - sources(torque_mm=(3.0, 3.0))  # tissue moves by p - source(p)
    x, y = CANVAS.lattice(COARSE)[:2]
    right, left, front, back = x > 20, x < -20, y > 50, y < -50
    assert float(moved[1][right & front].min()) > 1.0
    assert float(moved[1][left & back].max()) < -1.0
    assert float(moved[1][left & front].abs().max()) < 0.8
    assert float(moved[1][right & back].abs().max()) < 0.8


def test_ventricles_widen_when_told() -> None:
    def fluid(size: float) -> int:
        field = sources(ventricle_mm=(size, size))
        classes = sample_classes(head_anatomy(), canvas=CANVAS, sources=field, shape=FINE)
        return int((classes == CLASS_LABELS.index(43)).sum())

    assert fluid(-1.0) < fluid(0.0) < fluid(3.0)


def test_atrophy_turns_the_surface_of_the_cortex_into_fluid_and_nothing_else() -> None:
    def classes(atrophy_mm: float) -> torch.Tensor:
        return sample_aged(
            head_anatomy(),
            canvas=CANVAS,
            sources=sources(),
            atrophy_mm=atrophy_mm,
            generator=torch.Generator().manual_seed(0),
        )

    young, old, older = classes(0.0), classes(1.5), classes(4.0)
    fluid, cortex = CLASS_LABELS.index(24), (CLASS_LABELS.index(3), CLASS_LABELS.index(42))
    for aged in (old, older):
        changed = aged != young
        assert set(aged[changed].unique().tolist()) == {fluid}
        assert set(young[changed].unique().tolist()) == set(cortex)
        by_side = [float((young[changed] == c).sum()) for c in cortex]
        assert by_side[0] == pytest.approx(by_side[1], rel=0.2)
    assert int((older != young).sum()) > 1.5 * int((old != young).sum()) > 0
    distance = CANVAS.lattice(FINE).norm(dim=0)
    assert float(distance[old != young].mean()) > float(distance[young == cortex[0]].mean())


def test_push_moves_tissue_away_from_the_centre_and_pull_towards_it() -> None:
    for distance, sign in ((5.0, 1.0), (-3.0, -1.0)):
        push = Push(centre_mm=torch.tensor([45.0, 0.0, 10.0]), radius_mm=12.0, distance_mm=distance)
        field = apply_push(sources(), canvas=CANVAS, push=push, brain=torch.ones(COARSE))
        moved = centroid_mm(field, 51) - centroid_mm(sources(), 51)
        assert float(moved[0]) * sign < -0.5  # the right putamen lies medially of the centre
        assert abs(float(centroid_mm(field, 12)[0] - centroid_mm(sources(), 12)[0])) < 0.5


def test_rotation_turns_by_the_right_hand_rule() -> None:
    x, y, z = torch.eye(3)
    torch.testing.assert_close(rotation(2, 90.0) @ x, y)
    torch.testing.assert_close(rotation(0, 90.0) @ y, z)
    torch.testing.assert_close(rotation(1, 90.0) @ z, x)


def test_random_rotation_is_proper() -> None:
    turn = random_rotation(generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(turn @ turn.T, torch.eye(3))
    assert float(torch.linalg.det(turn)) == pytest.approx(1.0, abs=1e-5)


def test_smooth_field_has_unit_size_and_no_mean() -> None:
    generator = torch.Generator().manual_seed(2)
    field = smooth_field(2, shape=(20, 24, 20), control=(5, 6, 5), generator=generator)
    torch.testing.assert_close(field.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(field.square().mean(dim=(1, 2, 3)), torch.ones(2))


def test_majority_agrees_with_counting() -> None:
    values = torch.randint(0, 4, FINE, generator=torch.Generator().manual_seed(3))
    got = majority(values)
    for place in ((0, 0, 0), (10, 20, 30), (63, 79, 63)):
        block = values[tuple(slice(2 * p, 2 * p + 2) for p in place)]
        assert int(got[place]) == int(torch.bincount(block.flatten(), minlength=4).argmax())


def test_pool_is_the_mean_of_eight() -> None:
    values = torch.rand(FINE, generator=torch.Generator().manual_seed(4))
    assert float(pool(values)[5, 6, 7]) == pytest.approx(float(values[10:12, 12:14, 14:16].mean()))
