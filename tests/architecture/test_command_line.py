"""The command line is a promise: a new, renamed or lost option has to change this list."""

import argparse
from pathlib import Path

import pytest

from medsym import RESEARCH_USE_ONLY
from medsym.cli import build_parser

FROZEN = {
    "demo": {"--out", "--no-view", "--port", "--model"},
    "screen": {
        "scans",
        "--out",
        "--assume-orientation",
        "--volume",
        "--max-gib",
        "--allow-shear",
        *("--overwrite", "--recompute"),
        "--single-pass",
        "--model",
        "--executor",
        "--workers",
        "--shard",
        *("--address", "--slurm", "--scans-per-job"),
        "--calibration",
        "--false-alarm-rate",
        *("--participants", "--device"),
    },
    "calibrate": {
        *("scans", "--out", "--name", "--group-by", "--adjust", "--minus-mean", "--model"),
        *("--cross-validate", "--participants", "--json", "--assume-orientation", "--volume"),
        *("--max-gib", "--allow-shear", "--single-pass", "--device"),
        *("--executor", "--workers", "--address", "--slurm", "--scans-per-job"),
    },
    "bids": {
        *("bids_dir", "output_dir", "analysis_level", "--participant-label", "--session-label"),
        *("--assume-orientation", "--volume", "--max-gib", "--allow-shear", "--overwrite"),
        *("--recompute", "--single-pass", "--model", "--executor", "--workers", "--shard"),
        "--version",
        *("--address", "--slurm", "--scans-per-job"),
        *("--calibration", "--false-alarm-rate", "--participants", "--device"),
    },
    "view": {
        *(
            "folder",
            "--port",
            "--upload",
            "--address",
            "--base-path",
            "--login",
            "--i-have-auth-proxy",
        ),
        *("--user-header", "--proxy-from", "--allowed-host"),
    },
    "score fit": {
        *("results", "--labels", "--out", "--column", "--positive", "--side", "--healthy"),
        *("--nuisance", "--json"),
    },
    "score apply": {"score", "results", "--labels", "--json"},
    "train": {"config", "--out", "--resume"},
    "pretrain": {"config", "--out", "--resume"},
    "samples": {"--out"},
    "bench ablation": {
        *("--arms", "--steps", "--subjects", "--test-subjects", "--processes", "--device"),
        *("--minutes", "--seeds", "--out", "--config", "--json"),
    },
    "bench methods": {"--methods", "--seeds", "--out", "--json"},
    "bench pretraining": {"--seeds", "--out", "--config", "--json"},
    "bench screening": {
        *("--scan", "--repeat", "--workers", "--scans-per-worker", "--model", "--json"),
    },
    "bench partial": {"--scan", "--number", "--synthetic", "--model", "--json"},
    "bench compression": {"--out", "--number", "--synthetic", "--model", "--json"},
    "bench layers": {"--json"},
    "bench alignment": {"--json"},
    "bench throughput": {"--training", "--drawers", "--json"},
    "bench memory": {"--training", "--repeat", "--json"},
    "bench viewer": {"folder", "--case", "--cases", "--repeat", "--json"},
    "audit": {"model", "--scan", "--out", "--json"},
    "search": {"config", "--trials", "--out", "--json"},
    "evaluate": {
        *("--cases", "--synthetic", "--number", "--robustness", "--against", "--out", "--json"),
        "--model",
    },
    "science": {"--synthetic", "--number", "--cases", "--out", "--keep", "--json", "--model"},
    "verify": {"folder"},
    "export": {"--bundle", "--onnx", "--model"},
    "dicom": {"folder", "case", "--series", "--to"},
}
EVERYWHERE = {"--debug", "--help"}


def subcommands() -> dict[str, argparse.ArgumentParser]:
    found = subcommands_of(build_parser())
    if not found:
        raise AssertionError("no subcommands")
    return found


def subcommands_of(parser: argparse.ArgumentParser, before: str = "") -> dict:
    """Commands that run something, by their words."""
    menus = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    found = {}
    for name, command in [item for menu in menus for item in menu.choices.items()]:
        words = f"{before}{name}"
        found.update(subcommands_of(command, f"{words} ") or {words: command})
    return found


def names_of(parser: argparse.ArgumentParser) -> set[str]:
    return {
        action.option_strings[-1] if action.option_strings else action.dest
        for action in parser._actions
    }


def test_commands_and_their_options_are_the_promised_ones() -> None:
    found = {name: names_of(parser) - EVERYWHERE for name, parser in subcommands().items()}
    assert found == FROZEN


def test_every_command_has_debug_help_and_the_research_notice() -> None:
    for parser in subcommands().values():
        assert names_of(parser) >= EVERYWHERE
        assert RESEARCH_USE_ONLY in (parser.epilog or "")
        assert parser.description


def test_every_argument_says_what_it_is_and_what_it_is_when_not_given() -> None:
    for name, parser in subcommands().items():
        shown = " ".join(parser.format_help().split())
        for action in parser._actions:
            assert action.help, f"{name} {action.dest}"
            if action.default and isinstance(action.default, int | float | str | Path):
                told = f"default: {action.default}" in shown or "default" in action.help
                assert told or action.default == argparse.SUPPRESS, f"{name} {action.dest}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bench layers --cases 5", "--cases is an option of viewer"),
        ("bench compression --config=x", "--config is an option of ablation and pretraining"),
        ("bench layers FOLDER", "unrecognized arguments: FOLDER"),
        ("screen a --out b --resume", "the same command goes on"),
        ("screan a", "did you mean 'screen'?"),
        ("screen a --out b --workers two", "'two' is not a whole number of at least 0"),
        ("score apply a b --side x", "--side is an option of fit"),
    ],
)
def test_a_wrong_word_is_refused_and_says_what_is_meant(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(line.split())
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_every_command_knows_what_to_run() -> None:
    for parser in subcommands().values():
        assert callable(parser.get_default("run"))
