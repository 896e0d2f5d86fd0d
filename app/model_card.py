"""The card of the model that ships with medsym, for results that this very model made."""

import json
from pathlib import Path

import medsym

WEIGHTS = Path(medsym.__file__).parent / "models" / "weights"


def model_card(sha256: str, *, folder: Path = WEIGHTS) -> str | None:
    """Card text, or None when the results come from other weights or the folder has no card.

    Args:
        sha256: hash of the weights, as case.json names it.
        folder: model folder with manifest.json and README.md.

    Returns:
        Markdown without its title line.
    """
    manifest, card = folder / "manifest.json", folder / "README.md"
    if not (manifest.is_file() and card.is_file()):
        return None
    if json.loads(manifest.read_text(encoding="utf-8")).get("sha256") != sha256:
        return None
    title, _, text = card.read_text(encoding="utf-8").partition("\n")
    return text if title.startswith("#") else f"{title}\n{text}"
