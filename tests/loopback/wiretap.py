"""Relays in front of sockets of the loopback, which keep every byte that passes."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self


class Wiretap:
    """Takes the place of sockets in a system's directory: who looks for one of them from then on comes by here."""

    def __init__(self) -> None:
        self.passed: dict[str, bytearray] = {}
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def tap(self, directory: str, *names: str) -> None:
        """Come between, from now on."""
        for name in names:
            place = Path(directory, name)
            port = int(place.read_text(encoding="ascii").rpartition(":")[2])
            listener = socket.create_server(("127.0.0.1", 0))
            place.write_text(f"tcp://127.0.0.1:{listener.getsockname()[1]}\n", encoding="ascii")
            self.passed[name] = bytearray()
            self._ends.append(listener)
            self._start(self._accept, listener, port, self.passed[name])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _start(self, act, *parts) -> None:
        thread = threading.Thread(target=act, args=parts)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, port: int, passed: bytearray) -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs, _ = listener.accept()
                self._ends.append(theirs)
                ours = socket.create_connection(("127.0.0.1", port))
                self._ends.append(ours)
                self._start(self._pass_on, theirs, ours, passed)
                self._start(self._pass_on, ours, theirs, passed)

    def _pass_on(self, one: socket.socket, other: socket.socket, passed: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                passed += data
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
