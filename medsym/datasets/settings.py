"""Where a user's scans lie, which of them are used and what is healthy, in one validated model."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Layout = Literal["synthetic", "bids", "msd", "brats", "atlas", "isles"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
#: Layouts of challenges in which every person is ill, with or without a published mask.
PATIENTS_ONLY = ("brats", "atlas", "isles")


class DataSettings(BaseModel):
    """Training data: synthetic heads, or the user's own scans on disk.

    Left and right come from the scans' headers, and nothing is ever mirrored. Subjects, never
    single scans, are divided into train, reference and test by a hash of their name, so that a
    subject keeps its place when others are added.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: Layout = "synthetic"
    folder: Path | None = Field(default=None, description="root of the data set")
    cache: Path | None = Field(
        default=None, description="folder for prepared volumes; made when it is missing"
    )
    contrasts: tuple[str, ...] = Field(
        default=(), description="contrasts to use, as the layout names them; empty takes all"
    )
    masks: str | None = Field(
        default=None, description="bids: which masks are the lesions, such as desc-stroke_mask"
    )
    lesion_labels: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="values of a mask that are lesion; empty: everything above 0"
    )
    masks_restored: bool = Field(
        default=False, description="masks were rightly stored in another order than their scans"
    )
    without_mask: Literal["refuse", "healthy", "skip"] = Field(
        default="refuse", description="what a visit without a lesion mask means"
    )
    healthy_only: bool = Field(
        default=False, description="use only visits without a mask; lesions are drawn into them"
    )
    lesions_drawn: Share = Field(
        default=0.8, description="share of the healthy scans that get synthetic lesions"
    )
    augment: bool = Field(
        default=True, description="add the scanner effects of synthesis.degradation to the scans"
    )
    synthetic_share: Share = Field(
        default=0.5, description="of the training subjects that are synthetic; they teach anatomy"
    )
    test_share: Share = Field(default=0.2, description="share of the subjects kept for testing")
    reference_share: Share = Field(
        default=0.0, description="share of the subjects whose healthy scans calibrate the model"
    )
    test_subjects: tuple[str, ...] = Field(
        default=(), description="exactly these subjects are for testing; then no share is used"
    )
    together: tuple[tuple[str, ...], ...] = Field(
        default=(), description="subjects that must not be parted, such as twins or one person"
    )
    unreadable_share: Share = Field(
        default=0.1, description="of the subjects; fewer are skipped by name, this many stop a run"
    )

    @model_validator(mode="after")
    def _complete(self) -> "DataSettings":
        """A layout needs its folders, and synthetic heads need none."""
        if self.layout == "synthetic":
            fields = type(self).model_fields.items()
            given = [n for n, f in fields if n != "layout" and getattr(self, n) != f.default]
            if given:
                msg = f"layout: synthetic has no {', '.join(given)}; name the layout of the data"
                raise ValueError(msg)
            return self
        missing = [name for name in ("folder", "cache") if getattr(self, name) is None]
        if missing:
            msg = f"layout: {self.layout} also needs {' and '.join(missing)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "DataSettings":
        """Refuse statements that contradict each other."""
        if self.layout in PATIENTS_ONLY and (self.healthy_only or self.without_mask == "healthy"):
            msg = f"everybody in {self.layout} data is a patient: no visit can be taken as healthy"
            raise ValueError(msg)
        if self.masks is not None and self.layout != "bids":
            msg = f"masks is for bids; {self.layout} says itself which files are masks"
            raise ValueError(msg)
        if self.test_share + self.reference_share >= 1.0:
            msg = "test_share and reference_share leave nothing to train on"
            raise ValueError(msg)
        named = [name for group in self.together for name in group]
        if len(named) != len(set(named)):
            msg = "a subject stands in two groups of together; join the groups"
            raise ValueError(msg)
        return self

    def without_names(self) -> dict[str, Any]:
        """The settings as JSON without folders of this machine and without names of subjects."""
        content: dict[str, Any] = self.model_dump(mode="json")
        content["folder"] = self.folder.name if self.folder is not None else None
        content["cache"] = None
        for field in ("test_subjects", "together"):
            content[field] = len(getattr(self, field))
        return content
