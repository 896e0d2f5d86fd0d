"""The end of a run: weights, manifest and healthy reference in one folder."""

import hashlib
import platform
from collections.abc import Callable, Iterator, Sequence, Sized
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Dataset

from medsym.calibration.comparison import REFERENCE_ENTRY, Kind
from medsym.calibration.reference import REFERENCE_FILE, REFERENCE_HASH, save_reference
from medsym.inference.deviation import build_reference
from medsym.inference.evidence import prior_logit_of
from medsym.inference.maps import BoolMap, FloatMap
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.store import amend_manifest, load_model, save_model
from medsym.models.structures import mirror_permutation
from medsym.nn.products import exact_products
from medsym.strict_json import finite
from medsym.synthesis.case import SyntheticCase
from medsym.training.data import SyntheticSubjects, without_skull
from medsym.training.loader import draw_each, grid_of, synthesis_device
from medsym.training.progress import counted
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset
from medsym.training.validation import Scores, UnseenSubjects

#: Two give a spread and two a threshold.
FEWEST_HEALTHY = 4
_PACKAGES = ("torch", "monai", "escnn", "numpy", "nilearn")


def write_model(
    settings: TrainSettings,
    average: AveragedModel,
    *,
    unseen: UnseenSubjects,
    healthy: tuple[Dataset[SyntheticCase], int],
    device: torch.device,
    out: Path,
    say: Callable[[str], None],
) -> Path:
    """Save the averaged network, score it, calibrate it on healthy draws; returns the folder.

    Args:
        settings: Of the run.
        average: The averaged network; moved to the CPU.
        unseen: What it is scored on, in float32.
        healthy: What :func:`reference_subjects` returned.
        device: That scores and calibrates.
        out: Folder of the run; the model goes into "model" in it.
        say: Receives lines.
    """
    network = average.module
    assert isinstance(network, AsymmetryNet)
    with exact_products():
        scores = unseen.score(network)
    network = network.to("cpu").eval()
    folder = out / "model"
    save_model(folder, network, _manifest(settings, scores))
    subjects, number = healthy
    say(f"healthy reference from {number} subjects")
    loaded = load_model(folder)
    cases = counted(
        healthy_images(subjects, number=number, settings=settings, device=device),
        total=number,
        name="healthy subjects",
        say=say,
        every=settings.report_every,
    )
    with exact_products():
        reference = build_reference(
            loaded.network.to(device),
            cases,
            mirror_classes=mirror_permutation(),
            spacing_mm=loaded.network.settings.spacing_mm,
            num_spread=number // 2,
            prior_logit=prior_logit_of(loaded),
        )
    save_reference(folder / REFERENCE_FILE, reference=reference)
    written = hashlib.sha256((folder / REFERENCE_FILE).read_bytes()).hexdigest()
    amend_manifest(folder, {REFERENCE_HASH: written, REFERENCE_ENTRY: _about(subjects)})
    say(f"model in {folder}: {scores.line()}")
    return folder


def _about(subjects: Dataset[SyntheticCase]) -> dict[str, Kind]:
    """Who made the healthy reference, for everybody who reads a p-value."""
    return {"kind": "synthetic" if isinstance(subjects, SyntheticSubjects) else "healthy scans"}


def _manifest(settings: TrainSettings, scores: Scores) -> dict[str, object]:
    """What the model folder says about where its weights come from."""
    return {
        "name": settings.name,
        "version": version("medsym"),
        "created": datetime.now(UTC).date().isoformat(),
        "intended_use": "research only; not a medical device",
        "licence": "Apache-2.0",
        "training": portable(settings),
        "training_data": list(settings.data_licences),
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "unseen_synthetic" if settings.data.layout == "synthetic" else "unseen": finite(
            {
                "auprc": scores.pathology,
                "auprc_mirror_difference": scores.baseline,
                "prevalence": scores.prevalence,
                "structure_dice": scores.structures,
                "cases": settings.validation_cases,
            }
        ),
    }


def portable(settings: TrainSettings) -> dict[str, object]:
    """The configuration as JSON without folders of the machine that trained."""
    content: dict[str, object] = settings.model_dump(mode="json")
    if settings.start_from is not None:
        content["start_from"] = "/".join(settings.start_from.parts[-2:])
    synthesis = content["synthesis"]
    assert isinstance(synthesis, dict)
    source = synthesis["source"]
    for key in ("label_maps", "cache"):
        source[key] = Path(source[key]).name if source[key] else None
    content["data"] = settings.data.without_names()
    source["lesion_folders"] = [Path(folder).name for folder in source["lesion_folders"]]
    return content


def reference_subjects(
    settings: TrainSettings, *, device: torch.device, say: Callable[[str], None]
) -> tuple[Dataset[SyntheticCase], int]:
    """Healthy subjects that calibrate the model, and how many of them.

    The user's own healthy scans, where the configuration keeps some for that, each of them once;
    else synthetic ones, stripped as the comparison sees a scan.
    """
    drawing = synthesis_device(settings, device)
    if settings.data.reference_share > 0.0:
        own = make_dataset(settings, split="reference", device=drawing, report=say)
        number = len(own) if isinstance(own, Sized) else 0
        if number >= FEWEST_HEALTHY:
            return own, min(number, settings.reference_cases)
        say(f"{number} healthy scans are too few to calibrate on: synthetic subjects do it")
    config = without_skull(settings.synthesis)
    subjects = SyntheticSubjects(
        config,
        grid=grid_of(settings),
        seed=settings.seed + 1,
        split="reference" if config.source.reference_subjects else "train",
        healthy=True,
        device=drawing,
    )
    return subjects, settings.reference_cases


def healthy_images(
    subjects: Dataset[SyntheticCase], *, number: int, settings: TrainSettings, device: torch.device
) -> Iterator[tuple[FloatMap, BoolMap]]:
    """Image and brain of each subject, (x, y, z), as ``analyse_scan`` feeds scans.

    Synthetic subjects come ordered by their anatomy: the spread is measured on some heads and the
    threshold on others, as it is used on heads that neither has seen.
    """
    indices: Sequence[int] = range(number)
    if isinstance(subjects, SyntheticSubjects):
        indices = subjects.grouped(number)
    for packed in draw_each(subjects, indices, settings=settings, training=device):
        yield packed["image"][0, 0].numpy(), packed["brain"][0, 0].numpy()
