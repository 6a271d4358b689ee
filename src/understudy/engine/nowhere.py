"""The inlet of a mailbox in a process that is a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Nowhere:
    """The inlet of a forked copy: the descriptors are shared, so to touch the real one would rob the original."""

    def fileno(self) -> int:
        """None."""
        return -1

    def take(self) -> None:
        """Nothing comes."""

    def take_ready(self) -> list[Any]:
        """Never called, for `wait` finds nothing."""
        raise AssertionError("nothing is ready here")

    def hush(self) -> None:
        """Nothing was told."""

    def wait(self, seconds: float | None) -> tuple[bool, bool]:
        """At once, and nothing."""
        return False, False

    def send(self, to: bytes, frames: Sequence[Any]) -> None:
        """Answers are the original's to give."""

    def close(self, linger: float) -> None:
        """It is the original's."""
