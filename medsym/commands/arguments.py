"""Arguments that several commands share, and those of evaluate and score."""

import argparse
from pathlib import Path


def count(text: str, *, least: int = 1) -> int:
    """A number of things."""
    if not text.isdecimal() or int(text) < least:
        msg = f"{text!r} is not a whole number of at least {least}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def count_or_none(text: str) -> int:
    """A number of things; 0 is none."""
    return count(text, least=0)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Where the numbers go."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model is used."""
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="model folder (default: the shipped model)"
    )


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """How scans are read and analysed: screen, bids and calibrate."""
    parser.add_argument(
        "--assume-orientation", metavar="RAS", help="for files that do not state their orientation"
    )
    parser.add_argument("--volume", type=int, metavar="K", help="which volume of a 4-D file")
    parser.add_argument("--max-gib", type=float, default=2.0, metavar="G", help="largest scan, GiB")
    parser.add_argument("--allow-shear", action="store_true", help="accept sheared affines")
    parser.add_argument(
        "--single-pass",
        action="store_true",
        help="skip the mirrored pass: assumed rounding, defect not measured; saves little time",
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="where the network runs (default: cpu); the last digits of results depend on it",
    )
    add_model(parser)


def add_screening_options(parser: argparse.ArgumentParser) -> None:
    """Options of whatever screens scans: screen and bids."""
    add_reading_options(parser)
    replace = parser.add_mutually_exclusive_group()
    replace.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results of other scans, models or options; goes on after an interruption",
    )
    replace.add_argument(
        "--recompute", action="store_true", help="replace all, also what would come out the same"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="folder of 'medsym calibrate' (default: the model's synthetic healthy reference)",
    )
    parser.add_argument(
        "--false-alarm-rate",
        type=float,
        metavar="R",
        help="share of healthy people (or drawn heads) that may show a finding (default: 0.05)",
    )
    add_participants(parser)


def add_participants(parser: argparse.ArgumentParser) -> None:
    """Where ages, sexes, sites and the like stand."""
    parser.add_argument(
        "--participants",
        type=Path,
        metavar="TABLE",
        help="participants.tsv with age, sex, site and the like of every subject",
    )


def add_calibration(calibrate: argparse.ArgumentParser) -> None:
    """Arguments of calibrate."""
    calibrate.add_argument(
        "scans",
        nargs="+",
        type=Path,
        metavar="HEALTHY",
        help="healthy people: scans, folders, ZIP files, or a table with the column 'scan'",
    )
    calibrate.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder")
    calibrate.add_argument("--name", metavar="TEXT", help="what the calibration is called")
    calibrate.add_argument(
        "--group-by",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="one calibration per value (site) or per band of a number (age:40,60,75)",
    )
    calibrate.add_argument(
        "--adjust",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="adjust the size of deviations for these (age sex); half of the people are fitted on",
    )
    calibrate.add_argument(
        "--minus-mean",
        action="store_true",
        help="take the mean asymmetry of healthy people off: left and right then differ",
    )
    calibrate.add_argument(
        "--cross-validate",
        type=count,
        metavar="K",
        help="also count false alarms among people left out, in K folds",
    )
    add_participants(calibrate)
    add_json(calibrate)
    add_reading_options(calibrate)


def add_evaluation(evaluate: argparse.ArgumentParser) -> None:
    """Arguments of evaluate."""
    evaluate.add_argument(
        "--cases",
        type=Path,
        metavar="TABLE",
        help="CSV with columns case, scan, mask (empty: healthy) and, optional, brain, contrast and"
        " person (of a person's healthy scans, the worst counts)",
    )
    evaluate.add_argument(
        "--synthetic", type=Path, metavar="CONFIG", help="training configuration to draw from"
    )
    evaluate.add_argument(
        "--number",
        type=count,
        default=20,
        metavar="N",
        help="synthetic subjects with lesions, and as many healthy ones",
    )
    evaluate.add_argument(
        "--robustness",
        type=count_or_none,
        metavar="N",
        help="subjects of every condition (tilt, noise, ...); default a quarter of --number",
    )
    evaluate.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="further model folders, as rows of the same tables",
    )
    evaluate.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="keep every finished subject here, to go on, and write their table",
    )
    add_json(evaluate)
    add_model(evaluate)


def add_score_fit(fit: argparse.ArgumentParser) -> None:
    """Arguments of score fit."""
    fit.add_argument("results", type=Path, metavar="RESULTS", help="folder of medsym screen")
    fit.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="TABLE",
        help="one line per case: case, file or participant_id; person if that is another; answers",
    )
    fit.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the score")
    fit.add_argument(
        "--column", default="diagnosis", metavar="NAME", help="with the answers (default diagnosis)"
    )
    asked = fit.add_mutually_exclusive_group()
    asked.add_argument(
        "--positive", metavar="WORD", help="of the disease; everybody with another word is without"
    )
    asked.add_argument(
        "--side",
        action="store_true",
        help="the column says left or right; other words are left out",
    )
    fit.add_argument(
        "--healthy",
        nargs="+",
        default=[],
        metavar="WORD",
        help="of healthy people (default: all who are not --positive)",
    )
    fit.add_argument(
        "--nuisance",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns that must not decide, such as age sex scanner:category",
    )
    add_json(fit)


def add_score_apply(apply: argparse.ArgumentParser) -> None:
    """Arguments of score apply."""
    apply.add_argument("score", type=Path, metavar="SCORE", help="folder of medsym score fit")
    apply.add_argument("results", type=Path, metavar="RESULTS", help="folder of medsym screen")
    apply.add_argument(
        "--labels", type=Path, metavar="TABLE", help="table with the columns that must not decide"
    )
    add_json(apply)
