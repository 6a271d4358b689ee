"""Tasks as every pool does them, and what the measuring code knows of a pool. Light to import: workers do so anew."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from benchmarks.stamps import stamp

PATIENCE = 120.0  # seconds
WORKERS = 2
MODULE = "benchmarks.tasks"
"""What is loaded beforehand wherever workers are forked from."""


def nothing(number: int) -> int:
    """The least that a task can be."""
    return number


def rest(seconds: float) -> float:
    """A short one, in which nobody computes: what it takes longer is the pool's."""
    time.sleep(seconds)
    return seconds


def length(array: Any) -> int:
    """Of an array that was sent."""
    return len(array)


def stay(board: str) -> None:
    """Stamps the board and does not end."""
    stamp(board)
    time.sleep(PATIENCE * 10)


class Crew(Protocol):
    """A pool of `WORKERS` workers, which come up at once or when they are needed."""

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """A task for each, submitted by a call of its own; the results when all are there."""

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """The same by one map; in chunks of so many, with 0 as the pool chooses."""

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """One task, for whose result nobody waits."""

    def recover(self) -> None:
        """A worker was killed amid a task: do what it takes so that the last task that was begun is done."""

    def close(self) -> None:
        """End it and its workers, whatever they do."""


Make = Callable[[], Crew]
