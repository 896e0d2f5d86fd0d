"""One small folder per layout: two subjects in different storage orders, one ill on each side."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.builders import reordered, write_nifti
from tests.datasets.look_alikes import LEFT_MM, RIGHT_MM, head, put

CENTRES = {"left": LEFT_MM, "right": RIGHT_MM}
CODES = {"left": "LIA", "right": "LPS"}


def bids(root: Path) -> None:
    for side, centre in CENTRES.items():
        scan, lesion, affine = head(centre_mm=centre)
        folder = f"sub-{side}/ses-1/anat/sub-{side}_ses-1"
        put(root / f"{folder}_FLAIR.nii.gz", scan, affine, axcodes=CODES[side])
        mask = root / f"derivatives/manual/{folder}_label-lesion_mask.nii.gz"
        put(mask, lesion, affine, axcodes=CODES[side])


def brats(root: Path) -> None:
    for number, (side, centre) in enumerate(CENTRES.items()):
        scan, lesion, affine = head(centre_mm=centre)
        stem = root / f"BraTS-GLI-0000{number}-000" / f"BraTS-GLI-0000{number}-000-"
        put(Path(f"{stem}t2f.nii.gz"), scan, affine, axcodes=CODES[side])
        put(Path(f"{stem}seg.nii.gz"), 2 * lesion, affine, axcodes=CODES[side])


def atlas(root: Path) -> None:
    rows = ["Subject ID,Session,# Lesions LH Subcortical,# Lesions RH Subcortical"]
    for number, (side, centre) in enumerate(CENTRES.items()):
        scan, lesion, affine = head(centre_mm=centre)
        who = f"sub-r001s00{number}"
        folder = root / "derivatives" / "ATLAS" / who / "ses-1" / "anat"
        stem = f"{who}_ses-1_space-MNI152NLin2009aSym"
        put(folder / f"{stem}_T1w.nii.gz", scan, affine, axcodes=CODES[side])
        put(
            folder / f"{stem}_label-L_desc-T1lesion_mask.nii.gz",
            lesion,
            affine,
            axcodes=CODES[side],
        )
        rows.append(f"{who},ses-1,{int(side == 'left')},{int(side == 'right')}")
    (root / "20220425_ATLAS_2.0_MetaData.csv").write_text("\n".join(rows))


def isles(root: Path) -> None:
    for number, (side, centre) in enumerate(CENTRES.items(), start=1):
        scan, lesion, affine = head(centre_mm=centre)
        inside = f"sub-strokecase000{number}/ses-0001"
        stem = inside.replace("/", "_")
        put(root / f"{inside}/dwi/{stem}_dwi.nii.gz", scan, affine, axcodes=CODES[side])
        put(root / f"{inside}/dwi/{stem}_adc.nii.gz", 200.0 - scan, affine, axcodes=CODES[side])
        crop = affine.copy()
        crop[:3, 3] += affine[:3, :3] @ [2, 2, 2]
        put(root / f"{inside}/anat/{stem}_FLAIR.nii.gz", scan[2:, 2:, 2:], crop, axcodes="PSR")
        put(root / f"derivatives/{inside}/{stem}_msk.nii.gz", lesion, affine, axcodes=CODES[side])


def msd(root: Path) -> None:
    training = []
    for number, centre in enumerate(CENTRES.values()):
        scan, lesion, affine = head(centre_mm=centre)
        name = f"BRATS_{number}.nii.gz"
        put(root / "labelsTr" / name, lesion, affine, axcodes="LPS")
        stored = [reordered(image, affine, axcodes="LPS") for image in (scan, 150.0 - scan)]
        volumes = np.stack([image for image, _ in stored], axis=-1).astype(np.float32)
        (root / "imagesTr").mkdir(exist_ok=True)
        write_nifti(root / "imagesTr" / name, volumes, stored[0][1])
        names = {k: f"./{k}sTr/BRATS_{number}.nii.gz" for k in ("image", "label")}
        training.append(names)
    content = {"modality": {"0": "FLAIR", "1": "T1w"}, "training": training}
    (root / "dataset.json").write_text(json.dumps(content))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "atlas": atlas,
    "bids": bids,
    "brats": brats,
    "isles": isles,
    "msd": msd,
}
