"""Runs the modules of the browser in node, for what needs no page."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[2] / "app" / "viewer" / "web"


def answer_of(script: str, *, folder: Path) -> Any:
    """What a script that imports "./NAME.js" of the viewer gives to `answer`.

    Args:
        script: JavaScript; it calls answer(value) once with what JSON can hold.
        folder: empty or not there yet, for a copy of the modules.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the modules of the browser")
    folder.mkdir(parents=True, exist_ok=True)
    for module in (*WEB.glob("*.js"), *WEB.glob("*.json")):
        shutil.copy(module, folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    asked = folder / "asked.js"
    head = "const answer = (value) => console.log(JSON.stringify(value));\n"
    asked.write_text(head + script, encoding="utf-8")
    done = subprocess.run([node, str(asked)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
