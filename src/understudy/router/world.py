"""What the parts of the router share, and the way in which anything happens to an actor."""

from __future__ import annotations

import logging
import random
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

from understudy.errors import GroupFailed, SystemClosed
from understudy.latch import Latch
from understudy.lifecycle.actor import Actor, Kin, Outcome, Seat
from understudy.lifecycle.effects import Bury, Effect
from understudy.lifecycle.events import Event, Released
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.registry import Registry, Steering
from understudy.lifecycle.spec import Spec
from understudy.lifecycle.transitions import Undecided
from understudy.lifecycle.watches import Watches
from understudy.observe.publisher import Publisher
from understudy.router import errands
from understudy.router.cradle import Cradle
from understudy.router.dumps import Dumps
from understudy.router.letters import Letters
from understudy.router.logs import LogThread, about, defect, told
from understudy.router.orders import OrdersDesk
from understudy.router.post import Post
from understudy.router.records import Record
from understudy.router.shelf import Shelf
from understudy.router.timers import Timers
from understudy.spawners.base import Spawner
from understudy.status import Status
from understudy.wire.sockets import Hub, mailbox_of

_A_ROUND = 10
"""Of those that queue, so many restarts begin in one round of the loop."""


@dataclass(slots=True)
class Cell:
    """Where other threads wait for an actor, and find its outcome."""

    started: Latch[None] = field(default_factory=Latch)
    settled: Latch[Status] = field(default_factory=Latch)
    outcome: Outcome | None = None
    opened: tuple[Any, BaseException | None] | None = None
    opening: threading.RLock = field(default_factory=threading.RLock)
    """One thread opens the outcome, and holds up nobody who asks for another."""
    light: bool = False
    """Whether the outcome is kept no more."""

    def lighten(self) -> None:
        """Keep no more than that it has ended: nobody refers to it."""
        self.light = True
        self.outcome = self.opened = None


class Failure(NamedTuple):
    """That a group gave up: its name, why, and with whose death."""

    name: str
    cause: str
    uid: int


