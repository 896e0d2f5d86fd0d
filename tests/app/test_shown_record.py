"""What is shown belongs to one record: screened again, a case is shown anew."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.browser_modules import answer_of
from tests.app.visits_folder import NOW, THEN, build_visits

MAIN = Path(__file__).parents[2] / "app" / "main.py"
pytestmark = pytest.mark.filterwarnings("default")  # Streamlit warns about itself

MOUNT = """
    import { mount } from "./mount.js";
    const root = {}, seen = [];
    class Kind {
      constructor(node, data) { seen.push(`${data.case} ${data.seal} ${data.beside?.seal}`); }
      follow(mm) { seen.push(`at ${mm}`); }
      destroy() { seen.push("gone"); delete root.medsymViewer; }
    }
    const show = (data) => mount({ data, parentElement: { querySelector: () => root } }, Kind);
    show({ case: "a", seal: "1", crosshair_mm: 1 });
    show({ case: "a", seal: "1", crosshair_mm: 2 });
    show({ case: "a", seal: "2" });
    show({ case: "a", seal: "2", beside: { case: "b", seal: "3" } });
    show({ case: "a", seal: "2", beside: { case: "b", seal: "4" } });
    answer(seen);
"""


def test_the_picture_is_made_anew_for_another_record_of_the_same_case(tmp_path: Path) -> None:
    seen = answer_of(MOUNT, folder=tmp_path)
    made = ["a 1 undefined", "at 2", "gone", "a 2 undefined", "gone", "a 2 3", "gone", "a 2 4"]
    assert seen == made


@pytest.mark.parametrize(("page", "again"), [("review", NOW), ("compare", THEN)])
def test_a_case_that_was_screened_again_is_another_viewer_with_its_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, again: str
) -> None:
    folder = build_visits(tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    pages = AppTest.from_file(str(MAIN), default_timeout=60).run()
    pages.query_params["case"] = NOW
    if page == "compare":
        pages.query_params["prior"] = THEN
    before = shown(pages.switch_page(f"app_pages/{page}.py").run(), page)
    (path,) = folder.rglob(f"{again}_case.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"record_sha256": "cd" * 32}))
    after = shown(pages.run(), page)
    assert before.proto.id != after.proto.id, "another identity: the old picture cannot stay"
    data: dict[str, Any] = json.loads(after.proto.json)
    sealed = data if again == NOW else data["beside"]
    assert (sealed["case"], sealed["seal"]) == (again, "cd" * 32)


def shown(pages: AppTest, page: str) -> Any:
    """The component with the picture."""
    assert not pages.exception
    name = f"medsym.{page}"
    (found,) = (
        item for item in pages.get("bidi_component") if item.proto.component_name.endswith(name)
    )
    return found
