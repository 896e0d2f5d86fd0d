"""The inferer of the bundle: medsym's own numbers, on the scan's own voxels, left being left."""

import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import list_data_collate
from monai.transforms import EnsureChannelFirstd, LoadImaged
from numpy.typing import NDArray

from medsym.errors import ScanError
from medsym.export.channels import StackedNetwork
from medsym.export.inferer import MirrorInferer
from medsym.export.scans import MAP_KINDS, LoadScand, SaveMapsd, list_scans, tensor_of
from medsym.inference.case import analyse_scan
from medsym.volumes.grid import to_scan_grid
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume
from tests.builders_case import FakeNetwork, fake_model, flat_reference, head_phantom
from tests.builders_head import make_head, rigid
from tests.screening.quick_run import store

KEYS = [kind.key for kind in MAP_KINDS]
LESION_MM = (40.0, 10.0, 10.0)  # on the right


def inferer_in(folder: Path) -> MirrorInferer:
    return MirrorInferer(fake_model(folder), reference=flat_reference())


def run(scan: Volume, folder: Path, *, leak: float = 0.1) -> dict[str, NDArray[np.float32]]:
    batch = list_data_collate([{"image": tensor_of(scan)}])["image"]
    with torch.no_grad():  # as MONAI's evaluators do
        maps = inferer_in(folder)(batch, StackedNetwork(FakeNetwork(leak=leak)))
    assert isinstance(maps, MetaTensor)
    np.testing.assert_array_equal(np.asarray(maps.affine)[0], scan.affine)
    return dict(zip(KEYS, maps.as_tensor()[0].numpy(), strict=True))


def as_ras(values: NDArray[np.float32], scan: Volume) -> NDArray[np.float32]:
    """The same map stored with x, y, z growing to the right, the front and the head."""
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, scan.affine))
    return np.asarray(image.dataobj)


@pytest.mark.usefixtures("known_plane")
def test_maps_are_those_of_analyse_scan_to_the_last_bit(tmp_path: Path) -> None:
    scan = head_phantom(codes="PIL")
    found = run(scan, tmp_path)
    direct = analyse_scan(scan, fake_model(tmp_path), reference=flat_reference())
    assert direct.is_assessable
    assert len(direct.findings) > 0
    for key in KEYS:
        wanted = to_scan_grid(
            direct.prepared, getattr(direct.maps, key), order=0 if key == "anatomy" else 1
        )
        np.testing.assert_array_equal(found[key], wanted)
    assert found["pathology"].max() > 0.5


@pytest.mark.usefixtures("known_plane")
@pytest.mark.parametrize("codes", ["LPS", "LAS", "SPR"])
def test_storage_order_does_not_move_a_map_in_the_patient(codes: str, tmp_path: Path) -> None:
    reference = head_phantom(lesion_mm=LESION_MM)
    other = head_phantom(lesion_mm=LESION_MM, codes=codes)
    first, second = run(reference, tmp_path), run(other, tmp_path)
    for key in KEYS:
        np.testing.assert_allclose(as_ras(second[key], other), first[key], atol=2e-4, err_msg=key)
    assert not np.allclose(second["asymmetry"].ravel(), first["asymmetry"].ravel(), atol=0.1)


@pytest.mark.usefixtures("known_plane")
def test_a_mirrored_scan_gives_the_mirrored_map_and_the_lesion_keeps_its_side(
    tmp_path: Path,
) -> None:
    right, left = (head_phantom(lesion_mm=(sign * 40.0, 10.0, 10.0)) for sign in (1.0, -1.0))
    np.testing.assert_array_equal(right.voxels[::-1], left.voxels)
    there, here = (run(scan, tmp_path, leak=0.0) for scan in (right, left))
    np.testing.assert_allclose(here["pathology"], there["pathology"][::-1], atol=1e-4)
    np.testing.assert_allclose(here["asymmetry"], there["asymmetry"][::-1], atol=1e-3)
    for maps, scan, sign in ((there, right, 1.0), (here, left, -1.0)):
        peak = np.unravel_index(int(maps["deviation"].argmax()), scan.shape)
        place = scan.affine[:3, :3] @ np.array(peak) + scan.affine[:3, 3]
        np.testing.assert_allclose(place, (sign * 40.0, 10.0, 10.0), atol=12.0)


