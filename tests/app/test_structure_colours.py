"""Colours of the anatomy overlay: one per structure, shared by left and right."""

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from medsym.models.structures import STRUCTURES

COLOURS = Path(__file__).parents[2] / "app" / "viewer" / "web" / "colours.js"


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Title of every structure -> colour, as the browser's module computes it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the module of the browser")
    module = tmp_path_factory.mktemp("web") / "colours.mjs"
    module.write_text(COLOURS.read_text(encoding="utf-8"), encoding="utf-8")
    names = {s.index: s.title for s in STRUCTURES}
    script = f"""
        import {{ structureColours }} from {json.dumps(module.as_uri())};
        const names = {json.dumps(names)}, colourOf = structureColours(names);
        const table = Object.keys(names).map((label) => [names[label], colourOf(Number(label))]);
        console.log(JSON.stringify(Object.fromEntries(table)));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", script], capture_output=True, check=True, timeout=60
    )
    return {name: np.array(colour) for name, colour in json.loads(done.stdout).items()}


def test_left_and_right_share_a_colour(colours: dict[str, np.ndarray]) -> None:
    for structure in STRUCTURES:
        partner = STRUCTURES[structure.mirror]
        assert (colours[structure.title] == colours[partner.title]).all(), structure.title


def test_no_two_structures_look_alike(colours: dict[str, np.ndarray]) -> None:
    shown = {s.name: colours[s.title] for s in STRUCTURES if s.index > 0}
    for one, other in itertools.combinations(shown, 2):
        distance = np.linalg.norm(shown[one] - shown[other])
        assert distance > 40, (one, other, shown[one], shown[other])
