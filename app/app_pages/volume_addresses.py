"""Hand the volumes of a case to this session's browser."""

from collections.abc import Mapping

from app import state
from app.viewer.encoding import EncodedVolume
from app.viewer.routes import volume_url


def volume_addresses(volumes: Mapping[str, EncodedVolume]) -> dict[str, dict[str, object]]:
    """Keep volumes for this session; kind -> what the browser needs to read each."""
    return {
        kind: volume.describe(address_of(volume.body, digest=volume.digest))
        for kind, volume in volumes.items()
    }


def address_of(body: bytes, *, digest: str) -> str:
    """Keep bytes for this session; returns where its browser gets them."""
    token = state.STORE.put(body, digest=digest, session=state.session())
    return volume_url(token, base_path=state.base_path())
