"""The pixel test: a marker on the patient's right is drawn under the letter R, always."""

from dataclasses import replace

import numpy as np
import pytest

from medsym.screening.figure_marks import LETTER_SIZE, LINE, letter_image
from medsym.screening.figure_sheets import (
    OVERVIEW,
    jpeg,
    labelled_slice,
    overview,
    three_planes,
    thumbnail,
)
from medsym.screening.figures import Picture, colour_slice, picture_of
from medsym.volumes.slices import PLANES, picture_place, side_letters, slice_picture
from tests.builders_case import fake_model, flat_reference, head_phantom

SHAPE = (128, 160, 128)  # 1.5 mm, the origin in the centre
MARKER = (63 + 28, 90, 70)  # world x = +42 mm: 28 voxels right of the mid-plane


def marked() -> Picture:
    x, y, z = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    brain = (
        sum(
            ((v - (n - 1) / 2) / r) ** 2
            for v, n, r in zip((x, y, z), SHAPE, (45, 55, 42), strict=True)
        )
        < 1
    )
    deviation = np.zeros(SHAPE, dtype=np.float32)
    near = np.s_[
        MARKER[0] - 2 : MARKER[0] + 3, MARKER[1] - 2 : MARKER[1] + 3, MARKER[2] - 2 : MARKER[2] + 3
    ]
    deviation[near] = 8.0
    deviation -= deviation[::-1]
    return Picture(
        scan=np.where(brain, 0.4, 0.0).astype(np.float32),
        deviation=deviation,
        visible=deviation > 0,
        within=np.zeros(SHAPE, dtype=bool),
        full_scale=8.0,
        extent=4.0,
        voxel_mm=1.5,
    )


def centroid(picture: np.ndarray) -> np.ndarray:
    mask = picture[..., 0].astype(int) - picture[..., 2] > 40  # orange
    assert mask.any()
    return np.argwhere(mask).mean(0)


@pytest.mark.parametrize("plane", ["axial", "coronal"])
@pytest.mark.parametrize("radiological", [True, False])
def test_marker_on_the_right_is_drawn_under_the_letter_r(plane: str, radiological: bool) -> None:
    index = MARKER[2] if plane == "axial" else MARKER[1]
    image = np.asarray(
        labelled_slice(marked(), plane=plane, index=index, radiological=radiological)
    )
    middle = (image.shape[1] - 1) / 2
    column = centroid(image)[1]
    assert (column < middle) == radiological
    top = (image.shape[0] - LETTER_SIZE) // 2
    height = LETTER_SIZE + 4
    edges = {
        "left": image[top : top + height, 2 : 2 + LETTER_SIZE],
        "right": image[top : top + height, -LETTER_SIZE - 2 : -2],
    }
    marker_edge = "left" if column < middle else "right"
    other_edge = "right" if column < middle else "left"
    assert np.array_equal(edges[marker_edge], np.asarray(letter_image("R")))
    assert np.array_equal(edges[other_edge], np.asarray(letter_image("L")))


def test_letters_differ_and_are_not_mirror_images_of_nothing() -> None:
    r, left = (np.asarray(letter_image(letter)) for letter in "RL")
    assert not np.array_equal(r, left)
    assert r.max() > 200


@pytest.mark.parametrize(("plane", "index"), [("axial", 70), ("coronal", 90), ("sagittal", 91)])
def test_upright_and_nose_left(plane: str, index: int) -> None:
    picture = marked()
    found = centroid(colour_slice(picture, plane=plane, index=index))
    x, y, z = MARKER
    expected = {
        "axial": (SHAPE[1] - 1 - y, SHAPE[0] - 1 - x),
        "coronal": (SHAPE[2] - 1 - z, SHAPE[0] - 1 - x),
        "sagittal": (SHAPE[2] - 1 - z, SHAPE[1] - 1 - y),
    }[plane]
    assert np.abs(found - expected).max() < 1
    assert side_letters("sagittal") == ("A", "P")


def test_places_within_the_bound_stay_uncoloured() -> None:
    picture = marked()
    hidden = replace(picture, visible=np.zeros(SHAPE, dtype=bool))
    plain = colour_slice(picture, plane="axial", index=70, overlay=False)
    assert np.array_equal(colour_slice(hidden, plane="axial", index=70), plain)
    assert not np.array_equal(colour_slice(picture, plane="axial", index=70), plain)


@pytest.mark.usefixtures("known_plane")
@pytest.mark.parametrize("spacing", [3.0, 2.0])
def test_only_the_brain_is_drawn(tmp_path, spacing: float) -> None:
    from medsym.inference.case import analyse_scan

    scan = head_phantom(lesion_mm=(40.0, 10.0, 10.0), codes="LAS")
    model = fake_model(tmp_path, spacing_mm=spacing)
    result = analyse_scan(scan, model, reference=flat_reference())
    picture = picture_of(result)
    brain = np.kron(result.maps.brain, np.ones((2, 2, 2), dtype=bool))
    for axis in range(3):
        brain |= np.roll(brain, 1, axis) | np.roll(brain, -1, axis)
    start = picture.origin
    inside = brain[tuple(slice(o, o + n) for o, n in zip(start, picture.scan.shape, strict=True))]
    assert not picture.scan[~inside].any()
    assert 2 * start[0] + picture.scan.shape[0] == brain.shape[0]  # the mid-plane in the middle
    at = np.unravel_index(picture.deviation.argmax(), picture.deviation.shape)
    assert at[0] > picture.scan.shape[0] // 2  # the lesion is on the patient's right
    assert picture.scan[at] > 0.9  # and bright in the scan: both arrays share the frame
    to_grid = np.linalg.inv(result.prepared.grid_to_world)
    index = picture.index_of((to_grid @ [*result.findings[0].peak_mm, 1.0])[:3])
    assert np.abs(np.array(index) - at).max() <= 1
    x, y, z = picture.scan.shape
    pixels = picture.pixels
    sheet = three_planes(picture, at=index)
    assert sheet.size == (pixels * (x + x + y), pixels * max(y, z) + 2 * LINE)
    assert np.asarray(sheet)[-LINE:].max() > 150  # the notice is part of the picture


