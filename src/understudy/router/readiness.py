"""What has to hold before programs are READY: looked for in threads of their own, for it may be the user's code."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from understudy.errors import ActorDied, SystemClosed
from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.events import Errored, Event, Ready
from understudy.lifecycle.programs import Program
from understudy.lifecycle.transitions import Undecided
from understudy.router.folders import directory_of
from understudy.spawners.base import Executed
from understudy.spawners.census import Census, Head
from understudy.status import Crash
from understudy.waiting.asking import Waiting, doze
from understudy.waiting.notices import Notices
from understudy.waiting.protocols import Holds, Log, Never, Wait
from understudy.wire.bell import Bell

if TYPE_CHECKING:
    from understudy.router.calls import Calls
    from understudy.router.world import World


@dataclass(slots=True)
class Begun:
    """A program that was begun and isn't READY yet: the subject of its wait."""

    name: str
    head: Head
    output: str | None
    starts: dict[str, int]
    """At which byte of its files this life began to write."""
    notices: Notices | None
    over: bool = False
    bell: Bell = field(default_factory=Bell)

    def wakes(self) -> Sequence[int]:
        """The bell."""
        return (self.bell.read,)

    def ended(self) -> BaseException | None:
        """How, is known to who settles it."""
        return ActorDied(f"{self.name} has ended", name=self.name) if self.over else None

    def called_off(self) -> bool:
        """Nobody does that: a stop ends it."""
        return False

    def pids(self) -> Collection[int]:
        """Its family."""
        return Census().household(self.head)

    def log(self, stream: str) -> Log | None:
        """Its file, where it has one."""
        return None if self.output is None else Log(f"{self.output}/{stream}", self.starts.get(stream, 0))


@dataclass(slots=True, eq=False)
class _Vigil:
    """One program that is waited for."""

    uid: int
    wait: Wait
    program: Begun
    awaits: str
    """What was seen when it was last looked for."""
    looked: bool = False
    """Whether that has been."""


class Readiness:
    """All of them; only the router's thread calls."""

    def __init__(self, world: World, calls: Calls) -> None:
        self._world, self._calls = world, calls
        self._vigils: dict[int, _Vigil] = {}

    def begin(self, actor: Actor, program: Program, news: Executed) -> None:
        """The program of this actor was begun: have it looked for."""
        if actor.pid is None:
            raise Undecided(f"{actor.name} was begun, and nobody has told of its birth")
        head = Head(actor.pid, self._world.system, actor.uid, actor.incarnation, adopts=True)
        heard = None if news.notices is None else Notices(news.notices, actor.pid)
        try:
            begun = Begun(actor.name, head, directory_of(self._world, actor), news.starts, heard)
        except OSError as error:  # no descriptor is left to wake its thread by
            _close(heard)
            crash = Crash("unknown", actor.incarnation, phase=f"waiting for {program.awaits}", text=_ended_for(error))
            self._world.happen(actor.uid, Errored(crash))
            return
        vigil = self._vigils[actor.uid] = _Vigil(actor.uid, program.wait, begun, f"waiting for {program.awaits}")
        thread = threading.Thread(target=self._look, args=(vigil,), name=f"understudy-wait-{actor.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _close(heard)
            self._fail(vigil, error)

    def end(self, uid: int) -> None:
        """Its process has ended: it is waited for no more."""
        if (vigil := self._vigils.pop(uid, None)) is not None:
            vigil.program.over = True
            vigil.program.bell.ring()

    def awaits(self, uid: int) -> str:
        """What it is about, in words; "" where nothing is waited for."""
        return "" if (vigil := self._vigils.get(uid)) is None else vigil.awaits

    def is_looking(self, uid: int) -> bool:
        """Whether the first look is under way: without it nobody could tell what has kept it from being READY."""
        return (vigil := self._vigils.get(uid)) is not None and not vigil.looked

    # --- in the thread that looks

    def _look(self, vigil: _Vigil) -> None:
        with contextlib.suppress(SystemClosed):
            try:
                error = self._seen(vigil)
            except BaseException as raised:  # noqa: BLE001 - it may be the user's code, and is told
                error = raised
            finally:
                _close(vigil.program.notices)
            vigil.looked = True
            if vigil.program.over:
                return
            if error is None:
                self._calls.make(lambda: self._happen(vigil, Ready()))
            else:
                self._calls.make(functools.partial(self._fail, vigil, error))

    @staticmethod
    def _seen(vigil: _Vigil) -> BaseException | None:
        """None when it holds, else why it never will."""
        begun = vigil.program
        with contextlib.closing(Waiting(vigil.wait, begun, None, monotonic())) as waiting:
            while True:
                answer = waiting.look(monotonic())
                if isinstance(answer, Holds):
                    return None
                if isinstance(answer, Never):
                    return answer.error
                vigil.awaits, vigil.looked = f"waiting for {vigil.wait!r}: {answer.seen}", True
                doze(answer, begun)

    # --- in the router's

    def _fail(self, vigil: _Vigil, error: BaseException) -> None:
        incarnation = self._world.registry.actors[vigil.uid].incarnation if self._stands(vigil) else 0
        crash = Crash("unknown", incarnation, phase=vigil.awaits, text=_ended_for(error))
        self._happen(vigil, Errored(crash))

    def _happen(self, vigil: _Vigil, event: Event) -> None:
        if self._stands(vigil):
            del self._vigils[vigil.uid]
            if self._world.registry.actors[vigil.uid].body is Body.LIVE:
                self._world.happen(vigil.uid, event)

    def _stands(self, vigil: _Vigil) -> bool:
        """Whether its process has not ended, as far as was heard."""
        return self._vigils.get(vigil.uid) is vigil


def _close(notices: Notices | None) -> None:
    if notices is not None:
        notices.close()


def _ended_for(error: BaseException) -> str:
    return f"was ended, for {type(error).__name__}: {_text(error)}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<its text cannot be had: {type(trouble).__name__}>"
