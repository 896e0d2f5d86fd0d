"""What softening a network found, layer by layer, and what it did about it."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

Problem = Literal[
    "kernel",
    "stride",
    "transposed convolution",
    "output_padding",
    "one-sided padding",
    "odd size",
    "bias",
    "norm",
    "batch-norm statistics",
    "channel scale",
    "position embedding",
    "window grid",
    "patch merging",
    "patch embedding",
    "channels",
    "layer",
]
"""What can break mirror symmetry."""

Outcome = Literal["fixed", "kept", "warned", "refused"]
"""fixed: changed so that the mirror holds; kept: holds as it is; warned: holds, at a price that the
text names; refused: not possible here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One place where the mirror was looked at.

    Attributes:
        path: Dotted name of the module in the network; "" is the network itself.
        problem: What breaks or could break the mirror there.
        outcome: Whether it was fixed, needed nothing, or is refused.
        text: What was done, a plain sentence without the closing full stop.
        exact: False if the function of the network changes even at softness 1.
    """

    path: str
    problem: Problem
    outcome: Outcome
    text: str
    exact: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrofitReport:
    """All findings of one call of ``soften``, in the order of the network's modules.

    Attributes:
        network: Class name of the network.
        axis: The mirrored axis.
        findings: What was found; see :class:`Finding`.
    """

    network: str
    axis: str
    findings: tuple[Finding, ...]

    def of(self, problem: Problem) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(f for f in self.findings if f.problem == problem)

    @property
    def changes_function(self) -> tuple[Finding, ...]:
        """Findings whose fix changes the network's function even at softness 1."""
        return tuple(f for f in self.findings if not f.exact)

    def __str__(self) -> str:
        """A readable table: what was changed by name, what was kept by kind."""
        count = Counter(f.outcome for f in self.findings)
        head = f"{self.network}, mirror along {self.axis}: " + ", ".join(
            f"{count[outcome]} {outcome}" for outcome in ("fixed", "kept", "warned", "refused")
        )
        rows = [
            (f.path or "(network)", f.problem, f.outcome, f.text)
            for f in self.findings
            if f.outcome != "kept" or not f.path
        ]
        alike = Counter(
            (f.problem, f.text) for f in self.findings if f.outcome == "kept" and f.path
        )
        rows += [
            (f"({n} layer{'s' * (n > 1)})", problem, "kept", text)
            for (problem, text), n in alike.items()
        ]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        lines = [
            "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip()
            for row in rows
        ]
        changed = sorted({f.path or "(network)" for f in self.changes_function})
        tail = "changed by " + ", ".join(changed) if changed else "unchanged"
        return "\n".join([head, *lines, f"Function at softness 1: {tail}"])
