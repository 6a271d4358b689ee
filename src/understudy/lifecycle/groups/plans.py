"""What is under way in a group: its members end one after the other, from the last to the first, and begin again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from understudy.config import StopLadder
from understudy.lifecycle.actor import Actor, Hold, Wish
from understudy.lifecycle.effects import Cue, Order, PassOn
from understudy.lifecycle.ladder import Rung, by_ladder, graceful, length
from understudy.status import Status


class Standing(Enum):
    """How far a member is, as far as its group is concerned."""

    BEGINS = "begins"
    """It has a process that is not READY, or is to have one."""
    UP = "up"
    LEAVES = "leaves"
    """It ends, or has ended and what it had spawned has not."""
    PAUSES = "pauses"
    """It has no process, and will have one by itself."""
    HELD = "held"
    """It has none, and waits for its group."""
    GONE = "gone"


class Seen(NamedTuple):
    """A member, as its group sees it."""

    standing: Standing
    ladder: StopLadder


Look = Callable[[int], Seen]


def seen(actor: Actor | None, *, children: bool) -> Seen:
    """That of an actor, None: it is forgotten; ``children``: some that it spawned have not ended."""
    if actor is None:
        return Seen(Standing.GONE, StopLadder())
    return Seen(_standing(actor, children=children), actor.spec.config.stop)


def _standing(actor: Actor, *, children: bool) -> Standing:
    if children and (actor.status.ended or actor.status is Status.RESTARTING):
        return Standing.LEAVES
    if actor.status.ended:
        return Standing.GONE
    if actor.status is Status.RESTARTING:
        return Standing.HELD if actor.held is Hold.GROUP else Standing.PAUSES
    if actor.status is Status.STOPPING or actor.told is not None:
        return Standing.LEAVES
    return Standing.UP if actor.status is Status.RUNNING else Standing.BEGINS


class Pace(Enum):
    """How long those that are to end for good may take."""

    SECTIONS = "sections"
    """As a stop without a grace: each section within its own timeout."""
    LADDERS = "ladders"
    """Each by its ladder, which begins with its turn."""
    GRACE = "grace"
    """All of them together so long; each the rungs of its share."""
    SHUTDOWN = "shutdown"
    """All of them together so long; each by its ladder, or by the rungs of its share where that is shorter."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """How members are asked to end for good."""

    pace: Pace = Pace.SECTIONS
    until: float = 0.0
    """By when all have to have ended, where they have a time together."""
    ladder: StopLadder | None = None
    """In place of their own."""
    drain: bool = False

    def rungs(self, own: StopLadder, now: float, *, others: bool) -> tuple[Rung, ...]:
        """Of one whose turn it is; while ``others`` come after it, its share is half of what is left."""
        ladder = self.ladder or own
        share = max(0.0, self.until - now) / (2 if others else 1)
        match self.pace:
            case Pace.SECTIONS:
                return ()
            case Pace.LADDERS:
                return by_ladder(ladder, now)
            case Pace.SHUTDOWN if length(ladder) <= share:
                return by_ladder(ladder, now)
            case _:
                return graceful(share, now)

    def tighter(self, other: Farewell) -> Farewell:
        """The one of two that ends sooner."""
        if other.pace in _BOUNDED and self.pace in _BOUNDED:
            return self if self.until <= other.until else other
        return other if _STRICTNESS.index(other.pace) > _STRICTNESS.index(self.pace) else self


_BOUNDED = frozenset({Pace.GRACE, Pace.SHUTDOWN})
_STRICTNESS = (Pace.SECTIONS, Pace.LADDERS, Pace.GRACE, Pace.SHUTDOWN)


class Step(Enum):
    """The two halves of a restart; who is to end for good has only the first."""

    ENDING = "ending"
    BEGINNING = "beginning"


@dataclass(frozen=True, slots=True)
class Plan:
    """One restart, or one end, of several actors."""

    owner: int
    """The number of the group whose it is."""
    cause: str
    pending: tuple[int, ...]
    """Those that it has not done with, by uid, in the order in which they begin."""
    farewell: Farewell | None = None
    """How they end for good; None: they begin again."""
    step: Step = Step.ENDING
    asked: frozenset[int] = frozenset()

    def advance(self, look: Look, now: float) -> tuple[Plan | None, tuple[Order, ...]]:
        """What is to be done next, and what is left of it: None where all is done."""
        plan, orders = self, tuple[Order, ...]()
        if plan.step is Step.ENDING:
            plan, orders = self._end(look, now)
            if orders or not all(_is_down(look(uid).standing, plan) for uid in plan.pending):
                return plan, orders
            if plan.farewell is not None:
                return None, ()
            plan = replace(plan, step=Step.BEGINNING, asked=frozenset())
        return plan.begin(look)

    def is_ending(self, uid: int) -> bool:
        """Whether that one is to end, or has ended, before any of them begins."""
        return self.step is Step.ENDING and uid in self.pending

    def without(self, uids: frozenset[int]) -> Plan | None:
        """What is left of it when others see to these."""
        pending = tuple(uid for uid in self.pending if uid not in uids)
        return replace(self, pending=pending) if pending else None

    def _end(self, look: Look, now: float) -> tuple[Plan, tuple[Order, ...]]:
        """Whoever has no process ends at once; of the others the last, and the next when that has ended."""
        standings = {uid: look(uid) for uid in self.pending}
        down = [uid for uid, one in standings.items() if _is_down(one.standing, self)]
        idle = [uid for uid, one in standings.items() if uid not in down and one.standing in _IDLE]
        busy = [uid for uid in self.pending if uid not in down and uid not in idle]
        # Who came up again, for somebody restarted it by hand, is asked again.
        turn = [
            uid for uid in (*reversed(idle), *busy[-1:]) if uid not in self.asked or standings[uid].standing in _GOES_ON
        ]
        orders = tuple(self._order(uid, standings[uid].ladder, now, others=len(busy) > 1) for uid in turn)
        return replace(self, asked=self.asked | set(turn)), orders

    def _order(self, uid: int, ladder: StopLadder, now: float, *, others: bool) -> PassOn:
        if self.farewell is None:
            return PassOn(uid, Wish.REJOIN, self.cause, by_ladder(ladder, now))
        rungs = self.farewell.rungs(ladder, now, others=others)
        return PassOn(uid, Wish.STOP, self.cause, rungs, drain=self.farewell.drain)

    def begin(self, look: Look) -> tuple[Plan | None, tuple[Order, ...]]:
        """Of those that have ended the first is called for, and the next when it is READY."""
        left = self.pending
        while left and look(left[0]).standing in {Standing.UP, Standing.GONE, Standing.LEAVES}:
            left = left[1:]
        if not left:
            return None, ()
        calls = look(left[0]).standing is Standing.HELD
        return replace(self, pending=left), (Cue(left[0]),) if calls else ()


_GOES_ON = frozenset({Standing.BEGINS, Standing.UP})
_IDLE = frozenset({Standing.PAUSES, Standing.HELD})


def _is_down(standing: Standing, plan: Plan) -> bool:
    return standing is Standing.GONE or (standing is Standing.HELD and plan.farewell is None)
