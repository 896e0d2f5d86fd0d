"""Results are physical: a scan gives the same finding, in mm, on a grid of 3 mm and of 2 mm."""

from dataclasses import replace

import numpy as np
import pytest

from medsym.calibration.reference import DeviationReference
from medsym.inference.brain import brain_from_anatomy
from medsym.inference.case import CaseResult, analyse_scan, grid_of
from medsym.inference.deviation import build_reference
from medsym.inference.gate import MIN_STRUCTURE_ML, gate_values
from medsym.inference.maps import regional
from medsym.models.structures import STRUCTURES, index_of, mirror_permutation
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.volume import Volume
from tests.builders_case import FakeNetwork, fake_model, flat_reference, head_phantom
from tests.screening.quick_run import patch_known_plane

SPACINGS = (3.0, 2.0)


def fine_head(*, lesion_mm: tuple[float, float, float] | None) -> Volume:
    """A phantom finer than either grid, so that both see the same scan."""
    return head_phantom(lesion_mm=lesion_mm, spacing=1.5, world_shape=(120, 144, 112))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[float | None, float], CaseResult]:
    """(x of the lesion in mm, spacing of the grid in mm) -> case."""
    folder = tmp_path_factory.mktemp("model")
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch_known_plane(patch)
        for x_mm in (-40.0, 40.0, None):
            scan = fine_head(lesion_mm=None if x_mm is None else (x_mm, 10.0, 10.0))
            for spacing in SPACINGS:
                model = fake_model(folder, spacing_mm=spacing)
                assert grid_of(model) == SymmetricGrid.spanning(spacing)
                results[x_mm, spacing] = analyse_scan(scan, model, reference=flat_reference())
    return results


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_scan_is_compared_on_the_grid_that_the_model_asks_for(cases, spacing: float) -> None:
    result = cases[40.0, spacing]
    assert result.prepared.grid == SymmetricGrid.spanning(spacing)
    for name in ("deviation", "asymmetry", "bound", "anatomy", "brain", "domain"):
        assert getattr(result.maps, name).shape == SymmetricGrid.spanning(spacing).shape


@pytest.mark.parametrize(("x_mm", "side"), [(-40.0, "left"), (40.0, "right")])
def test_a_lesion_is_the_same_finding_on_both_grids(cases, x_mm: float, side: str) -> None:
    coarse, fine = (cases[x_mm, s] for s in SPACINGS)
    assert [f.side for f in coarse.findings] == [f.side for f in fine.findings] == [side]
    one, other = coarse.findings[0], fine.findings[0]
    assert one.structure == other.structure
    assert other.volume_ml == pytest.approx(one.volume_ml, rel=0.15)
    assert other.deviation == pytest.approx(one.deviation, rel=0.05)
    assert other.asymmetry == pytest.approx(one.asymmetry, rel=0.05)
    assert np.linalg.norm(np.subtract(one.peak_mm, other.peak_mm)) < 5.0
    assert np.linalg.norm(np.subtract(other.peak_mm, (x_mm, 10.0, 10.0))) < 6.0
    assert np.linalg.norm(np.subtract(other.mirror_mm, (-x_mm, 10.0, 10.0))) < 6.0


def test_numbers_of_a_case_do_not_depend_on_the_grid(cases) -> None:
    coarse, fine = (cases[40.0, s] for s in SPACINGS)
    for name in ("pathology_ml", "deviation_max", "bound_max", "brain_ml", "tolerance_mean"):
        one, other = (getattr(r.summary, name) for r in (coarse, fine))
        assert other == pytest.approx(one, rel=0.12), name
    for name in coarse.gate.__slots__:
        one, other = (getattr(r.gate, name) for r in (coarse, fine))
        # The share that structures explain falls with the thickness of their border alone.
        assert other == pytest.approx(one, rel=0.2 if name == "explained" else 0.1), name
    assert coarse.reasons == fine.reasons == ()
    for one, other in zip(coarse.structures, fine.structures, strict=True):
        assert one.name == other.name
        assert other.left_ml == pytest.approx(one.left_ml, rel=0.15, abs=5.0)  # thin shells
        assert other.right_ml == pytest.approx(one.right_ml, rel=0.15, abs=5.0)  # thin shells


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_symmetric_head_has_no_finding_on_either_grid(cases, spacing: float) -> None:
    result = cases[None, spacing]
    assert result.is_assessable, result.reasons
    assert result.findings == ()


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_measured_defect_stays_within_the_bound(cases, spacing: float) -> None:
    for x_mm in (-40.0, 40.0, None):
        maps = cases[x_mm, spacing].maps
        assert (np.abs(maps.defect) <= maps.bound).all()
        assert np.abs(maps.defect).max() > 1e-3  # the stand-in leans to one side


