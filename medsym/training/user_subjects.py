"""The user's own scans as training subjects, with an expert's lesions or with drawn ones.

Every pass over the data visits every subject once, in an order of its own, and takes one of the
subject's scans; which one, and what the scanner effects and lesions are, depends on the seed and
the index alone, so that a run resumes exactly. Nothing is ever mirrored.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from medsym.datasets.cache import Request, prepared
from medsym.datasets.prepare import PreparedSample
from medsym.datasets.settings import DataSettings
from medsym.datasets.survey import request_of
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError
from medsym.synthesis.canvas import CPU, Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.degradation import View, degrade, draw_view
from medsym.synthesis.randomness import chance, whole
from medsym.synthesis.scaling import normalised
from medsym.synthesis.settings import SynthesisConfig
from medsym.synthesis.shapes import LesionShape, load_shapes
from medsym.training.drawn_lesions import draw_into
from medsym.training.settings import TrainSettings
from medsym.volumes.frame import SymmetricGrid

NOT_KNOWN = -1  # structure of every voxel of a scan that comes without labels


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectScan:
    """One scan of a subject, as it is named and as it is asked for."""

    name: str
    request: Request


class MixedSubjects(Dataset[SyntheticCase]):
    """The user's subjects and synthetic ones in turn, in an exact and even proportion.

    Synthetic subjects know the names of all structures, which no user's scan does: without them a
    network forgets the anatomy that inference finds the brain with.

    Args:
        users: The user's.
        synthetic: Synthetic ones.
        synthetic_share: Of all indices, in [0, 1].
    """

    def __init__(
        self,
        users: "UserSubjects",
        synthetic: Dataset[SyntheticCase],
        *,
        synthetic_share: float,
    ) -> None:
        self.users = users
        self.synthetic = synthetic
        self.synthetic_share = synthetic_share

    def __getitem__(self, index: int) -> SyntheticCase:
        """Case ``index``; the user's cases come in the order in which they come alone."""
        before = int(index * self.synthetic_share)
        if int((index + 1) * self.synthetic_share) > before:
            return self.synthetic[before]
        return self.users[index - before]


