"""Synthesised subjects whose normal asymmetry is known, in two versions.

Each subject is the symmetric template, warped, in a varying contrast, with a bias field and noise;
some carry lesions. In the *asymmetric* version everyone has two normal structures on the LEFT (the
planum temporale and the occipital petalia; Toga and Thompson, "Mapping brain asymmetry", Nature
Reviews Neuroscience 4, 2003) that look exactly like lesions: size, contrast and sign are drawn
from the same distribution. They are not labelled. Half of the lesions lie at the mirrored places on
the right, so whoever cannot tell left from right cannot tell disease from normal anatomy there. The
*symmetric* version has no such structures, and every subject is mirrored with probability 1/2 at
the end: its distribution equals that of its mirror image by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from medsym.benchmarks.methods.subjects import Subjects, Version, join
from medsym.symmetry.mirror import flip
from medsym.synthesis.randomness import chance, log_uniform, smooth_field, uniform, whole
from medsym.synthesis.template import sample_template

GRID = (20, 24, 20)
GRID_MM = 8.0
FINE = (40, 48, 40)  # drawn at 4 mm, then averaged to the grid
FINE_MM = 4.0
CONTROL = (5, 6, 5)  # control points of the warp and of the bias field: 40 mm apart
WARP_RMS_MM = (1.0, 3.0)
SCALE = (0.94, 1.06)
BIAS_LOG = (0.0, 0.15)  # standard deviation of the logarithm of the bias field
NOISE_SD = (0.1, 0.4)  # at 4 mm, of the brain's intensities
RADIUS_MM = (9.0, 17.0)  # of lesions and of the normal structures alike
CONTRAST_SD = (1.2, 3.0)  # of both, in SD of the brain's intensities, uniform in the logarithm
EDGE_MM = 2.0
SHADES, SHADE_JITTER = (0.1, 0.55, 0.85), 0.15  # fluid, grey and white matter as in T1, +- jitter
DISEASED = 0.7
LESIONS_MOST = 2
AT_MIRRORED_PLACE = 0.5
PLACES_MM = ((-48.0, -6.0, 0.0), (-28.0, -58.0, -8.0))  # on the left: planum, occipital petalia
PLACE_JITTER_MM = 4.0
CLEAR_MM = 26.0  # lesions elsewhere keep this distance from both sides of the places
MIDLINE_MM = 16.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A soft ball in the template's frame: a lesion or a normal structure, of one family."""

    centre_mm: Tensor
    radius_mm: float
    shift_sd: float

    def weight(self, sources: Tensor) -> Tensor:
        """(x, y, z) in [0, 1]: how far the ball fills the places that come from ``sources``."""
        distance = (sources - self.centre_mm.view(3, 1, 1, 1)).square().sum(dim=0).sqrt()
        return torch.sigmoid((self.radius_mm - distance) / EDGE_MM)


def lattice_mm() -> Tensor:
    """(3, 40, 48, 40) frame coordinates of the fine lattice; symmetric about x = 0."""
    axes = [(torch.arange(n) - 0.5 * (n - 1)) * FINE_MM for n in FINE]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


@cache
def template_tissues() -> Tensor:
    """(3, 40, 48, 40) shares of fluid, grey and white matter; exactly symmetric in x."""
    maps = sample_template(lattice_mm().to(torch.float64).numpy())
    brain = torch.from_numpy(maps.brain).float()
    grey, white = (torch.from_numpy(m).float() * brain for m in (maps.grey, maps.white))
    fluid = (brain - grey - white).clamp_min(0.0)
    tissues = torch.stack([fluid, grey, white])
    return (tissues + flip(tissues)) / 2


def draw_subject(*, version: Version, generator: torch.Generator) -> Subjects:
    """One subject; the same generator state gives the same subject."""
    lateralised = version == "asymmetric"
    sources = _warped(generator)
    places = [_blob(_place(left, generator), generator) for left in PLACES_MM]
    lesions = _lesions(generator)
    weights = _extent(places, sources=sources)
    subject = _scan(
        sources, structures=places if lateralised else [], lesions=lesions, generator=generator
    )
    subject["torque_region"] = (_pooled(weights) > 0.5).float() * subject["brain"]
    drawn = Subjects(**{name: volume[None, None] for name, volume in subject.items()})
    return drawn.mirrored() if not lateralised and chance(0.5, generator=generator) else drawn


def draw_subjects(number: int, *, version: Version, seed: int) -> Subjects:
    """Independent subjects, one after the other from one seed."""
    generator = torch.Generator().manual_seed(seed)
    return join([draw_subject(version=version, generator=generator) for _ in range(number)])


def cached_subjects(number: int, *, version: Version, seed: int, cache: Path | None) -> Subjects:
    """As :func:`draw_subjects`, kept as safetensors in a folder if one is given."""
    if cache is None:
        return draw_subjects(number, version=version, seed=seed)
    path = cache / f"subjects-{version}-{number}-{seed}.safetensors"
    if not path.is_file():
        drawn = draw_subjects(number, version=version, seed=seed)
        content = {part.name: getattr(drawn, part.name).contiguous() for part in fields(drawn)}
        save_file(content, path)
    return Subjects(**load_file(path))


