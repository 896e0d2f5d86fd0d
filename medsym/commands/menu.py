"""The subcommands of the command line, which all have some things in common."""

import argparse
from collections.abc import Callable

from medsym import RESEARCH_USE_ONLY

Command = Callable[[argparse.Namespace], int]


class Menu:
    """Adds subcommands that all know --debug and the research-use notice."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(self, name: str, run: Command, text: str) -> argparse.ArgumentParser:
        """One subcommand, what it runs and what it is for."""
        parser = self._subparsers.add_parser(
            name, help=text, description=text, epilog=RESEARCH_USE_ONLY
        )
        parser.set_defaults(run=run)
        parser.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
        )
        return parser
