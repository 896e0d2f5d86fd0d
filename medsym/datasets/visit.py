"""What a data set is made of: visits of subjects, each with scans and perhaps lesion masks."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitScan:
    """One scan of a visit.

    Attributes:
        contrast: name of the contrast as the layout calls it, such as "T1w" or "flair".
        path: file of the scan.
        volume_index: which volume of a 4-D file, from 0; None for a 3-D file.
        mask: expert lesion mask, or None.
        drawn_on: contrast on which the mask was drawn, where the layout says that it was another.
    """

    contrast: str
    path: Path
    volume_index: int | None = None
    mask: Path | None = None
    drawn_on: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One subject on one occasion.

    Attributes:
        subject: who; all visits of a subject stay on one side of the split.
        session: which occasion; None when there is only one.
        scans: at most one per contrast, sorted by contrast.
        stated_side: "left" or "right" when a table of the data set says that every lesion of the
            subject lies on that side of the patient.
        ill: some file speaks of a lesion of this subject, though none is used here.
    """

    subject: str
    session: str | None
    scans: tuple[VisitScan, ...]
    stated_side: str | None = None
    ill: bool = False

    @property
    def name(self) -> str:
        """Subject and session in messages."""
        return f"{self.subject} {self.session}" if self.session else self.subject

    @property
    def has_mask(self) -> bool:
        """Whether any scan comes with a lesion mask."""
        return any(scan.mask is not None for scan in self.scans)

    @property
    def of_patient(self) -> bool:
        """Whether the subject is known to be ill, with a usable mask or without."""
        return self.ill or self.has_mask