@pytest.mark.usefixtures("known_plane")
# MONAI looks for a decoder of compressed DICOM files where pydicom is installed, and warns.
@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
def test_what_monai_loads_gives_the_same_maps(tmp_path: Path) -> None:
    path = store(tmp_path / "scan.nii.gz", codes="LPS")
    load = [LoadImaged("image"), EnsureChannelFirstd("image")]
    data = {"image": str(path)}
    for step in load:
        data = step(data)
    batch = list_data_collate([data])["image"]
    theirs = inferer_in(tmp_path)(batch, StackedNetwork(FakeNetwork())).as_tensor()[0].numpy()
    ours = run(read_scan(path), tmp_path)
    np.testing.assert_allclose(theirs, np.stack([ours[key] for key in KEYS]), atol=1e-4)


@pytest.mark.usefixtures("known_plane")
def test_a_case_that_is_not_assessable_has_no_numbers_and_no_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scan = head_phantom(scale=0.6, path=Path("sub-small_T1w.nii.gz"))
    with caplog.at_level(logging.WARNING, logger="medsym.export.inferer"):
        maps = inferer_in(tmp_path)(
            list_data_collate([{"image": tensor_of(scan)}])["image"], StackedNetwork(FakeNetwork())
        )
    assert torch.isnan(maps.as_tensor()).all()
    assert "sub-small_T1w.nii.gz: not assessable: the brain measures" in caplog.text
    earlier = tmp_path / "out" / "anat" / "sub-small_space-T1w_desc-pathology_probseg.nii.gz"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"of an earlier run")
    save = SaveMapsd("pred", output_dir=tmp_path / "out")
    pred = tensor_of(scan).new_full((len(KEYS), *scan.shape), torch.nan)
    save({"pred": pred, "case": "sub-small_T1w", "folder": "anat"})
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


@pytest.mark.usefixtures("known_plane")
def test_saved_maps_lie_on_the_scan_and_keep_its_affine(tmp_path: Path) -> None:
    store(tmp_path / "scans" / "sub-01_T1w.nii.gz", codes="LPS")
    (item,) = list_scans(tmp_path / "scans")
    scan = read_scan(item["image"])
    loaded = LoadScand("image")(item)
    pred = inferer_in(tmp_path)(
        list_data_collate([loaded])["image"], StackedNetwork(FakeNetwork())
    )[0]
    SaveMapsd("pred", output_dir=tmp_path / "out")({**loaded, "pred": pred})
    written = sorted(path.name for path in (tmp_path / "out" / "sub-01" / "anat").iterdir())
    assert written == sorted(f"sub-01_space-T1w_desc-{k.key}_{k.suffix}.nii.gz" for k in MAP_KINDS)
    for kind, values in zip(MAP_KINDS, pred.as_tensor().numpy(), strict=True):
        name = f"sub-01_space-T1w_desc-{kind.key}_{kind.suffix}.nii.gz"
        image = nibabel.load(tmp_path / "out" / "sub-01" / "anat" / name)
        np.testing.assert_allclose(image.affine, scan.affine)
        np.testing.assert_array_equal(np.asarray(image.dataobj), values)
        assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")


@pytest.mark.slow
def test_gradients_that_monai_switched_off_do_not_stop_the_search_for_the_mid_plane(
    tmp_path: Path,
) -> None:
    turned = make_head(to_world=rigid(degrees=(0.0, 6.0, 4.0), shift=(3.0, 0.0, 0.0)))
    batch = list_data_collate([{"image": tensor_of(turned)}])["image"]
    with torch.inference_mode():
        maps = inferer_in(tmp_path)(batch, StackedNetwork(FakeNetwork()))
    assert maps.shape == (1, len(KEYS), *turned.shape)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(1, 8, 8, 8),
        MetaTensor(torch.zeros(2, 8, 8, 8)),
        MetaTensor(torch.zeros(8, 8, 8)),
    ],
)
def test_a_tensor_that_is_no_scan_is_refused(image: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"MS-367 .* is no scan"):
        inferer_in(tmp_path)(image[None], StackedNetwork(FakeNetwork()))


def test_scans_are_listed_with_the_names_that_screen_gives_and_maps_are_not(
    tmp_path: Path,
) -> None:
    for name in ("a/sub-01_T1w.nii.gz", "b/scan.nii", "b/sub-01_desc-bound_statmap.nii.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert list_scans(tmp_path) == [
        {"image": str(tmp_path / "a/sub-01_T1w.nii.gz"), "case": "sub-01_T1w",
         "folder": "sub-01/anat"},
        {"image": str(tmp_path / "b/scan.nii"), "case": "sub-scan", "folder": "sub-scan/anat"},
    ]  # fmt: skip
    with pytest.raises(ScanError, match=r"MS-365 .*no NIfTI scan"):
        list_scans(tmp_path / "nowhere")
