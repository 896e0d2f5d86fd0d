"""The costs of screening as tables for people."""

from collections.abc import Iterator
from typing import Any

from medsym.text_table import aligned

#: On 2 processor cores, for a scan with voxels of 1 mm.
SECONDS_LIMIT, PEAK_LIMIT_MIB = 15.0, 2048.0


def format_screening(numbers: dict[str, Any]) -> str:
    """Time by stage, memory and throughput, and what they were measured on."""
    blocks = [*aligned(_totals(numbers)), "", *aligned(list(_stages(numbers)))]
    if numbers["throughput"]:
        blocks += ["", *aligned(list(_throughput(numbers)))]
    runs = max(len(scan["runs"]) for scan in numbers["scans"])
    return "\n".join(
        [
            *blocks,
            "",
            f"every run is a process of its own, its start included; medians of {runs} runs",
            f"wanted of a 1 mm scan on 2 cores: {SECONDS_LIMIT:.0f} s, {PEAK_LIMIT_MIB:.0f} MiB",
            "the network runs on the CPU, in 'anatomy' (one pass) and 'compare' (two passes)",
            f"{numbers['machine']['processor']}, {numbers['processors']} processors",
        ]
    )


def _totals(numbers: dict[str, Any]) -> list[list[str]]:
    rows = [["scan", "wall clock s", "processor s", "peak MiB"]]
    for scan in numbers["scans"]:
        cells = [scan["seconds"], scan["cpu_s"]]
        rows.append(
            [
                scan["scan"],
                *("-" if value is None else f"{value:.1f}" for value in cells),
                "-" if scan["peak_mib"] is None else f"{scan['peak_mib']:.0f}",
            ]
        )
    return rows


def _stages(numbers: dict[str, Any]) -> Iterator[list[str]]:
    """Processor seconds by stage and their share, a column per scan; else wall clock."""
    scans = numbers["scans"]
    kind = "stages_cpu_s" if all(scan["cpu_s"] for scan in scans) else "stages"
    yield [
        "processor s of" if kind == "stages_cpu_s" else "wall clock s of",
        *(scan["scan"] for scan in scans),
    ]
    for stage in dict.fromkeys(name for scan in scans for name in scan[kind]):
        cells = []
        for scan in scans:
            spent, total = scan[kind].get(stage), sum(scan[kind].values())
            cells.append("-" if spent is None else f"{spent:.2f} {spent / total:4.0%}")
        yield [stage, *cells]


def _throughput(numbers: dict[str, Any]) -> Iterator[list[str]]:
    yield ["workers", "scans", "scans/hour", "over the first", "processor s/scan", "peak MiB"]
    for row in numbers["throughput"]:
        cost = row["cost"]
        used = "-" if cost["cpu_s"] is None else f"{cost['cpu_s'] / row['scans']:.1f}"
        peak = "-" if cost["peak_mib"] is None else f"{cost['peak_mib']:.0f}"
        yield [
            str(row["workers"]),
            str(row["scans"]),
            f"{row['scans_per_hour']:.0f}",
            f"{row['ratio']:.2f}",
            used,
            peak,
        ]
