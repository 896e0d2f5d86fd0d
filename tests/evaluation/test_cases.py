"""Real scans: every rule of the table, on phantoms that lie on disk with a known left."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import ConfigError
from medsym.evaluation import cases
from medsym.evaluation.case_table import CaseEntry, read_case_table
from medsym.evaluation.cases import case_thresholds, evaluate_cases
from medsym.evaluation.cases_table import format_cases
from medsym.evaluation.columns import Numbers
from medsym.evaluation.methods import Candidate
from medsym.evaluation.run import Frozen
from tests.builders_case import flat_reference, head_phantom
from tests.evaluation.builders import fake_candidate, reference_images
from tests.screening.quick_run import patch_known_plane, store

LESION_MM = (40.0, 10.0, 10.0)  # world x is the patient's right


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_known_plane(monkeypatch)


def mask_of(scan: Path, path: Path, *, x_mm: float = LESION_MM[0], radius_mm: float = 12.0) -> Path:
    volume = head_phantom()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.voxels.shape), indexing="ij"), -1)
    points = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    away = np.linalg.norm(points - np.array([x_mm, *LESION_MM[1:]]), axis=-1)
    image = nibabel.Nifti1Image((away < radius_mm).astype(np.uint8), volume.affine)
    image.set_sform(volume.affine, code=1)
    image.set_qform(volume.affine, code=1)
    assert scan.parent.is_dir()
    nibabel.save(image, path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    scan = store(tmp_path / "lesion.nii.gz")
    mask_of(scan, tmp_path / "mask.nii.gz")
    mask_of(scan, tmp_path / "swapped.nii.gz", x_mm=-LESION_MM[0])
    store(tmp_path / "healthy.nii.gz", lesion_mm=None)
    (tmp_path / "broken.nii.gz").write_bytes(b"no scan")
    path = tmp_path / "cases.csv"
    path.write_text(
        "case,scan,mask,contrast,person\n"
        "right,lesion.nii.gz,mask.nii.gz,T1,\n"
        "wrong side,lesion.nii.gz,swapped.nii.gz,T1,\n"
        "nobody,healthy.nii.gz,,T1,\n"
        "nobody again,healthy.nii.gz,,T1,nobody\n"
        "broken,broken.nii.gz,,,\n"
    )
    return path


def three_mm(candidate: Candidate) -> Candidate:
    settings = candidate.model.network.settings
    candidate.model.network.settings = replace(settings, spacing_mm=3.0)
    return candidate


def evaluated(table: Path, *, frozen: Frozen | None = None, leak: float = 0.1) -> Numbers:
    said: list[str] = []
    candidate = three_mm(fake_candidate(leak=leak))
    return evaluate_cases(table, [candidate], report=said.append, frozen=frozen)


@pytest.mark.slow
def test_lesion_is_scored_on_its_side_and_the_mirrored_mask_scores_nothing(table: Path) -> None:
    numbers = evaluated(table)
    cases = {case["case"]: case for case in numbers["cases"]}
    row = cases["right"]["methods"]["fake deviation"]
    assert row["auprc"] > 20 * cases["right"]["prevalence"]
    assert row["times_prevalence"] == pytest.approx(row["auprc"] / cases["right"]["prevalence"])
    assert row["dice"] > 0.5
    assert (row["found"], row["false"]) == (1, 0)
    assert row["dice_peak"] <= row["oracle_dice"] + 1e-9
    swapped = cases["wrong side"]["methods"]["fake deviation"]
    assert swapped["auprc"] < 0.1
    assert (swapped["found"], swapped["dice"]) == (0, 0.0)
    symmetric = [cases[c]["methods"]["mirror difference"]["auprc"] for c in ("right", "wrong side")]
    assert symmetric[0] == pytest.approx(symmetric[1], rel=0.02)  # it cannot tell the sides


@pytest.mark.slow
def test_scan_without_mask_is_healthy_and_a_refused_one_is_told(table: Path) -> None:
    numbers = evaluated(table, leak=0.0)
    flagged = numbers["healthy"]["fake deviation"]["flagged"]
    assert (flagged["hits"], flagged["of"]) == (0, 1)
    assert set(numbers["healthy"]) == {"fake deviation"}  # only it has a threshold
    assert [failure["case"] for failure in numbers["failures"]] == ["broken"]
    assert "MS-" in numbers["failures"][0]["error"]
    text = format_cases(numbers)
    assert "not evaluated: broken" in text
    assert "2 scans without a lesion of 1 people, the worst scan of each counts" in text


PEAKS = {"a": 0.5, "a-flair": 1.5, "b": 0.9, "b-flair": 0.2}


@pytest.mark.parametrize(
    ("people", "hits", "of"), [(("p", "p", "q", "q"), 1, 2), (("", "", "", ""), 1, 4)]
)
def test_of_a_persons_healthy_scans_the_worst_counts_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    people: tuple[str, ...],
    hits: int,
    of: int,
) -> None:
    def found(entry: CaseEntry, *_: object, **__: object) -> Numbers:
        case = {"case": entry.case, "person": entry.person, "healthy": True, "not_assessable": {}}
        return case | {"methods": {"fake deviation": {"peak": PEAKS[entry.case]}}}

    monkeypatch.setattr(cases, "_evaluate_case", found)
    lines = [f"{case},s.nii,,{who}" for case, who in zip(PEAKS, people, strict=True)]
    table = tmp_path / "cases.csv"
    table.write_text("\n".join(["case,scan,mask,person", *lines]))
    numbers = evaluated(table)
    row = numbers["healthy"]["fake deviation"]
    assert (row["flagged"]["hits"], row["flagged"]["of"]) == (hits, of)
    assert row["largest"] == 1.5
    text = format_cases(numbers)
    assert f"{hits}/{of}" in text
    assert ("4 scans without a lesion of 2 people" in text) == (of == 2)
    assert ("every scan is taken as of another person" in text) == (of == 4)


@pytest.mark.slow
def test_frozen_thresholds_and_reference_images_serve_every_method(table: Path) -> None:
    images = reference_images()
    candidate = three_mm(fake_candidate())
    names = ("mirror difference", "bright", "dark", "bright or dark", "voxel z", "asymmetry z")
    thresholds = dict.fromkeys((*names, "fake pathology", "fake deviation"), 5.0)
    numbers = evaluated(table, frozen=Frozen(images=images, thresholds=thresholds))
    case = numbers["cases"][0]
    assert set(case["methods"]) == set(thresholds)
    assert all("dice" in row for row in case["methods"].values())
    assert set(numbers["healthy"]) == set(thresholds)
    kept = case_thresholds([candidate], frozen=Frozen(images=images, thresholds=thresholds))
    assert kept["fake deviation"] == flat_reference().threshold(0.05)  # the shipped one
    assert kept["bright"] == 5.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,scan\na,b\n", "lacks a column"),
        ("case,scan,mask\n", "has no rows"),
        ("case,scan,mask\n,b,\n", "line 2 names no case"),
    ],
)
def test_wrong_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"MS-330 .*{words}"):
        read_case_table(path)
    with pytest.raises(ConfigError, match=r"MS-330 .*cannot be read"):
        read_case_table(tmp_path / "none.csv")


def test_paths_are_relative_to_the_table_and_empty_masks_mean_healthy(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case,scan,mask,brain,person\na,x/a.nii,,,p \nb,b.nii,m.nii,/abs/brain.nii,\n")
    first, second = read_case_table(path)
    assert first.scan == tmp_path / "x" / "a.nii"
    assert (first.mask, first.brain, first.contrast) == (None, None, "")
    assert (first.person, second.person) == ("p", "b"), "unnamed, a person is called like the case"
    assert (second.mask, second.brain) == (tmp_path / "m.nii", Path("/abs/brain.nii"))


def test_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    scan = store(tmp_path / "scan.nii.gz")
    image = nibabel.load(mask_of(scan, tmp_path / "mask.nii.gz"))
    moved = image.affine.copy()
    moved[0, 3] += 3.0
    shifted = nibabel.Nifti1Image(np.asarray(image.dataobj), moved)
    shifted.set_sform(moved, code=1)
    nibabel.save(shifted, tmp_path / "moved.nii.gz")
    table = tmp_path / "cases.csv"
    table.write_text("case,scan,mask\na,scan.nii.gz,moved.nii.gz\n")
    (failure,) = evaluated(table)["failures"]
    assert failure["error"].startswith("MS-331")
