"""Pages: self-contained, escaped, with the notice, and with words that match the world."""

import re
from pathlib import Path

import pytest

from medsym.screening.report import place_text, write_index
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        from tests.screening.quick_run import patch_known_plane

        patch_known_plane(patch)
        scan = store(folder / "sub-01_T1w.nii.gz", lesion_mm=(-40.0, 10.0, 10.0), codes="LPS")
        run([scan], folder / "out", folder / "model")
    return (folder / "out" / "sub-01_T1w.html").read_text(encoding="utf-8")


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
