"""What refs ask inside an actor of others that are no part of it: told by the router, and waited for here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, NoReturn, TypeVar

from understudy.engine.asking import Asking
from understudy.engine.halt import NO, Halt
from understudy.engine.sections import Sections
from understudy.errors import UnderstudyError, WrongProcess, kind_named
from understudy.latch import Latch
from understudy.status import ActorInfo, Status
from understudy.wire.messages import Answered

T = TypeVar("T")
_BEFORE_STOPS = frozenset({"preloop", "loop", "postloop"})
"""Sections that end at a wait once a stop stands; the others are to go on after one."""


class Await(Latch[T]):
    """One thing that is waited for. In the main thread a stop ends the wait, and its section with it."""

    __slots__ = ("_halt", "_read", "_sections")

    def __init__(self, halt: Halt, sections: Sections, read: Callable[[dict[str, Any]], T]) -> None:
        super().__init__()
        self._halt, self._sections, self._read = halt, sections, read

    def tell(self, answer: Answered) -> None:
        """What came of it, from the link's thread."""
        if answer.error:
            self.set_exception(kind_named(answer.error)(answer.text))
        else:
            self.set_result(self._read(answer.value))
        self._halt.wake()

    def _wait(self, timeout: float | None) -> None:
        if threading.current_thread() is not threading.main_thread():
            super()._wait(timeout)
            return
        until = monotonic() + (threading.TIMEOUT_MAX / 2 if timeout is None else max(0.0, timeout))
        halt, began = self._halt, self._halt.level
        while not self.done():
            halt.check()
            if halt.level > began or (halt.level != NO and self._sections.page.place[0] in _BEFORE_STOPS):
                self._sections.cut()
            if (left := until - monotonic()) <= 0:
                return
            halt.wait(lambda: self.done() or halt.paused or halt.level > began, left)


class Abroad:
    """Of one incarnation; an implementation of those parts of `runtime.Outside` that are to be had there."""

    def __init__(self, name: str, asking: Asking, halt: Halt, sections: Sections) -> None:
        self._name, self._asking, self._halt, self._sections = name, asking, halt, sections
        self._awaited: dict[tuple[str, int], Latch[Any]] = {}
        """What the router is to tell; one for all who wait for the same."""

    def started(self, uid: int) -> Latch[None]:
        """Done when the actor was READY once, or could not be."""
        return self._until("ready", uid, lambda _: None)

    def settled(self, uid: int) -> Latch[Status]:
        """Done when it has ended."""
        return self._until("wait", uid, lambda value: Status(value["status"]))

    def info_uid(self, uid: int) -> ActorInfo:
        """Its row; its figures are measured by the parent, if they are too old."""
        return ActorInfo.from_dict(self._asking.look(uid))

    def refuse_outcomes(self) -> NoReturn:
        """Their bytes are with the parent, once, and opened there by who asks first."""
        raise WrongProcess(
            f"results and errors of actors are opened by the program, not inside the actor {self._name}: "
            "let that one tell or answer what it has"
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise WrongProcess(
            f"{name.removesuffix('_uid')} is not to be had inside the actor {self._name}: the parent holds its router"
        )

    def _until(self, verb: str, uid: int, read: Callable[[dict[str, Any]], T]) -> Latch[T]:
        found = self._awaited.get((verb, uid))
        if found is not None:
            return found
        made = Await(self._halt, self._sections, read)
        made.add_done_callback(lambda _: self._awaited.pop((verb, uid), None))
        self._awaited[verb, uid] = made
        try:
            self._asking.until(verb, uid, made.tell)
        except UnderstudyError:
            self._awaited.pop((verb, uid), None)
            raise
        return made
