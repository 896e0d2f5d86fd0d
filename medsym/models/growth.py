"""A trained network as the beginning of a larger one: what fits is kept, what is new is zero.

New input channels get zero weights, so the grown network says what the old one said. A soft head
whose settings change starts anew: a tolerance that was learned without a side to be tolerant about
is near zero, where its gradient vanishes.
"""

import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings

_ANEW = ("pathology.odd.", "pathology.sided.", "pathology.tolerance.")
_HEAD = {"head_side_width", "head_tolerance"}
_MAY_DIFFER = {"position", "spacing_mm", *_HEAD}


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
    lost: set[str] = {
        name
        for name in ("position", "head_side_width")
        if name in differ and old[name] and not new[name]
    }
    if settings.encoder == "steerable":
        lost |= differ & {"position"}  # its coefficients are not sorted by input channel
    refused = lost | (differ - _MAY_DIFFER)
    if refused:
        raise ModelError(
            code="MS-322",
            subject=subject,
            cause=f"the model to start from differs in {', '.join(sorted(refused))}",
            fix="copy `settings` from its manifest into `model`, or set start_from to null",
        )
    network = AsymmetryNet(settings)
    if not differ:
        network.load_state_dict(trained.state_dict())
        return network
    state = network.state_dict()
    for name, value in trained.state_dict().items():
        if not (differ & _HEAD and name.startswith(_ANEW)):
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
