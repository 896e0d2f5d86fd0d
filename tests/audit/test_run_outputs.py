"""Where the results of an audit go, and what is said where they cannot."""

from pathlib import Path

import pytest

from medsym.audit.run import run_audit
from medsym.commands.console import show
from medsym.errors import OutputError

NETWORK = """network: UNet
arguments: {in_channels: 1, out_channels: 1, channels: [2, 2], strides: [1]}
shape: [4, 4, 4]
"""


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "network.yaml").write_text(NETWORK)
    with pytest.raises(OutputError, match="MS-140"):
        run_audit(tmp_path / "network.yaml", out=tmp_path / "network.yaml")
    with pytest.raises(OutputError, match="MS-140"):
        show("table", numbers={}, path=tmp_path / "missing" / "numbers.json")