def _warped(generator: torch.Generator) -> Tensor:
    """(3, 40, 48, 40) template position of every place of the subject, mm."""
    scale = torch.tensor([uniform(SCALE, generator=generator) for _ in range(3)])
    field = smooth_field(3, shape=FINE, control=CONTROL, generator=generator)
    warp = field * uniform(WARP_RMS_MM, generator=generator)
    return lattice_mm() * scale.view(3, 1, 1, 1) + warp


def _place(left_mm: tuple[float, ...], generator: torch.Generator) -> Tensor:
    return torch.tensor(left_mm) + PLACE_JITTER_MM * torch.randn(3, generator=generator)


def _blob(centre_mm: Tensor, generator: torch.Generator) -> Blob:
    """Size, contrast and sign of lesions and normal structures alike."""
    sign = -1.0 if chance(0.5, generator=generator) else 1.0
    return Blob(
        centre_mm=centre_mm,
        radius_mm=uniform(RADIUS_MM, generator=generator),
        shift_sd=sign * log_uniform(CONTRAST_SD, generator=generator),
    )


def _lesions(generator: torch.Generator) -> list[Blob]:
    if not chance(DISEASED, generator=generator):
        return []
    number = whole(1, LESIONS_MOST, generator=generator)
    return [_blob(_lesion_centre(generator), generator) for _ in range(number)]


def _lesion_centre(generator: torch.Generator) -> Tensor:
    """A mirrored place of a normal structure (so on the right), or anywhere else in the brain."""
    if chance(AT_MIRRORED_PLACE, generator=generator):
        left = PLACES_MM[whole(0, len(PLACES_MM) - 1, generator=generator)]
        return _place(left, generator) * torch.tensor([-1.0, 1.0, 1.0])
    candidates = _elsewhere()
    centre = candidates[whole(0, len(candidates) - 1, generator=generator)]
    side = -1.0 if chance(0.5, generator=generator) else 1.0
    return centre * torch.tensor([side, 1.0, 1.0])


@cache
def _elsewhere() -> Tensor:
    """(number, 3) places on the right, away from the mid-plane and from the mirrored places."""
    points = lattice_mm()
    allowed = (template_tissues().sum(dim=0) > 0.9) & (points[0] > MIDLINE_MM)
    for left in PLACES_MM:
        right = torch.tensor(left) * torch.tensor([-1.0, 1.0, 1.0])
        allowed &= (points - right.view(3, 1, 1, 1)).square().sum(dim=0).sqrt() > CLEAR_MM
    return points[:, allowed].T


def _extent(blobs: Sequence[Blob], *, sources: Tensor) -> Tensor:
    """(x, y, z) in [0, 1]: the union of balls; zero without any."""
    extent = torch.zeros(FINE)
    for blob in blobs:
        extent = torch.maximum(extent, blob.weight(sources))
    return extent


def _scan(
    sources: Tensor,
    *,
    structures: Sequence[Blob],
    lesions: Sequence[Blob],
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Image and truths of one subject, each (x, y, z) on the grid."""
    ends = torch.tensor([0.5 * (n - 1) * FINE_MM for n in FINE]).view(3, 1, 1, 1)
    where = (sources / ends).flip(0).permute(1, 2, 3, 0)[None]  # grid_sample wants z, y, x
    tissues = F.grid_sample(template_tissues()[None], where, align_corners=True)[0]
    inside = tissues.sum(dim=0)
    jitter = SHADE_JITTER * (2.0 * torch.rand(3, generator=generator) - 1.0)
    plain = (tissues * (torch.tensor(SHADES) + jitter).view(3, 1, 1, 1)).sum(dim=0)
    sd = float(plain[inside > 0.5].std().clamp_min(0.05))
    added = inside * sd * _shift(structures, sources=sources)
    disease = inside * sd * _shift(lesions, sources=sources)
    field = smooth_field(1, shape=FINE, control=CONTROL, generator=generator)[0]
    bias = torch.exp(field * uniform(BIAS_LOG, generator=generator))
    noise = sd * uniform(NOISE_SD, generator=generator) * torch.randn(FINE, generator=generator)
    image, asymmetry = _pooled((plain + added + disease) * bias + noise), _pooled(added * bias)
    brain = _pooled(inside) > 0.5
    middle, spread = image[brain].mean(), image[brain].std().clamp_min(1e-3)
    return {
        "image": torch.where(brain, (image - middle) / spread, 0.0),
        "lesion": ((_pooled(_extent(lesions, sources=sources)) > 0.5) & brain).float(),
        "brain": brain.float(),
        "normal_asymmetry": torch.where(brain, asymmetry / spread, 0.0),
    }


def _shift(blobs: Sequence[Blob], *, sources: Tensor) -> Tensor:
    """Sum of the intensity shifts of all balls, in SD of the brain."""
    total = torch.zeros(FINE)
    for blob in blobs:
        total = total + blob.shift_sd * blob.weight(sources)
    return total


def _pooled(volume: Tensor) -> Tensor:
    """(40, 48, 40) averaged to (20, 24, 20)."""
    return F.avg_pool3d(volume[None, None], 2)[0, 0]
