"""The model page: what was measured of these very weights, and nothing of any others."""

import json
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.model_card import WEIGHTS
from app.model_figures import (
    calibration_pictures,
    cross_validation_rows,
    softness_rows,
    tolerance_picture,
)
from tests.app.result_folder import build_folder

MAIN = Path(__file__).parents[2] / "app" / "main.py"
SHIPPED = json.loads((WEIGHTS / "manifest.json").read_text())["sha256"]

pytestmark = pytest.mark.filterwarnings("default")


def model_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    pages = AppTest.from_file(str(MAIN), default_timeout=60).run()
    return pages.switch_page("app_pages/model.py").run()


def words(pages: AppTest) -> str:
    shown = (*pages.markdown, *pages.text, *pages.caption, *pages.info)
    return "\n".join(str(item.value) for item in shown)


def test_other_weights_get_their_facts_and_no_measurement_of_ours(tmp_path, monkeypatch) -> None:
    pages = model_page(build_folder(tmp_path), monkeypatch)
    assert not pages.exception
    for part in ("ab" * 32, "asymmetry_net", "Nothing was measured", "site-a (80 healthy people)"):
        assert part in words(pages)
    assert "log-odds" not in words(pages)
    assert not pages.get("image")


@pytest.mark.slow
def test_the_shipped_weights_show_atlas_softness_curves_and_card(tmp_path, monkeypatch) -> None:
    folder = build_folder(tmp_path)
    for path in folder.rglob("*_case.json"):
        record = json.loads(path.read_text())
        record["model"]["sha256"] = SHIPPED
        path.write_text(json.dumps(record))
    pages = model_page(folder, monkeypatch)
    assert not pages.exception
    assert len(pages.get("image")) == 3
    for part in (
        "Mean tolerance in the brain: 0.004 [0.0038, 0.0043] log-odds",
        "backbone is exact",
        "at a promised rate of 5%, 5 of 40",
        "Expected calibration error",
        "Known failures",
        "Drawn heads are not people",
    ):
        assert part in words(pages)
    assert pages.dataframe[0].value["Weights"].sum() == 34


def test_nothing_is_drawn_of_unknown_weights() -> None:
    assert tolerance_picture("f" * 64) is None
    assert calibration_pictures("f" * 64) == ()


def test_softness_is_summed_up_by_part_of_the_network() -> None:
    layers = [
        {"path": "levels.0.enter", "low": 0.1, "high": 0.3, "learned": True},
        {"path": "levels.1.unit", "low": 0.0, "high": 0.2, "learned": False},
        {"path": "pathology.odd", "low": 0.0, "high": 0.0, "learned": False},
    ]
    assert softness_rows({"layers": layers}) == [
        {"Part": "Encoder", "Weights": 2}
        | {"Smallest softness": 0.0, "Largest softness": 0.3, "Learned": "yes"},
        {"Part": "Pathology head", "Weights": 1}
        | {"Smallest softness": 0.0, "Largest softness": 0.0, "Learned": "no"},
    ]


def test_rates_that_too_few_people_could_keep_are_not_drawn() -> None:
    row = {"alpha": 0.05, "share": None, "flagged": 0, "judged": 0}
    kept = {"alpha": 0.2, "share": 0.25, "flagged": 3, "judged": 12}
    assert cross_validation_rows({"rows": [row, kept]}) == [
        {"Promised rate": 0.2, "Observed share": 0.25, "As promised": 0.2}
        | {"Flagged": 3, "People judged": 12}
    ]


def test_a_calibration_says_how_people_left_out_of_it_fared_or_that_nobody_looked(
    tmp_path, monkeypatch
) -> None:
    folder = build_folder(tmp_path)
    assert "Nobody measured" in words(model_page(folder, monkeypatch))
    rows = [{"alpha": 0.2, "share": 0.25, "flagged": 3, "judged": 12, "abstained": 0}]
    for path in folder.rglob("*_case.json"):
        record = json.loads(path.read_text())
        record["calibration"]["cross_validation"] = {"people": 12, "folds": 12, "rows": rows}
        path.write_text(json.dumps(record))
    pages = model_page(folder, monkeypatch)
    assert not pages.exception
    assert "12 people in 12 folds" in words(pages)
    assert pages.dataframe[0].value["Flagged"].tolist() == [3]
