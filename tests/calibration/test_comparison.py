"""What a scan is compared with, in words: doubts stand where there is something to doubt."""

from dataclasses import replace

from medsym.calibration.comparison import CalibrationUse


def test_somebody_with_the_label_of_this_person_is_warned_of_where_a_p_value_is_given() -> None:
    use = CalibrationUse(name="a site", kind="healthy scans", n=40, namesake=True)
    assert "the label of this person" in str(use.warning)
    assert use.remarks == (use.warning,)
    refused = replace(use, reason="the scan is one of those that made the calibration")
    assert refused.warning is None
    assert len(refused.remarks) == 1
