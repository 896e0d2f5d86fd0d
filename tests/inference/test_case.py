"""A whole case: the side of a lesion, the gate, and the promises of the maps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ConfigError, ModelError
from medsym.inference.brain import brain_from_anatomy, dice, largest_component
from medsym.inference.case import CaseResult, Options, analyse_scan
from medsym.inference.findings import beyond_bound, find_findings
from medsym.inference.maps import CaseMaps
from medsym.inference.structures import laterality_index
from medsym.volumes.midplane import MidPlane
from medsym.volumes.volume import Volume
from tests.builders_case import fake_model, flat_reference, head_phantom


def analyse(scan: Volume, folder: Path, **changes: object) -> CaseResult:
    return analyse_scan(
        scan, fake_model(folder), reference=flat_reference(), options=Options(**changes)
    )


@pytest.mark.parametrize(
    ("x_mm", "side", "codes"),
    [(40, "right", "RAS"), (-40, "left", "RAS"), (40, "right", "LPI"), (-40, "left", "ASL")],
)
def test_lesion_is_found_on_its_side_of_the_patient(tmp_path, x_mm, side, codes) -> None:
    result = analyse(head_phantom(lesion_mm=(x_mm, 10, 10), codes=codes), tmp_path)
    assert result.is_assessable, result.reasons
    assert [f.side for f in result.findings] == [side]
    finding = result.findings[0]
    assert np.linalg.norm(np.array(finding.peak_mm) - (x_mm, 10, 10)) < 12
    assert np.linalg.norm(np.array(finding.mirror_mm) - (-x_mm, 10, 10)) < 13
    assert finding.asymmetry > finding.bound
    assert result.summary.deviation_side == side


def made_maps(
    *, asymmetry: np.ndarray, deviation: np.ndarray, bound: np.ndarray, regional_bound: float
) -> CaseMaps:
    """Maps of a head without anatomy; asymmetry and deviation are given on one side."""
    zeros, ones = np.zeros(asymmetry.shape, np.float32), np.ones(asymmetry.shape, dtype=bool)
    return CaseMaps(
        pathology=zeros,
        asymmetry=asymmetry - asymmetry[::-1],
        deviation=deviation - deviation[::-1],
        bound=bound,
        regional_asymmetry=0.1 * (deviation - deviation[::-1]),
        regional_bound=zeros + regional_bound,
        tolerance=zeros,
        defect=zeros,
        anatomy=np.ones(asymmetry.shape, np.int16),
        brain=ones,
        domain=ones,
        even_pathology=zeros,
    )


PLANE = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=16.5, score=1.0)
THREE_MM = np.diag([3.0, 3.0, 3.0, 1.0])


def test_findings_need_more_evidence_on_their_own_side() -> None:
    shape = (12, 10, 10)
    deviation, asymmetry = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    deviation[8:11, 3:6, 3:6] = 9.0
    asymmetry[8:11, 3:6, 3:6] = 2.0
    asymmetry[9, 4, 4] = -4.0  # beyond the bound, but in favour of the other side
    maps = made_maps(
        asymmetry=asymmetry,
        deviation=deviation,
        bound=np.full(shape, 0.5, np.float32),
        regional_bound=0.5,
    )
    (finding,) = find_findings(maps, plane=PLANE, grid_to_world=THREE_MM, peak_sd=5)
    assert finding.asymmetry > finding.bound
    assert finding.volume_ml == pytest.approx(26 * 0.027)


@pytest.mark.parametrize(("side", "low"), [("right", 8), ("left", 1)])
def test_a_deviation_that_the_model_can_have_made_around_a_voxel_is_no_finding(
    side: str, low: int
) -> None:
    shape, place = (12, 10, 10), (slice(low, low + 3), slice(3, 6), slice(3, 6))
    deviation, asymmetry = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    deviation[place] = 9.0
    asymmetry[place] = 0.002
    bound = np.full(shape, 18.0, np.float32)  # of the neighbours, with what they add to the average
    bound[place] = bound[::-1][place] = 0.001
    maps = made_maps(asymmetry=asymmetry, deviation=deviation, bound=bound, regional_bound=0.95)
    assert find_findings(maps, plane=PLANE, grid_to_world=THREE_MM, peak_sd=5) == ()
    beaten = replace(maps, regional_bound=maps.regional_bound - 0.1)
    (finding,) = find_findings(beaten, plane=PLANE, grid_to_world=THREE_MM, peak_sd=5)
    assert finding.side == side


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_false_alarm_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="MS-304"):
        Options(false_alarm_rate=rate)


def test_symmetric_head_has_no_finding_although_the_model_leans(tmp_path) -> None:
    result = analyse(head_phantom(lesion_mm=None), tmp_path)
    assert result.is_assessable, result.reasons
    assert result.findings == ()
    assert np.abs(result.maps.asymmetry).max() > 1e-3
    assert result.summary.share_beyond_bound < 0.001


@pytest.mark.usefixtures("known_plane")
@pytest.mark.parametrize("x_mm", [40, -40])
def test_a_finding_is_listed_exactly_where_its_p_value_says_so(tmp_path, x_mm) -> None:
    result = analyse(head_phantom(lesion_mm=(x_mm, 10, 10)), tmp_path)
    pvalue = result.maps.pvalue
    assert pvalue is not None
    assert np.array_equal(pvalue, pvalue[::-1])
    assert (pvalue[~result.maps.domain] == 1.0).all()
    assert result.p_value == pvalue.min() == pytest.approx(1 / 41)
    assert [f.p_value for f in result.findings] == [result.p_value]
    flagged = np.abs(result.maps.deviation) >= result.peak_sd
    assert np.array_equal(flagged, pvalue <= 0.05)
    assert result.calibration.kind == "synthetic"
    assert "not people" in str(result.calibration.caution)


@pytest.mark.usefixtures("known_plane")
def test_a_reference_that_is_too_small_gives_no_p_value_and_says_why(tmp_path) -> None:
    scan, small = head_phantom(), flat_reference(maxima=18)
    result = analyse_scan(scan, fake_model(tmp_path), reference=small)
    assert result.p_value is None
    assert result.maps.pvalue is None
    assert result.false_alarm_rate is None
    assert "18 of the 19" in str(result.calibration.reason)
    assert [f.p_value for f in result.findings] == [None]
    assert any("no p-value" in note for note in result.notes)


@pytest.mark.usefixtures("known_plane")
def test_maps_keep_their_promises(tmp_path) -> None:
    result = analyse(head_phantom(), tmp_path)
    maps = result.maps
    assert np.array_equal(maps.asymmetry, -maps.asymmetry[::-1])
    assert np.array_equal(maps.deviation, -maps.deviation[::-1])
    assert (np.abs(maps.defect) <= maps.bound).all()
    assert result.summary.measured_defect_max <= result.summary.bound_max
    for values in (maps.pathology, maps.asymmetry, maps.deviation, maps.bound, maps.tolerance):
        assert np.isfinite(values).all()
        assert not values[~(maps.domain | maps.brain)].any()
    assert set(result.seconds) == {"prepare", "anatomy", "refine", "compare", "judge"}


@pytest.mark.usefixtures("known_plane")
def test_a_larger_left_structure_has_a_positive_laterality(tmp_path) -> None:
    scan = head_phantom(lesion_mm=None)
    x = (scan.affine[0, 0] * np.arange(scan.shape[0]) + scan.affine[0, 3])[:, None, None]
    right_cut = np.where(x > 45, 0.0, scan.voxels).astype(np.float32)
    table = analyse(Volume(voxels=right_cut, affine=scan.affine), tmp_path).structures
    outer = [row for row in table if row.left_ml + row.right_ml > 50]
    assert sum(row.left_ml for row in outer) > sum(row.right_ml for row in outer)
    assert max(row.laterality for row in outer) > 0.1
    assert laterality_index(3.0, 1.0) == 0.5
    assert laterality_index(0.0, 0.0) is None


def test_bilateral_disease_shows_in_the_symmetric_score_only() -> None:
    from medsym.inference.maps import MapRequest, compute_maps
    from medsym.inference.summary import symmetric_score
    from medsym.models.structures import mirror_permutation
    from tests.builders_case import FakeNetwork

    class Both(FakeNetwork):
        def forward(self, scan):
            output = super().forward(scan)
            even = 12.0 * (scan > 0.9).float() - 6.0
            return type(output)(
                anatomy_logits=output.anatomy_logits,
                pathology=type(output.pathology)(
                    even=even, odd=output.pathology.odd, tolerance=output.pathology.tolerance
                ),
            )

    image = np.full((16, 12, 10), 0.5, dtype=np.float32)
    everywhere = np.ones(image.shape, dtype=bool)
    request = MapRequest(
        spacing_mm=3.0,
        brain=everywhere,
        coverage=everywhere,
        mirror_classes=mirror_permutation(),
    )
    clean, _ = compute_maps(Both(), image, request=request)
    image[2:6, 3:8, 3:8] = image[10:14, 3:8, 3:8] = 1.0
    image[7:9, 8:10] = 1.0
    both, _ = compute_maps(Both(), image, request=request)
    assert symmetric_score(clean, voxel_ml=0.027) < 0.01
    assert symmetric_score(both, voxel_ml=0.027) > 0.95
    assert not beyond_bound(both).any()


@pytest.mark.usefixtures("known_plane")
def test_single_pass_says_so(tmp_path) -> None:
    result = analyse(head_phantom(), tmp_path, measure_defect=False)
    assert result.summary.measured_defect_max is None
    assert any("not measured" in note for note in result.notes)
    assert [f.side for f in result.findings] == ["right"]


@pytest.mark.usefixtures("known_plane")
def test_missing_reference_is_a_named_error(tmp_path) -> None:
    with pytest.raises(ModelError, match="MS-305"):
        analyse_scan(head_phantom(), fake_model(tmp_path))


@pytest.mark.usefixtures("known_plane")
def test_a_head_that_is_too_small_is_not_assessable(tmp_path) -> None:
    result = analyse(head_phantom(scale=0.7), tmp_path)
    assert not result.is_assessable
    assert "brain measures" in result.reasons[0]
    assert result.findings == ()


@pytest.mark.usefixtures("known_plane")
def test_a_cropped_hemisphere_is_not_assessable_or_not_compared(tmp_path) -> None:
    scan = head_phantom(lesion_mm=(40.0, 10.0, 10.0))
    cut = Volume(voxels=scan.voxels[:42], affine=scan.affine)  # world x up to about +37 mm
    result = analyse(cut, tmp_path)
    assert result.maps.domain.mean() < analyse(scan, tmp_path).maps.domain.mean()
    assert all(abs(f.peak_mm[0]) < 40 for f in result.findings)


def test_brain_joins_network_and_rule() -> None:
    anatomy = np.zeros((20, 20, 20), dtype=int)
    anatomy[5:15, 5:15, 5:15] = 2
    anatomy[8:11, 8:11, 8:11] = 0  # a hole
    anatomy[1, 1, 1] = 2  # a stray voxel
    rule = np.zeros(anatomy.shape, dtype=bool)
    rule[5:19, 5:15, 5:15] = True
    found = brain_from_anatomy(anatomy, rule=rule, spacing_mm=3.0)
    assert found.voxels[9, 9, 9]
    assert not found.voxels[1, 1, 1]
    assert found.voxels[16, 9, 9]  # the rule extends a little ...
    assert not found.voxels[18, 9, 9]  # ... but not far
    assert 0.7 < found.dice < 1.0
    assert dice(rule, ~rule) == 0.0
    assert not largest_component(np.zeros((3, 3, 3), dtype=bool)).any()
