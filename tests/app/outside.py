"""An ear at the way out: whatever asks for another machine is heard here and gets no answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# What Chromium asks of its maker by itself, whatever page is open.
BROWSERS_OWN = ("update.googleapis.com", "accounts.google.com", "content-autofill.googleapis.com")


class Outside:
    """A proxy that notes the first line of every request: method and address."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._ear.getsockname()[1]}"

    @contextmanager
    def listening(self) -> Iterator["Outside"]:
        """Listen until the block ends."""
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ear.close()

    def environment(self) -> dict[str, str]:
        """Variables that send the requests of a process here."""
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        return dict.fromkeys(names, self.address) | {"no_proxy": "127.0.0.1,localhost"}

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._ear.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                line = connection.recv(4096).split(b"\r\n")[0].decode("latin-1")
                if not any(f"{host}:" in line or f"{host}/" in line for host in BROWSERS_OWN):
                    self.heard.append(line)
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
