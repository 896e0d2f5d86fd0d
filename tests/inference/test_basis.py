"""What a finding rests on: shares of the bound that add up, a healthy range, the mirror law."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from medsym.inference.case import CaseResult, Options, analyse_scan
from medsym.inference.findings import FindingBasis
from medsym.screening.records import plain
from tests.builders_case import FakeModel, FakeNetwork, fake_model, flat_reference, head_phantom

pytestmark = pytest.mark.usefixtures("known_plane")


def analyse(
    folder, *, x_mm: float = 40.0, network: FakeNetwork | None = None, **options: object
) -> CaseResult:
    model: FakeModel = fake_model(folder)
    if network is not None:
        model = replace(model, network=network)
    scan = head_phantom(lesion_mm=(x_mm, 10, 10))
    return analyse_scan(scan, model, reference=flat_reference(), options=Options(**options))


def basis_of(case: CaseResult) -> FindingBasis:
    (finding,) = case.findings
    assert finding.basis is not None
    return finding.basis


def test_shares_of_the_bound_make_one_and_their_parts_the_bound(tmp_path) -> None:
    case = analyse(tmp_path)
    basis, bound = basis_of(case), case.findings[0].bound
    assert basis.head_share + basis.rest_share == 1.0
    assert basis.head_nats + basis.rest_nats == pytest.approx(bound, rel=1e-12)
    assert 0.0 <= basis.measured_defect <= bound
    assert basis.head_share > 0.99, "a strict trunk leaves rounding only"
    assert basis.trunk == "strict"
    written = plain(asdict(basis))
    assert written["head_share"] + written["rest_share"] == pytest.approx(1.0, abs=1e-6)


def test_what_the_head_could_make_grows_with_its_tolerance_and_is_nothing_without(tmp_path) -> None:
    none, little, much = (
        basis_of(analyse(tmp_path, network=FakeNetwork(leak=leak))) for leak in (0.0, 0.05, 0.2)
    )
    assert none.head_nats == none.tolerance == 0.0
    assert none.rest_share == 1.0
    assert 0.0 < little.head_nats < much.head_nats
    assert much.tolerance == pytest.approx(4 * little.tolerance)


def test_a_trunk_that_leans_shows_in_the_rest_and_is_not_called_strict(tmp_path) -> None:
    leaning = FakeNetwork(noise=0.05)
    leaning.settings = replace(leaning.settings, softness="both")
    basis = basis_of(analyse(tmp_path, network=leaning))
    assert basis.trunk == "soft"
    assert basis.rest_share > 0.05


def test_a_mirrored_scan_rests_on_the_same_numbers(tmp_path) -> None:
    right, left = analyse(tmp_path, x_mm=40.0), analyse(tmp_path, x_mm=-40.0)
    assert [c.findings[0].side for c in (right, left)] == ["right", "left"]
    ours, theirs = asdict(basis_of(right)), asdict(basis_of(left))
    lean = ours.pop("regional_asymmetry") - theirs.pop("regional_asymmetry")
    assert abs(lean) <= right.findings[0].bound, "this network leans to the right"
    assert ours.pop("trunk") == theirs.pop("trunk")
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-9)


def test_deviation_is_the_distance_from_the_healthy_mean_in_healthy_sd(tmp_path) -> None:
    reference = flat_reference(spread=0.4)
    mean = np.full_like(reference.spread, 0.2)
    mean[: mean.shape[0] // 2] = -0.2  # more on the patient's right, as a torque makes it
    scan, model = head_phantom(lesion_mm=(40, 10, 10)), fake_model(tmp_path)
    case = analyse_scan(scan, model, reference=replace(reference, mean=mean))
    basis, finding = basis_of(case), case.findings[0]
    assert basis.healthy_mean == pytest.approx(0.2, abs=1e-6)
    assert basis.healthy_sd == pytest.approx(0.4, abs=1e-6)
    own = (basis.regional_asymmetry - basis.healthy_mean) / basis.healthy_sd
    assert own == pytest.approx(finding.deviation)
    other = analyse_scan(
        head_phantom(lesion_mm=(-40, 10, 10)), model, reference=replace(reference, mean=mean)
    )
    assert basis_of(other).healthy_mean == pytest.approx(-0.2, abs=1e-6)


def test_a_single_pass_measures_no_defect(tmp_path) -> None:
    assert basis_of(analyse(tmp_path, measure_defect=False)).measured_defect is None
