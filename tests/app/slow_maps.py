"""Cases and patience of the tests whose maps are made when they allow it (`gate`)."""

from pathlib import Path

from app.results import read_case
from app.viewer.case_volumes import CaseFiles, case_files

PATIENCE_S = 60
FIRST, SECOND = "sub-01_T1w", "sub-02_FLAIR"


def files_of(root: Path, name: str) -> CaseFiles:
    found = case_files(read_case(root, name))
    assert found is not None
    return found
