"""Moments of user code, told by children of any kind to the measuring parent through a FIFO."""

import os
import select
import tempfile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.stamps import RECORD


class Moment(NamedTuple):
    """When (CLOCK_MONOTONIC, ns) user code began, and in which process."""

    at: int
    pid: int


class Board:
    """The parent's end. `path` goes to the children."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="board-")
        self.path = str(Path(self._folder.name) / "moments")
        os.mkfifo(self.path)
        # Open both ways: it neither waits for a writer nor ends with the last one.
        self._fd = os.open(self.path, os.O_RDWR)

    def next(self, timeout: float = 60.0) -> Moment:
        """The next moment, in order of arrival. TimeoutError if none came within `timeout` seconds."""
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if not ready:
            raise TimeoutError(f"no user code began within {timeout:g} s")
        at, pid = RECORD.unpack(os.read(self._fd, RECORD.size))
        return Moment(at, pid)

    def take(self, count: int) -> list[Moment]:
        """The next `count` moments."""
        return [self.next() for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        self._folder.cleanup()
