"""What numbers were measured on, and when."""

import contextlib
import datetime as dt
import platform
from pathlib import Path

import torch


def machine() -> dict[str, str]:
    """Processor, system, versions and date, for the record of a measurement."""
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "bfloat16_instructions": str(torch.cpu._is_avx512_bf16_supported()),  # noqa: SLF001
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
    }


def _processor() -> str:
    """Name of the processor, as far as the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
