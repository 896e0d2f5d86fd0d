"""Builds a small result folder of `medsym screen`: heads with a marker on a known side."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

from medsym.calibration.conformal import rarity_steps

MARKER_MM = (42.0, 10.0, 20.0)  # the patient's right
WITHIN_MM = (30.0, -40.0, 0.0)  # a deviation that the model may have made itself
P_VALUE = 0.0123  # of the deviation at the marker
MAXIMA = np.sort(np.random.default_rng(6).gamma(9.0, 0.3, 80))  # of healthy people, SD
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
LAS = np.array([[-4.0, 0, 0, 94], [0, 4, 0, -110], [0, 0, 4, -94], [0, 0, 0, 1]])
SHAPE = (48, 56, 48)
OBLIQUE_SHAPE = (64, 75, 32)
# What the first finding rests on; the second is as earlier versions wrote it.
BASIS = {
    "regional_asymmetry": 2.0,
    "regional_bound": 0.15,
    "healthy_mean": 0.0,
    "healthy_sd": 0.25,
    "measured_defect": 0.001,
    "tolerance": 0.11,
    "head_nats": 0.15,
    "head_share": 0.75,
    "rest_nats": 0.05,
    "rest_share": 0.25,
    "trunk": "strict",
}
HEADER = (
    "case\tfile\tassessable\tnum_findings\tdeviation_max\tdeviation_side\tpathology_ml\tshare_beyond_bound\t"
    "bound_max\tmeasured_defect_max\tsymmetric_score\tmidplane_score\treasons\t"
    "p_value\tq_value\tcalibration\n"
)


def oblique_affine(*, degrees: float = 15.0) -> np.ndarray:
    """Voxel to world of 6 mm slices turned about z, centred on the origin."""
    turn = np.radians(degrees)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag([3.0, 3.0, 6.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(OBLIQUE_SHAPE) - 1) / 2)
    return affine


def world_points(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """World position of every voxel centre, (x, y, z, 3), mm."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def ball(points: np.ndarray, centre: tuple[float, ...], radius_mm: float) -> np.ndarray:
    """True within a radius of a point."""
    return np.linalg.norm(points - np.asarray(centre), axis=-1) <= radius_mm


def mirrored(point: tuple[float, ...]) -> tuple[float, float, float]:
    """The point on the other side of the plane x = 0."""
    return (-point[0], point[1], point[2])


def head(points: np.ndarray) -> np.ndarray:
    """A symmetric head in a dark background, with a bright ball at the marker."""
    radius = np.linalg.norm(points / np.array([70.0, 90.0, 75.0]), axis=-1)
    image = np.where(radius < 1, 300 + 60 * np.cos(points[..., 1] / 7), 0.0)
    image[ball(points, MARKER_MM, 6)] = 1000
    return image.astype(np.float32)


def case_maps(points: np.ndarray) -> dict[str, np.ndarray]:
    """Maps with one finding beyond the bound at the marker, one within it at WITHIN_MM."""
    brain = np.linalg.norm(points / np.array([60.0, 80.0, 65.0]), axis=-1) < 1
    signed = np.zeros(points.shape[:3], np.float32)
    for centre, size in ((MARKER_MM, 8.0), (WITHIN_MM, 5.0)):
        signed[ball(points, centre, 8)] = size
        signed[ball(points, mirrored(centre), 8)] = -size
    bound = np.where(brain, 0.2, 0.0).astype(np.float32)
    for centre in (WITHIN_MM, mirrored(WITHIN_MM)):
        bound[ball(points, centre, 12)] = 3.0
    small = np.where(points[..., 1] > 30, 0.3, 0.01)  # in front it is more than the bound
    return {
        "deviation": signed,
        "asymmetry": signed / 4
        + np.where(brain, small * np.sign(points[..., 0]), 0).astype(np.float32),
        "bound": bound,
        "pvalue": np.where(np.abs(signed) > 6, P_VALUE, 1.0).astype(np.float32),
        "pathology": np.where(ball(points, MARKER_MM, 7), 0.9, 0).astype(np.float32),
        "anatomy": (brain * np.where(points[..., 0] > 0, 2, 1)).astype(np.int16),
    }


def build_folder(root: Path) -> Path:
    """Write a result folder: two cases, one of them oblique, one not assessable, one refused."""
    out = root / "out"
    rows, sources = [HEADER], {}
    plans: list[tuple[str, tuple[int, ...], np.ndarray, bool]] = [
        ("sub-01_T1w", SHAPE, LAS, True),
        ("sub-02_FLAIR", OBLIQUE_SHAPE, oblique_affine(), True),
        ("sub-03_T1w", SHAPE, LAS, False),
    ]
    for place, (name, shape, affine, assessable) in enumerate(plans):
        scan = root / "scans" / f"{name}.nii.gz"
        write_case(out, scan, shape=shape, affine=affine, assessable=assessable)
        sources[name] = str(scan)
        rows.append(
            f"{name}\t{scan.name}\t{str(assessable).lower()}\t2\t{8.0 + place}"
            "\tright\t1.4\t0.5\t3.0\t0.1\t0.2\t0.93"
            f"\t{'n/a' if assessable else 'coverage too small'}"
            f"\t{0.02 - 0.01 * place}\t0.02\tsite-a\n"
        )
    (out / "logs").mkdir()
    (out / "logs" / "sources.json").write_text(json.dumps(sources))
    (out / "screening.tsv").write_text("".join(rows))
    refusal = "<b>bad</b>.nii.gz\tMS-101\ttruncated, 10 of 20 bytes\tcopy the file again\n"
    (out / "failures.tsv").write_text(f"file\tcode\tcause\tfix\n{refusal}")
    return out


