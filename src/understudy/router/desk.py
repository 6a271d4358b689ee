"""What requests are answered from, and answers that come later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands, Outcome, outcome_of
from understudy.router.outputs import Outputs
from understudy.router.sampling import PATIENCE, Sampler
from understudy.router.watch import Watch
from understudy.router.world import World


class Later:
    """The outcome of a request, once it is there; for the router's thread."""

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._waiting: list[Callable[[Outcome], None]] = []

    def give(self, outcome: Outcome) -> None:
        """It is there: whoever waits is told, and whoever asks from now on."""
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell(outcome)

    def then(self, tell: Callable[[Outcome], None]) -> None:
        """Make that call with the outcome, at once if it is there."""
        if self._outcome is None:
            self._waiting.append(tell)
        else:
            tell(self._outcome)


def answered(act: Callable[[], Any]) -> Later:
    """What comes of a call that is made now; what it gives may be a Later itself."""
    outcome = outcome_of(act)
    if isinstance(outcome.value, Later):
        return outcome.value
    later = Later()
    later.give(outcome)
    return later


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions behind the verbs share."""

    world: World
    watch: Watch
    sampler: Sampler
    errands: Errands
    outputs: Outputs

    def measured(self, actors: list[Actor], answer: Callable[[], Any]) -> Later | Any:
        """The answer, given by the router's thread when the figures of these are no older than their settings allow.

        Where too much waits, or measuring is held up for a second, it is given with the figures that are known.
        """
        due = [actor for actor in actors if self.sampler.is_due(actor)]
        if not due:
            return answer()
        later, wanted = Later(), [answer]

        def give() -> None:
            if wanted:  # else the clock was first
                self.world.timers.clear(later)
                answered(wanted.pop()).then(later.give)

        if not self.errands.run(lambda: self.sampler.refresh(due), lambda _: give()):
            return answer()
        self.world.timers.set(later, monotonic() + PATIENCE, give)
        return later
