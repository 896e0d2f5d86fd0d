"""A trained network as the beginning of a larger one: what fits is kept, what is new is zero.

New input channels get zero weights, so the grown network says what the old one said. Its soft head
starts anew: a tolerance that was learned without a side to be tolerant about is near zero, where
its gradient vanishes.
"""

import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings

_ANEW = ("pathology.odd.", "pathology.sided.", "pathology.tolerance.")
_MAY_DIFFER = {"position", "head_side_width", "head_tolerance", "spacing_mm", "pathology_prior"}


def grown(trained: AsymmetryNet, settings: ModelSettings, *, subject: str) -> AsymmetryNet:
    """A network of other settings that starts from a trained one.

    Args:
        trained: The network to start from, not folded.
        settings: They may add places to the input, tell the head its side and change the grid;
            everything else is as in the trained network.
        subject: What the error names.

    Raises:
        ModelError: MS-322, the settings differ in more than that.
    """
    old, new = trained.settings.model_dump(), settings.model_dump()
    differ = {name for name in new if old[name] != new[name]}
    lost = trained.settings.position and not settings.position
    if differ - _MAY_DIFFER or lost:
        raise ModelError(
            code="MS-322",
            subject=subject,
            cause=f"the model to start from differs in {', '.join(sorted(differ))}",
            fix="copy `settings` from its manifest into `model`, or set start_from to null",
        )
    network = AsymmetryNet(settings)
    if not differ:
        network.load_state_dict(trained.state_dict())
        return network
    state = network.state_dict()
    for name, value in trained.state_dict().items():
        if not name.startswith(_ANEW):
            state[name] = _extended(value, state[name])
    network.load_state_dict(state)
    return network


def _extended(old: Tensor, new: Tensor) -> Tensor:
    """Weights (out, in, ...) with zeros for the input channels that are new, the last ones."""
    if old.shape == new.shape:
        return old
    extended = torch.zeros_like(new)
    extended[:, : old.shape[1]] = old
    return extended
