"""The four bundled sample subjects, made from the symmetric template alone and from a seed.

They are for trying the program, not for measuring it. The template is exactly symmetric, so each
subject gets a natural asymmetry (torque and a smooth random deformation), a tilted head and its own
storage orientation; three get a lesion whose outline is written beside the scan. All arithmetic is
float64 numpy, so that the same versions give the same bytes.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.synthesis.sample_geometry import (
    SHAPE,
    SPACING_MM,
    Blob,
    Pose,
    blob_level,
    head_points,
    natural_shift,
    pushed,
    store_as,
    world_affine,
)
from medsym.synthesis.template import BONE_MM, CSF_MM, SKIN_MM, SOFT_MM, TissueMaps, sample_template
from medsym.volumes.output_file import writable_folder
from medsym.volumes.volume import Volume
from medsym.volumes.writer import write_map, write_text

logger = logging.getLogger(__name__)

DEFAULT_SEED = 20090901
FULL_SCALE = 120.0  # stored value of the brightest tissue
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One subject.

    Attributes:
        subject, suffix: BIDS names.
        brightness: grey matter, white matter, fluid, bone, soft tissue, skin; 0 to 1.
        axcodes: storage orientation.
        pose: how the head lies in the scanner.
        lesion: its outline, or None.
        shift: brightness that the lesion adds.
        core_shift: brightness that its inner half adds on top.
        push_mm: outward displacement of the tissue around.
        stripped: without skull and scalp.
    """

    subject: str
    suffix: str
    brightness: tuple[float, float, float, float, float, float]
    axcodes: str
    pose: Pose
    lesion: Blob | None = None
    shift: float = 0.0
    core_shift: float = 0.0
    push_mm: float = 0.0
    stripped: bool = False

    @property
    def stem(self) -> str:
        """File name without its extension."""
        return f"sub-{self.subject}_{self.suffix}"


_T1 = (0.60, 0.85, 0.18, 0.10, 0.55, 0.80)
_T2 = (0.55, 0.38, 0.95, 0.08, 0.40, 0.55)
_FLAIR = (0.58, 0.45, 0.12, 0.08, 0.45, 0.55)

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        subject="healthy",
        suffix="T1w",
        brightness=_T1,
        axcodes="LIA",
        pose=Pose(yaw_deg=3.0, roll_deg=-2.0, pitch_deg=4.0, shift_mm=(3.0, -6.0, 5.0)),
    ),
    Recipe(
        subject="leftstroke",
        suffix="FLAIR",
        brightness=_FLAIR,
        axcodes="LPS",
        pose=Pose(yaw_deg=-4.0, roll_deg=3.0, pitch_deg=-3.0, shift_mm=(-4.0, 2.0, 3.0)),
        lesion=Blob(centre_mm=(-40.0, 20.0, 4.0), axes_mm=(14.0, 24.0, 18.0), roughness=0.25),
        shift=0.34,
    ),
    Recipe(
        subject="righttumour",
        suffix="T2w",
        brightness=_T2,
        axcodes="RAS",
        pose=Pose(yaw_deg=2.0, roll_deg=5.0, pitch_deg=2.0, shift_mm=(2.0, 4.0, -2.0)),
        lesion=Blob(centre_mm=(34.0, 48.0, 22.0), axes_mm=(20.0, 24.0, 20.0), roughness=0.2),
        shift=0.35,
        core_shift=-0.25,
        push_mm=5.0,
        stripped=True,
    ),
    Recipe(
        subject="subtle",
        suffix="T1w",
        brightness=_T1,
        axcodes="PSR",
        pose=Pose(yaw_deg=-2.0, roll_deg=-3.0, pitch_deg=-5.0, shift_mm=(0.0, -3.0, 2.0)),
        lesion=Blob(centre_mm=(46.0, -8.0, -20.0), axes_mm=(9.0, 12.0, 9.0), roughness=0.2),
        shift=-0.10,
    ),
)


