"""Files that a browser sent and no page has taken yet; Streamlit keeps them in memory."""

from collections.abc import Mapping

from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager


class SentFiles:
    """Those of the running server."""

    def sizes(self) -> Mapping[str, int]:
        """Bytes of the files that wait, by session."""
        files = self._files()
        held = {} if files is None else dict(files.file_storage)
        return {
            session: sum(len(file.data) for file in list(waiting.values()))
            for session, waiting in held.items()
        }

    def drop(self, session: str) -> None:
        """Forget those of a session."""
        files = self._files()
        if files is not None:
            files.remove_session_files(session)

    def _files(self) -> MemoryUploadedFileManager | None:
        found = Runtime.instance().uploaded_file_mgr if Runtime.exists() else None
        return found if isinstance(found, MemoryUploadedFileManager) else None
