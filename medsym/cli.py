"""Command line of medsym: arguments, progress lines, one-line errors and exit codes.

Exit codes: 0 everything done, 1 some scan was refused or damaged, 2 wrong usage, configuration or
model, 75 not finished, try again later: another run is writing into the output folder, or training
stopped before its last step; 130 stopped by Ctrl+C.
Heavy packages are imported by the commands that need them, so ``medsym --help`` is quick.
"""

import argparse
import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.allocator import keep_freed_memory
from medsym.commands import (
    audit,
    bench,
    bids,
    calibrating,
    evaluating,
    exporting,
    science,
    scoring,
    screening,
    training,
    verifying,
    viewing,
)
from medsym.commands.arguments import (
    add_calibration,
    add_evaluation,
    add_json,
    add_model,
    add_score_apply,
    add_score_fit,
    add_screening_options,
    count,
)
from medsym.commands.bench_arguments import add_bench
from medsym.commands.console import EXIT_LOCKED, EXIT_USAGE, complain
from medsym.commands.menu import EXIT_CODES, Menu, SuggestingParser
from medsym.commands.scaling import add_scaling
from medsym.commands.view_arguments import add_port, add_view
from medsym.errors import MedsymError

#: Commands that stay: what their process needed once, it shall give back.
_SERVERS = (viewing.view, screening.demo)


def build_parser() -> argparse.ArgumentParser:
    """The argument parser; every subcommand carries its function as ``run``."""
    parser = SuggestingParser(
        prog="medsym",
        description="Left-right asymmetry in brain scans, with a bound on what the model may add.",
        epilog=f"{EXIT_CODES} {RESEARCH_USE_ONLY}",
    )
    parser.add_argument("--version", action="version", version=f"medsym {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    menu = Menu(parser)
    _add_screening(menu)
    _add_viewing(menu)
    _add_scoring(menu)
    _add_research(menu)
    _add_measuring(menu)
    _add_exporting(menu)
    return parser


def _add_screening(menu: Menu) -> None:
    demo = menu.add("demo", screening.demo, "screen four sample heads and open the viewer")
    demo.add_argument(
        "--out", type=Path, default=Path("medsym-demo"), metavar="DIR", help="folder for results"
    )
    demo.add_argument("--no-view", action="store_true", help="do not start the viewer")
    add_port(demo, text="port of the viewer")
    add_model(demo)
    screen = menu.add("screen", screening.screen, "screen scans into a folder")
    screen.add_argument(
        "scans", nargs="+", type=Path, metavar="SCAN", help="file, folder, ZIP file or table"
    )
    screen.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for results, new or to go on"
    )
    add_scaling(screen)
    add_screening_options(screen)
    calibrate = menu.add("calibrate", calibrating.calibrate, "calibrate on healthy scans")
    add_calibration(calibrate)
    add_scaling(calibrate, shards=False)
    bids.add_bids(menu.add("bids", bids.bids, "screen a BIDS data set, as a BIDS App"))
    verify = menu.add("verify", verifying.verify, "hash a result, model or calibration folder")
    verify.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of screen, bids, calibrate or train"
    )


def _add_viewing(menu: Menu) -> None:
    add_view(menu.add("view", viewing.view, "open a result folder in the viewer"))


def _add_scoring(menu: Menu) -> None:
    score = menu.menu("score", "one number per person from screened scans")
    add_score_fit(score.add("fit", scoring.fit, "fit a score on a cohort with a table"))
    add_score_apply(score.add("apply", scoring.apply, "score the cases of a result folder"))


def _add_research(menu: Menu) -> None:
    train = menu.add("train", training.train, "train a model as a YAML file says")
    pretrain = menu.add(
        "pretrain", training.pretrain, "start from scans without labels (gave no accuracy)"
    )
    for run, folder in ((train, "runs/NAME"), (pretrain, "runs/pretrained/NAME")):
        run.add_argument("config", type=Path, metavar="CONFIG", help="settings, YAML")
        where = f"for model and history (default: {folder}, NAME as CONFIG is called)"
        run.add_argument("--out", type=Path, metavar="DIR", help=where)
        run.add_argument("--resume", action="store_true", help="go on from the checkpoint in DIR")
    samples = menu.add("samples", training.samples, "make the synthetic samples again")
    samples.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="files of the same name are replaced"
    )
    evaluate = menu.add(
        "evaluate", evaluating.evaluate, "score models on scans whose lesions are known"
    )
    add_evaluation(evaluate)
    science.add_science(
        menu.add("science", science.science, "show what a model has learned, in pictures")
    )


def _add_measuring(menu: Menu) -> None:
    add_bench(menu.menu("bench", "measure accuracy or speed on this machine"))
    network = menu.add("audit", audit.audit, "report how a network treats the mirror")
    network.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="model folder or YAML network file (default: the shipped model)",
    )
    network.add_argument(
        "--scan",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="NIfTI files (default: a synthetic volume)",
    )
    network.add_argument("--out", type=Path, metavar="DIR", help="folder for a picture per scan")
    add_json(network)
    search = menu.add("search", bench.search, "search softness settings (Bayesian)")
    search.add_argument("config", type=Path, metavar="CONFIG", help="settings, YAML")
    search.add_argument("--trials", type=count, default=40, metavar="N", help="trials in all")
    search.add_argument("--out", type=Path, metavar="DIR", help="keep the study here, to go on")
    add_json(search)


def _add_exporting(menu: Menu) -> None:
    export = menu.add("export", exporting.export, "write a model as a MONAI bundle or as ONNX")
    export.add_argument("--bundle", type=Path, metavar="DIR", help="new folder of the MONAI bundle")
    export.add_argument("--onnx", type=Path, metavar="FILE", help="network alone, checked")
    add_model(export)
    dicom = menu.add("dicom", exporting.dicom, "write a case's findings as DICOM SEG and SR")
    dicom.add_argument("folder", type=Path, metavar="OUT", help="result folder of 'medsym screen'")
    dicom.add_argument("case", metavar="CASE", help="name of the case")
    dicom.add_argument(
        "--series", type=Path, required=True, metavar="DIR", help="DICOM series that was screened"
    )
    dicom.add_argument(
        "--to", type=Path, required=True, metavar="DIR", help="for the files; they name the patient"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        argv: arguments without the program's name; by default those of the process.
    """
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO if arguments.debug else logging.ERROR)
    if not arguments.debug:
        warnings.simplefilter("ignore")
    if arguments.run not in _SERVERS:
        keep_freed_memory()
    try:
        return int(arguments.run(arguments))
    except MedsymError as error:
        _trace(error, shown=arguments.debug)
        complain(str(error))
        code = EXIT_LOCKED if error.code == "MS-151" else EXIT_USAGE
    except KeyboardInterrupt:
        complain("stopped; finished cases are kept, run the same command again to go on")
        code = 130
    except Exception as error:
        _trace(error, shown=arguments.debug)
        complain(
            f"MS-199 medsym: unexpected {type(error).__name__}: {error}. "
            "Fix: run with --debug, report."
        )
        code = EXIT_USAGE
    return code


def bids_app() -> int:
    """The console script medsym-bids: the arguments of a BIDS App and nothing before them."""
    return main(["bids", *sys.argv[1:]])


def _trace(error: Exception, *, shown: bool) -> None:
    """Where an error came from, for developers."""
    if shown:
        traceback.print_exception(error)


if __name__ == "__main__":
    sys.exit(main())