@dataclass(slots=True)
class World:
    """One system, as its router's thread sees it; only that thread changes it."""

    system: str
    name: str
    directory: str
    key: bytes
    hub: Hub
    spawners: dict[str, Spawner]
    publisher: Publisher
    timers: Timers
    orders: OrdersDesk
    post: Post
    logs: LogThread
    registry: Registry
    output_dir: str | None = None
    """Where actors' own files are kept beyond the system's end."""
    records: dict[int, Record] = field(default_factory=dict)
    cells: dict[int, Cell] = field(default_factory=dict)
    refs: weakref.WeakValueDictionary[int, Any] = field(default_factory=weakref.WeakValueDictionary)
    dumps: Dumps = field(default_factory=Dumps)
    shelf: Shelf = field(default_factory=Shelf)
    letters: Letters = field(default_factory=Letters)
    cradle: Cradle = field(default_factory=Cradle)
    watches: Watches = field(default_factory=Watches)
    doomed: dict[int, None] = field(default_factory=dict)
    """Actors whose family is to be killed at the end of this round of the loop, all at one look."""
    dropped: int = 0
    """Frames that were malformed, untagged or altered."""
    handled: int = 0
    """Messages that lives handled which have ended."""
    started_at: float = field(default_factory=time.time)
    closing: bool = False
    """Set by who shuts the system down: from then on nothing comes up any more."""
    perform: Callable[[World, Actor, tuple[Effect, ...]], None] = lambda *_: None
    look: Callable[[Actor, Callable[[errands.Outcome], None]], None] = lambda *_: None
    """Tells all that is known of an actor, when it is measured."""
    row: Callable[[Actor], dict[str, Any]] = lambda _: {}
    """What is known of an actor, as one row among many."""
    failures: dict[int, Failure] = field(default_factory=dict)
    """The groups at the top that gave up, by number: the system ends for the first of them."""
    awaited: list[tuple[int, Latch[None]]] = field(default_factory=list)
    """Who waits for a group to have begun anew, by its number."""
    shut: Callable[[bool], None] = lambda _: None
    """Begins to shut the system down, by force or not, and returns."""

    def happen(self, uid: int, event: Event) -> None:
        """Decide, then do."""
        governor, company = self.registry.governor, self.registry.company
        try:
            effects = self.registry.apply(uid, event, self.moment())
        except Undecided as error:
            # A defect of ours: told with its story, and the other actors go on.
            self.logs.put(defect(f"an undecided event, please report it: {error}"))
            return
        if self.registry.governor is not governor:
            self._watch_queue()
        while self.registry.lightened:
            self.cells[self.registry.lightened.pop()].lighten()
        if any(isinstance(effect, Bury) for effect in effects):
            self._make_room(self.registry.actors[uid])  # first: who hears of the death looks for the next life
        self.post.changed(uid)
        if effects:
            self.perform(self, self.registry.actors[uid], effects)
        if self.registry.company is not company:
            self._let_in()

    def steer(self, act: Steering) -> None:
        """What somebody asks of groups: decided, then done."""
        for effect in self.registry.steer(act, self.moment()):
            self.perform(self, self.registry.actors[effect.uid], (effect,))
        self._let_in()

    def _let_in(self) -> None:
        """Whoever waited for a group that has begun anew, or ended, may go on."""
        waiting = [one for one in self.awaited if self.registry.company.is_busy(one[0])]
        for number, latch in self.awaited:
            if (number, latch) not in waiting:
                latch.set_result(None)
        self.awaited = waiting

    def _watch_queue(self) -> None:
        """Let restarts that queue begin when the first of them may; not before the next round, which hears others."""
        at = self.registry.governor.next()
        if at is None:
            self.timers.clear("restarts")
        else:
            self.timers.set("restarts", max(at, monotonic()), self._release)

    def _release(self) -> None:
        for uid in self.registry.governor.ready(monotonic())[:_A_ROUND]:
            self.happen(uid, Released())
        self._watch_queue()

    def admit(self, spec: Spec, name: str | None, kin: Kin | None = None, seat: Seat | None = None) -> Actor:
        """A new actor, on its way to a process. Raises NameTaken, SystemClosed."""
        self.check_open()
        actor, effects = self.registry.admit(spec, name, self.moment(), kin, seat)
        self._begin(actor, effects)
        return actor

    def admit_group(
        self, spec: Spec, name: str | None, count: int, kin: Kin | None = None, seat: Seat | None = None
    ) -> str:
        """So many alike, on their way to processes; gives the group's name. Raises as `admit`."""
        self.check_open()
        name, admitted = self.registry.admit_group(spec, name, count, self.moment(), kin, seat)
        for actor, effects in admitted:
            self._begin(actor, effects)
        return name

    def _begin(self, actor: Actor, effects: tuple[Effect, ...]) -> None:
        self.cells[actor.uid] = Cell()
        self.records[actor.uid] = Record()
        self._make_room(actor)
        self.perform(self, actor, effects)
        while self.registry.forgotten:
            gone = self.registry.forgotten.pop()
            del self.cells[gone.uid], self.records[gone.uid]
            self.post.forgotten(gone.uid)
            self.publisher.forget(gone.uid, None if self.registry.knows(gone.name) else gone.name)

    def _make_room(self, actor: Actor) -> None:
        """For the mailbox of the life that follows the last one that has ended."""
        if not actor.status.ended:
            life = actor.incarnation + (actor.status is Status.RESTARTING)
            self.hub.places.reserve(mailbox_of(actor.uid, life))

    def reap(self) -> list[int]:
        """What spawners have swept up since the last call, by pid."""
        found: list[int] = []
        for spawner in self.spawners.values():
            while spawner.swept:
                found.append(spawner.swept.pop(0))
        return found

    def tell(self, actor: Actor, incarnation: int, text: str, *, level: int = logging.WARNING, trace: str = "") -> None:
        """A record of our own about an actor: for the handlers, and for those who watch."""
        record = about(actor.name, incarnation, text, level=level, trace=trace)
        self.logs.put(record)
        self.publish_record(actor, incarnation, record)

    def publish_record(self, actor: Actor, incarnation: int, record: dict[str, Any]) -> None:
        """A log record of or about an actor: kept for who asks; for those who watch, if it is of WARNING or above."""
        self.shelf.add(actor.uid, actor.name, incarnation, record)
        data = told(record)
        if data is not None:
            self.publisher.publish("log", actor.name, actor.uid, incarnation, None, None, None, data)

    def leave_waiting(self) -> None:
        """The router ends: who still waits for an actor hears that nobody will tell any more."""
        for _, entrance in self.awaited:
            entrance.set_result(None)
        for uid, cell in self.cells.items():
            for latch in (cell.started, cell.settled):
                if not latch.done():
                    name = self.registry.actors[uid].name
                    latch.set_exception(self.closed(f"the system closed before {name} had ended; it was left behind"))

    def check_open(self) -> None:
        """Raise SystemClosed where nothing is to come up any more."""
        if self.closing:
            raise self.closed(f"the system {self.system} is shutting down; nothing comes up in it any more")

    def closed(self, what: str) -> SystemClosed:
        """The error that says so, and why where a group has given up."""
        failure = next(iter(self.failures.values()), None)
        if failure is None:
            return SystemClosed(what)
        error, record = SystemClosed(f"{what}: {failure.cause}"), self.records.get(failure.uid)
        error.__cause__ = GroupFailed(
            failure.cause, name=failure.name, report=None if record is None else record.report
        )
        return error

    def moment(self) -> Moment:
        """Time and chance for a decision."""
        return Moment(monotonic(), random.random())  # noqa: S311 - jitter, not a secret

    def spawner(self, actor: Actor) -> Spawner:
        """Where the actor's processes come from."""
        return self.spawners[actor.spec.host]
