"""Which files a run takes: pairs are one scan, hidden files and medsym's own maps are none."""

import os
from pathlib import Path

import nibabel
import pytest

from medsym.screening.inputs import expand_scans
from medsym.screening.manifest import entries_of
from medsym.screening.map_kinds import ANATOMY, KINDS
from medsym.screening.records import scan_sha256
from medsym.volumes.stored_scan import load_stored
from tests.builders_case import head_phantom
from tests.screening.quick_run import run, store


def touched(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [path.relative_to(root).as_posix() for path in expand_scans([root])]


def pair(folder: Path, *, endings: tuple[str, str] = (".hdr", ".img")) -> list[Path]:
    folder.mkdir()
    volume = head_phantom(scale=0.7)
    image = nibabel.Nifti1Pair(volume.voxels, volume.affine)
    image.set_sform(volume.affine, code=1)
    nibabel.save(image, folder / "scan.img")
    return [(folder / f"scan{e.lower()}").rename(folder / f"scan{e}") for e in endings]


def test_the_end_of_a_name_decides_whatever_its_letter_case(tmp_path: Path) -> None:
    names = ["a.nii", "b.NII", "c.nii.gz", "d.NII.GZ", "e.hdr"]
    others = ["f.nii.txt", "g.nii.gz.part", "h.nii_old", "i.img", "notes.niiX"]
    assert touched(tmp_path, *names, *others) == names


def test_hidden_files_and_folders_are_not_searched(tmp_path: Path) -> None:
    hidden = [".git/annex/objects/sub-1_T1w.nii.gz", "a/._sub-1_T1w.nii.gz", ".x.nii"]
    assert touched(tmp_path / ".cache", "a/sub-1_T1w.nii.gz", *hidden) == ["a/sub-1_T1w.nii.gz"]


def test_a_link_that_leads_nowhere_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "sub-1_T1w.nii.gz").symlink_to(tmp_path / "annex" / "object")
    assert touched(tmp_path) == ["sub-1_T1w.nii.gz"]


def test_only_maps_of_medsym_are_left_out(tmp_path: Path) -> None:
    own = [f"sub-1_T1w_desc-{k.key}_{k.suffix}.nii.gz" for k in (*KINDS, ANATOMY)]
    own += ["sub-01_desc-brain_mask.nii.gz", "sub-01_space-T1w_dseg.nii"]
    scans = ["sub-01_desc-preproc_T1w.nii.gz", "sub-01_ses-1_desc-bound_T1w.nii.gz"]
    assert touched(tmp_path, *own, *scans) == scans


def test_an_image_file_is_folded_onto_its_header(tmp_path: Path) -> None:
    header, image = pair(tmp_path / "pair")
    assert expand_scans([header, image]) == [header]
    assert expand_scans([image]) == [header]
    assert expand_scans([tmp_path / "pair"]) == [header]
    alone = tmp_path / "alone.img"
    assert expand_scans([alone]) == [alone]


@pytest.mark.parametrize("endings", [(".hdr", ".img"), (".HDR", ".IMG")])
def test_the_hash_of_a_pair_is_that_of_its_reader(tmp_path: Path, endings) -> None:
    files = pair(tmp_path / "pair", endings=endings)
    expected = load_stored(files[0], max_gib=1.0, volume_index=None).sha256
    assert [scan_sha256(path) for path in files] == [expected, expected]
    files[1].unlink()
    assert scan_sha256(files[0]) is None


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_the_hash_of_a_single_file_is_that_of_its_reader(tmp_path: Path, name: str) -> None:
    path = store(tmp_path / name)
    assert scan_sha256(path) == load_stored(path, max_gib=1.0, volume_index=None).sha256


@pytest.mark.usefixtures("known_plane")
def test_a_pair_resumes(tmp_path: Path) -> None:
    scans = expand_scans(pair(tmp_path / "pair"))
    out, model = tmp_path / "out", tmp_path / "model"
    assert run(scans, out, model).resumed == 0
    assert run(scans, out, model).resumed == 1


def test_linked_folders_are_searched_once_and_never_upwards(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "far.nii").touch()
    (tmp_path / "outside.nii").touch()
    root = tmp_path / "root"
    (root / "b").mkdir(parents=True)
    (root / "a_link").symlink_to("b")
    (root / "b" / "loop").symlink_to(root)
    (root / "b" / "up").symlink_to(tmp_path)
    (root / "c").symlink_to(tmp_path / "elsewhere")
    (root / "d").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "elsewhere" / "back").symlink_to(root / "b")
    assert touched(root, "b/near.nii") == ["b/near.nii", "c/deep/far.nii"]


def test_a_folder_that_cannot_be_opened_is_an_entry_with_a_refusal(tmp_path, monkeypatch) -> None:
    touched(tmp_path, "a/anat/x.nii", "b/anat/y.nii", "c/anat/z.nii")
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path) in (tmp_path / "a" / "anat", tmp_path / "b" / "anat"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    entries = entries_of([tmp_path])
    assert [entry.path.name for entry in entries if entry.refusal is None] == ["z.nii"]
    refused = {entry.refusal.subject: entry for entry in entries if entry.refusal is not None}
    assert sorted(refused) == [str(tmp_path / name / "anat") for name in "ab"]
    assert {entry.refusal.code for entry in refused.values()} == {"MS-548"}
    assert len({entry.name.case for entry in entries}) == 3
