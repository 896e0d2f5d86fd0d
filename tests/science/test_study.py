"""The whole study on formula heads: one page, no other file, numbers that every reader takes."""

import base64
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.cli import build_parser, main
from medsym.commands import science
from medsym.commands.console import EXIT_OK, EXIT_REFUSED, EXIT_USAGE
from medsym.errors import ConfigError, OutputError
from medsym.evaluation import methods
from medsym.evaluation.methods import Candidate
from medsym.science import measured as measured_study
from medsym.science import page, run
from medsym.science.run import Findings, Study, run_study
from medsym.science.subjects import Drawing
from medsym.synthesis.dataset import Sources
from medsym.training import data
from tests.evaluation.builders import fake_candidate
from tests.evaluation.test_cases import mask_of
from tests.screening.quick_run import patch_known_plane, store
from tests.synthesis.heads import PLAIN, head_anatomy

NUMBER = 2
SOFT = {"path": "one", "low": 0.1, "high": 0.2, "learned": True, "odd_share": 0.01}


@dataclass
class Made:
    """A finished study and what was said on the way."""

    findings: Findings
    said: list[str]
    page: Path


def use_formula_heads(patch: pytest.MonkeyPatch) -> None:
    """Subjects of one ellipsoid head, and a model whose layers are known."""
    sources = Sources(anatomies=(head_anatomy(),), shapes=())
    patch.setattr(data, "load_sources", lambda _config, **_: sources)
    softness = {"where": "both", "exact": False, "learned": True, "layers": [SOFT]}
    patch.setattr(run, "softness_of", lambda _folder: softness)


def study(*, number: int = NUMBER, cases: Path | None = None, spacing_mm: float = 6.0) -> Study:
    candidate: Candidate = fake_candidate()
    settings = candidate.model.network.settings
    candidate.model.network.settings = replace(settings, spacing_mm=spacing_mm)
    drawing = Drawing(synthesis=PLAIN, seed=11)
    return Study(candidate=candidate, drawing=drawing, number=number, cases=cases)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    said: list[str] = []
    out = tmp_path_factory.mktemp("study") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        use_formula_heads(patch)
        findings = run_study(study(), report=said.append)
    return Made(findings=findings, said=said, page=page.write_study(out, findings))


@pytest.mark.slow
def test_page_is_whole_and_says_what_was_measured(made: Made) -> None:
    out, text = made.page.parent, made.page.read_text(encoding="utf-8")
    sources = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?:|<script|@import", text)
    assert "default-src 'none'" in text
    assert text.count(RESEARCH_USE_ONLY) > 3
    assert "f" * 64 in text  # hash of the weights
    assert f"{NUMBER} healthy synthesised subjects" in text
    assert "the patient's right on the left-hand side" in text.replace("\n", " ")
    assert "@media print" in text
    pictures = {p.stem for p in (out / "figures").iterdir()}
    names = {"tolerance-atlas", "tolerance-structures", "softness-layers", "subjects-01"}
    assert pictures == {*names, "reliability", "false-alarms"}
    for name in pictures:
        png = (out / "figures" / f"{name}.png").read_bytes()
        assert base64.b64encode(png).decode() in text
        assert (out / "figures" / f"{name}.svg").read_bytes().lstrip().startswith(b"<?xml")


@pytest.mark.slow
def test_numbers_are_strict_json_and_the_atlas_is_written(made: Made) -> None:
    from safetensors.numpy import load_file

    folder = made.page.parent

    def refuse(word: str) -> float:
        raise AssertionError(word)

    numbers = json.loads((folder / page.NUMBERS).read_text(), parse_constant=refuse)
    assert numbers["model"]["sha256"] == "f" * 64
    assert numbers["synthetic"]["anatomies"] == {"ellipsoids": NUMBER}
    assert numbers["tolerance"]["mean"]["value"] > 0.01
    assert len(numbers["false_alarms"]["peaks"]) == NUMBER
    assert len(numbers["subjects"]) == len(made.findings.subjects) > 0
    maps = load_file(folder / page.ATLAS)
    assert set(maps) == {"tolerance", "asymmetry", "torque_mm", "brain"}
    assert {m.shape for m in maps.values()} == {REFERENCE_SHAPE}
    np.testing.assert_allclose(maps["tolerance"], made.findings.atlas.means["tolerance"], rtol=1e-6)


