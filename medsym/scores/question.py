"""What is asked of a cohort: which words of the user's table are which answer."""

from dataclasses import dataclass

from medsym.errors import ConfigError
from medsym.scores.score import Target

_SIDES = {"left": 1.0, "l": 1.0, "right": 0.0, "r": 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of a cohort.

    Attributes:
        column: of the user's table with the diagnosis or the side.
        positive: its word for disease; None without a question of disease.
        is_side: the column holds left or right; other words are not part of the question.
        healthy: words of healthy people; by default everybody who is not positive.
        nuisance: columns that must not decide.
    """

    column: str = "diagnosis"
    positive: str | None = None
    is_side: bool = False
    healthy: tuple[str, ...] = ()
    nuisance: tuple[str, ...] = ()

    def answer(self, word: str | None) -> float | None:
        """1, 0, or None if a person is not part of the question."""
        if word is None:
            return None
        if self.is_side:
            return _SIDES.get(word.casefold())
        return None if self.positive is None else float(word == self.positive)

    def is_healthy(self, word: str | None) -> bool:
        """Whether a person counts as healthy."""
        if self.healthy or self.is_side or self.positive is None:
            return word in self.healthy
        return word is not None and word != self.positive

    @property
    def target(self) -> Target | None:
        """What is answered; None if only healthy people are described."""
        if self.is_side:
            return Target(column=self.column, yes="left", no="right", is_side=True)
        if self.positive is None:
            return None
        yes, no = self.positive, f"not {self.positive}"
        return Target(column=self.column, yes=yes, no=no, is_side=False)

    def asks_for(self, word: str | None) -> bool:
        """Whether a person has a part in anything that is fitted."""
        return self.answer(word) is not None or self.is_healthy(word)


def too_few_for(cause: str, question: Question) -> ConfigError:
    """The refusal MS-617 with its cause."""
    return ConfigError(
        code="MS-617",
        subject=f"--column {question.column}",
        cause=cause,
        fix="screen more persons, or check the words that --positive and --healthy name",
    )
