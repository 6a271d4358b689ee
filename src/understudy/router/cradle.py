"""What actors want to spawn: answered once for each request, and kept where it waits for a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from understudy.latch import Latch
from understudy.lifecycle.actor import Tie
from understudy.lifecycle.spec import Spec
from understudy.wire.messages import Answered

_REMEMBERED = 1_000
"""Answers of one life that are said again when it asks again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One spawn; ``parent`` and ``incarnation`` are whose."""

    parent: int
    incarnation: int
    request: int
    spec: Spec
    name: str | None
    count: int | None
    tie: Tie


@dataclass(slots=True)
class Cradle:
    """For the router's thread."""

    waiting: dict[tuple[int, int], Wanted] = field(default_factory=dict)
    """By parent and request, in the order of their coming."""
    _awaited: dict[int, dict[Callable[[Latch[Any]], None], Callable[[], None]]] = field(default_factory=dict)
    """For each process what it waits for: what is called then, and how that is given up."""
    _answers: dict[int, dict[int, Answered]] = field(default_factory=dict)

    def remembered(self, parent: int, request: int) -> Answered | None:
        """The answer that was given."""
        return self._answers.get(parent, {}).get(request)

    def remember(self, parent: int, answer: Answered) -> None:
        """For who asks again."""
        answers = self._answers.setdefault(parent, {})
        answers[answer.request] = answer
        if len(answers) > _REMEMBERED:
            del answers[next(iter(answers))]

    def awaits(self, parent: int, latch: Latch[Any], tell: Callable[[Any], None]) -> None:
        """Have that called when it is set, as long as the process is there."""
        awaited = self._awaited.setdefault(parent, {})

        def told(latch: Latch[Any]) -> None:
            awaited.pop(told, None)
            tell(latch)

        awaited[told] = lambda: latch.remove_done_callback(told)
        latch.add_done_callback(told)

    def ended(self, parent: int) -> None:
        """Its process is gone, and with it whoever waited there."""
        for drop in self._awaited.pop(parent, {}).values():
            drop()
        self._answers.pop(parent, None)
        self.waiting = {key: wanted for key, wanted in self.waiting.items() if wanted.parent != parent}
