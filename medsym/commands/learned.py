"""science: what a model has learned and how far it can be believed, as a report with pictures."""

import argparse

from medsym.commands.console import EXIT_OK, EXIT_REFUSED, say
from medsym.strict_json import to_json
from medsym.volumes.output_file import write_atomically

#: Added to the training seed, so that these draws are neither those of training nor of evaluate.
SCIENCE_SEED_STEP = 2000


def science(arguments: argparse.Namespace) -> int:
    """Measure, draw and write the report."""
    import torch

    from medsym.config import read_config
    from medsym.evaluation.methods import load_candidates
    from medsym.nn.products import exact_products
    from medsym.science.page import write_study
    from medsym.science.run import Study, run_study
    from medsym.science.subjects import Drawing
    from medsym.training.settings import TrainSettings

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
    if arguments.json is not None:
        write_atomically(arguments.json, to_json(findings.numbers).encode())
        say(f"numbers in {arguments.json}")
    say(f"report in {page}")
    return EXIT_REFUSED if findings.numbers["cases"]["failures"] else EXIT_OK
