"""Every range that synthesis draws from, with its unit; a configuration file fills this model.

Defaults follow the ranges of Billot et al., "SynthSeg", arXiv:2107.09559, table 1, narrowed or
widened for scans that were already aligned on their mid-sagittal plane. An unknown key is an error.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range whose lower end lies above its upper end."""
    if value[0] > value[1]:
        msg = f"a range is (low, high), got {value}"
        raise ValueError(msg)
    return value


def _positive(value: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range that reaches 0: its logarithm is drawn, or it divides."""
    if value[0] <= 0.0:
        msg = f"both ends of this range have to be above 0, got {value}"
        raise ValueError(msg)
    return value


def _not_negative(value: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range of sizes that begins below 0."""
    if value[0] < 0.0:
        msg = f"this range cannot begin below 0, got {value}"
        raise ValueError(msg)
    return value


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
PositiveRange = Annotated[Range, AfterValidator(_positive)]
SizeRange = Annotated[Range, AfterValidator(_not_negative)]
Chance = Annotated[float, Field(ge=0.0, le=1.0)]


class _Settings(BaseModel):
    """Immutable, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Settings):
    """Where anatomies and lesion shapes come from.

    Without a label-map folder the symmetric template is the only anatomy. Subjects are file names
    without their extension; no subject may stand in two lists. The reference subjects give the
    healthy cases that calibrate a trained network: they are neither trained nor tested on.
    """

    label_maps: Path | None = None
    train_subjects: tuple[str, ...] = ()
    test_subjects: tuple[str, ...] = ()
    reference_subjects: tuple[str, ...] = ()
    lesion_folders: tuple[Path, ...] = ()
    test_lesion_share: Chance = 0.2  # of the lesion files, by a hash of the file's name
    cache: Path | None = None

    @model_validator(mode="after")
    def _disjoint(self) -> "SourceConfig":
        """A test anatomy that is also trained on would make every test number optimistic."""
        lists = (self.train_subjects, self.test_subjects, self.reference_subjects)
        named = [name for names in lists for name in set(names)]
        both = sorted({name for name in named if named.count(name) > 1})
        if both:
            msg = f"subjects in two of the train, test and reference lists: {both}"
            raise ValueError(msg)
        if self.label_maps is not None and not self.train_subjects:
            msg = "label_maps needs train_subjects: name the files that training may use"
            raise ValueError(msg)
        return self


class DeformationConfig(_Settings):
    """Random anatomy."""

    control_spacing_mm: PositiveRange = (20.0, 60.0)
    displacement_rms_mm: SizeRange = (
        0.0,
        4.5,
    )  # per axis; beyond that no head looks so
    rough_spacing_mm: PositiveRange = (
        10.0,
        18.0,
    )  # of a second, finer field: folds differ
    rough_rms_mm: SizeRange = (0.0, 1.0)
    pitch_deg: Range = (-8.0, 8.0)  # rotation about the left-right axis
    scale: PositiveRange = (0.9, 1.1)  # each axis on its own
    shift_mm: Range = (-10.0, 10.0)  # along y and z
    tilt_deg: Range = (-1.0, 1.0)  # error of the mid-plane: yaw and roll
    plane_shift_mm: Range = (-1.0, 1.0)  # error of the mid-plane: along x
    torque_mm: Range = (0.0, 3.0)  # right front forwards and wider, left back backwards and wider
    ventricle_mm: Range = (-1.5, 4.0)  # outward displacement of the ventricle walls
    atrophy: Chance = 0.35  # of a cortex that has shrunk with age
    atrophy_mm: SizeRange = (0.2, 1.2)  # thickness that it has lost


class ContrastConfig(_Settings):
    """Random intensities, in units where the darkest mean is 0 and the brightest 1."""

    realistic: Chance = 0.5  # T1-, T2-, FLAIR- or CT-like order of tissues, else any order
    mean_jitter: float = Field(default=0.06, ge=0.0)  # of realistic means
    texture_sd: SizeRange = (0.005, 0.05)  # of a voxel inside one tissue
    gamma_log_sd: float = Field(default=0.25, ge=0.0)
    white_matter_change: Chance = 0.2  # bilateral periventricular change of age, not a lesion


class LesionConfig(_Settings):
    """Random lesions."""

    present: Chance = 0.8
    most: int = Field(default=3, ge=1)
    another: Chance = 0.35  # of one more lesion, up to the most
    real_shape: Chance = 0.5  # when a lesion folder was given, else every shape is random
    radius_mm: PositiveRange = (3.0, 35.0)  # random shapes, uniform in the logarithm of the volume
    real_scale: PositiveRange = (0.7, 1.4)
    bilateral: Chance = 0.06
    midline: Chance = 0.06
    contrast_sd: PositiveRange = (
        0.5,
        6.0,
    )  # SD of the brain's intensities, uniform in its log
    extreme: Chance = 0.25  # like cerebrospinal fluid, or brighter than everything
    halo: Chance = 0.25  # oedema round the core, part of the label
    cavity: Chance = 0.15
    mass_effect: Chance = 0.3
    mass_effect_mm: Range = (-2.0, 7.0)  # negative: the tissue around has shrunk
    smallest_ml: float = Field(default=0.08, gt=0.0)  # lesions below this are not drawn at all


class DegradationConfig(_Settings):
    """What the scanner and the preprocessing do to the image."""

    stripped: Chance = 0.5
    strip_error_mm: Range = (-1.0, 5.0)  # how far outside the brain the mask's border runs
    bias_log_sd: SizeRange = (0.0, 0.2)  # of the smooth field's logarithm
    one_sided: Chance = 0.3
    one_sided_log: Range = (-0.25, 0.25)  # left against right, over the width of the head
    noise_sd: SizeRange = (0.0, 0.06)  # of the range of intensities
    blur_mm: SizeRange = (0.0, 2.4)  # sd of the point spread
    thick_slices: Chance = 0.4
    slice_mm: PositiveRange = (2.0, 6.0)
    neck_cut: Chance = 0.5
    cropped: Chance = 0.1
    cropped_mm: SizeRange = (6.0, 30.0)  # of the brain's end that the field of view misses


class SynthesisConfig(_Settings):
    """All of synthesis; `SynthesisConfig()` draws from the symmetric template alone."""

    source: SourceConfig = SourceConfig()
    deformation: DeformationConfig = DeformationConfig()
    contrast: ContrastConfig = ContrastConfig()
    lesions: LesionConfig = LesionConfig()
    degradation: DegradationConfig = DegradationConfig()
    truths: bool = (
        True  # also the healthy counterpart and the normal asymmetry; training needs none
    )
