"""A line between observers and a system that can be cut, and mended."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from typing import Self

_SOCKETS = ("status", "control")


class Relay:
    """Another directory for the same system, with sockets that pass on what comes to those of the first."""

    def __init__(self, endpoint: str) -> None:
        self._there = endpoint.removeprefix("ipc://")
        self._here = tempfile.mkdtemp()
        self.endpoint = f"ipc://{self._here}"
        for each in ("leash", "name"):
            os.symlink(f"{self._there}/{each}", f"{self._here}/{each}")
        self._listening: list[socket.socket] = []
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._doors: list[threading.Thread] = []
        self._threads: list[threading.Thread] = []
        self.mend()

    def mend(self) -> None:
        """Take connections from now on."""
        for name in _SOCKETS:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{self._here}/{name}")
            listener.listen()
            self._listening.append(listener)
            self._doors.append(_started(self._accept, listener, f"{self._there}/{name}"))

    def cut(self) -> None:
        """Close all connections, and take none; what was under way is lost."""
        for listener in self._listening:
            os.unlink(listener.getsockname())
            _end(listener)
        self._listening.clear()
        _join(self._doors)  # from here on no pair is added
        for pair in self._pairs:
            for end in pair:
                _end(end)
        self._pairs.clear()
        _join(self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        shutil.rmtree(self._here)

    def _accept(self, listener: socket.socket, to: str) -> None:
        with contextlib.suppress(OSError):  # cut
            while True:
                theirs, _ = listener.accept()
                ours = socket.socket(socket.AF_UNIX)
                self._pairs.append((theirs, ours))
                ours.connect(to)
                for one, other in ((theirs, ours), (ours, theirs)):
                    self._threads.append(_started(self._pass_on, one, other))

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # its peer was first
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _started(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


def _join(threads: list[threading.Thread]) -> None:
    while threads:
        threads.pop().join()
