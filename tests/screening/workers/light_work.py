"""What workers do in tests: quick, without any network, and dying as the name of a scan says."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from medsym.errors import ModelError
from medsym.screening.workers.child import tell


def light_task(text: str) -> str:
    """Every scan is "done"; a name that begins with kill, raise, slow or model is not at once."""
    answers = []
    for number, entry in json.loads(text)["scans"]:
        path, case = Path(entry["path"]), entry["name"]["case"]
        tell({"number": number, "total": 0, "name": case, "stage": "compare", "seconds": 0.5})
        _behave(path)
        answer = {"number": number, "case": case, "file": path.name, "stage": "done"}
        answers.append({**answer, "total_s": 1.0, "seconds": {}, "cost": {"pid": os.getpid()}})
        answers[-1]["error"] = None
    return json.dumps(answers)


def _behave(path: Path) -> None:
    mark = path.with_suffix(".mark")
    if path.name.startswith("killonce") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name.startswith("kill-with"):
        path.with_suffix(".program").write_text(str(subprocess.Popen(["sleep", "60"]).pid))
    if path.name.startswith("kill-"):
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name.startswith("raise"):
        raise ValueError("no such luck")
    if path.name.startswith("model"):
        raise ModelError(code="MS-312", subject="weights", cause="cut", fix="copy")
    if path.name.startswith("slowonce") and mark.exists():
        return
    if path.name.startswith("slow-with"):
        program = subprocess.Popen(["sleep", "60"])
        path.with_suffix(".program").write_text(str(program.pid))
    if path.name.startswith("slow"):
        mark.touch()
        time.sleep(60)


def chatter(text: str) -> str:
    """A library that prints."""
    os.write(1, b"noise\n")
    return text.upper()


def variable(text: str) -> str:
    """What the environment says."""
    return os.environ[text]
