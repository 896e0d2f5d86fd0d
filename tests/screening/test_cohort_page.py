"""The cohort page: order, counts, expected false alarms, p-values, and a thousand cases."""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsym.calibration.conformal import p_values
from medsym.screening.cohort import BINS, MAX_THUMBNAILS, ORDERS, cohort_of
from medsym.screening.records import read_record
from medsym.screening.report import index_text, report_name, write_index
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


def test_a_file_is_shown_where_the_case_is_called_otherwise(record: Record, tmp_path: Path) -> None:
    other = record | {
        "case": "sub-strokeT21a2b3c4d",
        "scan": record["scan"] | {"file": "a <T2>.nii"},
    }
    shown = cohort_of([record, other], out=tmp_path, page_of=report_name).rows
    assert {row["file_shown"] for row in shown} == {"", "a <T2>.nii"}
    text = index_text(tmp_path, records=[record, other], failures=[])
    assert "a &lt;T2&gt;.nii" in text
    assert "sub-01_T1w.nii.gz" not in text


def test_without_p_values_the_largest_deviation_comes_first(record, tmp_path) -> None:
    records = [named(r, r["case"], p_value=None, found=True) for r in cases(record)]
    cohort = cohort_of(records, out=tmp_path, page_of=report_name)
    assert [row["case"] for row in cohort.rows] == ["sub-c", "sub-b", "sub-a", "sub-d"]
    assert not cohort.has_p


def test_alarms_are_counted_against_the_stated_rate(record, tmp_path) -> None:
    many = [named(record, f"sub-{n}", p_value=0.05 if n < 9 else 0.1) for n in range(100)]
    people = record["calibration"] | {"n": 19, "name": "site", "kind": "healthy scans"}
    by_sex = [r | {"calibration": people | {"group": "sex=F"}} for r in many[:30]]
    by_sex += [r | {"calibration": people | {"group": "sex=M"}} for r in many[30:]]
    women, men = cohort_of(by_sex, out=tmp_path, page_of=report_name).alarms
    assert (women.name, women.observed, women.scans, women.rate) == ("site, sex=F", 9, 30, 0.05)
    assert (men.observed, men.scans, men.expected) == (0, 70, pytest.approx(3.5))
    write_index(tmp_path, records=by_sex, failures=[])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "site, sex=F: <b>9 of 30</b> scans have a p-value of at most 0.05" in page
    assert "19 of the calibration" in page
    write_index(tmp_path, records=many, failures=[])
    assert "drawn heads of the synthetic reference" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("n", [19, 99])
def test_the_usual_number_of_alarms_counts_with_one_shared_calibration(
    record: Record, tmp_path: Path, n: int
) -> None:
    use = record["calibration"] | {"n": n}
    many = [named(record, f"sub-{i}", p_value=0.5) | {"calibration": use} for i in range(100)]
    (alarms,) = cohort_of(many, out=tmp_path, page_of=report_name).alarms
    low, high = alarms.usual
    rng = np.random.default_rng(n)
    counts = []
    for _ in range(1500):
        maxima = np.sort(rng.random(n))
        counts.append(int((p_values(maxima, rng.random(100)) <= 0.05).sum()))
    inside = np.mean((np.array(counts) >= low) & (np.array(counts) <= high))
    assert 0.96 <= inside <= 0.99  # a binomial law of 100 scans would hold 0.71 and 0.92
    assert np.mean(counts) == pytest.approx(alarms.expected, rel=0.1)


def test_a_warning_stands_in_the_list_beside_its_p_value(record: Record, tmp_path: Path) -> None:
    warned = cases(record)
    warned[1] |= {"calibration": record["calibration"] | {"warning": "the scan is unlike <them>"}}
    write_index(tmp_path, records=warned, failures=[])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("Care: the scan is unlike &lt;them&gt;.") == 1


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
