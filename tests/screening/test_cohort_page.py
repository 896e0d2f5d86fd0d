"""The cohort page: order, counts, expected false alarms, p-values, and a thousand cases."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from medsym.screening.cohort import BINS, MAX_THUMBNAILS, ORDERS, cohort_of
from medsym.screening.records import read_record
from medsym.screening.report import report_name, write_index
from tests.screening.quick_run import run, store

Record = dict[str, Any]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    with pytest.MonkeyPatch.context() as patch:
        from tests.screening.quick_run import patch_known_plane

        patch_known_plane(patch)
        run([store(folder / "sub-01_T1w.nii.gz")], folder / "out", folder / "model")
    return folder / "out"


@pytest.fixture(scope="module")
def record(out: Path) -> Record:
    return read_record(next(out.glob("sub-01/anat/*_case.json")))


def named(record: Record, case: str, **changes: Any) -> Record:
    """Another case like this one; changes of the summary, and "findings"."""
    findings = record["findings"] if changes.pop("found", True) else []
    summary = record["summary"] | changes
    return record | {"case": case, "summary": summary, "findings": findings}


def cases(record: Record) -> list[Record]:
    return [
        named(record, "sub-a", p_value=0.5, deviation_max=3.0, found=False),
        named(record, "sub-b", p_value=0.01, deviation_max=9.0),
        named(record, "sub-c", p_value=0.01, deviation_max=12.0),
        named(record, "sub-d", p_value=1.0, deviation_max=1.0, found=False),
    ]


def test_smallest_p_value_comes_first_then_the_largest_deviation(record, tmp_path) -> None:
    cohort = cohort_of(cases(record), out=tmp_path, page_of=report_name)
    assert [row["case"] for row in cohort.rows] == ["sub-c", "sub-b", "sub-a", "sub-d"]
    by_name = [name for name, _, _ in ORDERS].index("name")
    ordered = sorted(cohort.rows, key=lambda row: row["ranks"][by_name])
    assert [row["case"] for row in ordered] == ["sub-a", "sub-b", "sub-c", "sub-d"]
    for number in range(len(ORDERS)):
        assert sorted(row["ranks"][number] for row in cohort.rows) == [0, 1, 2, 3]


def test_without_p_values_the_largest_deviation_comes_first(record, tmp_path) -> None:
    records = [named(r, r["case"], p_value=None, found=True) for r in cases(record)]
    cohort = cohort_of(records, out=tmp_path, page_of=report_name)
    assert [row["case"] for row in cohort.rows] == ["sub-c", "sub-b", "sub-a", "sub-d"]
    assert not cohort.has_p


def test_alarms_are_counted_against_the_stated_rate(record, tmp_path) -> None:
    many = [named(record, f"sub-{n}", found=n < 9) for n in range(100)]
    (alarms,) = cohort_of(many, out=tmp_path, page_of=report_name).alarms
    assert (alarms.observed, alarms.scans, alarms.rate) == (9, 100, 0.05)
    assert alarms.expected == pytest.approx(5.0)
    assert alarms.usual == (1, 10)  # 95 % of Binomial(100, 0.05)


def test_every_p_value_is_in_one_bar(record, tmp_path) -> None:
    bars = cohort_of(cases(record), out=tmp_path, page_of=report_name).bars
    assert sum(bars) == 4
    assert bars[0] == 2
    assert bars[int(0.5 * BINS)] == 1
    assert bars[-1] == 1


def test_a_case_that_is_not_assessable_is_listed_apart(record, tmp_path) -> None:
    withheld = named(record, "sub-x", p_value=None) | {"assessable": False, "reasons": ["dark"]}
    cohort = cohort_of([*cases(record), withheld], out=tmp_path, page_of=report_name)
    assert [row["case"] for row in cohort.withheld] == ["sub-x"]
    assert "sub-x" not in {row["case"] for row in cohort.rows}
    assert cohort.alarms[0].scans == 4


def test_the_side_of_the_list_is_that_of_the_finding(out: Path) -> None:
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "RIGHT higher than LEFT" in page  # the phantom's lesion is on the right
    assert "LEFT higher than RIGHT" not in page
    assert "<script" not in page
    assert set(re.findall(r'src="(.{5})', page)) == {"data:"}
    assert set(re.findall(r'href="([^"]*)"', page)) == {"sub-01_T1w.html"}


def test_a_picture_that_is_gone_leaves_the_page_whole(record: Record, tmp_path: Path) -> None:
    write_index(tmp_path, records=[record], failures=[])
    assert "sub-01_T1w" in (tmp_path / "index.html").read_text(encoding="utf-8")
    bad = record | {"files": record["files"] | {"thumbnail": {"path": "../../x", "sha256": ""}}}
    write_index(tmp_path, records=[bad], failures=[])
    assert "data:image" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_thousand_cases_make_a_page_of_usable_size(out: Path, record: Record) -> None:
    many = [named(record, f"sub-{n:04d}", p_value=(n + 1) / 1001) for n in range(1000)]
    begun = time.process_time()
    write_index(out, records=many, failures=[])
    seconds = time.process_time() - begun
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count('<tr class="r') == 1000
    assert page.count("data:image") == MAX_THUMBNAILS
    assert len(page) < 3_000_000
    assert seconds < 10


def test_scores_of_persons_are_shown_beside_their_case_and_escaped(record, tmp_path: Path) -> None:
    lines = ["case\tprobability\tlaterality_p\tbilateral_p\twords"]
    lines += ["sub-b\t0.73\tn/a\t0.012\t<i>Unusual</i>", "sub-gone\t0.9\t1\t1\tno such case"]
    (tmp_path / "scores.tsv").write_text("\n".join(lines))
    write_index(tmp_path, records=cases(record), failures=[])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    start = page.index("Scores of persons")
    section = page[start : page.index("</section>", start)]
    assert re.findall(r'<td class="n">([^<]*)</td>', section) == ["0.73", "-", "0.012"]
    assert "&lt;i&gt;Unusual" in section
    assert "sub-gone" not in page
