"""What is heard of programs, which say nothing themselves: that they were begun, or not, and what they left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.lifecycle.actor import Actor
from understudy.lifecycle.events import Errored, Ready
from understudy.lifecycle.programs import Program
from understudy.router.readiness import Readiness
from understudy.router.turning import Turning
from understudy.router.world import World
from understudy.spawners.base import Executed, NotExecuted, Remarked
from understudy.status import Crash
from understudy.wire.page import Page

if TYPE_CHECKING:
    from understudy.router.calls import Calls

BEGINNING = "beginning its program"


class Programs:
    """Those of one system; only the router's thread calls."""

    def __init__(self, world: World, calls: Calls, turning: Turning) -> None:
        self._world, self._readiness, self._turning = world, Readiness(world, calls), turning

    def hear(self, actor: Actor, program: Program, news: Executed | NotExecuted | Remarked) -> None:
        """One word of a process that was to become a program."""
        if isinstance(news, Executed):
            self._turning.watch(actor)
        match news:
            case Executed() if program.wait is None:
                self._world.happen(actor.uid, Ready())
            case Executed():
                self._readiness.begin(actor, program, news)
            case NotExecuted(kind=kind, reason=reason):
                crash = Crash("boot", actor.incarnation, phase=BEGINNING, text=reason, type_name=kind)
                self._world.happen(actor.uid, Errored(crash))
            case Remarked(text=text):
                self._world.tell(actor, actor.incarnation, text)

    def ended(self, actor: Actor, left: tuple[str, ...]) -> None:
        """It has ended, and left that behind: who did not mean it has to know, unless it was ended by force."""
        self._readiness.end(actor.uid)
        if left and actor.ending is None:
            what = "a process behind, which ends" if len(left) == 1 else f"{len(left)} processes behind, which end"
            advice = "a program that goes into the background is out of sight: keep it in the foreground"
            text = f"{actor.name} ended and left {what} with it: {', '.join(left)}; {advice}"
            self._world.tell(actor, actor.incarnation, text)

    def phase_of(self, actor: Actor, page: Page) -> str:
        """How far a process came before READY, in words; "" of a program that was READY, for its page is silent."""
        if actor.spec.program is None:
            return page.phase.words
        return "" if actor.ready_at is not None else self._readiness.awaits(actor.uid) or BEGINNING

    def is_looking(self, uid: int) -> bool:
        """Whether its death should wait for the first look at what it was to be READY by."""
        return self._readiness.is_looking(uid)
