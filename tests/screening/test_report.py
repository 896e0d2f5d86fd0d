"""Pages: self-contained, escaped, with the notice, and with words that match the world."""

import re
from pathlib import Path

import pytest

from medsym.models.structures import STRUCTURES
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
    write_report(out, record=record | {"case": "sub-02_T1w"}, result=WithoutPictures())
    rows = structure_rows((out / "sub-02_T1w.html").read_text(encoding="utf-8"))
    assert rows["ventral diencephalon"] == ["1.5", "2.5", "-0.250", "0.10", "-0.10"]
    assert rows["accumbens"] == ["-"] * 5


class WithoutPictures:
    """A result of which the page needs nothing but its record."""

    is_assessable = False


def test_names_are_escaped(tmp_path: Path) -> None:
    failure = {
        "file": "<img src=x onerror=alert(1)>.nii",
        "case": "sub-x",
        "code": "MS-101",
        "cause": "![](x)",
        "fix": "<b>",
    }
    write_index(tmp_path, records=[], failures=[failure])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "<b>" not in page