@pytest.mark.usefixtures("known_plane")
def test_a_place_is_coloured_only_if_its_own_side_has_more_evidence(tmp_path) -> None:
    from medsym.inference.case import analyse_scan

    scan = head_phantom(lesion_mm=(40.0, 10.0, 10.0), codes="LAS")
    result = analyse_scan(scan, fake_model(tmp_path), reference=flat_reference())
    right = picture_of(result).visible
    middle = right.shape[0] // 2
    assert right[middle:].any()
    assert not right[:middle].any()
    opposite = replace(result.maps, asymmetry=-result.maps.asymmetry)
    assert not picture_of(replace(result, maps=opposite)).visible.any()


@pytest.mark.usefixtures("known_plane")
def test_pictures_show_the_same_millimetres_on_a_finer_grid(tmp_path) -> None:
    from medsym.inference.case import analyse_scan

    scan = head_phantom(lesion_mm=(-40.0, 10.0, 10.0))
    sizes, peaks = [], []
    for spacing in (3.0, 2.0):
        model = fake_model(tmp_path, spacing_mm=spacing)
        picture = picture_of(analyse_scan(scan, model, reference=flat_reference()))
        voxel_mm = spacing / picture.refinement
        sizes.append(np.array(picture.scan.shape) * voxel_mm)
        at = np.argwhere(picture.visible & (picture.deviation >= picture.full_scale / 2)).mean(0)
        peaks.append((at - (np.array(picture.scan.shape) - 1) / 2) * voxel_mm)
        assert voxel_mm / picture.pixels <= 0.75
    np.testing.assert_allclose(sizes[1], sizes[0], atol=6.0)
    np.testing.assert_allclose(peaks[1], peaks[0], atol=3.0)
    assert peaks[1][0] < -30.0  # the patient's left


def test_the_rings_are_on_the_peak_and_at_its_mirror_place() -> None:
    picture = marked()
    sheet = np.asarray(three_planes(picture, at=MARKER)).astype(int)
    width, height = (2 * n for n in SHAPE[:2])
    axial = sheet[:height, :width]
    blue = np.argwhere(axial[..., 2] - axial[..., 0] > 100)  # the diamond
    orange = np.argwhere(axial[..., 0] - axial[..., 2] > 100)
    middle = (width - 1) / 2
    assert (
        orange[:, 1].mean() < middle < blue[:, 1].mean()
    )  # radiological: the right is at the left
    assert blue[:, 1].mean() - middle == pytest.approx(middle - orange[:, 1].mean(), abs=1.5)
    assert blue[:, 0].mean() == pytest.approx(orange[:, 0].mean(), abs=1.5)


def test_places_within_the_bound_are_hatched_and_never_orange() -> None:
    picture = marked()
    doubtful = replace(picture, visible=picture.within, within=picture.visible)
    drawn = colour_slice(doubtful, plane="axial", index=70, scale=2).astype(int)
    plain = colour_slice(doubtful, plane="axial", index=70, scale=2, overlay=False).astype(int)
    changed = (drawn != plain).any(axis=-1)
    share = changed.sum() / (4 * picture.visible[:, :, 70].sum())
    assert 0.15 < share < 0.45
    assert np.abs(drawn[..., 0] - drawn[..., 2]).max() <= 4  # grey


def test_a_small_picture_has_the_marker_on_the_side_of_its_letter_and_is_small() -> None:
    image = thumbnail(marked(), at=MARKER)
    colours = np.asarray(image).astype(int)
    column = np.argwhere(colours[..., 0] - colours[..., 2] > 60)[:, 1].mean()
    assert column < (image.width - 1) / 2
    assert len(jpeg(image)) < 8000
    assert jpeg(image) == jpeg(image)


def test_the_overview_shows_every_level_of_the_brain_and_the_finding_on_its_side() -> None:
    sheet = np.asarray(overview(marked())).astype(int)
    tile = sheet.shape[1] // OVERVIEW[1]
    orange = np.argwhere(sheet[..., 0] - sheet[..., 2] > 60)
    bars = sheet.shape[0] - 2 * LINE
    inside = orange[orange[:, 0] < bars]
    assert len(inside) > 0
    assert np.all(inside[:, 1] % tile < tile / 2)  # the patient's right is at the left of a tile


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("radiological", [True, False])
def test_a_voxel_is_drawn_at_its_picture_place(plane: str, radiological: bool) -> None:
    shape, at = (4, 5, 6), (1, 3, 2)
    values = np.zeros(shape)
    values[at] = 1.0
    index = at[{"axial": 2, "coronal": 1, "sagittal": 0}[plane]]
    flat = slice_picture(values, plane=plane, index=index, radiological=radiological)
    place = picture_place(at, shape=shape, plane=plane, radiological=radiological)
    assert [tuple(p) for p in np.argwhere(flat)] == [place]
