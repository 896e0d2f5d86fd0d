"""What the viewer says of one place, by the browser's own modules: it never claims too much."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsym.calibration.conformal import p_values, rarity_steps

WEB = Path(__file__).parents[2] / "app" / "viewer" / "web"
MAXIMA = np.sort(np.random.default_rng(3).gamma(9.0, 0.3, 99)).round(6)
STEPS = [asdict(step) for step in rarity_steps(MAXIMA)]
#: Volumes of two voxels along x, at -1 and +1 mm; `make` takes slope and stored values.
PRELUDE = """
    import { RarityVolume, Volume } from "./volume.js";
    import { boundWords, factsAt, words } from "./readout.js";
    import { legendText } from "./legend.js";
    import { recordedTop } from "./recorded.js";
    import { LAYERS } from "./colours.js";
    import { zoneAt, zoneVolumes } from "./zones.js";
    const grid = { shape: [2, 2, 2], spacing: 2, origin: [-1, -1, -1], intercept: 0 };
    const make = (slope, left, right) => new Volume(
      { ...grid, slope, low: slope * Math.min(left, right), high: slope * Math.max(left, right) },
      Int16Array.from([left, right, left, right, left, right, left, right]));
    const mirrorWorld = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
    const say = (facts, volumes, name) => words(facts, volumes)
      .flatMap(({ values }) => values || []).find(([, own]) => own === name)[0];
