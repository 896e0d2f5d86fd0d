"""Addresses of volumes for one session's browser, and of maps that are still being made."""

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path

from app import state
from app.results import read_case
from app.viewer.case_volumes import CaseFiles
from app.viewer.encoding import EncodedVolume
from app.viewer.preparation import NotWantedError, Preparation
from app.viewer.preparing import PREPARED
from app.viewer.routes import maps_url, volume_url


def volume_addresses(
    volumes: Mapping[str, EncodedVolume], *, owner: str | None = None
) -> dict[str, dict[str, object]]:
    """Keep volumes for a session; kind -> what its browser needs to read each.

    Args:
        volumes: by kind.
        owner: the session; None for the one that runs.
    """
    return {
        kind: volume.describe(address_of(volume.body, digest=volume.digest, owner=owner))
        for kind, volume in volumes.items()
    }


def address_of(body: bytes, *, digest: str, owner: str | None = None) -> str:
    """Keep bytes for a session, the running one or another; returns where its browser gets them."""
    token = state.STORE.put(body, digest=digest, session=owner or state.session())
    return volume_url(token, base_path=state.base_path())


def maps_address(files: CaseFiles) -> dict[str, str] | None:
    """Where this session's browser waits for the maps of a case; None if there are none."""
    if not files.maps:
        return None
    token = state.MAPS.put(files.name.encode(), digest=files.name, session=state.session())
    return {"name": files.name, "url": maps_url(token, base_path=state.base_path())}


async def maps_of(token: str) -> dict[str, object] | None:
    """What is said of the maps behind a token, once they are there; None if nobody has it.

    Returns:
        The name that the token stands for, and of each map where it is and how to read it; the
        addresses belong to the session that was given the token.

    Raises:
        MedsymError: the maps cannot be read.
    """
    name = (state.MAPS.get(token) or b"").decode()
    maps = await _made(name)
    if maps is None:
        return None
    owner = state.MAPS.owner(token)
    if owner is None:  # it ended while its maps were made
        return None
    return {"name": name, "volumes": volume_addresses(maps, owner=owner)}


async def _made(name: str) -> Mapping[str, EncodedVolume] | None:
    """The maps of a case, waited for; None if nobody looks at it any more."""
    found, ended = PREPARED.find(name), None
    while found is not None and found is not ended:
        try:
            return await asyncio.shield(asyncio.wrap_future(found.maps))
        except NotWantedError:  # unless somebody came back to it, and it began anew
            found, ended = PREPARED.find(name), found
    return None


def follow_link(case: str) -> None:
    """Begin with the volumes of a case whose page the browser asks for."""
    folder = state.cohort_folder()
    if folder is not None:
        PREPARED.follow_link(functools.partial(read_case, folder, case))


def prepare_neighbours(folder: Path, names: list[str], case: str, *, shown: Preparation) -> None:
    """Prepare the next case of the list and the one before, while a case is read."""
    place = names.index(case)
    nearest = [*names[place + 1 : place + 2], *names[max(0, place - 1) : place]]
    find = {name: functools.partial(read_case, folder, name) for name in nearest}
    PREPARED.ahead(find, after=shown)
