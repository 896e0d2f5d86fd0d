"""Writes one case: maps on the scan's own voxels with sidecars, its page, case.json last of all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym import RESEARCH_USE_ONLY
from medsym.errors import OutputError
from medsym.inference.case import CaseResult
from medsym.inference.findings import finding_labels
from medsym.models.store import LoadedModel
from medsym.models.structures import STRUCTURES
from medsym.screening.case_pictures import case_pictures
from medsym.screening.map_kinds import ANATOMY, FINDINGS, KINDS, MapKind, compared_with
from medsym.screening.naming import CaseName, map_stem
from medsym.screening.records import build_record, model_identity, read_record, sealed, software
from medsym.screening.report import report_name, write_report
from medsym.screening.table import tsv
from medsym.volumes.grid import to_scan_grid
from medsym.volumes.output_file import write_atomically
from medsym.volumes.writer import safe_out, write_json, write_map, write_text

Told = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseWriter:
    """Writes the files of one case below an output folder.

    Attributes:
        out: output folder.
        name: identity of the case.
        model: the model that was used.
    """

    out: Path
    name: CaseName
    model: LoadedModel

    def path(self, tail: str) -> Path:
        """Path of a file of this case; refuses to leave the output folder."""
        case = self.name.case
        stem = map_stem(case) if tail.startswith("desc-") else case
        return safe_out(self.out, *self.name.folder, f"{stem}_{tail}")

    @property
    def record_path(self) -> Path:
        """Path of the case's record."""
        return self.path("case.json")

    @property
    def page_path(self) -> Path:
        """Path of the case's page."""
        return safe_out(self.out, report_name(self.name.case))

    @property
    def label_path(self) -> Path:
        """Path of the label table of the anatomy map."""
        return self.path(f"desc-{ANATOMY.key}_{ANATOMY.suffix}.tsv")

    @property
    def thumbnail_path(self) -> Path:
        """Path of the small picture for lists."""
        return self.path("desc-leading_thumbnail.jpg")

    def map_path(self, kind: MapKind) -> Path:
        """Path of a map."""
        return self.path(f"desc-{kind.key}_{kind.suffix}.nii.gz")

    def sidecar_path(self, kind: MapKind) -> Path:
        """Path of the description of a map."""
        return self.path(f"desc-{kind.key}_{kind.suffix}.json")

    def entry(self, path: Path, sha256: str) -> dict[str, str]:
        """Entry of case.json for a written file."""
        return {"path": path.relative_to(self.out).as_posix(), "sha256": sha256}

    def write_case(
        self, result: CaseResult, *, options: dict[str, Any], progress: Told = lambda _: None
    ) -> dict[str, Any]:
        """Write a case (no maps if not assessable), telling each step; returns its record."""
        progress("figures")
        self.record_path.parent.mkdir(parents=True, exist_ok=True)
        self._remove_earlier()
        pictures = case_pictures(result) if result.is_assessable else None
        progress("maps")
        files = self._write_maps(result) if result.is_assessable else {}
        if pictures:
            sha256 = write_atomically(self.thumbnail_path, pictures.thumbnail)
            files["thumbnail"] = self.entry(self.thumbnail_path, sha256)
        record = build_record(
            result, name=self.name, model=self.model, options=options, files=files
        )
        progress("page")
        sha256 = write_report(self.out, record=record, pictures=pictures)
        record["files"]["report"] = self.entry(self.page_path, sha256)
        record = sealed(record)
        write_json(self.record_path, record)
        return record

    def _remove_earlier(self) -> None:
        """Remove the case's record, then what it named and what this version would write."""
        try:
            named = read_record(self.record_path)["files"].values()
        except OutputError:
            named = ()
        earlier = {safe_out(self.out, entry["path"]) for entry in named}
        own = {path for path in earlier if path.is_relative_to(self.record_path.parent)}
        for kind in (*KINDS, ANATOMY, FINDINGS):
            own |= {self.map_path(kind), self.sidecar_path(kind)}
        self.record_path.unlink(missing_ok=True)
        for path in (*own, self.label_path, self.thumbnail_path, self.page_path):
            path.unlink(missing_ok=True)

    def _write_maps(self, result: CaseResult) -> dict[str, dict[str, str]]:
        files: dict[str, dict[str, str]] = {}
        for kind in KINDS:
            found = getattr(result.maps, kind.key)
            if found is None:
                continue
            values = to_scan_grid(result.prepared, found, order=1, fill=kind.outside)
            files |= self._write_map(kind, values, result)
        labels = to_scan_grid(result.prepared, result.maps.anatomy, order=0).astype(np.int16)
        files |= self._write_map(ANATOMY, labels, result)
        ranks = finding_labels(
            result.findings,
            maps=result.maps,
            grid_to_world=result.prepared.grid_to_world,
            peak_sd=result.peak_sd,
        )
        files |= self._write_map(FINDINGS, to_scan_grid(result.prepared, ranks, order=0), result)
        sha256 = write_text(self.label_path, structure_tsv())
        files["anatomy_table"] = self.entry(self.label_path, sha256)
        return files

    def _write_map(
        self, kind: MapKind, values: NDArray[np.generic], result: CaseResult
    ) -> dict[str, dict[str, str]]:
        path, sidecar = self.map_path(kind), self.sidecar_path(kind)
        sha256 = write_map(
            path, values, like=result.prepared.scan, description=f"medsym {kind.key}"
        )
        described = {
            "Description": kind.meaning,
            "Units": kind.units,
            "SpatialReference": "orig",
            **compared_with(kind, result),
            "Model": model_identity(self.model),
            "Software": software(),
            "ResearchUseOnly": RESEARCH_USE_ONLY,
        }
        return {
            kind.key: self.entry(path, sha256),
            f"{kind.key}_sidecar": self.entry(sidecar, write_json(sidecar, described)),
        }


def structure_tsv() -> str:
    """BIDS label table of the anatomy map."""
    rows = (
        {"index": s.index, "name": s.title, "hemisphere": s.side, "mirror_index": s.mirror}
        for s in STRUCTURES
    )
    return tsv(rows, columns=("index", "name", "hemisphere", "mirror_index"))
