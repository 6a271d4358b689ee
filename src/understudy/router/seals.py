"""The check of tags: at once where it is short, else a slice in each round, so that nobody waits for a large pickle."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from understudy.router.world import World
from understudy.wire.keys import Check

SLICE = 4 << 20
"""Bytes that are hashed in one round: some milliseconds."""


class Seals:
    """Checks one after the other, in the order of their coming; what has no right tag is dropped and counted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: deque[tuple[Check, Callable[[], None]]] = deque()

    def check(self, frames: tuple[Any, ...], claimed: bytes | None, then: Callable[[], None]) -> None:
        """Call ``then`` if the tag is right, perhaps in a later round."""
        check = Check(self._world.key, frames, claimed)
        right = check.go_on(SLICE)
        if right is not None:
            self._end(then, right=right)
            return
        self._waiting.append((check, then))
        if len(self._waiting) == 1:
            self._again()

    def _again(self) -> None:
        self._world.timers.set("seals", monotonic(), self._go_on)

    def _go_on(self) -> None:
        check, then = self._waiting[0]
        right = check.go_on(SLICE)
        if right is not None:
            self._waiting.popleft()
        if self._waiting:
            self._again()
        if right is not None:
            self._end(then, right=right)

    def _end(self, then: Callable[[], None], *, right: bool) -> None:
        if right:
            then()
        else:
            self._world.dropped += 1
