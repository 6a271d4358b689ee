"""What every contestant can do. The measuring code is the same for all and knows only this."""

from collections.abc import Callable
from typing import Protocol


class Troupe(Protocol):
    """A way to run processes: understudy, a raw zygote, multiprocessing, other packages."""

    def spawn_brief(self, board: str) -> None:
        """Start one whose user code stamps the board and ends; do not wait for it."""

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """Start that many whose user code stamps the board and idles until stopped; do not wait for them."""

    def settle(self) -> None:
        """Return when a stop would reach every one spawned so far."""

    def replace(self, board: str) -> None:
        """The only idle one was just killed: do what it takes that another stamps the board."""

    def wait(self) -> None:
        """Return when all have ended by themselves; raise if one ended badly."""

    def stop(self) -> None:
        """Ask all to stop and return when all have ended; raise if one ended badly."""

    def close(self) -> None:
        """Give everything back."""


Make = Callable[[], Troupe]
"""Imports and opens a troupe: a call, so that what the import costs can be measured."""
