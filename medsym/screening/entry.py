"""One scan of a run: where it is, which case it is, and what the user states about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from medsym.calibration.people import PERSON
from medsym.errors import MedsymError
from medsym.screening.dicom.series import DicomSeries
from medsym.screening.naming import CaseName
from medsym.screening.packed import Packed


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanEntry:
    """One scan of a run, with what the user states about it.

    Attributes:
        path: scan file.
        name: identity of the case.
        brain_mask: mask to use instead of finding the brain.
        exclusion_mask: mask of what is left out of the comparison, with its mirror places.
        covariates: columns such as age, sex, site; numbers where the cell is one.
        series: DICOM series to convert; ``path`` is then no file but the name of the case.
        packed: where its scan is packed; ``path`` and the files of a series are then in there.
        refusal: why this entry cannot be screened; whoever screens it raises this.
        origin: table or folder that names it; a later run over it knows which refusals are gone.
    """

    path: Path
    name: CaseName
    brain_mask: Path | None = None
    exclusion_mask: Path | None = None
    covariates: Mapping[str, str | float] = field(default_factory=dict)
    series: DicomSeries | None = None
    packed: Packed | None = None
    refusal: MedsymError | None = None
    origin: Path | None = None

    @property
    def person(self) -> str:
        """Whose scan it is, as far as anybody said: the column ``PERSON``, else the subject."""
        return str(self.covariates.get(PERSON, self.name.subject))

    @property
    def file(self) -> str:
        """What the user calls the file, as far as that may be written down."""
        return self.name.given or self.path.name

    @property
    def place(self) -> Path:
        """The file that holds the scan: itself, or the archive that it is packed in."""
        return self.path if self.packed is None else self.packed.archive


def entry_of_series(series: DicomSeries, *, archive: Path | None = None) -> ScanEntry:
    """Entry of a DICOM series, in a folder or in an archive."""
    name, members = series.name, tuple(PurePosixPath(path) for path in series.files)
    if archive is not None and name.given is not None:
        name = replace(name, given=archive.name)
    return ScanEntry(
        path=Path(name.case),
        name=name,
        series=series,
        packed=None if archive is None else Packed(archive=archive, members=members),
        refusal=series.refusal,
    )
