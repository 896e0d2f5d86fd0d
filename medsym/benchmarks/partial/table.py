"""The cost and the agreement of partial passes as a table."""

from typing import Any

import numpy as np

from medsym.text_table import aligned


def format_partial(numbers: dict[str, Any]) -> str:
    """A line per variant: means of costs, largest differences, over all subjects."""
    rows = numbers["rows"]
    titles = ["variant", "cost", "voxels of pass 2", "dev. differs", "flagged", "flagged otherwise"]
    lines = [[*titles, "rounding", "bound holds"]]
    for name in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == name]
        held = sum(row["bound_holds"] for row in own)
        lines.append(
            [
                name,
                f"{np.mean([row['cpu_s'] for row in own]):.2f}",
                f"{np.mean([row['share'] for row in own]):.0%}",
                f"{max(row['difference_sd'] for row in own):.2g} SD",
                str(sum(row["flagged"] for row in own)),
                str(sum(row["flagged_other"] for row in own)),
                f"{max(row['rounding'] for row in own):.2g}",
                f"{held} of {len(own)}",
            ]
        )
    return "\n".join(
        [
            *aligned(lines),
            "",
            "cost: processor time of the passes over that of both whole passes, mean; differences:",
            f"largest over {len({row['subject'] for row in rows})} subjects; flagged: voxels of",
            "findings, and those that only one of the two flags; in question: within",
            f"{numbers['slack_sd']:g} SD of a finding after the first pass",
            "'medsym screen' runs both passes whole",
            f"{numbers['machine']['processor']}, {numbers['torch_threads']} torch threads",
        ]
    )
