"""The learned softness of every layer of a model's backbone."""

from dataclasses import asdict
from pathlib import Path

from medsym.audit.layer_softness import layer_softness
from medsym.models.store import load_model
from medsym.science.intervals import Numbers


def softness_of(folder: Path | None) -> Numbers:
    """Softness of every softened weight, in the order of the network.

    Args:
        folder: of the model; None is the shipped one.

    Returns:
        where, the setting that says where the network may depart from the mirror; exact, True if
        the softness is 0 throughout and stays so; learned, True if any is; and the layers.
    """
    network = load_model(folder, folded=False).network
    rows = layer_softness(network)
    return {
        "where": network.settings.softness,
        "exact": all(row.high == 0.0 and not row.learned for row in rows),
        "learned": any(row.learned for row in rows),
        "layers": [asdict(row) for row in rows],
    }
