"""A card is shown only for the weights that it describes."""

import json
from pathlib import Path

from app.model_card import WEIGHTS, model_card


def test_card_belongs_to_its_weights_and_to_no_others(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": "a" * 64}))
    assert model_card("a" * 64, folder=tmp_path) is None
    (tmp_path / "README.md").write_text("# Model card\n\nWhat it is.\n")
    assert model_card("a" * 64, folder=tmp_path) == "\nWhat it is.\n"
    assert model_card("b" * 64, folder=tmp_path) is None
    assert model_card("", folder=tmp_path) is None


def test_shipped_weights_have_a_card() -> None:
    sha256 = json.loads((WEIGHTS / "manifest.json").read_text())["sha256"]
    assert "Known failures" in str(model_card(sha256))
