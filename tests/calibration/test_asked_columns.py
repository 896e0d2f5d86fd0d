"""Columns that a calibration is asked for and that nobody has."""

import pytest

from medsym.calibration.checks import CalibrationSettings, check_people
from medsym.calibration.groups import GroupColumn
from medsym.errors import ConfigError


def test_a_column_that_nobody_has_is_blamed_on_the_command_and_on_no_person() -> None:
    people = {name: {name: {"age": 50.0, "sex": "F"}} for name in "ab"}
    for settings in (
        CalibrationSettings(group_by=(GroupColumn.parse("scanner"),)),
        CalibrationSettings(adjust=("scanner",)),
    ):
        with pytest.raises(ConfigError, match=r"MS-799 --.* 'scanner'; the tables have age, sex"):
            check_people(people, settings)
