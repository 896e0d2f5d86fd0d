"""What the queue of uploads does in its tests instead of an analysis, in another process."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from medsym.errors import ScanError
from medsym.screening.workers.child import tell

SCAN = {"case": "sub-1", "stage": "done", "code": "", "cause": "", "fix": "", "reasons": []}


def stub(text: str) -> str:
    """Do what the name of the file asks for."""
    task = json.loads(text)
    file, out = Path(task["file"]), Path(task["out"])
    tell({"number": 1, "total": 2, "stage": "anatomy"})
    if file.name == "refused":
        raise ScanError(code="MS-101", subject="x", cause="is cut off", fix="copy it again")
    if file.name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    out.mkdir(parents=True, exist_ok=True)
    (out / "screening.tsv").write_text("case\n")
    if file.name == "slow":
        (Path(tempfile.mkdtemp()) / "PATIENT.dcm").write_bytes(b"unpacked")
        with subprocess.Popen(["sleep", "60"]) as program:
            (out / "program").write_text(str(program.pid))
            _wait_for(out)
            program.kill()
    return json.dumps([SCAN])


def _wait_for(out: Path) -> None:
    while not (out / "go").exists():
        (out / "busy").write_text(str(os.getpid()))
        time.sleep(0.01)
