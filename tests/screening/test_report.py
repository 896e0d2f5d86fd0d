"""Pages: self-contained, escaped, with the notice, and with words that match the world."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from medsym.models.structures import STRUCTURES
from medsym.screening.case_pictures import CasePictures
from medsym.screening.records import read_record
from medsym.screening.report import place_text, write_index, write_report
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        from tests.screening.quick_run import patch_known_plane

        patch_known_plane(patch)
        scan = store(folder / "sub-01_T1w.nii.gz", lesion_mm=(-40.0, 10.0, 10.0), codes="LPS")
        run([scan], folder / "out", folder / "model")
    return folder / "out"


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return (out / "sub-01_T1w.html").read_text(encoding="utf-8")


def structure_rows(page: str) -> dict[str, list[str]]:
    """Name -> cells of the table of structures."""
    start = page.index("<h2>Left and right structures</h2>")
    table = page[start : page.index("</section>", start)]
    rows = re.findall(r'<tr><td>([^<]+)</td>((?:<td class="n">[^<]+</td>)+)</tr>', table)
    return {name: re.findall(r">([^<]+)</td>", cells) for name, cells in rows}


def test_page_needs_nothing_from_elsewhere(page: str) -> None:
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert set(re.findall(r'src="(.{5})', page)) == {"data:"}


def test_page_says_what_it_must(page: str) -> None:
    assert page.count("Research use only") >= 3
    assert "Orange" in page
    assert "f" * 64 in page  # the model's hash
    assert "the model cannot have made the difference up" in page


def test_words_left_and_right_match_world_x(page: str) -> None:
    rows = re.findall(r"<tr><td>1</td><td>(\w+)</td>.*?</tr>", page, flags=re.DOTALL)
    assert rows == ["left"]
    row = re.search(r"<tr><td>1</td>.*?</tr>", page, flags=re.DOTALL).group(0)
    peak, opposite = re.findall(r"<td>([+-]\d+), [+-]\d+, [+-]\d+</td>", row)
    assert int(peak) < 0 < int(opposite)
    assert "sagittal slice on the patient's left" in page
    assert place_text((42.0, -3.4, 0.0)) == "+42, -3, +0"


def test_every_pair_of_structures_is_a_row_in_words(page: str) -> None:
    names = [s.name.replace("-", " ") for s in STRUCTURES if s.side == "left"]
    rows = structure_rows(page)
    assert list(rows) == names
    assert len(names) == 14
    assert {len(cells) for cells in rows.values()} == {5}
    assert "on the grid of 3.0 mm" in page


def test_volumes_of_structures_are_left_then_right_and_absent_where_not_found(out: Path) -> None:
    record = read_record(next(out.glob("sub-01/anat/*_case.json")))
    sizes = {"left_ml": 1.5, "right_ml": 2.5, "laterality": -0.25}
    deviations = {"deviation_mean_left": 0.1, "deviation_mean_right": -0.1}
    absent = dict.fromkeys((*sizes, *deviations)) | {"left_ml": 0.0, "right_ml": 0.0}
    record["structures"] = [
        {"name": "ventral-diencephalon", **sizes, **deviations},
        {"name": "accumbens", **absent},
    ]
    write_report(out, record=record | {"case": "sub-02_T1w"}, pictures=NO_PICTURES)
    rows = structure_rows((out / "sub-02_T1w.html").read_text(encoding="utf-8"))
    assert rows["ventral diencephalon"] == ["1.5", "2.5", "-0.250", "0.10", "-0.10"]
    assert rows["accumbens"] == ["-"] * 5


#: A page of which nothing but the record matters.
NO_PICTURES = CasePictures(
    sheets=(), overview="data:,", thumbnail=b"", defects=(None,) * 9, radiological=True
)


def hostile(value: object) -> object:
    """Every text of a record with markup in it; keys stay."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return value + "<i onclick=x>" if isinstance(value, str) else value