def test_neighbourhood_of_the_average_is_a_length() -> None:
    """A ball of 12 mm fades by as much whatever the spacing."""
    faded = []
    for spacing in (4.0, 3.0, 2.0):
        grid = SymmetricGrid.spanning(spacing)
        x, y, z = np.meshgrid(
            *((np.arange(n) - (n - 1) / 2) * spacing for n in grid.shape), indexing="ij"
        )
        ball = (np.sqrt((x - 40) ** 2 + y**2 + z**2) < 12.0).astype(float)
        averaged = regional(
            ball - ball[::-1], domain=np.ones(grid.shape, dtype=bool), spacing_mm=spacing
        )
        faded.append(averaged.max())
    assert faded == pytest.approx([faded[0]] * 3, rel=0.05)
    assert 0.5 < faded[0] < 0.95


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_rule_extends_the_brain_by_six_millimetres(spacing: float) -> None:
    size = round(96 / spacing)
    anatomy = np.zeros((size,) * 3, dtype=int)
    first, last = round(30 / spacing), round(60 / spacing)
    anatomy[first:last, first:last, first:last] = 1
    everywhere = np.ones(anatomy.shape, dtype=bool)
    brain = brain_from_anatomy(anatomy, rule=everywhere, spacing_mm=spacing).voxels
    middle = size // 2
    reach = np.flatnonzero(brain[:, middle, middle])
    assert reach[0] * spacing == 24.0
    assert (reach[-1] + 1) * spacing == 66.0


@pytest.mark.parametrize("spacing", SPACINGS)
def test_gaps_of_the_brain_close_over_the_same_length(spacing: float) -> None:
    anatomy = np.ones((round(120 / spacing),) * 3, dtype=int)
    anatomy[: round(12 / spacing)] = 0
    narrow, wide = anatomy.copy(), anatomy.copy()
    narrow[:, round(48 / spacing) : round(54 / spacing), : round(90 / spacing)] = 0
    wide[:, round(48 / spacing) : round(72 / spacing), : round(90 / spacing)] = 0
    nothing = np.zeros(anatomy.shape, dtype=bool)
    closed, still_open = (
        brain_from_anatomy(a, rule=nothing, spacing_mm=spacing).voxels for a in (narrow, wide)
    )
    place = tuple(round(mm / spacing) for mm in (60, 51, 45))
    assert closed[place]
    assert not still_open[place[0], round(60 / spacing), place[2]]


@pytest.mark.parametrize(
    ("spacing", "voxels", "counts"), [(3.0, 1, True), (2.0, 1, False), (2.0, 4, True)]
)
def test_a_structure_counts_by_its_volume_and_not_by_a_voxel(
    cases, spacing: float, voxels: int, counts: bool
) -> None:
    """One voxel of 2 mm is too little to have found a structure; one of 3 mm is as before."""
    case = cases[None, spacing]
    anatomy = np.full_like(case.maps.anatomy, index_of("thalamus", side="left"))
    anatomy[30, 40, 30 : 30 + voxels] = index_of("amygdala", side="left")
    maps = replace(case.maps, anatomy=anatomy)
    found = gate_values(maps, prepared=case.prepared, brain_dice=1.0).structures_found
    assert found == pytest.approx((1 + counts) / (len(STRUCTURES) - 1))
    assert (voxels * spacing**3 / 1000 >= MIN_STRUCTURE_ML) == counts


def healthy_reference(spacing_mm: float) -> DeviationReference:
    """From heads with the same smooth asymmetries, given as functions of the place in mm."""
    grid = SymmetricGrid.spanning(spacing_mm)
    x, y, z = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * spacing_mm for n in grid.shape), indexing="ij"
    )
    brain = (x / 66) ** 2 + (y / 84) ** 2 + (z / 60) ** 2 < 1.0
    rng = np.random.default_rng(4)
    cases = []
    for _ in range(3):
        phases = rng.uniform(0, 2 * np.pi, 3)
        waves = [np.sin(v / 14 + p) for v, p in zip((x, y, z), phases, strict=True)]
        image = 0.5 + 0.25 * waves[0] * waves[1] * waves[2]
        cases.append(((image * brain).astype(np.float32), brain))
    return build_reference(
        FakeNetwork(spacing_mm=spacing_mm),
        cases,
        mirror_classes=mirror_permutation(),
        spacing_mm=spacing_mm,
        num_spread=2,
    )


def test_the_healthy_reference_does_not_depend_on_the_grid() -> None:
    coarse, fine = (healthy_reference(s) for s in SPACINGS)
    inside = np.s_[4:-4, 6:-6, 4:-4]
    np.testing.assert_allclose(fine.spread[inside], coarse.spread[inside], rtol=0.1)
    np.testing.assert_allclose(fine.maxima, coarse.maxima, rtol=0.1)
    assert coarse.spread.max() > 0.1  # more than the floor
