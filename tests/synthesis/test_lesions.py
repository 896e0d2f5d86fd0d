"""Lesions: a real mask keeps its side unless mirrored on purpose, and all stay in the brain."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.errors import AnatomyError
from medsym.synthesis.appearance import draw_lesion, palette_of
from medsym.synthesis.lesions import Lesion, Room, draw_lesions
from medsym.synthesis.settings import LesionConfig
from medsym.synthesis.shapes import LesionShape, load_shapes, sample_shape
from medsym.volumes.volume import Volume
from medsym.volumes.writer import write_map
from tests.synthesis.heads import CANVAS

GRID = CANVAS.shape
CENTRE_MM = (-40.0, 10.0, 20.0)  # MNI, left
HALF_MM = (10.0, 16.0, 8.0)


def write_mask(path: Path, *, left_handed: bool) -> None:
    """A box in MNI space round CENTRE_MM, stored with x growing to the left or to the right."""
    shape = (91, 109, 91)
    affine = np.diag([-2.0 if left_handed else 2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [90.0 if left_handed else -90.0, -126.0, -72.0]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    points = np.einsum("rc,cxyz->rxyz", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)
    inside = [np.abs(points[k] - CENTRE_MM[k]) <= HALF_MM[k] for k in range(3)]
    mask = (inside[0] & inside[1] & inside[2]).astype(np.uint8)
    write_map(path, mask, like=Volume(voxels=mask, affine=affine, sform_code=1, qform_code=1))


@pytest.fixture
def shape(tmp_path: Path) -> LesionShape:
    """The box as a lesion shape."""
    write_mask(tmp_path / "box.nii.gz", left_handed=True)
    (only,) = load_shapes((tmp_path,), split="train", test_share=0.0)
    return only


def ellipsoid_room() -> Room:
    """A brain without fluid."""
    points = CANVAS.points()
    axes = torch.tensor([68.0, 85.0, 68.0]).view(3, 1, 1, 1)
    brain = ((points / axes).norm(dim=0) < 1.0).float()
    high = torch.tensor([68.0, 85.0, 68.0])
    return Room(brain=brain, enclosed=brain, fluid=torch.zeros(GRID), low_mm=-high, high_mm=high)


def value_at(shape: LesionShape, *point: float) -> float:
    """Fraction of the lesion at one MNI position."""
    return float(sample_shape(shape, points_mm=torch.tensor(point).view(3, 1, 1, 1)))


@pytest.mark.parametrize("left_handed", [True, False])
def test_mask_is_found_where_its_affine_puts_it(tmp_path: Path, left_handed: bool) -> None:
    write_mask(tmp_path / "box.nii.gz", left_handed=left_handed)
    (box,) = load_shapes((tmp_path,), split="train", test_share=0.0)
    torch.testing.assert_close(box.centre_mm, torch.tensor(CENTRE_MM), atol=0.01, rtol=0)
    assert value_at(box, *CENTRE_MM) == pytest.approx(1.0)
    assert value_at(box, 40.0, 10.0, 20.0) == 0.0
    edges = value_at(box, -40.0, 10.0, 30.0), value_at(box, -40.0, 10.0, 26.0)
    assert edges == (0.0, pytest.approx(1.0))


def test_cache_gives_the_same_shapes(tmp_path: Path) -> None:
    folder, cache = tmp_path / "masks", tmp_path / "cache"
    folder.mkdir()
    write_mask(folder / "box.nii.gz", left_handed=True)
    (first,) = load_shapes((folder,), split="train", test_share=0.0, cache=cache)
    (again,) = load_shapes((folder,), split="train", test_share=0.0, cache=cache)
    torch.testing.assert_close(again.fraction, first.fraction, atol=1 / 255, rtol=0)
    assert again.origin_mm.equal(first.origin_mm)
    assert again.name == first.name


def test_every_mask_is_in_exactly_one_split(tmp_path: Path) -> None:
    for number in range(8):
        write_mask(tmp_path / f"box{number}.nii.gz", left_handed=True)
    names = [
        {s.name for s in load_shapes((tmp_path,), split=split, test_share=0.5)}
        for split in ("train", "test")
    ]
    assert names[0] & names[1] == set()
    assert len(names[0] | names[1]) == 8
    assert names[0]
    assert names[1]


def test_folder_without_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnatomyError, match="MS-174"):
        load_shapes((tmp_path,), split="train", test_share=0.0)


def test_left_mask_is_drawn_on_both_sides_and_each_time_on_one(shape: LesionShape) -> None:
    config = LesionConfig(present=1.0, another=0.0, real_shape=1.0)
    shares = []
    for seed in range(10):
        (lesion,) = draw_lesions(
            ellipsoid_room(),
            canvas=CANVAS,
            shapes=(shape,),
            config=config,
            generator=torch.Generator().manual_seed(seed),
        )
        inside = lesion.extent > 0.5
        shares.append(float(inside[:32].sum()) / float(inside.sum()))
        centre = CANVAS.points()[:, inside].mean(dim=1)
        assert 15.0 < abs(float(centre[0])) < 60.0
    assert all(share in (0.0, 1.0) for share in shares)
    assert 2 <= sum(shares) <= 8


def test_blobs_fall_on_both_sides_equally_often() -> None:
    room, left = ellipsoid_room(), 0
    config = LesionConfig(
        present=1.0, another=0.0, bilateral=0.0, midline=0.0, radius_mm=(10.0, 10.0)
    )
    for seed in range(40):
        (lesion,) = draw_lesions(
            room,
            canvas=CANVAS,
            shapes=(),
            config=config,
            generator=torch.Generator().manual_seed(seed),
        )
        left += float(lesion.extent[:32].sum()) > float(lesion.extent[32:].sum())
    assert 12 <= left <= 28  # 20 +- 2.5 standard deviations


@pytest.mark.parametrize("chance_of", ["bilateral", "midline"])
def test_bilateral_and_midline_lesions_touch_both_sides(chance_of: str) -> None:
    config = LesionConfig(
        present=1.0, another=0.0, radius_mm=(14.0, 14.0), **{"bilateral": 0.0, chance_of: 1.0}
    )
    for seed in range(4):
        (lesion,) = draw_lesions(
            ellipsoid_room(),
            canvas=CANVAS,
            shapes=(),
            config=config,
            generator=torch.Generator().manual_seed(seed),
        )
        inside = lesion.extent > 0.5
        assert 0.0 < float(inside[:32].sum()) / float(inside.sum()) < 1.0
        assert abs(float(CANVAS.points()[0, inside].mean())) < 15.0


def test_lesions_stay_inside_the_brain() -> None:
    room = ellipsoid_room()
    for seed in range(4):
        for lesion in draw_lesions(
            room,
            canvas=CANVAS,
            shapes=(),
            config=LesionConfig(present=1.0),
            generator=torch.Generator().manual_seed(seed),
        ):
            assert not bool(((lesion.extent > 0.5) & (room.brain == 0)).any())


@pytest.mark.parametrize("cavity", [True, False])
def test_lesion_changes_its_extent_and_a_cavity_holds_fluid(cavity: bool) -> None:
    extent = torch.zeros(GRID)
    extent[10:20, 30:45, 20:35] = 1.0
    hole = torch.zeros(GRID)
    hole[13:17, 34:40, 25:30] = 1.0
    image = 0.5 + 0.05 * torch.randn(GRID, generator=torch.Generator().manual_seed(0))
    palette = palette_of(image, brain=ellipsoid_room().brain > 0, fluid=2.0)
    lesion = Lesion(
        origin="blob",
        volume_ml=1.0,
        extent=extent,
        core=None,
        cavity=hole if cavity else None,
        push=None,
    )
    drawn = draw_lesion(
        image,
        canvas=CANVAS,
        lesion=lesion,
        palette=palette,
        config=LesionConfig(extreme=0.0, contrast_sd=(3.0, 3.0)),
        generator=torch.Generator().manual_seed(1),
    )
    assert drawn[extent == 0].equal(image[extent == 0])
    change = drawn - image
    shift = float(change[(extent > 0) & (hole == 0)].mean().abs()) / palette.sd
    assert 2.0 < shift < 4.0
    assert bool((drawn[hole > 0] == 2.0).all()) is cavity
