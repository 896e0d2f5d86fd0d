"""Which scan is the prior, when it was taken, and what changed."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import pairing
from app.pairing import NO_LINK, cautions, changes, forget_links, link_cases
from app.prior import day_of, day_words, other_visits, relation, visit_of
from app.results import Case, read_case
from app.viewer.preparing import case_volumes
from tests.app.result_folder import MARKER_MM
from tests.app.visits_folder import NOW, THEN, build_visits, marker_then

NAMES = [
    "sub-01_ses-10_T1w",
    "sub-01_ses-2_T1w",
    "sub-01_ses-9_T1w",
    "sub-01_ses-9_FLAIR",
    "sub-01_ses-11_T1w",
    "sub-01_ses-10_FLAIR",
    "sub-011_ses-9_T1w",
    "sub-scan7",
]


def test_the_nearest_earlier_session_of_the_same_contrast_comes_first() -> None:
    found = [visit.case for visit in other_visits(NAMES, "sub-01_ses-10_T1w")]
    assert found == [
        "sub-01_ses-9_T1w",
        "sub-01_ses-2_T1w",
        "sub-01_ses-11_T1w",
        "sub-01_ses-9_FLAIR",
        "sub-01_ses-10_FLAIR",
    ]


def test_another_person_is_never_a_visit() -> None:
    assert other_visits(NAMES, "sub-scan7") == []
    assert other_visits(NAMES, "sub-011_ses-9_T1w") == []
    assert other_visits(["T1", "T2"], "T1") == []


def test_known_days_decide_what_is_the_prior_and_else_the_sessions() -> None:
    now, other = visit_of("sub-01_ses-2_T1w"), visit_of("sub-01_ses-10_T1w")
    early, late = date(2020, 1, 1), date(2021, 1, 1)
    assert relation(now, other, days=(None, early)) == "Later scan"
    assert relation(now, other, days=(late, early)) == "Prior"
    assert relation(other, now, days=(None, None)) == "Prior"
    assert relation(now, visit_of("sub-01_ses-2_FLAIR"), days=(None, None)) == "Other scan"
    assert relation(now, visit_of("sub-02_ses-1_T1w"), days=(late, early)) == "Other case"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("preop", "postop"), ("before", "after"), ("initial", "followup"), ("3T", "7T")),
        *(("presurgery", "postsurgery"), ("1", "followup2"), ("scanner1", "scanner2")),
        *(("month6", "week30"), ("1", "01"), ("", "2")),
    ],
)
def test_words_of_sessions_say_no_order(one: str, other: str) -> None:
    visits = [visit_of(f"sub-01_ses-{label}_T1w") for label in (one, other)]
    for now, then in (visits, visits[::-1]):
        assert relation(now, then, days=(None, None)) == "Other scan"
        assert other_visits([now.case, then.case], now.case) == [then]


@pytest.mark.parametrize(("early", "late"), [("2", "10"), ("M06", "m12"), ("20190301", "20200102")])
def test_numbers_of_sessions_say_the_order(early: str, late: str) -> None:
    first, second = (visit_of(f"sub-01_ses-{label}_T1w") for label in (early, late))
    assert relation(second, first, days=(None, None)) == "Prior"
    assert relation(first, second, days=(None, None)) == "Later scan"
    assert relation(first, second, days=(date(2021, 1, 1), date(2020, 1, 1))) == "Prior"


@pytest.mark.parametrize(
    ("about", "stated"),
    [
        ({"AcquisitionDateTime": "2023-11-02T10:00:00"}, date(2023, 11, 2)),
        ({"StudyDate": "20231102"}, date(2023, 11, 2)),
        ({"AcquisitionTime": "10:00:00"}, None),
        ({"AcquisitionDate": "2023-13-02"}, None),
        (["2023-11-02"], None),
    ],
)
def test_the_day_is_what_the_sidecar_states(tmp_path: Path, about: Any, stated: date) -> None:
    scan = tmp_path / "anat" / "sub-01_ses-1_T1w.nii.gz"
    scan.parent.mkdir()
    scan.with_name("sub-01_ses-1_T1w.json").write_text(json.dumps(about))
    case = Case(name="sub-01_ses-1_T1w", record={}, root=tmp_path, scan_path=scan)
    assert day_of(case) == stated


def test_the_day_is_read_from_the_table_of_the_session_too(tmp_path: Path) -> None:
    scan = tmp_path / "anat" / "sub-01_T1w.nii.gz"
    scan.parent.mkdir()
    rows = ["filename\tacq_time", "anat/sub-01_T2w.nii.gz\t1999-01-01"]
    rows += ["anat/sub-01_T1w.nii.gz\t1877-06-15T13:45:30", ""]
    (tmp_path / "sub-01_scans.tsv").write_text("\n".join(rows))
    day = day_of(Case(name="sub-01_T1w", record={}, root=tmp_path, scan_path=scan))
    assert day == date(1877, 6, 15)
    assert "moved" in day_words(day)


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Case]:
    folder = build_visits(tmp_path_factory.mktemp("visits"))
    return read_case(folder, NOW), read_case(folder, THEN)


def test_places_of_the_case_are_found_in_the_prior(visits: tuple[Case, Case]) -> None:
    now, then = visits
    link = link_cases(now, case_volumes(now), then, case_volumes(then))
    assert link.matrix is not None
    found = np.asarray(link.matrix) @ [*MARKER_MM, 1.0]
    assert found[:3] == pytest.approx(marker_then(), abs=1.5)
    assert not link.doubtful
    assert link.words.startswith("Not registered")
    assert link_cases(now, case_volumes(now), then, case_volumes(then)) is link, "found once"
    forget_links()
    assert not pairing._LINKS


def test_findings_are_the_same_where_their_peaks_lie_together(visits: tuple[Case, Case]) -> None:
    now, then = visits
    link = link_cases(now, case_volumes(now), then, case_volumes(then))
    rows = changes(now, then, matrix=link.matrix)
    assert [(row["now"]["rank"], row["then"]["rank"]) for row in rows] == [(1, 1), (2, 2)]
    for found in then.record["findings"]:
        found["side"] = "left"  # the other side: not the same any more
    rows = changes(now, then, matrix=link.matrix)
    assert [row["now"] is None for row in rows] == [False, False, True, True]
    assert all(row["now"] is None or row["then"] is None for row in rows)


def test_numbers_of_another_contrast_model_or_calibration_are_cautioned_against(
    visits: tuple[Case, Case],
) -> None:
    now, then = visits
    assert cautions(now, then) == []
    other = replace(then, name="sub-01_ses-1_FLAIR", record=then.record | {"model": {}})
    assert [text.split()[:2] for text in cautions(now, other)] == [
        ["The", "contrasts"],
        ["The", "two"],
    ]
    other = replace(then, name="sub-02_T1w")
    assert ["not scans of one person" in text for text in cautions(now, other)] == [True]
    other = replace(then, record=then.record | {"calibration": {"name": "site-b", "n": 40}})
    assert [text.split()[0] for text in cautions(now, other)] == ["Their"]


def test_without_a_match_nothing_is_called_the_same(visits: tuple[Case, Case]) -> None:
    now, then = visits
    volumes = {"scan": case_volumes(now)["scan"]}
    assert link_cases(now, volumes, then, volumes) == NO_LINK
    assert len(changes(now, then, matrix=None)) == 4
