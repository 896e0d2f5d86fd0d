"""The subcommands of the command line, which all have some things in common."""

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from medsym import RESEARCH_USE_ONLY

Command = Callable[[argparse.Namespace], int]
#: What every command ends with, in its help.
EXIT_CODES = (
    "Exit codes: 0 everything done; 1 a scan was refused or a file is damaged; 2 wrong usage,"
    " configuration or model; 75 not finished, try again later; 130 stopped by Ctrl+C."
)
#: An option of more commands than these is no hint at all.
_MOST_OWNERS = 4
#: Of commands with workers: why an option is not needed.
_INSTEAD = {"--resume": "without it, the same command goes on where it was cut off"}


class _Help(argparse.HelpFormatter):
    """Help that says what an option is when it is not given."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        is_told = action.default not in (None, False, argparse.SUPPRESS, "")
        if not is_told or action.default in ([], ()) or "default" in text:
            return text
        return f"{text} (default: %(default)s)"


class SuggestingParser(argparse.ArgumentParser):
    """A parser that names the nearest of the choices."""

    def error(self, message: str) -> NoReturn:
        """As the standard one."""
        found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if found:
            choices = re.findall(r"[\w-]+", found[2])
            near = difflib.get_close_matches(found[1], choices, n=1)
            message += f"; did you mean '{near[0]}'?" if near else ""
        super().error(message)


class _Parser(SuggestingParser):
    """A parser of one command, which knows whose an option is that it does not know."""

    siblings: "dict[str, _Parser]"

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the standard one, but what is unknown is refused here, where it was written."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return known, unknown

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        hints = []
        for option in dict.fromkeys(word.partition("=")[0] for word in unknown):
            owners = [name for name, other in self.siblings.items() if other.knows(option)]
            if option in _INSTEAD and self.knows("--workers"):
                hints.append(_INSTEAD[option])
            elif 0 < len(owners) <= _MOST_OWNERS:
                hints.append(f"{option} is an option of {' and '.join(owners)}")
        hint = f" ({'; '.join(hints)})" if hints else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")

    def knows(self, option: str) -> bool:
        """Whether this command has such an option."""
        return option in self._option_string_actions


class Menu:
    """Adds subcommands that all know --debug and the research-use notice."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(
            required=True, metavar="COMMAND", parser_class=_Parser
        )
        self._parsers: dict[str, _Parser] = {}

    def menu(self, name: str, text: str) -> "Menu":
        """A subcommand that has subcommands of its own."""
        return Menu(self._add(name, text))

    def add(self, name: str, run: Command, text: str) -> argparse.ArgumentParser:
        """One subcommand, what it runs and what it is for."""
        parser = self._add(name, text)
        parser.set_defaults(run=run)
        return parser

    def _add(self, name: str, text: str) -> _Parser:
        parser = self._subparsers.add_parser(
            name,
            help=text,
            description=text,
            epilog=f"{EXIT_CODES} {RESEARCH_USE_ONLY}",
            formatter_class=_Help,
        )
        parser.siblings = self._parsers
        self._parsers[name] = parser
        parser.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
        )
        return parser
