"""Facts follow tensors through a network, and what no rule covers is refused by name."""

from typing import Any

import pytest
import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.symmetry.walk import Call, Walk


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, 2, 1)

    def forward(self, volume: Tensor) -> Tensor:
        features: Tensor = self.layer(volume)
        assert features.shape[1] == 2
        return torch.cat([features, features.relu_()], dim=1)


def deepest(call: Call[int], _output: Any) -> int:
    """One more than the largest number among the inputs: the depth of the output."""
    parts = call.args[0] if isinstance(call.args[0], list) else [call.args[0]]
    return 1 + max(call.fact(part) or 0 for part in parts)


def test_facts_pass_through_modules_functions_and_in_place_methods() -> None:
    network = Twice()
    rules = {F.conv3d: deepest, torch.conv3d: deepest, torch.cat: deepest}
    walk = Walk(network, rules={**rules, torch.Tensor.relu_: deepest})
    output = walk.run((torch.ones(1, 1, 2, 2, 2), 0))
    assert walk.fact(output) == 3
    assert walk.fact(network.layer.weight) is None


def test_a_function_without_a_rule_is_refused_with_its_module() -> None:
    network = nn.Sequential(nn.Conv3d(1, 1, 1), nn.Hardswish())
    rules = {F.conv3d: deepest, torch.conv3d: deepest}
    with pytest.raises(ModelError, match=r"MS-220 1 \(Hardswish\): .*hardswish: no rule"):
        Walk(network, rules=rules).run((torch.ones(1, 1, 2, 2, 2), 0))
    assert network(torch.ones(1, 1, 2, 2, 2)).shape == (1, 1, 2, 2, 2)  # no hook is left behind


def test_every_function_of_a_monai_network_is_seen() -> None:
    seen: set[str] = set()

    class Listing(dict[Any, Any]):
        def __contains__(self, _key: object) -> bool:
            return True

        def __getitem__(self, _key: object) -> Any:
            def note(call: Call[int], _output: Any) -> int:
                seen.add(call.name.rsplit(".", 1)[-1])
                return 1

            return note

    network = BasicUNet(spatial_dims=3, features=(4, 4, 4, 4, 4, 4))
    with torch.no_grad():
        walk = Walk(network, rules=Listing())
        output = walk.run((torch.ones(1, 1, 32, 16, 16), 0))
    assert walk.fact(output) == 1
    assert {"conv3d", "cat", "leaky_relu", "max_pool3d", "conv_transpose3d"} <= seen


def test_writing_into_a_known_tensor_is_refused() -> None:
    class Blanked(nn.Module):
        def forward(self, volume: Tensor) -> Tensor:
            volume[:, :, :1] = 0.0  # one side only; returns nothing that a rule could see
            return volume

    with pytest.raises(ModelError, match=r"MS-220 network \(Blanked\): .*__setitem__: no rule"):
        Walk(Blanked(), rules={}).run((torch.ones(1, 1, 2, 2, 2), 0))