def write_case(
    out: Path,
    scan: Path,
    *,
    shape: tuple[int, ...],
    affine: np.ndarray,
    assessable: bool,
    motion: np.ndarray | None = None,
) -> None:
    """Write the scan, the maps and case.json of one case; `motion`: where the head has moved to."""
    name = scan.name.removesuffix(".nii.gz")
    visit = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
    folder = out.joinpath(*visit, "anat")
    moved = np.eye(4) if motion is None else motion
    points = world_points(shape, np.linalg.inv(moved) @ affine)
    scan_hash = write_image(scan, head(points), affine)
    files = {}
    for kind, values in case_maps(points).items() if assessable else ():
        path = folder / f"{name}_desc-{kind}.nii.gz"
        files[kind] = entry(out, path, write_image(path, values, affine))
    folder.mkdir(parents=True, exist_ok=True)
    if assessable:
        picture = folder / f"{name}_desc-leading_thumbnail.jpg"
        Image.new("RGB", (112, 140), (90, 60, 20)).save(picture)
        files["thumbnail"] = entry(out, picture, digest(picture))
    table = folder / f"{name}_desc-anatomy_dseg.tsv"
    table.write_text("index\tname\n1\tLeft-Cerebrum\n2\tRight-Cerebrum\n")
    files["anatomy_table"] = entry(out, table, digest(table))
    record = case_record(name, scan_hash=scan_hash, assessable=assessable, files=files)
    if motion is not None:
        move_record(record, motion)
    (folder / f"{name}_case.json").write_text(json.dumps(record, sort_keys=True))


def move_record(record: dict[str, Any], motion: np.ndarray) -> None:
    """Carry the places of a record to where the head has moved to."""
    normal = motion[:3, 0]
    record["mirror_world"] = (motion @ MIRROR @ np.linalg.inv(motion)).tolist()
    record["midplane"] |= {
        "normal": normal.tolist(),
        "offset_mm": float(normal @ motion[:3, 3]),
    }
    for found in record["findings"]:
        for key in ("peak_mm", "mirror_mm"):
            found[key] = (motion @ [*found[key], 1.0])[:3].tolist()


def entry(out: Path, path: Path, sha256: str) -> dict[str, str]:
    """A file as case.json names it."""
    return {"path": path.relative_to(out).as_posix(), "sha256": sha256}


def case_record(
    name: str, *, scan_hash: str, assessable: bool, files: dict[str, Any]
) -> dict[str, Any]:
    """case.json as `medsym screen` writes it."""
    findings = [
        {"rank": 1, "side": "right", "structure": "Right-Cerebrum", "volume_ml": 1.4}
        | {"peak_mm": list(MARKER_MM), "mirror_mm": list(mirrored(MARKER_MM))}
        | {"deviation": 8.0, "asymmetry": 2.0, "bound": 0.2, "p_value": P_VALUE}
        | {"basis": BASIS},
        {"rank": 2, "side": "right", "structure": "Right-Cerebrum", "volume_ml": 0.9}
        | {"peak_mm": list(WITHIN_MM), "mirror_mm": list(mirrored(WITHIN_MM))}
        | {"deviation": 5.0, "asymmetry": 1.25, "bound": 3.0, "p_value": None},
    ]
    return {
        "schema": 1,
        "case": name,
        "subject": name[4:6],
        "session": None,
        "scan": {"file": f"{name}.nii.gz", "sha256": scan_hash, "axcodes": "LAS"}
        | {"shape": list(SHAPE), "spacing_mm": [2, 2, 2], "affine_source": "sform", "notes": []},
        "assessable": assessable,
        "reasons": [] if assessable else ["coverage too small"],
        "midplane": {"normal": [1, 0, 0], "offset_mm": 0, "score": 0.93}
        | {"yaw_deg": 0.4, "roll_deg": -1.2},
        "mirror_world": MIRROR.tolist(),
        "summary": {"pathology_ml": 1.4, "deviation_max": 8.0, "deviation_side": "right"}
        | {"bound_max": 3.0, "measured_defect_max": 0.1, "share_beyond_bound": 0.5}
        | {
            "deviation_max_mm": list(MARKER_MM),
            "symmetric_score": 0.2,
            "p_value": P_VALUE,
            "brain_ml": 1300.0,
            "tolerance_mean": 0.05,
            "rounding_max": 0.000018,
        },
        "threshold": {"peak_sd": 4.0, "false_alarm_rate": 0.05},
        "calibration": {"name": "site-a", "kind": "healthy scans", "n": 80, "group": None}
        | {"thresholds": [asdict(step) for step in rarity_steps(MAXIMA)]},
        "record_sha256": scan_hash,
        "options": {"assume_orientation": None, "volume_index": None, "allow_shear": False},
        "structures": [
            {"name": "cerebrum", "left_ml": 600.0, "right_ml": 610.0, "laterality": -0.008}
            | {"deviation_mean_left": 0.1, "deviation_mean_right": -0.1},
            {"name": "ventral-diencephalon", "left_ml": 0.0, "right_ml": 0.0, "laterality": None}
            | {"deviation_mean_left": None, "deviation_mean_right": None},
        ],
        "findings": findings if assessable else [],
        "files": files,
        "model": {"name": "asymmetry_net", "version": "0.1.0", "sha256": "ab" * 32},
        "software": {"medsym": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
        "research_use_only": "Research use only. Not a medical device.",
    }


def write_image(path: Path, values: np.ndarray, affine: np.ndarray) -> str:
    """Write a NIfTI file with the affine in both header forms; returns its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.nifti1.Nifti1Image(values, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.to_filename(path)
    return digest(path)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
