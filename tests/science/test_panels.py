"""What is shown of a case: its own side, its own slice, the brain alone, and nothing more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ConfigError
from medsym.inference.case import analyse_scan
from medsym.science.panels import Panel, panel_of_case, panel_of_subject
from tests.builders_case import fake_model, flat_reference, head_phantom
from tests.science.builders import PLACE, SHAPE, antisymmetric, blob, seen
from tests.screening.quick_run import patch_known_plane

LESION_MM = (40.0, 10.0, 10.0)  # world x is the patient's right


def subject(side: str, *, outside: float = 0.0) -> Panel:
    at = PLACE if side == "left" else (SHAPE[0] - 1 - PLACE[0], *PLACE[1:])
    lesion = blob(at)
    drawn = seen(
        lesion=lesion,
        deviation=antisymmetric(lesion, 9.0),
        asymmetry=antisymmetric(lesion, 3.0),
        outside=outside,
    )
    return panel_of_subject("one", drawn, peak_sd=4.0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_subject_keeps_its_side_in_maps_and_numbers(side: str) -> None:
    panel = subject(side)
    half = panel.truth.shape[0] // 2
    left = panel.truth[:half].sum() / panel.truth.sum()
    assert left == (1.0 if side == "left" else 0.0) == panel.numbers["mask_left_share"]
    assert panel.numbers["largest_deviation_side"] == side
    assert panel.numbers["mask_beyond_bound"] == 1.0
    assert panel.numbers["mask_mean_deviation"] == pytest.approx(9.0)
    assert panel.asymmetry[panel.truth].min() == 3.0
    assert panel.asymmetry.min() == -3.0  # the mirror place
    assert panel.truth[:, :, panel.index].sum() == panel.truth.sum(axis=(0, 1)).max()


def test_only_what_exceeds_the_bound_of_both_sides_is_coloured() -> None:
    lesion = blob()
    drawn = seen(lesion=lesion, asymmetry=antisymmetric(lesion, 0.5), bound=0.1)
    bound = drawn.maps.bound.copy()
    bound[lesion[::-1]] = 0.6  # only at the mirror place
    wide = replace(drawn, maps=replace(drawn.maps, bound=bound))
    assert panel_of_subject("a", drawn, peak_sd=4.0).asymmetry.max() == 0.5
    hidden = panel_of_subject("b", wide, peak_sd=4.0)
    assert not hidden.asymmetry.any()
    assert hidden.numbers["mask_beyond_bound"] == 0.0


def test_nothing_outside_the_brain_is_shown() -> None:
    panel = subject("left", outside=0.8)
    assert (panel.scan[~panel.brain] == 0.0).all()
    assert panel.scan[panel.brain].max() == 1.0
    assert panel.brain.mean() > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("side", ["left", "right"])
def test_real_scan_keeps_its_side_and_shows_its_brain_alone(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_known_plane(monkeypatch)
    place = (LESION_MM[0] if side == "right" else -LESION_MM[0], *LESION_MM[1:])
    for codes in ("RAS", "LPS"):
        scan = head_phantom(lesion_mm=place, codes=codes)
        result = analyse_scan(scan, fake_model(tmp_path), reference=flat_reference())
        index = np.stack(np.meshgrid(*map(np.arange, scan.shape), indexing="ij"), -1)
        points = index @ scan.affine[:3, :3].T + scan.affine[:3, 3]
        mask = np.linalg.norm(points - np.array(place), axis=-1) < 12.0
        panel = panel_of_case(codes, result, mask=mask)
        assert panel.numbers["mask_left_share"] == (1.0 if side == "left" else 0.0)
        assert panel.numbers["largest_deviation_side"] == side
        assert panel.numbers["mask_mean_deviation"] > 1.0
        half = panel.truth.shape[0] // 2
        assert (panel.truth[:half].sum() > 0) == (side == "left")
        assert panel.deviation[panel.truth].mean() > 1.0
        volume = mask.sum() * abs(np.linalg.det(scan.affine[:3, :3])) / 1000.0
        assert panel.numbers["mask_ml"] == pytest.approx(volume, rel=0.15)
        assert (panel.scan[~panel.brain] == 0.0).all()
        limited = panel_of_case(codes, result, mask=mask, limit=mask)
        assert not limited.scan[~limited.brain].any()
        assert limited.brain.sum() < 0.05 * panel.brain.sum()
        with pytest.raises(ConfigError, match="MS-402"):
            panel_of_case(codes, result, mask=np.zeros_like(mask))


def test_voxels_of_the_grid_and_of_the_picture_are_the_same_places() -> None:
    panel = subject("left")
    factor = panel.truth.sum() / blob().sum()
    assert factor == round(factor ** (1 / 3)) ** 3
    assert (panel.deviation[panel.truth] > 4.0).mean() > 0.9
