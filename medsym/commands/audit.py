"""audit: where a network departs from the mirror, as a table, as JSON and as pictures."""

import argparse

from medsym.commands.console import EXIT_OK, EXIT_REFUSED, say, show


def audit(arguments: argparse.Namespace) -> int:
    """Report where a network departs from the mirror, by how much, and at which cost."""
    from medsym.audit.run import run_audit
    from medsym.audit.table import format_audit

    numbers = run_audit(arguments.model, scans=arguments.scan, out=arguments.out, report=say)
    show(format_audit(numbers), numbers=numbers, path=arguments.json)
    return EXIT_REFUSED if numbers["failures"] else EXIT_OK