@pytest.mark.slow
def test_progress_is_told_and_the_same_study_gives_the_same_numbers(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_formula_heads(monkeypatch)
    assert made.said[-1] == f"subjects with lesions: {NUMBER}/{NUMBER}"
    assert f"subjects healthy: {NUMBER}/{NUMBER}" in made.said
    again = run_study(study(), report=lambda _line: None)
    assert json.dumps(again.numbers) == json.dumps(made.findings.numbers)


@pytest.mark.slow
def test_real_scans_are_shown_counted_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_formula_heads(monkeypatch)
    patch_known_plane(monkeypatch)
    scan = store(tmp_path / "lesion.nii.gz")
    mask_of(scan, tmp_path / "mask.nii.gz")
    store(tmp_path / "healthy.nii.gz", lesion_mm=None)
    (tmp_path / "broken.nii.gz").write_bytes(b"no scan")
    table = tmp_path / "cases.csv"
    table.write_text(
        "case,scan,mask,person\nright <b>,lesion.nii.gz,mask.nii.gz,\nnobody,healthy.nii.gz,,x\n"
        "nobody again,healthy.nii.gz,,x\nbroken,broken.nii.gz,,\n"
    )
    findings = run_study(study(cases=table, spacing_mm=3.0), report=lambda _line: None)
    cases = findings.numbers["cases"]
    (shown,) = cases["shown"]
    assert shown["largest_deviation_side"] == "right"
    assert shown["mask_left_share"] == 0.0
    assert (cases["healthy"]["subjects"], cases["healthy"]["scans"]) == (1, 2)
    assert [failure["case"] for failure in cases["failures"]] == ["broken"]
    page.write_study(tmp_path / "out", findings)
    text = (tmp_path / "out" / page.PAGE).read_text(encoding="utf-8")
    assert "right &lt;b&gt;" in text
    assert "right <b>" not in text
    assert "broken: refused" in text
    assert "worst scan of each: at a promised rate of 5% of single scans, 0 of 1 (" in text
    assert "2 without one (people: 1)" in text
    assert str(tmp_path) not in text
    assert (tmp_path / "out" / "figures" / "cases-01.png").exists()


def test_too_few_subjects_and_a_file_in_the_way_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MS-400"):
        run_study(study(number=1), report=lambda _line: None)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="MS-140"):
        page.write_study(tmp_path / "file", None)  # type: ignore[arg-type] # not looked at


def parsed(*words: str) -> Any:
    return build_parser().parse_args(["science", *words])


def test_options_arrive_and_the_needed_ones_are_needed() -> None:
    found = parsed("--synthetic", "c.yaml", "--out", "o", "--cases", "t.csv")
    assert (found.number, found.cases, found.model) == (40, Path("t.csv"), None)
    for words in (("--out", "o"), ("--synthetic", "c.yaml")):
        with pytest.raises(SystemExit):
            parsed(*words)


@pytest.mark.parametrize("refused", [False, True])
def test_command_draws_other_subjects_than_training_and_evaluate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: bool,
) -> None:
    from medsym.commands.evaluating import EVALUATION_SEED_STEP

    asked: list[Study] = []
    failures = [{"case": "a", "error": "MS-102"}] if refused else []
    findings = type("F", (), {"numbers": {"cases": {"failures": failures}}})()

    def measured(given: Study, **_: Any) -> Any:
        asked.append(given)
        return findings

    monkeypatch.setattr(methods, "load_candidates", lambda *_a, **_k: [fake_candidate()])
    monkeypatch.setattr(run, "run_study", measured)
    monkeypatch.setattr(page, "write_study", lambda out, _findings: out / page.PAGE)
    config, numbers = tmp_path / "c.yaml", tmp_path / "n.json"
    config.write_text("name: a\nseed: 5\ndevice: cpu\n")
    words = ["--synthetic", str(config), "--number", "7", "--out", str(tmp_path)]
    code = main(["science", *words, "--json", str(numbers)])
    assert code == (EXIT_REFUSED if refused else EXIT_OK)
    assert json.loads(numbers.read_text()) == findings.numbers
    (given,) = asked
    assert (given.number, given.cases) == (7, None)
    assert given.drawing.device == torch.device("cpu")
    seed = given.drawing.seed - 5
    assert seed == science.SCIENCE_SEED_STEP
    assert not {seed, seed + 1} & {0, 1, *(EVALUATION_SEED_STEP + step for step in range(10))}
    assert "report in" in capsys.readouterr().out
    assert main(["science", "--synthetic", str(tmp_path / "no.yaml"), "--out", "o"]) == EXIT_USAGE
    kept: list[tuple[Path, Path]] = []
    monkeypatch.setattr(measured_study, "keep_study", lambda *folders: kept.append(folders))
    assert main(["science", *words, "--keep"]) == EXIT_USAGE
    assert "MS-795" in capsys.readouterr().err
    assert main(["science", *words, "--keep", "--model", str(tmp_path)]) == code
    assert kept == [(tmp_path, tmp_path)]
