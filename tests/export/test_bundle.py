"""The MONAI bundle: what is in it, what it says, and that MONAI runs it as medsym runs itself."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigWorkflow, verify_net_in_out

from medsym.calibration.reference import REFERENCE_FILE
from medsym.cli import main
from medsym.errors import ModelError, OutputError
from medsym.export.bundle import write_bundle
from medsym.export.configuration import metadata
from medsym.export.description import guarantee
from medsym.models.settings import ModelSettings
from medsym.models.store import load_model
from medsym.models.structures import STRUCTURES
from tests.architecture.source_files import ROOT

SAMPLE = ROOT / "data_samples" / "sub-leftstroke_FLAIR.nii.gz"
# What MONAI's schema of 2024-07-25 asks for, of the metadata and of each tensor.
TEXTS = {
    *("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task"),
    *("description", "authors", "copyright", "data_source", "data_type", "image_classes"),
    *("pred_classes", "intended_use"),
}
OBJECTS = {"changelog", "required_packages_version", "eval_metrics", "network_data_format"}
TENSOR = {
    "type": str,
    "format": str,
    "num_channels": int,
    "spatial_shape": list,
    "dtype": str,
    "value_range": list,
    "is_patch_data": bool,
    "channel_def": dict,
}
# Runs a module as `python -m` does, in a process that cannot open a connection.
OFFLINE = """
import runpy, socket, sys

def refuse(*_):
    raise AssertionError("the bundle went to the network")

