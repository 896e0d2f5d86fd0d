"""The one exception tree of medsym: every refusal names the file, the cause, the fix and a code.

    MedsymError
    |-- ScanError     an input scan or label map cannot be used
    |-- GridError     a volume does not fit the symmetric grid
    |-- AnatomyError  the anatomy needed for a measurement was not found
    |-- ConfigError   a configuration or an argument is wrong
    |-- ModelError    weights are missing, damaged or do not fit
    `-- OutputError   a result cannot be written

Codes are stable: people search for them, tests check them, tables of failed cases list them. Their
numbers say nothing about the kind of error.
"""


def one_line(text: str) -> str:
    r"""Make text printable on one line; control and undecodable characters become escapes.

    File names come from outside and may hold line breaks or bytes that no encoding knows.

    Example:
        >>> one_line("a" + chr(10) + "b")
        'a\\nb'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


class MedsymError(Exception):
    """A mistake that the person in front of the screen can understand and correct.

    Args:
        code: Stable identifier such as "MS-101".
        subject: The file, or the setting, that is at fault.
        cause: What was found, with the value received; a clause without the closing full stop.
        fix: What to do about it; a sentence without the closing full stop.

    Example:
        >>> print(ScanError(code="MS-121", subject="a.nii", cause="all zero", fix="Check it"))
        MS-121 a.nii: all zero. Fix: Check it.
    """

    def __init__(self, *, code: str, subject: str, cause: str, fix: str) -> None:
        self.code = code
        self.subject = one_line(subject)
        self.cause = one_line(cause).rstrip(". ")
        self.fix = one_line(fix).rstrip(". ")
        super().__init__(f"{self.code} {self.subject}: {self.cause}. Fix: {self.fix}.")

    def __reduce__(self) -> tuple[object, ...]:
        """Let the error cross process borders, which plain keyword-only exceptions cannot."""
        return (_rebuild, (type(self), self.code, self.subject, self.cause, self.fix))


def _rebuild(kind: type[MedsymError], code: str, subject: str, cause: str, fix: str) -> MedsymError:
    return kind(code=code, subject=subject, cause=cause, fix=fix)


class ScanError(MedsymError):
    """An input scan or label map cannot be used."""


class GridError(MedsymError):
    """A volume does not fit the grid it should live on."""


class AnatomyError(MedsymError):
    """The anatomy that a measurement needs was not found."""


class ConfigError(MedsymError):
    """A configuration file or an argument is wrong."""


class ModelError(MedsymError):
    """Network weights are missing, damaged or do not fit."""


class OutputError(MedsymError):
    """A result cannot be written where it should go."""
