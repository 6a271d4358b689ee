"""A world without processes: it does what the effects ask, in any order that a real one could, and keeps count."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from tests.unit.lifecycle.scene import START, boom, boot, overrun_of, spec
from understudy.lifecycle.actor import Actor, Kin, Seat, Tie, Verdict, Wish
from understudy.lifecycle.effects import (
    Bury,
    ClearAlarm,
    Cue,
    Effect,
    Fork,
    GiveUp,
    KillFamily,
    Order,
    PassOn,
    Publish,
    SetAlarm,
    Settle,
)
from understudy.lifecycle.events import (
    Alarm,
    Cued,
    Died,
    Errored,
    Event,
    Expired,
    Finishing,
    Forked,
    ForkFailed,
    Heard,
    Kill,
    Overran,
    Place,
    Ready,
    Rejoin,
    Released,
    Resulted,
    Rited,
    Silent,
    Stage,
    Stop,
)
from understudy.lifecycle.families import is_parent
from understudy.lifecycle.ladder import by_ladder
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.registry import Registry, Steering

# What the router forgets when a process is buried.
_OF_A_PROCESS = (Alarm.RUNG, Alarm.EXIT, Alarm.UNKILLABLE)
DEATHS = ((None, "SIGKILL"), (None, "SIGSEGV"), (0, None), (1, None), (None, None))
SEEN = (
    Overran(Stage.INTERRUPT, Place()),
    Overran(Stage.KILL, Place("loop", 1)),
    Silent(1, lost=False, held=True),
    Silent(3, lost=True, held=False),
    Silent(4, lost=True, held=True),
    Heard(),
)


class Deed(Enum):
    """How far a process has come in its dialogue."""

    BORN = "born"
    READY = "ready"
    FINISHING = "finishing"
    RESULTED = "resulted"
    TOLD = "told"
    RITED = "rited"


@dataclass(eq=False)
class Child:
    """One process."""

    uid: int
    incarnation: int
    pid: int
    deed: Deed = Deed.BORN
    doomed: bool = False


@dataclass
class World:
    """The registry, a clock, and processes that exist only here."""

    registry: Registry = field(default_factory=Registry)
    now: float = START
    chance: float = 0.5
    alarms: dict[tuple[int, Alarm], float] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    """Forks that are not answered yet: uid to incarnation."""
    children: dict[int, Child] = field(default_factory=dict)
    late: list[tuple[int, int, Event]] = field(default_factory=list)
    """What was said, to be said again when it no longer counts."""
    settled: Counter[int] = field(default_factory=Counter)
    buried: Counter[int] = field(default_factory=Counter)
    lives: Counter[int] = field(default_factory=Counter)
    """Processes since the spawn or the last restart by request; the rites' own are none."""
    begun: set[tuple[int, int]] = field(default_factory=set)
    ends: dict[int, Actor] = field(default_factory=dict)
    """Each ended actor, as it was when it ended."""
    barred: dict[int, int] = field(default_factory=dict)
    """Those that were stopped or killed, with the incarnation that is to be their last."""
    pids: int = 0

    def spawn(
        self,
        name: str | None,
        config: Mapping[str, Any],
        hooks: tuple[str, ...],
        kin: Kin | None = None,
        seat: Seat | None = None,
    ) -> int:
        """A new actor; its uid."""
        actor, effects = self.registry.admit(spec(config, hooks), name, Moment(self.now), kin, seat)
        self.perform(actor.uid, effects)
        return actor.uid

    def happen(self, uid: int, event: Event) -> None:
        """Decide, do, and keep count."""
        before = self.registry.actors[uid]
        parent = self.registry.parent(before)
        effects = self.registry.apply(uid, event, Moment(self.now, self.chance))
        after = self.registry.actors[uid]
        if uid in self.ends:
            assert after is self.ends[uid], "an ended actor changed"
            assert not effects, "an ended actor has effects"
            return
        assert after.incarnation - before.incarnation in {0, 1}
        if after.wish is Wish.RESTART or (before.wish is Wish.RESTART and after.incarnation > before.incarnation):
            self.barred.pop(uid, None)
            self.lives[uid] = 0
        if after.wish in {Wish.STOP, Wish.KILL} and before.wish not in {Wish.STOP, Wish.KILL}:
            self.barred[uid] = after.incarnation
        assert after.incarnation <= self.barred.get(uid, after.incarnation), "it came up again after a stop or kill"
        if after.status.ended:
            self.ends[uid] = after
        self.perform(uid, effects)
        if after.status.ended and parent is not None:
            self.check_link(after, parent)

    def check_link(self, ended: Actor, parent: Actor) -> None:
        """The end of a linked child is the end of its parent, but for one that was stopped."""
        now = self.registry.actors[parent.uid]
        assert ended.kin is not None
        went_on = is_parent(parent, ended.kin) and parent.wish is Wish.NOTHING
        ends = went_on and ended.kin.tie is Tie.LINKED and ended.wish is not Wish.STOP
        assert (now.wish is Wish.STOP) if ends else (now.wish is parent.wish)

    def steer(self, act: Steering) -> None:
        """What somebody asks of groups."""
        for order in self.registry.steer(act, Moment(self.now, self.chance)):
            self.perform(order.uid, (order,))

    def perform(self, uid: int, effects: tuple[Effect, ...]) -> None:
        """What a router would do."""
        actor = self.registry.actors[uid]
        for effect in effects:
            match effect:
                case Fork():
                    assert uid not in self.children, "a fork while its process lives"
                    assert uid not in self.asked, "a fork while another is asked for"
                    self.asked[uid] = actor.incarnation
                    life = (uid, actor.incarnation)
                    self.lives[uid] += actor.rites_for is None and life not in self.begun
                    self.begun.add(life)
                case KillFamily():
                    self.children[uid].doomed = True
                case SetAlarm(alarm, after):
                    assert after >= 0
                    self.alarms[uid, alarm] = self.now + after
                case ClearAlarm(alarm):
                    self.alarms.pop((uid, alarm), None)
                case Bury():
                    assert uid not in self.children, "buried alive"
                    self.buried[uid] += 1
                    self.asked.pop(uid, None)  # given up: what is born of it yet, the router ends unasked
                    self.forget(uid, *_OF_A_PROCESS)
                case Settle():
                    self.settled[uid] += 1
                    self.forget(uid, *Alarm)
                case Publish(kind="state"):
                    rest = effects[effects.index(effect) + 1 :]
                    told = (PassOn, Cue, GiveUp, Publish)
                    assert all(isinstance(one, told) for one in rest), "told before it is done"
                case PassOn() | Cue():
                    self.happen(effect.uid, self.passed_on(effect))
                case _:
                    pass

    def passed_on(self, order: Order) -> Event:
        """What it is to the one that it is for."""
        if isinstance(order, Cue):
            return Cued()
        rungs = order.rungs
        if rungs is None:
            rungs = by_ladder(self.registry.actors[order.uid].spec.config.stop, self.now)
        wishes: dict[Wish, Event] = {Wish.KILL: Kill(order.cause), Wish.REJOIN: Rejoin(rungs, order.cause)}
        return wishes.get(order.wish, Stop(rungs, order.cause))

    def release(self) -> None:
        """Whoever queues and may begin does."""
        for uid in self.registry.governor.ready(self.now):
            self.happen(uid, Released())

    def forget(self, uid: int, *alarms: Alarm) -> None:
        """Stop clocks."""
        for alarm in alarms:
            self.alarms.pop((uid, alarm), None)

    # --- what processes do

    def possible(self, uid: int) -> list[Callable[[], None]]:
        """What may befall an actor next; the usual comes first."""
        actor, child = self.registry.actors[uid], self.children.get(uid)
        if child is None:
            return self._without_a_process(actor)
        deaths = [partial(self.die, child, *death) for death in DEATHS]
        if child.doomed:
            return [deaths[0]]
        rites = actor.rites_for is not None and actor.verdict is not Verdict.END
        leaves = []
        if child.deed in {Deed.RESULTED, Deed.RITED} or (child.deed is Deed.TOLD and not rites):
            leaves = [partial(self.die, child, 0 if child.deed is Deed.RESULTED else 1, None)]
        said = [partial(self.say, child, event, deed) for event, deed in _words(child, rites=rites)]
        seen = [] if child.deed is Deed.BORN or leaves else [partial(self.happen, uid, event) for event in SEEN]
        return [*leaves, *said, *seen, *deaths]

    def _without_a_process(self, actor: Actor) -> list[Callable[[], None]]:
        if actor.uid not in self.asked:
            return [partial(self.pass_time, 0.0), partial(self.pass_time, 1.5)]
        born = partial(self.bear, actor.uid)
        return [born, *(partial(self.fail, actor.uid, lost=lost) for lost in (False, True))]

    def bear(self, uid: int) -> None:
        """A fork is answered."""
        self.pids += 1
        self.children[uid] = Child(uid, self.asked.pop(uid), self.pids)
        self.happen(uid, Forked(self.pids))

    def fail(self, uid: int, *, lost: bool) -> None:
        """A fork fails."""
        del self.asked[uid]
        self.happen(uid, ForkFailed("EAGAIN", lost))

    def say(self, child: Child, event: Event, deed: Deed) -> None:
        """A process tells something; nothing of what it tells is stale."""
        child.deed = deed
        assert self.registry.is_current(child.uid, child.incarnation)
        self.late.append((child.uid, child.incarnation, event))
        self.happen(child.uid, event)

    def die(self, child: Child, exit_code: int | None, signal: str | None) -> None:
        """A process is gone."""
        del self.children[child.uid]
        place = Place(phase="connecting") if child.deed is Deed.BORN else Place("loop", 1)
        death = Died(exit_code, signal, place)
        self.late.append((child.uid, child.incarnation, death))
        self.happen(child.uid, death)

    # --- time

    def pass_time(self, seconds: float) -> None:
        """Move the clock; each alarm that is due rings at its time, and whoever queues begins at its own."""
        until = self.now + seconds
        while min(self._clocks(), default=math.inf) <= until:
            turn = self.registry.governor.next()
            if turn is not None and turn <= min(self.alarms.values(), default=math.inf):
                self.now = max(self.now, turn)
                assert self.registry.governor.ready(self.now), "the clock rang too early"
                self.release()
                continue
            uid, alarm = min(self.alarms, key=lambda key: self.alarms[key])
            self.now = max(self.now, self.alarms.pop((uid, alarm)))
            self.happen(uid, Expired(alarm))
        self.now = until

    def _clocks(self) -> list[float]:
        turn = self.registry.governor.next()
        return [*self.alarms.values(), *(() if turn is None else (turn,))]

    def quiesce(self) -> None:
        """Everything is killed, every kill works, every fork is answered: then all have ended."""
        while self.asked or self.children:
            for uid in list(self.asked):
                self.bear(uid)
            for child in list(self.children.values()):
                assert child.doomed, "it was killed, and lives"
                self.die(child, *DEATHS[0])


def _words(child: Child, *, rites: bool) -> list[tuple[Event, Deed]]:
    """What a process may say, and how far it has come then."""
    crashes = (boom("loop", child.incarnation), overrun_of("loop"), overrun_of("onfinish"), boom("result"))
    told: list[tuple[Event, Deed]] = [(Errored(crash), Deed.TOLD) for crash in crashes]
    held = (Rited([child.uid]), Deed.RITED)
    match child.deed:
        case Deed.BORN:
            return [(Ready(), Deed.READY), (Errored(boot(child.incarnation)), Deed.TOLD)]
        case Deed.READY if rites:
            return [held]
        case Deed.READY:
            ends = [Finishing("", stop=False), Finishing("", stop=True)]
            return [*((end, Deed.FINISHING) for end in ends), *told]
        case Deed.FINISHING:
            return [(Resulted([child.uid]), Deed.RESULTED), *told]
        case Deed.RESULTED:
            return [(Resulted(["again"]), Deed.RESULTED)]
        case Deed.TOLD:
            return [held, *told] if rites else told
        case Deed.RITED:
            return [held]
