"""What differs from browser to browser: units of a wheel, layouts of keyboards, percentages."""

import re
from pathlib import Path

from tests.app.browser_modules import WEB, answer_of

PIXELS, LINES = 0, 1
#: One notch of a wheel as (unit, size): Chromium, Windows, WebKitGTK, magnified pages, Firefox.
NOTCHES = [(PIXELS, size) for size in (100, 120, 83, 66.7, 50)] + [(LINES, 3), (LINES, 1)]


def slices_of(events: list[tuple[int, float]], *, folder: Path) -> list[int]:
    """Slices that the events of one wheel change, one number for each."""
    script = 'import { Wheel } from "./wheel.js";\nconst wheel = new Wheel();\n'
    script += f"answer({[list(event) for event in events]}.map(([deltaMode, deltaY]) =>"
    script += " wheel.slices({ deltaMode, deltaY }) + 0));"  # + 0: no minus zero
    found: list[int] = answer_of(script, folder=folder)
    return found


def test_one_notch_is_one_slice_in_every_unit_and_back_again(tmp_path: Path) -> None:
    there = slices_of(NOTCHES * 2, folder=tmp_path)
    back = slices_of([(unit, -size) for unit, size in NOTCHES * 2], folder=tmp_path)
    assert there == [1] * len(there)
    assert back == [-1] * len(back)


def test_a_fast_wheel_and_many_small_scrolls_go_as_far_as_they_turn(tmp_path: Path) -> None:
    assert slices_of([(PIXELS, 300), (PIXELS, -480)], folder=tmp_path) == [3, -5]
    small = slices_of([(PIXELS, 15)] * 14 + [(PIXELS, -15)] * 14, folder=tmp_path)
    assert sum(small[:14]) == 2
    assert sum(small) == 0
    assert max(map(abs, small)) == 1


def test_a_letter_is_found_with_caps_lock_and_on_keyboards_without_latin_letters(
    tmp_path: Path,
) -> None:
    pressed = [
        {"key": "r", "code": "KeyR"},
        {"key": "R", "code": "KeyR"},
        {"key": "\u043a", "code": "KeyR"},  # Cyrillic
        {"key": "\u039a", "code": "KeyK"},  # Greek, with Caps Lock
        {"key": "w", "code": "KeyZ"},  # French: what is printed on the key counts
        {"key": "+", "code": "BracketRight"},  # German
        {"key": " ", "code": "Space"},
        {"key": "PageUp", "code": "Numpad9"},
    ]
    script = 'import { nameOf } from "./input.js";\n'
    script += f"answer({pressed}.map((one) => nameOf({{ shiftKey: false, ...one }})));"
    expected = ["r", "r", "r", "k", "w", "+", "Space", "PageUp"]
    assert answer_of(script, folder=tmp_path) == expected


def test_no_height_of_the_viewer_is_a_percentage() -> None:
    """WebKit takes it of the whole stage: planes twice as tall, and cut off in the middle."""
    for style in WEB.glob("*.css"):
        assert not re.search(r"(?<!-)height:\s*\d+%", style.read_text(encoding="utf-8")), style.name
