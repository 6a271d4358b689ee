"""What the children say, from frames to events."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from understudy.errors import ProtocolError
from understudy.lifecycle.events import Checkpointed, Errored, Finishing, Kill, Ready, Resulted, Rited
from understudy.outcome import Sealed
from understudy.router import spawning, steering
from understudy.router.letters import deliver
from understudy.router.seals import Seals
from understudy.router.watch import Watch
from understudy.router.world import World
from understudy.stats import Stats
from understudy.status import Crash
from understudy.wire import messages
from understudy.wire.codec import decode, glance
from understudy.wire.messages import Identity
from understudy.wire.sockets import Frames


class Reports:
    """Reads reports; what is malformed, untagged or stale is dropped and counted."""

    def __init__(self, world: World, watch: Watch) -> None:
        self._world, self._watch, self._logs = world, watch, world.logs
        self._seals = Seals(world)

    def take(self, frames: Frames) -> None:
        """One message from a child, or from whoever found the socket."""
        if self._logs.strained and self._is_beyond_its_share(frames):
            self._logs.dropped += 1
            return
        try:
            identity, message = decode(frames)
        except ProtocolError:
            self._world.dropped += 1
            return
        if identity.system != self._world.system:
            self._world.dropped += 1
            return
        if isinstance(message, messages.Log):
            # Also of one that is gone by now: a record is worth having late.
            self._logs.put(message.record, uid=identity.uid, size=len(frames[0]))
            self._speaks(identity.uid, identity.incarnation)
            self._show(identity, message.record)
            return
        if isinstance(message, messages.Letter):
            # The same: most are told at an end. It is opened by who asks for it, and its tag is checked then.
            teller = self._world.registry.actors.get(identity.uid)
            if teller is None or not 0 < identity.incarnation <= teller.incarnation:
                self._world.registry.stale += 1  # nobody has told it
                return
            self._speaks(identity.uid, identity.incarnation)
            deliver(self._world, message, teller)
            return
        sealed = getattr(message, "frames", ())
        if sealed:
            # Before it is hashed as after: what nobody waits for is not worth the time, nor the place.
            if not self._world.registry.is_current(identity.uid, identity.incarnation):
                return
            self._seals.check(sealed, message.tag, functools.partial(self._read, identity, message))
        elif isinstance(message, messages.Result | messages.Spawn | messages.Checkpoint):
            self._world.dropped += 1  # a result always holds something, be it None; and so does a spec
        else:
            self._read(identity, message)

    def _read(self, identity: Identity, message: Any) -> None:
        if not self._world.registry.is_current(identity.uid, identity.incarnation):
            return
        self._watch.heard(identity.uid)
        READERS[type(message)](self, identity, message)

    def _is_beyond_its_share(self, frames: Frames) -> bool:
        """Whether it is a log record that would be dropped: then it is not worth being decoded.

        What else that actor has to say stands behind its records, and is the sooner read.
        """
        kind, uid, incarnation = glance(frames)
        if kind != messages.Log.KIND or self._logs.has_room(uid):
            return False
        self._speaks(uid, incarnation)
        return True

    def _speaks(self, uid: int, incarnation: int) -> None:
        """Who logs lives, also if its heartbeats stand behind its records, or found no room among them."""
        actor = self._world.registry.actors.get(uid)
        if actor is not None and actor.incarnation == incarnation:
            self._watch.heard(uid)

    def _show(self, identity: Identity, record: dict[str, Any]) -> None:
        """To those who watch, if the incarnation is one that the actor has, or had."""
        actor = self._world.registry.actors.get(identity.uid)
        if actor is not None and 0 < identity.incarnation <= actor.incarnation:
            self._world.publish_record(actor, identity.incarnation, record)

    def _ready(self, identity: Identity, message: messages.Ready) -> None:
        actor = self._world.registry.actors[identity.uid]
        # First, for who waits for the start may ask at once how it fares.
        self._watch.begin(actor)
        self._world.happen(identity.uid, Ready())
        if message.imported:
            self._world.spawner(actor).learn(actor.spec.place, message.imported)

    def _nothing(self, _: Identity, __: Any) -> None:
        """Being heard was all."""

    def _heard(self, identity: Identity, message: messages.Heard) -> None:
        self._world.orders.heard(identity.uid, identity.incarnation, message.order)

    def _progress(self, identity: Identity, message: messages.Progress) -> None:
        record, actor = self._world.records[identity.uid], self._world.registry.actors[identity.uid]
        record.progress = message.percent
        record.note = record.note if message.note is None else message.note
        data = {"progress": record.progress, "note": record.note, **laps_of(self._world, identity.uid)}
        self._world.publisher.publish("progress", actor.name, actor.uid, actor.incarnation, None, None, None, data)

    def _meet(self, identity: Identity, message: messages.Meet) -> None:
        self._world.post.meet(identity.uid, message.uid)

    def _seek(self, identity: Identity, message: messages.Seek) -> None:
        self._world.post.seek(identity.uid, message.request, message.pattern)

    def _spawn(self, identity: Identity, message: messages.Spawn) -> None:
        spawning.spawn(self._world, identity, message)

    def _steer(self, identity: Identity, message: messages.Steer) -> None:
        steering.steer(self._world, identity, message)

    def _noted(self, identity: Identity, message: messages.Noted) -> None:
        self._world.watches.handled(identity.uid, message.uid, message.number)

    def _blocked(self, identity: Identity, message: messages.Blocked) -> None:
        self._world.post.blocked(identity.uid, message.ask, message.uid)

    def _unblocked(self, identity: Identity, message: messages.Unblocked) -> None:
        self._world.post.unblocked(identity.uid, message.ask)

    def _checkpoint(self, identity: Identity, message: messages.Checkpoint) -> None:
        self._world.happen(identity.uid, Checkpointed(message.number, bytes(message.frames[0])))

    def _finishing(self, identity: Identity, message: messages.Finishing) -> None:
        self._world.happen(identity.uid, Finishing(message.cause, message.stop))

    def _kill_me(self, identity: Identity, _: messages.KillMe) -> None:
        self._world.happen(identity.uid, Kill("self.kill()"))

    def _error(self, identity: Identity, message: messages.Error) -> None:
        self._measure(identity, message.measures)
        timed_out = message.timeout is not None
        crash = Crash(
            kind="boot" if not message.section else "timeout" if timed_out else "error",
            incarnation=identity.incarnation,
            section=message.section,
            lap=message.lap,
            phase=message.phase,
            text=message.text,
            type_name=message.type_name,
            traceback=message.traceback,
            seconds=message.timeout,
            payload=message.frames,
        )
        self._world.happen(identity.uid, Errored(crash))

    def _result(self, identity: Identity, message: messages.Result) -> None:
        self._measure(identity, message.measures)
        self._world.happen(identity.uid, Resulted(Sealed(message.frames)))

    def _rites(self, identity: Identity, message: messages.Rites) -> None:
        self._measure(identity, message.measures)
        self._world.happen(identity.uid, Rited(message))

    def _bye(self, identity: Identity, message: messages.Bye) -> None:
        record, actor = self._world.records[identity.uid], self._world.registry.actors[identity.uid]
        record.lingering = tuple(message.lingering)
        cause = f"waits for threads that were left running: {', '.join(message.lingering)}"
        self._world.publisher.publish("health", actor.name, actor.uid, actor.incarnation, None, None, cause)
        self._world.tell(actor, actor.incarnation, f"{actor.name} {cause}")

    def _measure(self, identity: Identity, measures: dict[str, Any]) -> None:
        record, timers, stats = self._world.records[identity.uid], measures.get("timers"), measures.get("stats")
        if isinstance(timers, dict):
            record.timers = timers
        if isinstance(stats, dict):
            try:
                record.told = Stats.from_dict(stats)
            except ValueError:
                self._world.dropped += 1  # the figures; what is told with them counts all the same


def laps_of(world: World, uid: int) -> dict[str, Any]:
    """Lap and section of a process, from its page."""
    page = world.records[uid].page
    if page is None:
        return {}
    section, lap = page.place
    return {"lap": lap, "section": section, "completed_laps": page.laps}


READERS: dict[type[Any], Callable[[Reports, Identity, Any], None]] = {
    messages.Ready: Reports._ready,  # noqa: SLF001 - the class's own table
    messages.Beat: Reports._nothing,  # noqa: SLF001
    messages.Heard: Reports._heard,  # noqa: SLF001
    messages.Progress: Reports._progress,  # noqa: SLF001
    messages.Meet: Reports._meet,  # noqa: SLF001
    messages.Seek: Reports._seek,  # noqa: SLF001
    messages.Blocked: Reports._blocked,  # noqa: SLF001
    messages.Unblocked: Reports._unblocked,  # noqa: SLF001
    messages.Spawn: Reports._spawn,  # noqa: SLF001
    messages.Steer: Reports._steer,  # noqa: SLF001
    messages.Noted: Reports._noted,  # noqa: SLF001
    messages.Checkpoint: Reports._checkpoint,  # noqa: SLF001
    messages.Finishing: Reports._finishing,  # noqa: SLF001
    messages.KillMe: Reports._kill_me,  # noqa: SLF001
    messages.Error: Reports._error,  # noqa: SLF001
    messages.Result: Reports._result,  # noqa: SLF001
    messages.Rites: Reports._rites,  # noqa: SLF001
    messages.Bye: Reports._bye,  # noqa: SLF001
}