"""
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a script that returns something, beside copies of the browser's modules."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the modules of the browser")
    folder = tmp_path_factory.mktemp("web")
    for module in WEB.glob("*.js"):
        shutil.copy(module, folder)
    (folder / "package.json").write_text('{"type": "module"}')

    def result(script: str, **values: Any) -> Any:
        given = "".join(f"const {key} = {json.dumps(value)};" for key, value in values.items())
        body = f"console.log(JSON.stringify((() => {{ {script} }})()));"
        (folder / "run.js").write_text(PRELUDE + given + body)
        done = subprocess.run(
            [node, "run.js"], cwd=folder, capture_output=True, check=True, timeout=60
        )
        return json.loads(done.stdout)

    return result


def test_rarity_is_that_of_the_deviation_on_either_side_of_its_change_of_sign(run: Run) -> None:
    sizes = [-6.0, -3.0, -0.01, 0.0, 0.01, 2.5, 3.0, 4.0, 6.0]
    found = run(
        """const deviation = make(0.001, -6000, 6000), rarity = new RarityVolume(deviation, steps);
        const volumes = { scan: deviation, deviation, rarity };
        const calibration = { n: 99, kind: "synthetic", thresholds: steps };
        const about = { volumes, mirrorWorld, structures: {}, calibration };
        return sizes.map((sd) => [rarity.linear([sd / 6, 0, 0]),
          say(factsAt([sd / 6, 0, 0], about), volumes, "p")]);""",
        sizes=sizes,
        steps=STEPS,
    )
    exact = np.floor(1 / p_values(MAXIMA, np.abs(sizes)) + 1e-9)
    for (value, text), size, one_in in zip(found, sizes, exact, strict=True):
        assert abs(value) == one_in >= 1
        assert value * size >= 0
        said = f"at most 1 in {one_in:.0f}" if one_in > 1 else "more than 1 in 2"
        assert text == f"{said} drawn heads"


def test_a_place_at_a_step_of_the_dial_is_counted_by_the_layer(run: Run) -> None:
    sizes = [step["sd"] for step in STEPS]
    counts = run(
        """return steps.map(({ one_in, sd }) => { const deviation = make(sd / 500, 499, 500);
          const rarity = new RarityVolume(deviation, steps), least = rarity.leastStored(one_in);
          return [rarity.value(500) >= one_in, rarity.value(499) >= one_in, least]; });""",
        steps=STEPS,
    )
    assert len(sizes) > 5
    assert counts == [[True, False, 500]] * len(sizes)


def test_a_p_value_of_six_decimals_is_read_as_the_count_that_made_it(run: Run) -> None:
    cases = [(1, 149), (1, 5), (1, 2200), (5, 99), (7, 80), (81, 80)]
    found = run(
        """return cases.map(([p, n]) => { const scan = make(1, 1, 1), finding = { p_value: p };
          return say(factsAt([0, 0, 0], { volumes: { scan }, mirrorWorld, structures: {},
            calibration: { n, kind: "healthy scans" }, finding }), { scan }, "p"); });""",
        cases=[(round(k / (n + 1), 6), n) for k, n in cases],
    )
    for text, (k, n) in zip(found, cases, strict=True):
        often = "more than half of" if 2 * k > n + 1 else f"1 in {(n + 1) // k}"
        assert text.endswith(f": {often} healthy scans")


def test_no_place_is_beyond_the_bound_whose_readout_says_otherwise(run: Run) -> None:
    found = run(
        """const volumes = { scan: make(1, 1, 1), deviation: make(0.01, -300, 300),
            asymmetry: make(0.001, -2000, 2000), bound: make(0.001, 300, 300) };
        return places.map((x) => { const facts = factsAt([x, 0, 0], { volumes, mirrorWorld: null });
          return [facts.asymmetry, facts.bound, facts.zone]; });""",
        places=[-1, -0.5, -0.14, 0, 0.14, 0.16, 1],
    )
    for asymmetry, bound, zone in found:
        assert zone == ("beyond" if abs(asymmetry) > bound else "within")
    assert {zone for *_, zone in found} == {"beyond", "within"}
    flat = run(
        """const volumes = { deviation: make(0.01, 0, 0), asymmetry: make(0.001, -300, 300),
            bound: make(0.001, 200, 200) };
        return [-1, 1].map((x) => zoneAt([x, 0, 0], volumes));"""
    )
    assert flat == ["beyond", "beyond"], "a deviation of 0 is on neither side"


def test_a_difference_against_the_sign_of_the_deviation_is_never_called_beyond(run: Run) -> None:
    zones, volume = run(
        """const volumes = { deviation: make(0.01, -400, 400), asymmetry: make(0.001, 1000, 1000),
            bound: make(0.001, 100, 100) };
        const { deviation: map } = volumes, { deviation: layer } = LAYERS;
        const about = { map, layer, both: true, threshold: 3 };
        const zones = [-1, 1].map((x) => zoneAt([x, 0, 0], volumes));
        return [zones, zoneVolumes({ ...about, volumes })];"""
    )
    assert zones == ["small", "beyond"]
    assert volume == {"above": 0.032, "below": 0, "under": 0.032, "bounded": True}


def test_the_mirror_place_has_the_values_of_the_place_with_the_other_sign(run: Run) -> None:
    here, there, near, other = run(
        """const volumes = { scan: make(1, 1, 1), deviation: make(0.01, -300, 290),
            asymmetry: make(0.001, -2000, 1900), bound: make(0.001, 300, 300) };
        const finding = { peak_mm: [0.9, 0, 0], deviation: 5, asymmetry: 3, bound: 0.2 };
        const about = { volumes, mirrorWorld, structures: {}, findings: [finding] };
        return [[0.9, {}], [-0.9, {}], [0.5, {}], [0.9, { finding: null }]].map(([x, more]) => {
          const facts = factsAt([x, 0, 0], { ...about, ...more });
          return ["deviation", "mirrorDeviation", "asymmetry", "mirrorAsymmetry", "bound"]
            .map((name) => facts[name]); });"""
    )
    assert here == [5, -5, 3, -3, 0.2]
    assert there == [-5, 5, -3, 3, 0.2]
    assert near[0] == -near[1] != 5
    assert near[2] == -near[3]
    assert other[0] < 3, "a place of another scan is no finding of this one"


def test_bounds_are_printed_no_smaller_than_they_are(run: Run) -> None:
    bounds = [0.01449, 0.001449, 0.1449, 2.504, 1.4e-6, 3e-7, 0.2, float(np.float32(0.2)), 0.07, 1]
    texts = run("return bounds.map((bound) => boundWords(bound));", bounds=bounds)
    for text, bound in zip(texts, bounds, strict=True):
        assert float(text.split()[0]) >= bound * (1 - 1e-6)
    assert texts[0] == "0.015 nats"
    assert texts[-4:] == ["0.20 nats", "0.20 nats", "0.070 nats", "1.00 nats"]
    assert run("return boundWords(0)") == "below 0.000001 nats"


def test_the_legend_contradicts_neither_the_record_nor_a_missing_bound(run: Run) -> None:
    texts = run(
        """const settings = { layer: "deviation", threshold: 5, maximum: 9, showWithin: true };
        const about = { findings: [{ deviation: 4 }], largestValues: { deviation: 5.1 } };
        const empty = { above: 0, below: 1, under: 0, bounded: true };
        return [legendText(settings, empty, recordedTop("deviation", about)),
          legendText({ ...settings, threshold: 5.2 }, empty, recordedTop("deviation", about)),
          legendText(settings, { ...empty, above: 2, bounded: false }, NaN)];"""
    )
    assert texts[0].endswith("reaches 5.0 SD; the record's largest is 5.1 SD.")
    assert texts[1] == "Nothing reaches 5.2 SD."
    near = run(
        """const settings = { layer: "deviation", threshold: 4.911, maximum: 9 };
        const empty = { above: 0, below: 1, under: 0, bounded: true };
        return [4.93, 4.9].map((top) => legendText(settings, empty, top));"""
    )
    assert near[0].endswith("reaches 5.0 SD; the record's largest is 5.0 SD.")
    assert near[1] == "Nothing reaches 5.0 SD."
    assert "under the bound" not in texts[2]
    assert "bound was not recorded" in texts[2]
