"""A file, by its being there or by what it says."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from understudy.services.waits import values
from understudy.waiting import Answer, Holds, NotYet, Pace, Probe, Subject
from understudy.wire import regular

MOST = 1 << 20
"""Bytes of a file in which a text is looked for."""


@dataclass(frozen=True, slots=True, repr=False)
class File(values.Value):
    """Holds once there is something of that path and, where ``contains`` is given, that text is in it.

    Without ``contains`` anything counts: a file, an empty one too, a directory, a FIFO, a link whose target is there.
    With it, it must be a regular file, of which the first MiB is looked at; a file that is replaced, cut or written
    over is read anew. ``path`` is a text or a ``pathlib.Path``; one that is relative begins at the directory of whom
    waits. ``timeout`` is in seconds, None for no bound. Raises ConfigError for what is no path, or an empty text.
    """

    path: str | os.PathLike[str]
    contains: str | None = None
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", values.path("File.path", self.path))
        if self.contains is not None:
            values.text("File.contains", self.contains, "a text, or None (it need only be there)")
        object.__setattr__(self, "timeout", values.seconds("File.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Look for it when it is first asked."""
        return _Looking(os.fspath(self.path), None if self.contains is None else self.contains.encode())


class _Looking:
    def __init__(self, path: str, wanted: bytes | None) -> None:
        self._path = path
        self._wanted = wanted
        self._pace = Pace()

    def look(self, now: float) -> Answer:
        try:
            return self._judged(os.stat(self._path), now)
        except OSError as error:
            return NotYet(f"{self._path}: {error.strerror}", within=self._pace.next(now), cause=error)

    def _judged(self, found: os.stat_result, now: float) -> Answer:
        if self._wanted is None:
            return Holds(f"{self._path} is there")
        if not stat.S_ISREG(found.st_mode):  # to read a FIFO would take what is meant for somebody else
            return NotYet(f"{self._path} is no regular file", within=self._pace.next(now))
        # Always from its beginning: what was written over within a tick of the file system's clock looks unchanged.
        with os.fdopen(regular.opened(self._path, os.O_RDONLY), "rb") as file:
            text = file.read(MOST)
        if self._wanted in text:
            return Holds(f"{self._path} contains {self._wanted.decode()!r}")
        beyond = "; no more is looked at" if len(text) == MOST else ""
        told = f"{self._wanted.decode()!r} is not among the {len(text)} bytes of {self._path}{beyond}"
        return NotYet(told, within=self._pace.next(now))

    def close(self) -> None:
        pass
