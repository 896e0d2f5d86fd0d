"""Archives that anybody may have made: nothing leaves the folder, nothing explodes, all is said."""

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from medsym.errors import ScanError
from medsym.screening import archives
from medsym.screening.archives import ArchiveLimits, unpack

SMALL = ArchiveLimits(members=4, total_bytes=2_000_000, ratio=10.0, small_bytes=1000)


def pack(path: Path, members: dict[str, bytes], **more: object) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **more) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def refusal(archive: Path, **more: object) -> ScanError:
    """Why an archive is refused; nothing of it may be on disk then."""
    into = archive.parent / "deep" / "room"
    into.mkdir(parents=True)
    with pytest.raises(ScanError) as refused:
        unpack(archive, into, **more)
    kept = [path for path in archive.parent.rglob("*") if path.is_file()]
    assert kept == [archive]
    return refused.value


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    content = {"a/b/scan.nii": b"x" * 5000, "a/DICOMDIR": b"d", "c.dcm": b""}
    archive = pack(tmp_path / "a.zip", content)
    (tmp_path / "room").mkdir()
    unpack(archive, tmp_path / "room")
    found = {
        path.relative_to(tmp_path / "room").as_posix(): path.read_bytes()
        for path in (tmp_path / "room").rglob("*")
        if path.is_file()
    }
    assert found == content
    (tmp_path / "one").mkdir()
    unpack(archive, tmp_path / "one", only=[PurePosixPath("c.dcm")])
    assert [path.name for path in (tmp_path / "one").rglob("*")] == ["c.dcm"]


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.nii", "../../evil.nii", "a/../../evil.nii", "/tmp/evil.nii", "//x/evil.nii"),
        *("..\\evil.nii", "a\\..\\..\\evil.nii", "C:\\evil.nii", "C:evil.nii", "a\0../evil.nii"),
        *("..", "/", "."),
    ],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        packed.writestr(info, b"evil")
    assert refusal(archive).code == "MS-682"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        info = zipfile.ZipInfo("link.nii")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    error = refusal(archive)
    assert (error.code, "link" in error.cause) == ("MS-682", True)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.nii", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a.nii", b"2")
    assert "twice" in refusal(archive).cause


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    for number, content in enumerate(
        [
            {"a.nii": b"\0" * 1_000_000},
            {"a.nii": bytes(range(256)) * 10_000},
            {f"{n}.dcm": b"x" for n in range(5)},
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert refusal(pack(folder / "a.zip", content), limits=SMALL).code == "MS-683"


def test_files_that_overlap_count_each(tmp_path: Path) -> None:
    """One compressed block that many table rows point to (Fifield 2019)."""
    whole = pack(tmp_path / "one.zip", {"0.nii": b"\0" * 20_000}).read_bytes()
    table = whole.index(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    row = whole[table:end]
    rows = b"".join(row.replace(b"0.nii", f"{n}.nii".encode()) for n in range(4))
    (tmp_path / "one.zip").unlink()
    bomb = tmp_path / "a.zip"
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 4, 4, len(rows), table, 0)
    bomb.write_bytes(whole[:table] + rows + tail)
    assert refusal(bomb, limits=SMALL).code == "MS-683"


def test_a_table_that_would_fill_the_memory_is_not_read(tmp_path: Path, monkeypatch) -> None:
    archive = pack(tmp_path / "a.zip", {"a.nii": b"x"})
    content = bytearray(archive.read_bytes())
    place = content.index(b"PK\x05\x06")
    content[place + 12 : place + 16] = struct.pack("<I", 4_000_000_000)
    archive.write_bytes(content)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("the table was read"))
    assert refusal(archive).code == "MS-683"


@pytest.mark.parametrize(
    "name", ["d/" * 32 + "f", "a" * 256, "\u00e9" * 128, "/".join(["a" * 250] * 4)]
)
def test_names_that_cannot_be_kept_or_removed_everywhere_are_refused(
    tmp_path: Path, name: str
) -> None:
    error = refusal(pack(tmp_path / "a.zip", {name: b"x"}))
    assert (error.code, "longer name" in error.cause) == ("MS-682", True)


@pytest.mark.parametrize("other", ["A/SCAN.nii", "a", "a/scan.nii/b", "A/scan.nii/b"])
def test_two_files_for_one_place_are_refused(tmp_path: Path, other: str) -> None:
    error = refusal(pack(tmp_path / "a.zip", {"a/scan.nii": b"1", other: b"2"}))
    assert (error.code, "twice" in error.cause) == ("MS-682", True)


def test_folders_count_as_files_do(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"1/2/3/a.dcm": b"x", "4/a.dcm": b"x"})
    assert refusal(archive, limits=SMALL).code == "MS-683"


def _encrypted(content: bytearray) -> None:
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1


def _flipped(content: bytearray) -> None:
    content[content.index(b"PK\x01\x02") - 10] ^= 0xFF


def _unknown_method(content: bytearray) -> None:
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(mark) + method] = 9


def _other_method(content: bytearray) -> None:
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(mark) + method] = zipfile.ZIP_LZMA


def _bad_utf8(content: bytearray) -> None:
    for mark, flags, name in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        place = content.index(mark)
        content[place + flags + 1] |= 0x8
        content[place + name] = 0xFF


def _bad_offset(content: bytearray) -> None:
    place = content.index(b"PK\x01\x02") + 42
    content[place : place + 4] = struct.pack("<I", 0x7FFFFFFF)


def _shorter_than_declared(content: bytearray) -> None:
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 999_999)


def _cut(content: bytearray) -> None:
    del content[50:]


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (_encrypted, "MS-681", "password"),
        (_flipped, "MS-680", "no complete ZIP"),
        (_unknown_method, "MS-680", "not supported"),
        (_other_method, "MS-680", "not supported"),
        (_bad_utf8, "MS-680", "no complete ZIP"),
        (_bad_offset, "MS-680", "no complete ZIP"),
        (_shorter_than_declared, "MS-680", "no complete ZIP"),
        (_cut, "MS-680", "no end"),
        (bytearray.clear, "MS-680", "no end"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_in_words(
    tmp_path: Path, damage: Callable[[bytearray], object], code: str, said: str
) -> None:
    archive = pack(tmp_path / "a.zip", {"a.nii": bytes(range(256)) * 8})
    content = bytearray(archive.read_bytes())
    damage(content)
    archive.write_bytes(content)
    into = tmp_path / "room"
    into.mkdir()
    with pytest.raises(ScanError) as refused:
        unpack(archive, into)
    assert (refused.value.code, refused.value.subject) == (code, "a.zip")
    assert said in refused.value.cause


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    archive = pack(tmp_path / "a.zip", {"a.nii": bytes(range(256)) * 8})
    full = type("Usage", (), {"free": archives.LIMITS.reserve_bytes + 100})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: full)
    assert refusal(archive).code == "MS-684"