def test_markup_in_any_text_of_a_record_is_escaped(out: Path, tmp_path: Path) -> None:
    record = hostile(read_record(next(out.glob("sub-01/anat/*_case.json"))))
    record |= {"case": "sub-01_T1w"}
    write_report(tmp_path, record=record, pictures=NO_PICTURES)
    failure = dict.fromkeys(("file", "case", "code", "cause", "fix"), "<i>.nii")
    withheld = record | {"assessable": False, "reasons": ["<i>"], "case": "sub-02"}
    write_report(tmp_path, record=withheld, pictures=None)
    write_index(tmp_path, records=[record, withheld], failures=[failure])
    for path in sorted(tmp_path.glob("*.html")):
        page = path.read_text(encoding="utf-8")
        assert "<i" not in page.replace("<img", "").replace("<input", "")
        assert "&lt;i" in page


def test_the_notice_is_on_every_printed_page(page: str) -> None:
    head = page[page.index("<thead>") : page.index("</thead>")]
    assert "Research use only" in head
    printed = page[page.index("@media print") :]
    assert ".sheet > thead { display: table-header-group" in printed
    assert "break-inside: avoid" in printed


def test_the_result_is_said_in_words_with_the_right_side(page: str) -> None:
    assert "<b>LEFT higher than RIGHT</b>" in page
    assert "RIGHT higher than LEFT" not in page


def test_no_finding_is_never_called_normal(out: Path, tmp_path: Path) -> None:
    record = read_record(next(out.glob("sub-01/anat/*_case.json"))) | {"findings": []}
    write_report(tmp_path, record=record, pictures=NO_PICTURES)
    page = (tmp_path / "sub-01_T1w.html").read_text(encoding="utf-8")
    assert "No finding. This does not mean normal." in page
    assert "higher than" not in page


@pytest.mark.parametrize("n", [2, 118, 120, 1000])
def test_the_page_states_the_smallest_p_exactly_not_rounded(out, tmp_path, n: int) -> None:
    record = read_record(next(out.glob("sub-01/anat/*_case.json")))
    record["calibration"] |= {"n": n, "reason": None}
    record["summary"] |= {"p_value": 1 / (n + 1)}
    write_report(tmp_path, record=record, pictures=NO_PICTURES)
    page = (tmp_path / "sub-01_T1w.html").read_text(encoding="utf-8")
    top, bottom = re.findall(r"never below (\S+?)/(\d+) with", page)[0]
    assert Fraction(int(top), int(bottom)) == Fraction(1, n + 1)


def test_without_a_p_value_the_page_gives_the_reason_once_and_no_number(out, tmp_path) -> None:
    record = read_record(next(out.glob("sub-01/anat/*_case.json")))
    reason = "the scan does not state what the calibration is grouped by: site"
    notes = [f"no p-value: {reason}"]
    record["calibration"] |= {"reason": reason, "n": 0}
    record["scan"] |= {"notes": notes}
    record["summary"] |= {"p_value": None}
    record["threshold"] |= {"false_alarm_rate": None}
    write_report(tmp_path, record=record, pictures=NO_PICTURES)
    page = (tmp_path / "sub-01_T1w.html").read_text(encoding="utf-8")
    assert page.count(reason) == 1
    assert "not given, see what limits this scan" in page
    assert "No false-alarm rate can be stated" in page
    assert "0 healthy cases" not in page


@pytest.mark.parametrize(("deviation", "shown"), [(4.9, "4.9"), (4.93, "5.0"), (5.3, "5.3")])
def test_no_deviation_below_the_threshold_is_printed_as_if_it_reached_it(
    out: Path, tmp_path: Path, deviation: float, shown: str
) -> None:
    record = read_record(next(out.glob("sub-01/anat/*_case.json")))
    record["threshold"] |= {"peak_sd": 4.911, "extent_sd": 2.4555}
    record["summary"] |= {"deviation_max": deviation}
    record["findings"][0] |= {"deviation": deviation}
    write_report(tmp_path, record=record, pictures=NO_PICTURES)
    write_index(tmp_path, records=[record], failures=[])
    page = (tmp_path / "sub-01_T1w.html").read_text(encoding="utf-8")
    assert f"<b>{shown} SD</b>" in page
    assert "threshold 5.0 SD" in page
    assert "from 2.5 SD on" in page
    row = page[page.index("<tr><td>1</td>") :]
    assert f'<td class="n">{shown}</td>' in row[: row.index("</tr>")]
    assert f'<td class="n">{shown}</td>' in (tmp_path / "index.html").read_text(encoding="utf-8")
