"""What has to hold before programs are READY: looked for in threads of their own, for it may be the user's code."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from understudy.errors import SystemClosed
from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.events import Errored, Event, Ready
from understudy.lifecycle.programs import Program
from understudy.lifecycle.transitions import Undecided
from understudy.router.folders import directory_of
from understudy.spawners.census import Census, Head
from understudy.status import Crash
from understudy.waits.base import Started, Wait
from understudy.waits.notices import Notices

if TYPE_CHECKING:
    from understudy.router.calls import Calls
    from understudy.router.world import World

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1


@dataclass(slots=True)
class _Vigil:
    """One program that is waited for."""

    uid: int
    wait: Wait
    program: Started
    over: threading.Event = field(default_factory=threading.Event)
    awaits: str = ""
    """What was missing when it was last looked for."""
    looked: bool = False
    """Whether that has been."""


class Readiness:
    """All of them; only the router's thread calls."""

    def __init__(self, world: World, calls: Calls) -> None:
        self._world, self._calls = world, calls
        self._vigils: dict[int, _Vigil] = {}

    def begin(self, actor: Actor, program: Program, notices: socket.socket | None) -> None:
        """The program of this actor was begun: have it looked for."""
        if actor.pid is None:
            raise Undecided(f"{actor.name} was begun, and nobody has told of its birth")
        head = Head(actor.pid, self._world.system, actor.uid, actor.incarnation, adopts=True)

        def family() -> Sequence[int]:
            return Census().household(head)

        heard = None if notices is None else Notices(notices, actor.pid)
        started = Started(actor.name, actor.pid, directory_of(self._world, actor), family, heard)
        vigil = _Vigil(actor.uid, program.wait, started, awaits=f"waiting for {program.awaits}")
        self._vigils[actor.uid] = vigil
        thread = threading.Thread(target=self._look, args=(vigil,), name=f"understudy-wait-{actor.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if notices is not None:
                notices.close()
            self._fail(vigil, type(error).__name__, str(error))

    def end(self, uid: int) -> None:
        """Its process has ended: it is waited for no more."""
        if (vigil := self._vigils.pop(uid, None)) is not None:
            vigil.over.set()

    def awaits(self, uid: int) -> str:
        """What it is about, in words; "" where nothing is waited for."""
        return "" if (vigil := self._vigils.get(uid)) is None else vigil.awaits

    def is_looking(self, uid: int) -> bool:
        """Whether the first look is under way: without it nobody could tell what has kept it from being READY."""
        return (vigil := self._vigils.get(uid)) is not None and not vigil.looked

    # --- in the thread that looks

    def _look(self, vigil: _Vigil) -> None:
        pause, notices, poller = _FIRST_PAUSE, vigil.program.notices, select.poll()
        if notices is not None:
            poller.register(notices, select.POLLIN)
        with contextlib.suppress(SystemClosed), contextlib.closing(notices) if notices else contextlib.nullcontext():
            while not vigil.over.is_set():
                try:
                    missing = vigil.wait.missing(vigil.program)
                except BaseException as error:  # noqa: BLE001 - it may be the user's code, and is told
                    told = type(error).__name__, _text(error)
                    self._calls.make(functools.partial(self._fail, vigil, *told))
                    return
                if missing is None:
                    self._calls.make(lambda: self._happen(vigil, Ready()))
                    return
                vigil.awaits, vigil.looked = f"waiting: {missing}", True
                if notices is None:
                    vigil.over.wait(pause)
                else:  # it is heard at once
                    poller.poll(pause * 1000)
                pause = min(_LONGEST_PAUSE, 2 * pause)

    # --- in the router's

    def _fail(self, vigil: _Vigil, kind: str, text: str) -> None:
        incarnation = self._world.registry.actors[vigil.uid].incarnation if self._stands(vigil) else 0
        crash = Crash("boot", incarnation, phase=vigil.awaits, text=text, type_name=kind)
        self._happen(vigil, Errored(crash))

    def _happen(self, vigil: _Vigil, event: Event) -> None:
        if self._stands(vigil):
            del self._vigils[vigil.uid]
            if self._world.registry.actors[vigil.uid].body is Body.LIVE:
                self._world.happen(vigil.uid, event)

    def _stands(self, vigil: _Vigil) -> bool:
        """Whether its process has not ended, as far as was heard."""
        return self._vigils.get(vigil.uid) is vigil


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<its text cannot be had: {type(trouble).__name__}>"
