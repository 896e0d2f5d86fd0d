"""Hand the volumes of a case to this session's browser."""

from collections.abc import Mapping

from app import state
from app.viewer.encoding import EncodedVolume
from app.viewer.routes import volume_url


def volume_addresses(volumes: Mapping[str, EncodedVolume]) -> dict[str, dict[str, object]]:
    """Keep volumes for this session; kind -> what the browser needs to read each."""
    base, session = state.base_path(), state.session()
    return {
        kind: volume.describe(
            volume_url(
                state.STORE.put(volume.body, digest=volume.digest, session=session), base_path=base
            )
        )
        for kind, volume in volumes.items()
    }
