"""What the dial of rarity claims, and of whom, as the browser's module says it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

RARITY = Path(__file__).parents[2] / "app" / "viewer" / "web" / "rarity.js"
STEPS = [{"one_in": 2, "sd": 1.5}, {"one_in": 5, "sd": 4.0}]
PEOPLE = {"kind": "healthy scans", "n": 4, "name": "site-a", "group": "sex=F", "thresholds": STEPS}
DRAWN = {**PEOPLE, "kind": "synthetic", "name": "reference of x", "group": None}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the module of the browser")
    module = tmp_path_factory.mktemp("web") / "rarity.mjs"
    module.write_text(RARITY.read_text(encoding="utf-8"), encoding="utf-8")
    small = {**PEOPLE, "thresholds": [], "reason": "the scan made the calibration"}
    script = f"""
        import {{ dialText, rarityText, stepsReached }} from {json.dumps(module.as_uri())};
        const [people, drawn, small] = {json.dumps([PEOPLE, DRAWN, small])};
        console.log(JSON.stringify({{
          people: dialText(people), drawn: dialText(drawn), small: dialText(small),
          old: dialText({{ ...people, thresholds: null }}), none: dialText({{}}),
          reached: [0, 1.499, 1.5, 3.9, 4, 9].map((sd) => stepsReached(people.thresholds, sd)),
          said: [0, 1, 2].map((reached) => rarityText(drawn, reached)),
        }}));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", script], capture_output=True, check=True, timeout=60
    )
    return dict(json.loads(done.stdout))


def test_the_dial_says_whose_scans_it_counts_and_how_far_they_go(words: dict[str, Any]) -> None:
    end = "Rarer than 1 in 5 cannot be told."
    assert words["people"] == f"Healthy: 4 healthy people of site-a (sex=F). {end}"
    assert words["drawn"] == f"Healthy: 4 drawn heads of the reference of x, not people. {end}"
    assert words["said"] == [
        "More than 1 in 2 drawn heads may show this somewhere.",
        "At most 1 in 2 drawn heads would show this anywhere.",
        "At most 1 in 5 drawn heads would show this anywhere, the rarest that 4 can tell.",
    ]


def test_a_threshold_never_claims_a_step_that_it_does_not_reach(words: dict[str, Any]) -> None:
    assert words["reached"] == [0, 0, 1, 1, 2, 2]


def test_without_a_dial_the_page_says_why(words: dict[str, Any]) -> None:
    assert words["small"] == "No dial of rarity: the scan made the calibration."
    for record in ("old", "none"):
        assert "does not hold its thresholds. Screen the scan again" in words[record]