class UserSubjects(Dataset[SyntheticCase]):
    """The user's subjects; ``subjects[i]`` depends on (data, settings, split, i) alone.

    Args:
        visits: Prepared visits of the split.
        settings: Of the run.
        grid: Grid of the images.
        split: "train" draws scanner effects, the others show scans as inference sees them;
            "reference" draws no lesions.
        device: Where lesions and scanner effects are drawn.

    Raises:
        ConfigError: MS-355 no scan is left.
    """

    def __init__(
        self,
        visits: tuple[Visit, ...],
        *,
        settings: TrainSettings,
        grid: SymmetricGrid,
        split: str,
        device: torch.device | str = "cpu",
    ) -> None:
        by_subject: dict[str, list[SubjectScan]] = {}
        for visit in visits:
            for scan in visit.scans:
                request = request_of(visit, scan, settings=settings.data, grid=grid)
                name = f"{visit.name} {scan.contrast}"
                by_subject.setdefault(visit.subject, []).append(
                    SubjectScan(name=name, request=request)
                )
        if not by_subject:
            raise ConfigError(
                code="MS-355",
                subject=str(settings.data.folder),
                cause=f"no scan is left for the {split} split",
                fix="Change the shares of the splits, or what visits without a mask mean",
            )
        self.subjects = tuple(tuple(scans) for scans in by_subject.values())
        self.data: DataSettings = settings.data
        self.synthesis: SynthesisConfig = settings.synthesis
        self.canvas = Canvas(grid=grid, device=torch.device(device))
        self.seed = settings.seed
        self.split = split
        self._shapes: tuple[LesionShape, ...] | None = None

    def __len__(self) -> int:
        """Number of subjects; a pass over the data has as many indices."""
        return len(self.subjects)

    def scan_of(self, index: int) -> SubjectScan:
        """The scan behind an index."""
        turn, place = divmod(index, len(self.subjects))
        order = torch.randperm(len(self.subjects), generator=self._generator("pass", turn))
        scans = self.subjects[int(order[place])]
        return scans[whole(0, len(scans) - 1, generator=self._generator("scan", index))]

    def __getitem__(self, index: int) -> SyntheticCase:
        """Case ``index``; opens the lesion shapes on first use, in the process that draws."""
        if self._shapes is None:
            if get_worker_info() is not None:
                torch.set_num_threads(1)
            self._shapes = self._load_shapes()
        scan = self.scan_of(index)
        assert self.data.cache is not None, "the settings demand a cache for every layout"
        sample = prepared(scan.request, folder=self.data.cache)
        case = self._case(scan, sample, generator=self._generator("draw", index))
        return case.to(CPU)

    def _load_shapes(self) -> tuple[LesionShape, ...]:
        source = self.synthesis.source
        split = "test" if self.split == "test" else "train"
        return load_shapes(
            source.lesion_folders,
            split=split,
            test_share=source.test_lesion_share,
            cache=source.cache,
        )

    def _generator(self, purpose: str, number: int) -> torch.Generator:
        """Randomness of its own for every purpose and number."""
        digest = hashlib.sha256(f"{self.seed} {self.split} {purpose} {number}".encode("ascii"))
        return torch.Generator().manual_seed(int.from_bytes(digest.digest()[:8], "big") >> 1)

    def _case(
        self, scan: SubjectScan, sample: PreparedSample, *, generator: torch.Generator
    ) -> SyntheticCase:
        """Lesions if there is no expert's, then scanner and preprocessing, as in synthesis."""
        device = self.canvas.device
        head, window, brain, view, lesion = (
            torch.from_numpy(array).to(device)
            for array in (sample.head, sample.window, sample.brain, sample.view, sample.lesion)
        )
        shown = self._view(head, brain, view, generator=generator)
        image = window if shown.stripped else head
        draws = not sample.has_mask and self.split != "reference"
        if draws and chance(self.data.lesions_drawn, generator=generator):
            drawn = draw_into(
                image,
                brain=brain,
                canvas=self.canvas,
                shapes=self._shapes or (),
                config=self.synthesis.lesions.model_copy(update={"present": 1.0}),
                generator=generator,
            )
            image, brain, lesion = drawn.image, drawn.brain, drawn.lesion
        if self._augments:
            image = self._scanned(image, generator=generator)
        return SyntheticCase(
            image=normalised(image, shown.mask),
            structures=torch.full_like(brain, NOT_KNOWN, dtype=torch.int64),
            lesion=lesion & shown.mask,
            brain=brain & shown.coverage,
            coverage=shown.coverage,
            stripped=shown.stripped or sample.was_stripped,
            kind=scan.request.scan.contrast,
            records=(),
            anatomy=scan.name,
        )

    @property
    def _augments(self) -> bool:
        return self.data.augment and self.split == "train"

    def _view(
        self, head: Tensor, brain: Tensor, view: Tensor, *, generator: torch.Generator
    ) -> View:
        """What is shown of a scan: its brain as inference shows it, or drawn as in synthesis."""
        if not self._augments:
            return View(mask=brain & view, coverage=view, stripped=True)
        shown = draw_view(
            brain,
            head=(head != 0).to(torch.float32),
            canvas=self.canvas,
            config=self.synthesis.degradation,
            generator=generator,
        )
        coverage = shown.coverage & view
        return View(mask=shown.mask & view, coverage=coverage, stripped=shown.stripped)

    def _scanned(self, image: Tensor, *, generator: torch.Generator) -> Tensor:
        """Bias, blur, slices, noise and another gamma on top of what the scanner did."""
        log_gamma = self.synthesis.contrast.gamma_log_sd * torch.randn((), generator=generator)
        image = degrade(
            image, canvas=self.canvas, config=self.synthesis.degradation, generator=generator
        )
        low, high = torch.aminmax(image)
        return ((image - low) / (high - low).clamp_min(1e-6)).pow(float(torch.exp(log_gamma)))
