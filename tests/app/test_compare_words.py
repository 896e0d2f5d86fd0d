"""What a comparison may say of two records: same side only, and no more than the records say."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.pairing import changes
from app.prior import relation, visit_of
from app.results import Case
from tests.app.browser_modules import answer_of


def case(*x_mm: float, ml: float = 1.0) -> Case:
    """A case whose mid-plane is x = 0, with a finding at each x, mm."""
    findings = [
        {
            "rank": rank,
            "side": "right" if x > 0 else "left",
            "peak_mm": [x, 0.0, 0.0],
            "mirror_mm": [-x, 0.0, 0.0],
            "volume_ml": ml,
        }
        for rank, x in enumerate(x_mm, start=1)
    ]
    record = {"assessable": True, "findings": findings}
    return Case(name="sub-01_T1w", record=record, root=Path())


def pairs(now: Case, then: Case) -> list[tuple[float | None, float | None, bool]]:
    rows = changes(now, then, matrix=np.eye(4).tolist())
    at = [tuple(row[key] and row[key]["peak_mm"][0] for key in ("now", "then")) for row in rows]
    return [(*places, row["across"]) for places, row in zip(at, rows, strict=True)]


@pytest.mark.parametrize(("x", "ml"), [(-6.0, 1.0), (6.0, 1.0), (-20.0, 60.0)])
def test_findings_on_two_sides_are_never_one_however_near_or_large(x: float, ml: float) -> None:
    assert pairs(case(x, ml=ml), case(-x, ml=ml)) == [(x, None, False), (None, -x, False)]
    assert pairs(case(x, ml=ml), case(x + 1, ml=ml)) == [(x, x + 1, False)]
    assert pairs(case(x), case(-x, x + 3)) == [(x, x + 3, False), (None, -x, False)]


def test_only_in_the_mid_plane_may_the_link_change_the_side_and_that_is_said() -> None:
    assert pairs(case(-1.0), case(1.5)) == [(-1.0, 1.5, True)]
    assert pairs(case(-1.0), case(4.0)) == [(-1.0, None, False), (None, 4.0, False)]


def test_a_day_moved_for_privacy_and_one_that_was_not_give_no_order() -> None:
    now, then = visit_of("sub-01_ses-1_T1w"), visit_of("sub-01_ses-2_T1w")
    moved, true = date(1890, 1, 1), date(2020, 1, 1)
    assert relation(now, then, days=(true, moved)) == "Later scan", "as the sessions say"
    assert relation(then, now, days=(moved, true)) == "Prior"
    assert relation(now, then, days=(moved, date(1889, 1, 1))) == "Prior"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    script = """
        import { change, noFindings } from "./compare_panel.js";
        const now = { volume_ml: 5 }, then = { volume_ml: 3 };
        const link = { matrix: [], doubtful: false }, about = { role: "Prior", link };
        const doubtful = { ...about, link: { matrix: [], doubtful: true } };
        const can = { assessable: true }, not = { assessable: false };
        answer({
          change: change({ now, then }, about, true),
          later: change({ now, then }, { ...about, role: "Later scan" }, true),
          one: [change({ now, then: null }, about, true), change({ now: null, then }, about, true)],
          none: [change({ now, then }, doubtful, true), change({ now, then: null }, doubtful, true),
                 change({ now, then: null }, about, false)],
          empty: [noFindings(can, can, "Prior"), noFindings(can, not, "Prior"),
                  noFindings(not, not, "Later scan")],
        });
    """
    return dict(answer_of(script, folder=tmp_path_factory.mktemp("web")))


def test_what_a_record_does_not_list_is_not_called_new_or_gone(said: dict[str, Any]) -> None:
    assert said["change"] == "+2.0"
    assert said["later"] == "\N{MINUS SIGN}2.0"
    assert said["one"] == ["not listed then", "not listed now"]


def test_a_link_that_is_not_relied_on_and_a_case_not_assessable_show_no_change(
    said: dict[str, Any],
) -> None:
    assert said["none"] == ["\N{EN DASH}"] * 3
    assert said["empty"] == [
        "No findings in either scan. This does not mean normal.",
        "Not assessable: the prior. What changed cannot be said.",
        "Not assessable: this case and the later scan. What changed cannot be said.",
    ]
