"""A place and its mirror place say one thing, whatever grid lies between record and screen."""

import json
from typing import Any

import numpy as np
import pytest

from tests.app.browser_modules import answer_of
from tests.app.test_viewer_words import tilted_mirror

SHAPE = (9, 8, 7)
SCRIPT = """
const { Volume, RarityVolume } = await import("./volume.js");
const { factsAt } = await import("./readout.js");
const { transform, rasterFrame } = await import("./geometry.js");
const { Pane } = await import("./pane.js");
const { ComparePane } = await import("./compare_pane.js");
globalThis.document = { createElement: () => ({ dataset: {}, setAttribute() {} }) };
const grid = { shape: SHAPE, spacing: 2, origin: ORIGIN, slope: 0.001, intercept: 0 };
const volumes = Object.fromEntries(Object.entries(STORED).map(([kind, stored]) =>
  [kind, new Volume(grid, Int16Array.from(stored))]));
const steps = [{ one_in: 2, sd: 1 }, { one_in: 20, sd: 5 }];
volumes.rarity = new RarityVolume(volumes.deviation, steps);
const finding = { peak_mm: PLACES[0], deviation: 9, asymmetry: 7, bound: 0.5, pathology: 0.9 };
const about = { volumes, mirrorWorld: MIRROR, structures: {}, findings: [finding],
  calibration: { kind: "synthetic", n: 99, thresholds: steps } };
const pairs = PLACES.map((mm) => [mm, transform(MIRROR, mm)].map((at) => factsAt(at, about)));
const alone = PLACES.map((mm) => [mm, transform(MIRROR, mm)]
  .map((at) => factsAt(at, { ...about, mirrorWorld: null })));

// The picture at its pixels: of the scan, and of the same scan moved, as a prior is.
const scene = { volumes, settings: { layer: "deviation" }, display: { overlay: true },
  mirrorWorld: MIRROR, matrix: null, shown: "scan" };
const box = { ...grid, origin: ORIGIN.map((mm) => mm + 0.7) };
const frame = rasterFrame("axial", { radiological: true }, box, ORIGIN[2] + 5.3);
const moved = [[1, 0, 0, 1.5], [0, 1, 0, -0.5], [0, 0, 1, 0.25]];
const beside = { ...scene, matrix: moved, partner: { mirrorWorld: MIRROR }, mirrorWorld: null };
const seen = [[new Pane("axial"), scene, (mm) => mm],
  [new ComparePane("axial", "right"), beside, (mm) => transform(moved, mm)]];
const picture = seen.flatMap(([pane, own, carried]) => {
  pane.sample(own, frame);
  return Array.from({ length: frame.width * frame.height }, (_, n) => {
    const [column, row] = [n % frame.width, Math.floor(n / frame.width)];
    const way = (axis) => column * frame.across[axis] + row * frame.down[axis];
    const mm = carried(frame.start.map((start, axis) => start + way(axis)));
    const facts = factsAt(mm, { ...about, finding: null });
    return ["deviation", "asymmetry", "bound"].map((kind) => [pane.samples[kind][n], facts[kind]]);
  });
});
answer({ pairs, alone, picture });
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Rough maps on a grid that a tilted mid-plane crosses anyhow, with a hole in them."""
    rng = np.random.default_rng(5)
    mirror = tilted_mirror()
    middle = mirror[:3, 3] / 2
    origin = middle - np.asarray(SHAPE) + 1.3
    stored = {
        kind: rng.integers(low, 9000, SHAPE[::-1]).ravel()
        for kind, low in (("deviation", -9000), ("asymmetry", -9000), ("bound", 1))
    } | {"scan": np.ones(SHAPE[::-1], int).ravel(), "pathology": rng.integers(0, 999, 504)}
    for kind in ("deviation", "asymmetry", "bound"):
        stored[kind][:60] = -32768
    places = middle + rng.uniform(-6, 6, (400, 3))
    data = {
        "MIRROR": mirror.tolist(),
        "SHAPE": SHAPE,
        "ORIGIN": origin.tolist(),
        "STORED": {kind: values.tolist() for kind, values in stored.items()},
        "PLACES": places.tolist(),
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in data.items())
    return dict(answer_of(head + SCRIPT, folder=tmp_path_factory.mktemp("web")))


def close(one: float | None, other: float | None, *, sign: int = 1) -> bool:
    """Whether numbers agree as far as the mirror of a mirror is the place itself; None is NaN."""
    if one is None or other is None:
        return one is other
    return abs(one - sign * other) < 1e-6


def test_a_place_and_its_mirror_place_have_one_size_one_bound_and_one_zone(
    said: dict[str, Any],
) -> None:
    for here, there in said["pairs"]:
        for kind in ("deviation", "asymmetry"):
            assert close(here[kind], there[kind], sign=-1)
            name = f"mirror{kind.capitalize()}"
            assert close(here[name], there[kind])
            assert close(there[name], here[kind])
        assert close(here["bound"], there["bound"])
        assert (here["zone"], here["rarity"]) == (there["zone"], there["rarity"])
        assert close(here["mirrorPathology"], there["pathology"])
        assert close(there["mirrorPathology"], here["pathology"])
    zones = {here["zone"] for here, _ in said["pairs"]}
    assert {"beyond", "within", "small"} <= zones, "the places are of all kinds"
    assert any(here["zone"] != there["zone"] for here, there in said["alone"]), "grids do differ"
    peak = said["pairs"][0][0]
    assert (peak["deviation"], peak["asymmetry"], peak["bound"]) == (9, 7, 0.5)


def test_the_picture_is_of_the_numbers_in_the_readout(said: dict[str, Any]) -> None:
    compared = [value for pixel in said["picture"] for value in pixel]
    assert sum(shown is not None for shown, _ in compared) > 150
    assert all(close(shown, told) for shown, told in compared)
