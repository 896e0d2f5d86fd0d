"""Small pictures of the work list: for the session that shows the folder, and only as written."""

from pathlib import Path

import pytest
from starlette.applications import Starlette

from app.viewer.pictures import picture_routes, picture_url
from app.viewer.store import VolumeStore
from tests.app.result_folder import build_folder
from tests.app.test_routes import request

CASE = "sub-01_T1w"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_folder(tmp_path)


def ask(folder: Path, case: str, *, token: str = "", alive: bool = True) -> tuple[int, bytes]:
    """Status and body of a request for a picture, with the token of a session or another one."""
    store = VolumeStore(is_active=lambda _: alive)
    own = store.put(str(folder).encode(), digest=str(folder), session="s")

    def folder_of(token: str) -> Path | None:
        name = store.get(token)
        return None if name is None else Path(name.decode())

    app = Starlette(routes=picture_routes(folder_of))
    status, headers, body = request(app, picture_url(token or own, case, base_path=""))
    assert headers["cache-control"] == "private, no-store"
    return status, body


def test_a_session_gets_the_picture_that_was_written(folder: Path) -> None:
    (written,) = folder.glob(f"sub-01/anat/{CASE}*_thumbnail.jpg")
    assert ask(folder, CASE) == (200, written.read_bytes())


def test_nobody_else_gets_it(folder: Path) -> None:
    assert ask(folder, CASE, token="x" * 43)[0] == 404
    assert ask(folder, CASE, alive=False)[0] == 404


@pytest.mark.parametrize("name", ["sub-03_T1w", "sub-99_T1w", "..", "%2e%2e%2fscreening.tsv"])
def test_a_case_without_a_picture_has_none_and_no_other_file_is_read(
    folder: Path, name: str
) -> None:
    assert ask(folder, name)[0] == 404


def test_a_picture_that_is_not_the_written_one_is_not_shown(folder: Path) -> None:
    (written,) = folder.glob(f"sub-01/anat/{CASE}*_thumbnail.jpg")
    (other,) = folder.glob("sub-02/anat/*_thumbnail.jpg")
    written.write_bytes(other.read_bytes() + b"another patient")
    assert ask(folder, CASE)[0] == 404
