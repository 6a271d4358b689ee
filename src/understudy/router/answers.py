"""What refs ask of the system that runs in this process; an implementation of `runtime.Outside`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from understudy import runtime
from understudy.errors import SystemClosed, UnknownActor, WrongProcess
from understudy.group import GroupRef
from understudy.latch import Latch
from understudy.lifecycle.actor import Actor
from understudy.mail.office import Myself, Office
from understudy.outcome import Sealed, open_outcome
from understudy.ref import ActorRef
from understudy.router import verbs
from understudy.router.calls import Calls
from understudy.router.exits import ExitCallback, Exits
from understudy.router.letters import deliver, keep
from understudy.router.listing import is_healthy, whole
from understudy.router.post import PARENT
from understudy.router.sampling import Sampler
from understudy.router.watch import Watch
from understudy.router.world import Cell, World
from understudy.status import ActorInfo, Life, Status
from understudy.timing import Timers
from understudy.wire.messages import Fate, Letter, Meet
from understudy.wire.sockets import Exchange

BULKY = 1 << 20
"""Bytes from which a result that was given is not kept beyond the last ref."""


class Answers:
    """Answers from any thread; what has ended is answered also after the system has closed."""

    def __init__(self, world: World, calls: Calls, watch: Watch, sampler: Sampler) -> None:
        self._world, self._calls, self._watch, self._sampler = world, calls, watch, sampler
        self._pid = os.getpid()
        self._office = Office(
            Myself(world.system, 0, 0, ""),
            world.key,
            lambda: Exchange(world.hub.places),
            self._meet,
            self.letter_from_parent,
        )
        world.post.office = self._office.fate
        self.exits = Exits(world.system)

    @property
    def post(self) -> Office:
        """What takes messages from this process to actors; raises WrongProcess in a forked copy."""
        self.check_process()
        return self._office

    def _meet(self, meet: Meet) -> None:
        self._office.fate(self.meet_from_parent(meet.uid))

    def check_process(self) -> None:
        """Raise WrongProcess in a forked copy."""
        if os.getpid() != self._pid:
            raise WrongProcess(
                f"the system {self._world.system} belongs to process {self._pid}; this is a forked copy of it"
            )

    def ref(self, actor: Actor) -> ActorRef[Any]:
        """The one ref of an actor that this process hands out."""
        found = self._world.refs.get(actor.uid)
        if found is None:
            found = self._world.refs[actor.uid] = ActorRef(self._world.system, actor.uid, actor.name, self)
        return found

    def ref_of(self, name: str) -> ActorRef[Any] | GroupRef[Any]:
        """The ref of the actor, or group, of that name; raises UnknownActor."""
        found = self._world.registry.replicas.named(name)
        return self.ref(self._world.registry.find(name)) if found is None else self.group(name, found)

    def group(self, name: str, members: list[tuple[int, str]]) -> GroupRef[Any]:
        """The ref of a group."""
        actors, system = self._world.registry.actors, self._world.system
        refs = [self.ref(actors[uid]) if uid in actors else ActorRef[Any](system, uid, bears) for uid, bears in members]
        return GroupRef(name, refs)

    def started(self, uid: int) -> Latch[None]:
        """Done when the actor was READY once, or could not be."""
        return self._cell(uid).started

    def settled(self, uid: int) -> Latch[Status]:
        """Done when it has ended."""
        return self._cell(uid).settled

    def outcome(self, uid: int) -> tuple[Any, BaseException | None]:
        """Value and error of an ended actor, opened in the asking thread, once."""
        cell = self._cell(uid)
        with cell.opening:
            if cell.opened is None and cell.outcome is not None:
                actor, record = self._world.registry.actors[uid], self._world.records[uid]
                cell.opened = open_outcome(cell.outcome, actor.name, actor.incarnation, record.report)
                self._lend(uid, cell, cell.outcome.result)
                cell.outcome = None
            opened = cell.opened
            if opened is None and cell.light:
                raise UnknownActor(f"the actor of uid {uid} has ended: how is known, its outcome is no longer kept")
        return opened or (runtime.NOTHING, None)

    def _lend(self, uid: int, cell: Cell, result: Sealed | None) -> None:
        """What is large, and was given, is kept for who holds the ref and not beyond."""
        ref = self._world.refs.get(uid)
        if ref is not None and result is not None and result.bytes >= BULKY:
            weakref.finalize(ref, cell.lighten).atexit = False

    def stop_uid(self, uid: int, *, grace: float | None = None, drain: bool = False) -> str:
        """As `ActorSystem.stop`."""
        return self._word(uid, verbs.Stopping(self._spawned(uid), grace, drain=drain))

    def kill_uid(self, uid: int) -> str:
        """As `ActorSystem.kill`."""
        return self._word(uid, verbs.Killing(self._spawned(uid)))

    def restart_uid(self, uid: int, *, grace: float | None = None) -> str:
        """As `ActorSystem.restart`."""
        return self._give(uid, verbs.Restarting(self._spawned(uid), grace))

    def children_uid(self, uid: int) -> list[ActorRef[Any]]:
        """The living ones that it spawned."""
        self._cell(uid)
        return self._calls.look(lambda: [self.ref(child) for child in self._world.registry.children(uid)])

    def pause_uid(self, uid: int) -> str:
        """As `ActorSystem.pause`."""
        return self._word(uid, verbs.Pausing(self._spawned(uid)))

    def resume_uid(self, uid: int) -> str:
        """As `ActorSystem.resume`."""
        return self._word(uid, verbs.Resuming(self._spawned(uid)))

    def configure_uid(self, uid: int, options: Mapping[str, Any]) -> str:
        """As `ActorSystem.configure`."""
        return self._word(uid, verbs.Configuring(self._spawned(uid), options))

    def on_exit_uid(self, uid: int, callback: Callable[[ActorInfo], object]) -> ExitCallback:
        """Have it called when that one has ended."""
        settled = self._cell(uid).settled
        ref = self.ref(self._world.registry.actors[uid])  # held until it is called, so that the row is kept

        def look() -> ActorInfo:
            return whole(self._world, self._watch, self._world.registry.actors[ref.uid])

        return self.exits.register(ref.name, settled, look, callback)

    def info_uid(self, uid: int) -> ActorInfo:
        """One row of ps, its figures measured here if they are too old."""
        self._cell(uid)
        self._sampler.refresh([self._world.registry.actors[uid]])
        return whole(self._world, self._watch, self._world.registry.actors[uid])

    def healthy_uid(self, uid: int) -> bool:
        """Whether it fares well, now."""
        self._cell(uid)
        return is_healthy(self._world.registry.actors[uid], self._watch)

    def history_uid(self, uid: int) -> list[Life]:
        """Its lives."""
        self._cell(uid)
        return self._world.records[uid].history()

    def stacks_uid(self, uid: int) -> str:
        """As `ActorSystem.stacks`."""
        if self._cell(uid).settled.done():
            return ""
        return next(iter(self.stacks(verbs.meant(self._spawned(uid))).values()))

    def stacks(self, wanted: verbs.Meant) -> dict[str, str]:
        """The stacks of those that are meant, by name; the asking thread waits, the router's doesn't."""
        told: Latch[dict[str, str]] = Latch()
        world = self._world
        self._calls.make(lambda: world.dumps.take(world, verbs.select(world, wanted), told.set_result))
        return told.result()

    def timers_uid(self, uid: int) -> Timers | None:
        """What its last life that told any measured."""
        self._cell(uid)
        state = self._world.records[uid].timers
        return None if state is None else Timers.from_state(state)

    def meet_from_parent(self, uid: int) -> Fate:
        """How an actor stands; the parent's post office is told now, and at each change. Any thread may ask.

        The router's thread calls the office meanwhile, so that who asks must hold nothing that the office waits for.
        """
        post = self._world.post
        return self._calls.make(lambda: post.meet(PARENT, uid), lambda: post.fate(uid))

    def letter_from_parent(self, letter: Letter) -> None:
        """A message of the parent's that nobody will handle; from any thread, and after the system's end too."""
        try:
            self._calls.make(lambda: deliver(self._world, letter, None), lambda: None)
        except SystemClosed:
            keep(self._world, letter)

    def _word(self, uid: int, order: verbs.Order) -> str:
        if self._cell(uid).settled.done() and not self._calls.is_open:
            return verbs.ENDED
        return self._give(uid, order)

    def _give(self, uid: int, order: verbs.Order) -> str:
        self._cell(uid)
        words = self._calls.make(lambda: order.do(self._world), lambda: order.foresee(self._world))
        return next(iter(words.values()))

    def _spawned(self, uid: int) -> ActorRef[Any]:
        self.check_process()
        return ActorRef(self._world.system, uid, f"the actor of uid {uid}")

    def _cell(self, uid: int) -> Cell:
        self.check_process()
        try:
            return self._world.cells[uid]
        except KeyError:
            raise UnknownActor(f"the actor of uid {uid} ended long ago and is forgotten") from None
