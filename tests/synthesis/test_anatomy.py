"""Label maps reach the symmetric frame with left on the left, however they are stored or tilted."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import AnatomyError
from medsym.models.structures import STRUCTURES, index_of
from medsym.synthesis.anatomy import (
    FINE_MM,
    classes_on_frame,
    lattice_points,
    load_folder,
    missing_structures,
)
from medsym.synthesis.labelframe import label_frame
from medsym.synthesis.sample_geometry import store_as
from medsym.synthesis.tissues import CLASS_LABELS, class_structures
from tests.synthesis.heads import head_anatomy, head_labels, ras_affine


def pose(*, yaw: float, roll: float, shift: tuple[float, float, float]) -> np.ndarray:
    """Head to world: rotation about z, then about y, then a shift."""
    a, b = np.radians([yaw, roll])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y
    matrix[:3, 3] = shift
    return matrix


def centroid_mm(classes: np.ndarray, label: int) -> np.ndarray:
    """Centre of a label on the frame, mm."""
    found = np.argwhere(classes == CLASS_LABELS.index(label))
    return np.array([lattice_points()[k][found[:, k]].mean() for k in range(3)])


def test_left_labels_lie_at_negative_x() -> None:
    classes = head_anatomy().classes.numpy()
    for left, right in ((2, 41), (17, 53), (8, 47)):
        assert centroid_mm(classes, left)[0] < -15.0
        assert centroid_mm(classes, right)[0] > 15.0


@pytest.mark.parametrize("axcodes", ["LIA", "PSR"])
def test_storage_order_changes_nothing(axcodes: str) -> None:
    labels, affine = store_as(head_labels(), affine=ras_affine(), axcodes=axcodes)
    assert "".join(nibabel.aff2axcodes(affine)) == axcodes
    classes = classes_on_frame(labels, affine=affine, name=axcodes)
    assert (classes != head_anatomy().classes.numpy()).mean() < 0.002


def test_tilted_head_is_brought_back_onto_its_mid_plane() -> None:
    matrix = pose(yaw=7.0, roll=-6.0, shift=(6.0, -4.0, 3.0))
    labels = head_labels(to_head=np.linalg.inv(matrix))
    frame = label_frame(labels, affine=ras_affine())
    angle = np.degrees(np.arccos(np.clip(frame[:3, 0] @ matrix[:3, 0], -1, 1)))
    assert angle < 0.3
    offset = (frame[:3, 3] - matrix[:3, 3]) @ matrix[:3, 0]  # origin lies on the head's mid-plane
    assert abs(offset) < 0.5


def test_swapped_sides_are_refused_and_nothing_is_mirrored() -> None:
    mirrored = ras_affine()
    mirrored[0] *= -1.0
    with pytest.raises(AnatomyError, match=r"MS-172 .*left labels do not lie on the left"):
        classes_on_frame(head_labels(), affine=mirrored, name="swapped")


def test_unknown_label_is_refused_by_number() -> None:
    labels = head_labels()
    labels[47:49, 55:58, 47:50] = 999
    with pytest.raises(AnatomyError, match=r"MS-171 .*999"):
        classes_on_frame(labels, affine=ras_affine(), name="unknown")


def test_map_without_pairs_is_refused() -> None:
    with pytest.raises(AnatomyError, match=r"MS-170 .*no left-right pair"):
        classes_on_frame(np.zeros((8, 8, 8), np.int32), affine=np.eye(4), name="empty")


def test_cortical_parcels_become_cortex_of_their_side() -> None:
    labels = head_labels()
    labels[labels == 3] = 1015
    labels[labels == 42] = 2015
    labels[labels == 41] = 255  # corpus callosum has no side of its own
    classes = classes_on_frame(labels, affine=ras_affine(), name="parcels")
    assert centroid_mm(classes, 3)[0] < 0 < centroid_mm(classes, 42)[0]
    assert centroid_mm(classes, 41)[0] > 0


def test_anatomy_says_which_structures_it_lacks() -> None:
    assert head_anatomy().missing == ()
    classes = head_anatomy().classes.numpy().copy()
    classes[classes == CLASS_LABELS.index(11)] = CLASS_LABELS.index(2)
    assert missing_structures(classes) == ("left-caudate",)


def test_volumes_survive_the_resampling() -> None:
    structures = class_structures().numpy()[head_anatomy().classes.numpy()]
    at = index_of("hippocampus", side="right")
    volume = float((structures == at).sum()) * FINE_MM**3
    expected = float((head_labels() == 53).sum()) * 8.0
    assert volume == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_real_maps_hold_every_structure_on_its_side(shared_data: Path, tmp_path: Path) -> None:
    (anatomy,) = load_folder(shared_data / "anatomy", subjects=("training_seg_01",), cache=tmp_path)
    assert anatomy.missing == ()
    x = lattice_points()[0]
    structures = class_structures().numpy()[anatomy.classes.numpy()]
    for structure in STRUCTURES:
        places = np.argwhere(structures == structure.index)[:, 0]
        if structure.side in ("left", "right"):
            sign = -1.0 if structure.side == "left" else 1.0
            assert (sign * x[places] > 0).mean() > 0.97, structure.title
    (again,) = load_folder(shared_data / "anatomy", subjects=("training_seg_01",), cache=tmp_path)
    assert again.classes.equal(anatomy.classes)


def test_a_missing_folder_is_not_blamed_on_the_list_of_subjects(tmp_path: Path) -> None:
    with pytest.raises(AnatomyError, match=r"MS-790 .*nowhere: the folder of label maps"):
        load_folder(tmp_path / "nowhere", subjects=("sub-x",))


def test_missing_subject_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnatomyError, match=r"MS-173 .*sub-x\.nii\.gz"):
        load_folder(tmp_path, subjects=("sub-x",))