def write_samples(out_dir: str | Path, seed: int = DEFAULT_SEED) -> tuple[Path, ...]:
    """Write the scans, the lesions' outlines in truth/, and CHECKSUMS.sha256.

    Args:
        out_dir: folder, made when absent; files of the same name are replaced.
        seed: of the deformations, outlines and noise.

    Returns:
        The scans.

    Raises:
        OutputError: MS-140, no file can be written there.
    """
    folder = Path(out_dir)
    writable_folder(folder)
    writable_folder(folder / "truth")
    scans, written = [], []
    for number, recipe in enumerate(RECIPES):
        image, lesion = draw_sample(recipe, seed=seed + number)
        affine = world_affine()
        scan = _volume(image, affine=affine, axcodes=recipe.axcodes)
        path = folder / f"{recipe.stem}.nii.gz"
        write_map(path, scan.voxels, like=scan, description="medsym synthetic sample, no person")
        scans.append(path)
        written.append(path)
        if recipe.lesion is not None:
            mask = _volume(lesion.astype(np.uint8), affine=affine, axcodes=recipe.axcodes)
            path = folder / "truth" / f"{recipe.stem}_label-lesion_mask.nii.gz"
            write_map(path, mask.voxels, like=mask, description="medsym synthetic lesion outline")
            written.append(path)
        logger.info("sample %s written", recipe.stem)
    write_text(folder / "CHECKSUMS.sha256", _checksums(folder, written))
    return tuple(scans)


def _volume(voxels: NDArray[np.generic], *, affine: Array, axcodes: str) -> Volume:
    """Voxels of the RAS lattice in another storage orientation."""
    stored, stored_affine = store_as(voxels, affine=affine, axcodes=axcodes)
    return Volume(voxels=stored, affine=stored_affine, sform_code=1, qform_code=1)


def _checksums(folder: Path, paths: list[Path]) -> str:
    """Lines for ``sha256sum --check``."""
    rows = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}"
        for path in sorted(paths)
    ]
    return "\n".join(rows) + "\n"


def draw_sample(recipe: Recipe, *, seed: int) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Image and lesion outline of one subject on the RAS lattice of `world_affine`.

    Args:
        recipe: what to draw.
        seed: of everything random.

    Returns:
        (x, y, z) int16 image, 0 in air, and bool outline.
    """
    random = np.random.default_rng(seed)
    points = head_points(recipe.pose)
    sources = points - natural_shift(points, random=random)
    level = np.full(SHAPE, -np.inf)
    if recipe.lesion is not None:
        level = blob_level(recipe.lesion, points=points, random=random)
        sources = pushed(sources, points=points, blob=recipe.lesion, distance_mm=recipe.push_mm)
    maps = sample_template(sources)
    brain = maps.brain
    image = _tissues(maps, brain=brain, recipe=recipe)
    inside = np.where(brain, np.clip(0.5 + 3.0 * level, 0.0, 1.0), 0.0)
    core = np.where(brain, np.clip(0.5 + 3.0 * (level - 0.5), 0.0, 1.0), 0.0)
    patchy = 1.0 + 0.25 * _smooth_noise(random, sd_voxels=2.0)
    solid = maps.grey + maps.white  # lesions of tissue, not of fluid
    image += patchy * solid * (recipe.shift * inside + recipe.core_shift * core)
    return _scanned(image, random=random), (inside > 0.5) & brain


def _tissues(maps: TissueMaps, *, brain: NDArray[np.bool_], recipe: Recipe) -> Array:
    """Mixture of tissues in each voxel, with shells for skull and scalp unless stripped."""
    grey, white, fluid, bone, soft, skin = recipe.brightness
    total = np.maximum(maps.grey + maps.white, 1.0)
    share_grey, share_white = maps.grey / total, maps.white / total
    rest = np.clip(1.0 - share_grey - share_white, 0.0, 1.0)
    image = np.where(brain, grey * share_grey + white * share_white + fluid * rest, 0.0)
    if recipe.stripped:
        return np.asarray(image, dtype=np.float64)
    outside = ndimage.distance_transform_edt(~brain, sampling=SPACING_MM)
    shells = ((CSF_MM, fluid), (BONE_MM, bone), (SOFT_MM, soft), (SKIN_MM, skin))
    inner = 0.0
    for outer, brightness in shells:
        image[(outside > inner) & (outside <= outer)] = brightness
        inner = outer
    return np.asarray(image, dtype=np.float64)


def _smooth_noise(random: np.random.Generator, *, sd_voxels: float) -> Array:
    """Correlated noise with standard deviation 1."""
    noise = ndimage.gaussian_filter(random.standard_normal(SHAPE), sd_voxels)
    return np.asarray(noise / noise.std(), dtype=np.float64)


def _scanned(image: Array, *, random: np.random.Generator) -> NDArray[np.int16]:
    """Point spread, a gentle bias field and noise; air stays 0 so that the files stay small."""
    head = image > 0.0
    blurred = ndimage.gaussian_filter(image, 0.5)
    bias = 1.0 + 0.05 * _smooth_noise(random, sd_voxels=25.0)
    noisy = blurred * bias + 0.012 * random.standard_normal(SHAPE)
    stored = np.clip(np.rint(FULL_SCALE * noisy), 1, 240)
    return np.where(head, stored, 0).astype(np.int16)
