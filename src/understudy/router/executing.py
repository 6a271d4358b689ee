"""What is heard of programs, which say nothing themselves: that they were begun, or not, and what they left behind."""

from __future__ import annotations

from understudy.lifecycle.actor import Actor
from understudy.lifecycle.events import Errored, Ready
from understudy.router.world import World
from understudy.spawners.base import Executed, NotExecuted, Remarked
from understudy.status import Crash
from understudy.wire.page import Page

BEGINNING = "beginning its program"


def hear(world: World, actor: Actor, news: Executed | NotExecuted | Remarked) -> None:
    """One word of a process that was to become a program."""
    match news:
        case Executed():
            world.happen(actor.uid, Ready())
        case NotExecuted(kind=kind, reason=reason):
            crash = Crash("boot", actor.incarnation, phase=BEGINNING, text=reason, type_name=kind)
            world.happen(actor.uid, Errored(crash))
        case Remarked(text=text):
            world.tell(actor, actor.incarnation, text)


def tell_of_left(world: World, actor: Actor, left: tuple[str, ...]) -> None:
    """What a program has left is ended with it; who did not mean that has to know, unless it was ended by force."""
    if left and actor.ending is None:
        what = "a process" if len(left) == 1 else f"{len(left)} processes"
        advice = "a program that goes into the background is out of sight: keep it in the foreground"
        text = f"{actor.name} ended and left {what} behind, which end with it: {', '.join(left)}; {advice}"
        world.tell(actor, actor.incarnation, text)


def phase_of(actor: Actor, page: Page) -> str:
    """How far a process came before READY, in words; "" of a program that was READY, for its page is silent."""
    if actor.spec.program is None:
        return page.phase.words
    return BEGINNING if actor.ready_at is None else ""
