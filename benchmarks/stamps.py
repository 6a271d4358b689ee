"""The moment of user code, told by the child. Light to import: for some contestants each child does so anew."""

import os
import struct
import time

RECORD = struct.Struct("qq")


def now() -> int:
    """The clock of all figures, in ns: CLOCK_MONOTONIC, the same in every process of a machine."""
    return time.monotonic_ns()


def stamp(board: str) -> None:
    """In the child: tell that user code runs. The clock is read before anything else."""
    at = time.monotonic_ns()
    fd = os.open(board, os.O_WRONLY)
    os.write(fd, RECORD.pack(at, os.getpid()))  # shorter than PIPE_BUF, hence never torn
    os.close(fd)
