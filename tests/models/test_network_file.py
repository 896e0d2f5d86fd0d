"""Network files: the named network and nothing else is built, with the given weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from monai.networks.nets import SegResNet, UNet
from safetensors.torch import save_file

from medsym.errors import ConfigError, GridError, ModelError
from medsym.models.network_file import NetworkFile, load_network_file
from medsym.symmetry import ChannelAction

UNET: dict[str, Any] = {
    "network": "UNet",
    "arguments": {
        "in_channels": 2,
        "out_channels": 3,
        "channels": [2, 4],
        "strides": [2],
        "norm": ["INSTANCE", {"affine": True}],
    },
}
SIZES: dict[str, dict[str, Any]] = {
    "AttentionUnet": {
        "in_channels": 1,
        "out_channels": 1,
        "channels": [2, 4],
        "strides": [2],
    },
    "BasicUNet": {"features": [2, 2, 2, 2, 2, 2]},
    "DynUNet": {
        "in_channels": 1,
        "out_channels": 1,
        "kernel_size": [3, 3, 3],
        "strides": [1, 2, 2],
        "upsample_kernel_size": [2, 2],
        "filters": [2, 4, 8],
    },
    "MedNeXt": {"init_filters": 2, "kernel_size": 3},
    "SegResNet": {},
    "SwinUNETR": {"in_channels": 1, "out_channels": 1, "feature_size": 12},
    "UNETR": {
        "in_channels": 1,
        "out_channels": 1,
        "img_size": [32, 32, 32],
        "feature_size": 2,
        "hidden_size": 12,
        "mlp_dim": 12,
    },
    "UNet": UNET["arguments"],
    "VNet": {},
}


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "network.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_network_has_the_named_class_channels_and_evaluation_mode(tmp_path: Path) -> None:
    found = load_network_file(written(tmp_path, UNET))
    assert type(found.network) is UNet
    assert not found.network.training
    assert (found.in_channels, found.action_out) == (2, ChannelAction.trivial(3))
    assert found.network(torch.zeros(1, 2, 8, 8, 8)).shape == (1, 3, 8, 8, 8)


@pytest.mark.parametrize("name", sorted(SIZES))
def test_every_listed_network_can_be_built(name: str, tmp_path: Path) -> None:
    if name in ("SwinUNETR", "UNETR"):
        pytest.importorskip("einops", reason="MONAI's transformers need einops")
    found = load_network_file(written(tmp_path, {"network": name, "arguments": SIZES[name]}))
    assert type(found.network).__name__ == name
    assert sorted(NetworkFile.model_fields["network"].annotation.__args__) == sorted(SIZES)


def test_labels_and_axis_become_the_action_of_the_output(tmp_path: Path) -> None:
    found = load_network_file(written(tmp_path, {**UNET, "labels": [0, 2, 1], "axis": "y"}))
    assert found.action_out == ChannelAction.labels([0, 2, 1], axis="y")
    assert found.action_out != ChannelAction.labels([0, 2, 1], axis="x")
    with pytest.raises(ModelError, match=r"MS-275 .*2 labels are given for 3 output channels"):
        load_network_file(written(tmp_path, {**UNET, "labels": [1, 0]}))
    with pytest.raises(GridError, match="MS-201"):
        load_network_file(written(tmp_path, {**UNET, "labels": [1, 2, 0]}))


def test_random_weights_come_from_the_seed_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    first, again, other = (
        load_network_file(written(tmp_path, {**UNET, "seed": seed})).network.state_dict()
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    name = next(iter(first))
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


def test_weights_are_loaded_from_beside_the_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    trained = SegResNet(init_filters=8)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    content = {"network": "SegResNet", "weights": "w.safetensors"}
    found = load_network_file(written(tmp_path, content))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], tensor)


def test_wrong_weights_are_refused_by_name(tmp_path: Path) -> None:
    content = {"network": "SegResNet", "weights": "w.safetensors"}
    path, weights = written(tmp_path, content), tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match=r"MS-272 .*w.safetensors: cannot be read"):
        load_network_file(path)
    weights.write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(ModelError, match=r"MS-272 .*is not a safetensors file"):
        load_network_file(path)
    save_file(UNet(3, 1, 1, [2, 4], [2]).state_dict(), weights)
    with pytest.raises(ModelError, match=r"MS-273 .*does not fit the network"):
        load_network_file(path)
    broken = SegResNet().state_dict()
    next(iter(broken.values())).fill_(float("nan"))
    save_file(broken, weights)
    with pytest.raises(ModelError, match=r"MS-274 .*not finite"):
        load_network_file(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "DenseNet"}, r"MS-303 .*network: Input should be 'AttentionUnet'"),
        ({"netwrok": "UNet"}, r"MS-303 .*did you mean 'network'"),
        ({"weights": 5}, r"MS-303 .*weights"),
    ],
)
def test_files_of_another_form_are_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_network_file(written(tmp_path, {**UNET, **change}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chanels": [2]}, r"MS-270 .*no argument 'chanels'.*did you mean 'channels'"),
        ({"spatial_dims": 2}, r"MS-270 .*spatial_dims is 2"),
        ({"strides": [2, 2, 2]}, r"MS-271 .*UNet refuses these arguments"),
        ({"act": "os.system"}, r"MS-271 .*UNet refuses these arguments"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    content = {**UNET, "arguments": {**UNET["arguments"], **arguments}}
    if "strides" in arguments:
        content["arguments"]["strides"] = []
    with pytest.raises(ModelError, match=message):
        load_network_file(written(tmp_path, content))
