"""The workers of a pool: how they come, and what is known of them when they are gone."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from understudy import runtime
from understudy.errors import ActorError, NameTaken, UnderstudyError, WaitTimeout
from understudy.pool.channel import Claims, Entrance, Stream
from understudy.pool.task import Place
from understudy.pool.worker import Pool as Wanted
from understudy.pool.worker import Worker
from understudy.ref import ActorRef
from understudy.status import DeathReport

_CONFIG = {"timeouts.loop": None}
_PATIENCE = 5.0
"""Seconds for the workers that were let go to end by themselves."""
_GLANCE = 0.5
"""Seconds between two looks at workers that have not come in yet, where nobody says how they fare."""


@dataclass(slots=True, eq=False)
class Hand:
    """One worker, from its spawn to its end."""

    number: int
    ref: ActorRef[Any]
    claims: Claims = field(default_factory=Claims)
    stream: Stream | None = None
    pid: int | None = None
    functions: set[int] = field(default_factory=set)
    """Those that it has been sent."""
    done: int = 0
    """How many tasks it has done."""
    is_ready: bool = False
    """Whether it has taken tasks."""
    blamed: Any = None
    """What it had to do next when it died with nothing in hand."""
    has_ended: bool = False
    """Whether its end is known; the stream may still hold what it said before."""

    @property
    def place(self) -> Place:
        """Who it is, for errors."""
        return Place(self.ref.name, self.pid)

    def come(self, stream: Stream) -> None:
        """It has come in by that stream."""
        self.stream = stream
        self.pid, _, _ = struct.unpack("3i", stream.link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))

    def send(self, buffers: list[Any]) -> None:
        """Say something to it; where it is gone, that is seen by whoever reads."""
        if self.stream is not None:
            try:
                self.stream.send(buffers)
            except OSError:
                return

    def close(self) -> None:
        """Let it go: it ends when it sees that."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        self.claims.close()


class Staff:
    """Spawns workers and looks after their ends; ``ended`` is called in any thread with each that has ended."""

    def __init__(
        self,
        system: Any,
        name: str,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        most_tasks: int | None,
        ended: Callable[[Hand], object],
    ) -> None:
        self._system, self._name, self._ended = system, name, ended
        self.entrance = Entrance(system.endpoint.removeprefix("ipc://"))
        self._wanted = Wanted(self.entrance.path, self.entrance.secret, initializer, initargs, most_tasks)
        self._last = 0
        self.hands: dict[int, Hand] = {}
        """Those that live, or are about to, by their numbers."""
        self._gone: dict[int, ActorRef[Any]] = {}
        """Those that are not known to have ended yet."""

    def hire(self) -> Hand:
        """One more; raises what `spawn` raises."""
        while True:
            self._last += 1
            name = f"{self._name}/{self._last}"
            try:
                ref = self._system.spawn(Worker, self._wanted, self._last, name=name, config=dict(_CONFIG))
            except NameTaken:  # by a task that is an actor, or a worker of an earlier pool
                continue
            break
        hand = self.hands[self._last] = Hand(self._last, ref)
        if runtime.inside is None:
            runtime.find(ref.system_id, ref.name).settled(ref.uid).add_done_callback(lambda _: self._ended(hand))
        return hand

    def forget(self, hand: Hand) -> None:
        """It is known to have ended."""
        self._gone.pop(hand.number, None)

    def look_again(self) -> float | None:
        """Inside an actor, of those that have not come in: look whether they have ended; when to do so again."""
        if self.hears_of_ends:
            return None
        waiting = [hand for hand in self.hands.values() if hand.stream is None]
        for hand in waiting:
            if hand.ref.done():
                self._ended(hand)
        return _GLANCE if waiting else None

    @property
    def hears_of_ends(self) -> bool:
        """Whether ``ended`` is called; inside an actor only the stream tells."""
        return runtime.inside is None

    def part(self, hand: Hand) -> None:
        """It is gone, or to go."""
        if self.hands.pop(hand.number, None) is not None:
            hand.close()
            self._gone[hand.number] = hand.ref

    def wait(self) -> None:
        """Until all that are gone have ended; those that do not are killed."""
        until = monotonic() + _PATIENCE
        gone = [*self._gone.values()]
        late: list[ActorRef[Any]] = []
        for ref in gone:
            try:
                ref.wait(max(0.0, until - monotonic()))
            except WaitTimeout:
                late.append(ref)
        for ref in late:
            ref.kill()
        for ref in late:
            with contextlib.suppress(WaitTimeout):  # what cannot be killed is told by the system
                ref.wait(_PATIENCE)
        self._gone.clear()

    def kill(self) -> None:
        """All of them, now."""
        for hand in [*self.hands.values()]:
            hand.ref.kill()

    def close(self) -> None:
        """Nobody is hired any more."""
        self.entrance.close()
        for hand in [*self.hands.values()]:
            self.part(hand)


def death_of(hand: Hand) -> tuple[DeathReport | None, BaseException | None]:
    """Of one that has ended: the report, and the error that it ended by, if it did."""
    if runtime.inside is not None:  # another actor's outcome is the parent's to open
        return None, None
    try:
        error = hand.ref.exception(0)
    except UnderstudyError as trouble:
        return None, trouble
    if isinstance(error, ActorError):
        return error.report, error
    lives = hand.ref.history()
    return (lives[-1].report if lives else None), error
