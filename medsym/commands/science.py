"""science: what a model has learned and how far it can be believed, as a report with pictures."""

import argparse
from pathlib import Path

from medsym.commands.arguments import add_json, add_model, count
from medsym.commands.console import EXIT_OK, EXIT_REFUSED, say, write_numbers
from medsym.errors import ConfigError

#: Added to the training seed, so that these draws are neither those of training nor of evaluate.
SCIENCE_SEED_STEP = 2000


def add_science(science: argparse.ArgumentParser) -> None:
    """Its arguments."""
    science.add_argument(
        "--synthetic",
        type=Path,
        required=True,
        metavar="CONFIG",
        help="training configuration to draw test subjects from",
    )
    science.add_argument(
        "--number",
        type=count,
        default=40,
        metavar="N",
        help="healthy subjects, and as many drawn as in training",
    )
    science.add_argument(
        "--cases",
        type=Path,
        metavar="TABLE",
        help="CSV with columns case, scan, mask (empty: healthy) and, optional, brain and person"
        " (of a person's healthy scans, the worst counts)",
    )
    science.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for report, pictures and numbers"
    )
    science.add_argument(
        "--keep", action="store_true", help="keep the study beside the model, for the viewer"
    )
    add_json(science)
    add_model(science)


def science(arguments: argparse.Namespace) -> int:
    """Measure, draw and write the report."""
    import torch

    from medsym.config import read_config
    from medsym.evaluation.methods import load_candidates
    from medsym.nn.products import exact_products
    from medsym.science.measured import keep_study
    from medsym.science.page import write_study
    from medsym.science.run import Study, run_study
    from medsym.science.subjects import Drawing
    from medsym.training.settings import TrainSettings

    _check_keeping(arguments)
    settings = read_config(arguments.synthetic, TrainSettings)
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = torch.device(device)
    (candidate,) = load_candidates([arguments.model], device=place)
    study = Study(
        candidate=candidate,
        drawing=Drawing(
            synthesis=settings.synthesis, seed=settings.seed + SCIENCE_SEED_STEP, device=place
        ),
        number=arguments.number,
        cases=arguments.cases,
    )
    with exact_products():
        findings = run_study(study, report=say)
    page = write_study(arguments.out, findings)
    write_numbers(findings.numbers, path=arguments.json)
    if arguments.keep:
        keep_study(arguments.out, arguments.model)
        say(f"kept beside the weights in {arguments.model}")
    say(f"report in {page}")
    return EXIT_REFUSED if findings.numbers["cases"]["failures"] else EXIT_OK


def _check_keeping(arguments: argparse.Namespace) -> None:
    """Refuse to write over the shipped model's own study."""
    if arguments.keep and arguments.model is None:
        raise ConfigError(
            code="MS-795",
            subject="science --keep",
            cause="the shipped model has its own study beside it",
            fix="name the model's folder with --model",
        )