socket.socket.connect = socket.getaddrinfo = refuse
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def bundle(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(
        load_model(model_folder), tmp_path_factory.mktemp("bundles") / "tiny"
    ).folder


def read(bundle: Path, name: str) -> dict[str, object]:
    return dict(json.loads((bundle / "configs" / name).read_text()))


def test_bundle_holds_the_promised_files_and_no_pickle(bundle: Path) -> None:
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert files == {
        *("LICENSE", "configs/inference.json", "configs/logging.conf", "configs/metadata.json"),
        *("docs/README.md", "docs/data_license.txt", "models/manifest.json"),
        *("models/reference.safetensors", "models/weights.safetensors"),
    }
    for name in files:  # a pickle (protocol 2 and later) begins with 0x80, an archive with PK
        assert (bundle / name).read_bytes()[:2] not in (b"\x80\x02", b"\x80\x04", b"PK"), name


def test_weights_in_the_bundle_are_the_models_and_their_hash_is_stated(
    bundle: Path, model_folder: Path
) -> None:
    for name in ("weights.safetensors", "manifest.json", REFERENCE_FILE):
        assert (bundle / "models" / name).read_bytes() == (model_folder / name).read_bytes()
    digest = hashlib.sha256((bundle / "models" / "weights.safetensors").read_bytes()).hexdigest()
    assert read(bundle, "metadata.json")["medsym"]["weights_sha256"] == digest
    assert digest in (bundle / "docs" / "README.md").read_text()


def test_metadata_keep_to_monais_schema(bundle: Path) -> None:
    meta = read(bundle, "metadata.json")
    assert {key for key in TEXTS if not isinstance(meta[key], str)} == set()
    assert {key for key in OBJECTS if not isinstance(meta[key], dict)} == set()
    tensors = [
        tensor for group in meta["network_data_format"].values() for tensor in group.values()
    ]
    assert len(tensors) == 3
    for tensor in tensors:
        assert {key for key, kind in TENSOR.items() if not isinstance(tensor[key], kind)} == set()
        assert list(tensor["channel_def"]) == [str(n) for n in range(tensor["num_channels"])]
        assert all(isinstance(number, int | float) for number in tensor["value_range"])


def test_metadata_say_identity_use_data_and_licence_of_the_model(bundle: Path) -> None:
    meta = read(bundle, "metadata.json")
    assert (meta["name"], meta["version"]) == ("tiny", "1.2.3")
    assert "Not a medical device" in meta["intended_use"]
    assert meta["medsym"]["training_data"] == ["made volumes, CC0"]
    assert meta["eval_metrics"] == {"auprc": 0.5, "cases": 3}
    assert (bundle / "docs" / "data_license.txt").read_text() == "made volumes, CC0\n"
    licence = (bundle / "LICENSE").read_text()
    assert licence.startswith("Licence of the weights in models/: CC0-1.0\n")
    assert "Apache License" in licence


def test_every_structure_names_its_mirror_partner_of_the_other_side(bundle: Path) -> None:
    meta = read(bundle, "metadata.json")
    rows = meta["medsym"]["structures"]
    channels = meta["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert len(rows) == len(STRUCTURES)
    other = {"left": "right", "right": "left", "midline": "midline", "none": "none"}
    for row in rows:
        partner = rows[row["mirror"]]
        assert partner["mirror"] == row["index"]
        assert partner["side"] == other[row["side"]]
        swapped = row["name"].replace(row["side"], partner["side"])
        assert partner["name"] == swapped
        assert channels[str(row["index"])] == row["name"]
    parts = [channels[str(len(rows) + n)] for n in range(3)]
    assert parts == ["pathology_even", "pathology_odd", "tolerance"]


@pytest.mark.parametrize(
    ("softness", "words"),
    [
        ("head", "at most 2 S tolerance"),
        ("none", "f(Sx) = S f(x)"),
        ("encoder", "A second pass on the mirrored image"),
        ("both", "A second pass on the mirrored image"),
        ("free", "not symmetric"),
    ],
)
def test_the_guarantee_is_the_one_of_this_kind_of_network(softness: str, words: str) -> None:
    text = guarantee(ModelSettings(softness=softness))
    assert words in text
    assert ("at most 2 S tolerance" in text) == (softness == "head")


def test_monai_finds_every_part_that_an_inference_bundle_has_to_have(bundle: Path) -> None:
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(bundle),
        dataset_dir=str(SAMPLE),
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    assert workflow.spatial_shape == ["2*n"] * 3


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_network_of_the_bundle_has_the_channels_that_its_metadata_state(bundle: Path) -> None:
    files = {
        "meta_file": str(bundle / "configs" / "metadata.json"),
        "config_file": str(bundle / "configs" / "inference.json"),
    }
    verify_net_in_out("network_def", **files, n=8, device="cpu", bundle_root=str(bundle))
    with pytest.raises(ValueError, match="output channel number"):
        verify_net_in_out(
            "network_def",
            **files,
            n=8,
            device="cpu",
            bundle_root=str(bundle),
            **{"_meta_#network_data_format#outputs#pred#num_channels": 34},
        )


def test_an_existing_folder_is_left_alone(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"MS-362 .*is not an empty folder"):
        write_bundle(load_model(model_folder), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]
    (tmp_path / "empty").mkdir()
    assert write_bundle(load_model(model_folder), tmp_path / "empty").num_bytes > 10_000


def test_a_place_that_cannot_be_is_an_error_in_one_line(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"MS-368 .*File name too long"):
        write_bundle(load_model(model_folder), tmp_path / ("a" * 300))
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_fails_leaves_nothing_behind(model_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model_folder, tmp_path / "model")
    model = load_model(copy)
    assert metadata(model)["medsym"]["finding_sd"] > 0
    (copy / REFERENCE_FILE).unlink()
    with pytest.raises(ModelError, match="MS-305"):
        write_bundle(model, tmp_path / "bundle")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    shutil.copyfile(model_folder / REFERENCE_FILE, copy / REFERENCE_FILE)
    (copy / "weights.safetensors").write_bytes(b"changed after loading")
    with pytest.raises(ModelError, match="MS-312"):
        write_bundle(model, tmp_path / "bundle")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_export_command_writes_the_bundle_and_says_how_to_run_it(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--model", str(model_folder), "--bundle", str(tmp_path / "b")]
    assert main(arguments) == 0
    assert "python -m monai.bundle run --config_file configs/inference.json" in (
        capsys.readouterr().out
    )
    assert main(arguments) == 2
    assert "MS-362" in capsys.readouterr().err
    assert main(["export"]) == 2
    assert "MS-361 medsym export: nothing to write was named" in capsys.readouterr().err


@pytest.mark.slow
def test_monai_runs_the_shipped_model_offline_and_writes_the_bytes_that_screen_writes(
    tmp_path: Path,
) -> None:
    bundle = write_bundle(load_model(), tmp_path / "bundle").folder
    arguments = {
        "--config_file": "configs/inference.json",
        "--dataset_dir": str(SAMPLE),
        "--output_dir": str(tmp_path / "maps"),
    }
    flat = [text for pair in arguments.items() for text in pair]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, "monai.bundle", "run", *flat],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "finding 1, left" in done.stdout
    assert main(["screen", str(SAMPLE), "--out", str(tmp_path / "screened")]) == 0
    for name in ("pathology_probseg", "bound_statmap", "deviation_statmap", "anatomy_dseg"):
        path = f"sub-leftstroke/anat/sub-leftstroke_space-FLAIR_desc-{name}.nii.gz"
        theirs, ours = (tmp_path / folder / path for folder in ("maps", "screened"))
        assert theirs.read_bytes() == ours.read_bytes(), name
