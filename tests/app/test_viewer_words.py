"""What the viewer says of sides, of whom it compared with and of a saved picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.results import compared_with
from tests.app.browser_modules import answer_of

TURN = np.radians(5.0)
NORMAL = np.array([np.cos(TURN) ** 2, np.sin(TURN), np.sin(TURN) * np.cos(TURN)])
CENTRE = np.array([100.0, 110.0, 90.0])  # of the brain: the origin is at the file's corner
SIZE = (60, 70, 60)


def tilted_mirror() -> np.ndarray:
    """World mm to the mirror place of a head turned by yaw and roll, (4, 4)."""
    normal = NORMAL / np.linalg.norm(NORMAL)
    matrix = np.eye(4)
    matrix[:3, :3] -= 2 * np.outer(normal, normal)
    matrix[:3, 3] = 2 * (normal @ CENTRE) * normal
    return matrix


SCRIPT = Path(__file__).with_name("viewer_words.js")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = [tilted_mirror().tolist(), list(SIZE), CENTRE.tolist()]
    head = f"const [MIRROR, SIZES, CENTRE] = {json.dumps(data)};\n"
    return dict(
        answer_of(head + SCRIPT.read_text(encoding="utf-8"), folder=tmp_path_factory.mktemp("web"))
    )


def test_the_readout_never_says_1_in_1(said: dict[str, Any]) -> None:
    assert said["rare"] == [
        "p 0.01: 1 in 100 drawn heads",
        "p 0.5: 1 in 2 drawn heads",
        "p 0.98: more than half of drawn heads",
    ]


def test_a_slice_of_a_tilted_head_is_on_the_side_that_all_of_it_shows(said: dict[str, Any]) -> None:
    assert said["sides"] == ["left", "left", "both", "right", "right"]


def test_a_scan_that_is_its_own_mirror_has_no_difference_between_slices(
    said: dict[str, Any],
) -> None:
    assert said["apart"] == 0


def test_a_place_outside_the_scan_is_said_and_not_taken_for_another(said: dict[str, Any]) -> None:
    assert said["went"] == [[1, 1, 1], said["outside"]]


def test_a_rate_is_never_said_smaller_than_it_is(said: dict[str, Any]) -> None:
    assert said["rates"] == ["0.1", "0.44", "1.4", "5", "7", "0.001"]


def test_drawn_heads_and_unknown_cases_are_not_called_people(said: dict[str, Any]) -> None:
    assert said["whom"] == ["drawn heads", "healthy scans", "cases of the calibration"]
    assert said["who"].startswith("Healthy: 9 cases of x.")
    assert compared_with({"calibration": {"name": "x", "n": 9}}) == "x (9 cases)"


def test_a_saved_picture_says_how_it_is_seen(said: dict[str, Any]) -> None:
    planes, solid = said["view"]
    assert planes.startswith("Radiological: R on left; sagittal nose on left")
    assert "Seen from the back: L on left" in solid
    assert "R on left" not in solid
    assert "nose" not in solid
    mirror, difference, flipped = said["right"]
    assert mirror == "Right: the mirror"
    assert difference.startswith("Right: the scan minus its mirror")
    assert flipped == "Left and right, caught while blinking: the mirror"


def test_a_saved_picture_carries_the_dial_and_what_speaks_against_p(said: dict[str, Any]) -> None:
    assert "At most 1 in 20 drawn heads would show this anywhere" in said["saved"]
    assert "Warning: p-values are invalid." in said["saved"]
    assert "(faint), 3.0 ml under the bound (hatched)" in said["saved"]
    assert "hatched" not in said["saved3d"]
    assert said["saved3d"].count("(not drawn in 3D)") == 2


def test_without_a_finding_nothing_is_said_of_the_threshold_alone(tmp_path: Path) -> None:
    script = """
        const made = [];
        const node = () => ({ dataset: {}, setAttribute() {}, append() {}, addEventListener() {} });
        globalThis.document = { createElement: () => (made.push(node()), made.at(-1)) };
        const { Panel } = await import("./panel.js");
        const viewer = { assessable: true, largest: [1, 1, 1], largestValues: { deviation: 30 } };
        Panel.prototype.noFindings.call({ viewer, comparison: () => [] });
        answer(made.map(({ textContent }) => textContent));
    """
    words, button = answer_of(script, folder=tmp_path)
    assert words.startswith(
        "No place that is large enough exceeds both the threshold and the bound"
    )
    assert "below" not in button


def test_the_panel_says_no_smaller_threshold_than_a_finding_has_to_reach(tmp_path: Path) -> None:
    script = """
        const made = [];
        const node = () => ({ dataset: {}, setAttribute() {}, append() {}, addEventListener() {} });
        globalThis.document = { createElement: () => (made.push(node()), made.at(-1)) };
        const { Panel } = await import("./panel.js");
        const { findingWords } = await import("./announce.js");
        const peak = { peak_sd: 4.911, extent_sd: 2.4555, false_alarm_rate: 0.05 };
        Panel.prototype.comparison.call({ viewer: { comparedWith: "x", calibration: {}, peak } });
        const finding = { rank: 1, side: "left", deviation: 4.93 };
        answer([...made.map(({ textContent }) => textContent), findingWords(finding, 1, peak)]);
    """
    words, spoken = answer_of(script, folder=tmp_path)
    assert words.startswith("A finding reaches 5.0 SD and extends down to 2.5 SD; at most 5 %")
    assert "deviation 5.0 standard" in spoken
