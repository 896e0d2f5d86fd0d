"""Real healthy scans count by person: two contrasts of one head are no two draws."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from medsym.science import cases
from medsym.science.cases import see_cases
from medsym.science.false_alarms import calibration_curve
from medsym.science.measured import PEOPLE, SCANS, people_words
from medsym.science.words import alarm_words
from tests.builders_case import flat_reference
from tests.evaluation.builders import fake_candidate

PEAKS = {"a": 99.0, "a-flair": 0.5, "b": 0.2, "b-flair": 0.4}


@pytest.fixture
def peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scan can be assessed and has its peak of ``PEAKS``."""

    def analyse(scan: Path, *_: object, **__: object) -> SimpleNamespace:
        summary = SimpleNamespace(deviation_max=PEAKS[scan.stem])
        return SimpleNamespace(is_assessable=True, summary=summary)

    monkeypatch.setattr(cases, "read_scan", lambda path: path)
    monkeypatch.setattr(cases, "analyse_scan", analyse)


@pytest.mark.usefixtures("peaks")
@pytest.mark.parametrize(
    ("people", "hits", "of", "name"),
    [("ppqq", "1", 2, PEOPLE), ("pqrs", "1", 4, SCANS), ("    ", "1", 4, SCANS)],
)
def test_the_worst_scan_of_a_person_counts_and_the_words_say_so(
    tmp_path: Path, people: str, hits: str, of: int, name: str
) -> None:
    table = tmp_path / "cases.csv"
    lines = [f"{case},{case}.nii,,{who}" for case, who in zip(PEAKS, people, strict=True)]
    table.write_text("\n".join(["case,scan,mask,person", *lines]))
    seen = see_cases(table, fake_candidate(), report=lambda _line: None)
    worst = [99.0, 0.4] if of == 2 else list(PEAKS.values())
    assert list(seen.peaks.values()) == worst
    assert seen.healthy_scans == 4
    curve = calibration_curve(flat_reference(), worst) | {"scans": seen.healthy_scans}
    assert people_words(curve) == name
    said = alarm_words(name, curve, alpha=0.05)
    assert f", {hits} of {of} (" in said
    assert ("promised rate of 5% of single scans" in said) == (of == 2)
