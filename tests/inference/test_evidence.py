"""Evidence is monotone; the bound holds for every odd part the tolerance permits."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from medsym.inference.evidence import asymmetry, bound, defect, evidence
from medsym.symmetry.mirror import flip as mirror

SHAPE = (6, 4, 5)


def volume(seed: int, scale: float = 4.0) -> torch.Tensor:
    return scale * torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).double()


def test_evidence_is_monotone_and_not_negative() -> None:
    values = evidence(torch.linspace(-40, 40, 200, dtype=torch.float64))
    assert (values.diff() > 0).all()
    assert (values >= 0).all()


def test_asymmetry_is_antisymmetric_to_the_last_bit() -> None:
    found = asymmetry(volume(0).float())
    assert torch.equal(found, -mirror(found))


def test_asymmetry_is_positive_where_there_is_more() -> None:
    values = torch.zeros(SHAPE)
    values[5, 1, 2] = 3.0
    found = asymmetry(values)
    assert found[5, 1, 2] == 3.0
    assert found[0, 1, 2] == -3.0


@given(seed=st.integers(0, 10_000), tightness=st.floats(0, 1), prior=st.floats(-6, 6))
def test_bound_is_never_below_the_defect(seed: int, tightness: float, prior: float) -> None:
    even, tolerance = volume(seed), volume(seed + 1).abs()
    odd = tolerance * torch.tanh(volume(seed + 2)) * tightness
    here = evidence(even + odd, prior_logit=prior)
    # the mirrored scan: the even part moves along, the odd part moves along and changes sign
    of_mirrored = evidence(mirror(even) - mirror(odd), prior_logit=prior)
    limit = bound(even, even, tolerance=tolerance, prior_logit=prior).float()
    assert (defect(here, of_mirrored=of_mirrored).abs() <= limit).all()


def test_bound_is_reached_by_the_extreme_odd_part() -> None:
    even, tolerance = volume(3), volume(4).abs()
    measured = defect(evidence(even + tolerance), of_mirrored=evidence(mirror(even - tolerance)))
    limit = bound(even, even, tolerance=tolerance)
    assert (measured.abs() <= limit).all()
    assert (measured.abs() >= 0.999 * limit - 1e-5).all()


def test_bound_covers_rounding_inside_the_interval() -> None:
    even, tolerance = volume(5), volume(6).abs()
    low, high = even - 0.01, even + 0.02
    limit = bound(low, high, tolerance=tolerance)
    measured = defect(evidence(high + tolerance), of_mirrored=evidence(mirror(low - tolerance)))
    assert (measured.abs() <= limit).all()
    assert (bound(low, high, tolerance=tolerance) > bound(even, even, tolerance=tolerance)).all()


def test_asymmetry_is_scan_difference_plus_defect() -> None:
    here, of_mirrored = evidence(volume(7)), evidence(volume(8))
    from_scan = here - of_mirrored
    total = from_scan + defect(here, of_mirrored=of_mirrored)
    assert torch.allclose(asymmetry(here), total, atol=1e-12)
