"""Two scans beside each other are read one way; pictures say what they lack, and their place."""

from pathlib import Path
from typing import Any

import pytest

from tests.app.browser_modules import answer_of

SCRIPT = Path(__file__).with_name("two_scans.js")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return dict(
        answer_of(SCRIPT.read_text(encoding="utf-8"), folder=tmp_path_factory.mktemp("web"))
    )


def test_the_same_scan_on_both_sides_shows_no_change_at_a_peak(said: dict[str, Any]) -> None:
    prior = said["prior"]
    assert prior["here"] == pytest.approx(prior["there"])
    assert prior["here"] == pytest.approx(3.2)
    assert prior["record"].startswith("The record's deviation here: 9.00 SD.")


def test_beside_its_own_mirror_a_peak_keeps_the_numbers_of_the_record(said: dict[str, Any]) -> None:
    for here, sign in ((said["mirror"], 1), (said["beside"], -1)):
        assert (here["here"], here["there"]) == (9 * sign, -9 * sign)
        assert here["record"] == ""
    assert said["mirror"]["pathology"] == said["beside"]["pathology"][::-1]
    assert 0.9 in said["mirror"]["pathology"]


def test_the_other_scan_has_the_rarity_of_its_own_record_or_says_that_it_has_none(
    said: dict[str, Any],
) -> None:
    assert said["rarity"] == [2, None]
    drawn, missing, off = said["lacks"]
    assert (drawn, off) == ("", "")
    assert missing.startswith("Rarity (p-value): not drawn")
    assert "not drawn" not in said["captions"][0]
    assert said["captions"][1].endswith(missing)


def test_a_saved_comparison_names_the_place_on_the_right_and_whether_it_is_linked(
    said: dict[str, Any],
) -> None:
    linked, _, apart = said["captions"]
    assert "crosshair 0.8   0.0   0.0 mm in that scan" in linked
    assert "matched, brains overlap by 90 %" in linked
    assert "crosshair 0.2   \N{MINUS SIGN}0.4   0.6 mm in that scan" in apart
    assert "not linked" in apart
    assert "matched" not in apart


def test_the_last_length_is_that_of_the_ruler_last_held(said: dict[str, Any]) -> None:
    assert said["lengths"] == ["Last length 5.0 mm", "Last length 30.0 mm"]


def test_the_brightness_of_a_place_is_called_interpolated(said: dict[str, Any]) -> None:
    assert "interp" in said["scan"]["label"]
    assert "a single voxel of the file" in said["scan"]["meaning"]
