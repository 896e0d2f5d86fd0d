"""The configuration files of a MONAI bundle: inference, metadata, logging.

These are for ``python -m monai.bundle``, which runs what a configuration names. medsym itself never
runs one.
"""

import platform
from importlib.metadata import version
from typing import Any

from medsym import __version__
from medsym.export.channels import NUM_CHANNELS, OUTPUT_CHANNELS
from medsym.export.description import IMAGE, channel_names, describe
from medsym.export.scans import MAP_KINDS
from medsym.inference.case import FALSE_ALARM_RATE, reference_of
from medsym.models.store import LoadedModel
from medsym.screening.map_kinds import ANATOMY

#: The version of MONAI's schema that the metadata keep to. MONAI's command line fetches it from
#: there when a user asks it to verify the metadata; medsym never does.
SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
_NEEDED = ("nibabel", "pytorch-ignite", "safetensors", "scipy")

LOGGING = """[loggers]
keys=root

[handlers]
keys=console

[formatters]
keys=plain

[logger_root]
level=INFO
handlers=console

[handler_console]
class=StreamHandler
level=INFO
formatter=plain
args=(sys.stdout,)

[formatter_plain]
format=%(levelname)s %(name)s: %(message)s
"""


def inference() -> dict[str, Any]:
    """configs/inference.json: scans in, maps on their own voxels out."""
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "dataset_dir": "scans",
        "output_dir": "maps",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "model": {
            "_target_": "medsym.models.store.load_model",
            "folder": "$@bundle_root + '/models'",
        },
        "network_def": {
            "_target_": "medsym.export.channels.StackedNetwork",
            "network": "$@model.network",
        },
        "network": "$@network_def.to(@device)",
        **_scans(),
        "inferer": {"_target_": "medsym.export.inferer.MirrorInferer", "model": "@model"},
        **_maps(),
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "amp": False,
        },
        "run": ["$@evaluator.run()"],
    }


def _scans() -> dict[str, Any]:
    """What reads the scans of a folder, one at a time."""
    return {
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "medsym.export.scans.LoadScand", "keys": "image"}],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": {"_target_": "medsym.export.scans.list_scans", "source": "@dataset_dir"},
            "transform": "@preprocessing",
        },
        "dataloader": {
            "_target_": "DataLoader",
            "dataset": "@dataset",
            "batch_size": 1,
            "shuffle": False,
            "num_workers": 0,
        },
    }


def _maps() -> dict[str, Any]:
    """What writes the maps of a scan."""
    return {
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "medsym.export.scans.SaveMapsd",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                }
            ],
        },
    }


def metadata(model: LoadedModel) -> dict[str, Any]:
    """configs/metadata.json: MONAI's keys, and medsym's own under ``medsym``.

    Args:
        model: The model, with its healthy reference beside it.

    Raises:
        ModelError: MS-305, no healthy reference.
    """
    facts = describe(model)
    return {
        "schema": SCHEMA,
        "version": facts["version"],
        "changelog": {facts["version"]: f"exported by medsym {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {
            "medsym": __version__,
            **{name: version(name) for name in _NEEDED},
        },
        "name": facts["name"],
        "task": "Left-right asymmetry, pathology and structures in a brain scan of any contrast",
        "description": (
            "A reflection-equivariant 3D network on a mid-sagittally aligned scan. In: head scans "
            "(NIfTI, MRI or CT). Out, on each scan's own voxels: probability of pathology, "
            "asymmetry, deviation from healthy cases, bound on what the model itself may add, "
            "structures."
        ),
        "authors": "The medsym authors",
        "copyright": f"The medsym authors; weights under {facts['licence']}",
        "data_source": "; ".join(facts["training_data"]),
        "data_type": "nibabel",
        "image_classes": IMAGE,
        "pred_classes": f"{NUM_CHANNELS} channels: structures, then {_rest()}",
        "eval_metrics": {
            key: value
            for key, value in model.manifest.get("unseen_synthetic", {}).items()
            if isinstance(value, int | float)
        },
        "intended_use": f"{facts['intended_use']}. {facts['research_use_only']}",
        "network_data_format": _data_format(model),
        "medsym": {**facts, "python": platform.python_version(), **_threshold(model)},
    }


def _rest() -> str:
    return ", ".join(list(OUTPUT_CHANNELS)[1:])


def _threshold(model: LoadedModel) -> dict[str, Any]:
    """Deviation that a finding has to reach; None if the reference is too small to say."""
    threshold = reference_of(model).threshold(FALSE_ALARM_RATE)
    return {"finding_sd": threshold, "false_alarm_rate": FALSE_ALARM_RATE}


def _data_format(model: LoadedModel) -> dict[str, Any]:
    """Input and outputs of the network, and what post-processing makes of them."""
    step = model.network.size_multiple
    sizes = [f"{step}*n"] * 3
    prediction = {str(index): name for index, name in enumerate(channel_names())}
    maps = {
        str(index): f"{kind.key} ({kind.units}): {kind.meaning}"
        for index, kind in enumerate(MAP_KINDS)
    }
    return {
        "inputs": {
            "image": {
                **_tensor(sizes, channels={"0": "aligned brain"}),
                "format": "magnitude",
                "modality": "n/a",
                "value_range": [-0.5, 1.5],
            }
        },
        "outputs": {"pred": {**_tensor(sizes, channels=prediction), "format": "raw"}},
        "post_processed_outputs": {
            "pred": {**_tensor(["*"] * 3, channels=maps), "format": f"maps, {ANATOMY.key} last"}
        },
    }


def _tensor(sizes: list[str], *, channels: dict[str, str]) -> dict[str, Any]:
    """What MONAI's schema asks of every tensor, but its format."""
    return {
        "type": "image",
        "num_channels": len(channels),
        "spatial_shape": sizes,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": channels,
    }
