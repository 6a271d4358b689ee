"""Handling messages, one at a time, each as a section of its own; and answering those that ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from understudy.config import ProcessConfig
from understudy.engine.halt import AFTER_SECTION, Halt
from understudy.engine.mailbox import Batch, Connection, Entry, Mailbox, Single
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Cut, Overrun, Sections, timeout_of
from understudy.engine.telling import Told
from understudy.errors import ProtocolError, UnderstudyError, WaitTimeout
from understudy.mail.office import Office
from understudy.ref import ActorRef
from understudy.runtime import Interruption
from understudy.spawners.base import Birth
from understudy.wire import letters, messages
from understudy.wire.bell import Bell
from understudy.wire.page import DEADLINE, HANDLED, NEVER, PLACE, PLACE_SHIFT, place_of
from understudy.wire.payload import plain, seal, unseal

_SHOWN = 200
_KEPT = 100
"""Dead letters that are told one by one when an actor ends; the rest are counted."""


class Ticket:
    """The right to answer one ask, later and from any thread; the first answer counts."""

    def __init__(self, connection: Connection, ask: int | None, serving: Serving) -> None:
        self._connection, self._ask, self._serving = connection, ask, serving
        self._first = threading.Lock()

    def reply(self, value: Any) -> bool:
        """The value; whether it was the first answer."""
        return self._once(lambda: self._serving.reply(self._connection, self._ask, value))

    def fail(self, error: BaseException) -> bool:
        """The error; whether it was the first answer."""
        return self._once(lambda: self._serving.fail(self._connection, self._ask, error, None))

    def _once(self, act: Callable[[], None]) -> bool:
        if not self._first.acquire(blocking=False):
            return False
        if self._ask is not None:
            self._serving.in_main_thread(act)
        return True


class Serving:
    """The mailbox of one incarnation at work."""

    def __init__(
        self,
        mailbox: Mailbox,
        find: Callable[[Any], Callable[[Any], Any] | None],
        birth: Birth,
        config: ProcessConfig,
        halt: Halt,
        sections: Sections,
        outbox: Outbox,
        office: Office,
        bell: Bell,
    ) -> None:
        self._mailbox, self._find, self._birth, self._config = mailbox, find, birth, config
        self._halt, self._sections, self._outbox, self._office, self._bell = halt, sections, outbox, office, bell
        self._main = threading.get_ident()
        self._acts: deque[Callable[[], None]] = deque()
        self._connection: Connection | None = None
        self._ask: int | None = None
        self._deferred = False

    # --- for hooks and handlers

    @property
    def sender(self) -> ActorRef[Any] | None:
        """Who sent the message in hand; None for the program itself, or if there is none."""
        connection = self._connection
        if connection is None or not connection.uid:
            return None
        return ActorRef(self._birth.system, connection.uid, connection.name)

    def defer(self) -> Ticket:
        """The right to answer the message in hand; what its handler returns is no answer then."""
        if self._connection is None:
            raise UnderstudyError("defer() is for a handler of messages, or after receive(): there is no message in hand")
        self._deferred = True
        return Ticket(self._connection, self._ask, self)

    def receive(self, timeout: float | None) -> Any:
        """The next message, in place of its handler; raises WaitTimeout, also when a stop stands."""
        until = None if timeout is None else monotonic() + timeout
        self._office.flush()
        while True:
            self._mailbox.take_in()
            entry = self._next()
            if entry is not None:
                try:
                    return self._in_hand(entry)
                except ProtocolError:
                    continue
            if self._halt.level:
                raise WaitTimeout(f"{self._birth.name} was told to stop before a message came")
            if until is not None and monotonic() >= until:
                raise WaitTimeout(f"no message came to {self._birth.name} within {timeout:g} s")
            self._mailbox.wait(None if until is None else max(0.0, until - monotonic()))
            self._do_acts()

    def in_main_thread(self, act: Callable[[], None]) -> None:
        """Only that thread may touch the mailbox."""
        if threading.get_ident() == self._main:
            act()
        else:
            self._acts.append(act)
            self._bell.ring()

    # --- serving

    def serve(self, lap: int) -> None:
        """Handle what has arrived, until nothing is left or a stop stands; raises what the handler of a tell raises."""
        self._mailbox.take_in()
        while self._mailbox.entries and not self._stands():
            entry = self._mailbox.entries[0]
            if isinstance(entry, Batch):
                self._handle_batch(entry, lap)
            else:
                self._handle_single(entry, lap)
            self._do_acts()
            self._mailbox.take_in()
        self._do_acts()

    def serve_on(self, lap: int) -> None:
        """Handle and wait, until a stop stands."""
        while True:
            self.serve(lap)
            if self._stands():
                return
            self._office.flush()
            self._mailbox.wait(None)

    def end(self) -> None:
        """The laps are over: who waits for an answer is told, and what nobody will handle becomes dead letters."""
        self._mailbox.take_in()
        told = 0
        while self._mailbox.entries:
            entry = self._mailbox.entries.popleft()
            told = self._bury(entry, told)
            self._mailbox.take_in()

    def close(self) -> None:
        """End, and take nothing more."""
        self.end()
        self._mailbox.close(1.0)

    def reply(self, connection: Connection, ask: int | None, value: Any) -> None:
        """Send a value back; what cannot travel is the asker's error."""
        if ask is None:
            return
        try:
            sealed, frames = seal(value, "the answer", self._birth.key, None)
        except Interruption:
            raise
        except BaseException as error:  # noqa: BLE001 - a user's __reduce__ may raise anything
            self.fail(connection, ask, error, None)
            return
        self._mailbox.answer(connection, letters.REPLY, [*sealed, ask], frames)

    def fail(self, connection: Connection, ask: int | None, error: BaseException, timeout: float | None) -> None:
        """Send an error back."""
        told = Told(error)
        told.fill()
        tag = self._outbox.tag(told.frames)
        lap = self._sections.page.words[PLACE] >> PLACE_SHIFT
        self._mailbox.answer(
            connection, letters.FAILED, [ask, lap, timeout, told.name, told.text, told.story, tag], told.frames
        )

    def _stands(self) -> bool:
        return self._halt.level == AFTER_SECTION or self._halt.level > 0

    def _do_acts(self) -> None:
        if self._acts:
            self._bell.hush()
            while self._acts:
                self._acts.popleft()()

    def _next(self) -> Entry | None:
        return self._mailbox.entries[0] if self._mailbox.entries else None

    def _in_hand(self, entry: Entry) -> Any:
        """Take one message out, as that in hand."""
        self._connection, self._deferred = entry.connection, False
        words = self._sections.page.words
        if isinstance(entry, Batch):
            body = entry.bodies[entry.at]
            entry.at += 1
            if entry.at == len(entry.bodies):
                self._mailbox.entries.popleft()
            self._ask = None
        else:
            self._mailbox.entries.popleft()
            self._ask = entry.ask
        words[HANDLED] += 1
        self._mailbox.done(entry.connection, 1)
        return body if isinstance(entry, Batch) else self._open(entry)

    def _open(self, entry: Single) -> Any:
        return unseal(entry.seal, entry.frames, self._birth.key, None)

    def _handle_batch(self, batch: Batch, lap: int) -> None:
        """Plain tells, one after the other; each name that a message costs is a local."""
        page, halt, find, clock = self._sections.page, self._halt, self._find, monotonic
        words, reals, place = page.words, page.reals, place_of(lap, "receive")
        seconds = self._config.timeouts.receive
        limit = NEVER if seconds is None else seconds
        bodies, began = batch.bodies, batch.at
        self._connection, self._ask, self._deferred = batch.connection, None, False
        at = began
        try:
            for at in range(began, len(bodies)):
                if halt.level:
                    break
                body = bodies[at]
                handler = find(body)
                reals[DEADLINE] = clock() + limit
                words[PLACE] = place
                if handler is None:
                    self._unhandled(batch.connection, body)
                else:
                    handler(body)
                words[HANDLED] += 1
            else:
                at = len(bodies)
        finally:
            batch.at = at
            self._sections.close(lap)
            self._connection = None
            if at == len(bodies):
                self._mailbox.entries.popleft()
            self._mailbox.done(batch.connection, at - began)

    def _handle_single(self, entry: Single, lap: int) -> None:
        self._mailbox.entries.popleft()
        self._connection, self._ask, self._deferred = entry.connection, entry.ask, False
        try:
            seconds = timeout_of(self._config.timeouts, "receive")
            self._sections.run("receive", self._act, seconds, entry)
        finally:
            self._connection = self._ask = None
            self._sections.page.words[HANDLED] += 1
            self._mailbox.done(entry.connection, 1)

    def _act(self, entry: Single) -> None:
        try:
            body = self._open(entry)
        except ProtocolError as error:
            self._unopened(entry, error)
            return
        handler = self._find(body)
        if entry.ask is None:
            if handler is None:
                self._unhandled(entry.connection, body)
            else:
                handler(body)
            return
        try:
            if handler is None:
                raise TypeError(_no_handler(self._birth.name, body))
            value = handler(body)
        except Cut:
            self._refuse(entry)
            raise
        except BaseException as error:
            seconds = timeout_of(self._config.timeouts, "receive") if isinstance(error, Overrun) else None
            self.fail(entry.connection, entry.ask, error, seconds)
            if not isinstance(error, Exception | Overrun):
                raise
            return
        if not self._deferred:
            self.reply(entry.connection, entry.ask, value)

    # --- dead letters

    def _refuse(self, entry: Single) -> None:
        why = f"{self._birth.name} stopped before it answered"
        self._mailbox.answer(entry.connection, letters.REFUSED, [entry.ask, why])

    def _unhandled(self, connection: Connection, body: Any) -> None:
        self._dead(connection, "tell", f"{self._birth.name} has no handler for it", _shown(body), 1, *_kept(body))

    def _unopened(self, entry: Single, error: Exception) -> None:
        if entry.ask is None:
            self._dead(entry.connection, "tell", f"it cannot be opened: {error}", "", 1)
        else:
            self.fail(entry.connection, entry.ask, error, None)

    def _bury(self, entry: Entry, told: int) -> int:
        reason = f"{self._birth.name} has stopped"
        count = len(entry.bodies) - entry.at if isinstance(entry, Batch) else 1
        if isinstance(entry, Single) and entry.ask is not None:
            self._refuse(entry)
        elif isinstance(entry, Single):
            sealed = (entry.seal.tag, entry.frames) if not entry.seal.loans else (None, ())
            self._dead(entry.connection, "tell", reason, "", 1, *sealed)
        else:
            rest = entry.bodies[entry.at :]
            for body in rest[: max(0, _KEPT - told)]:
                self._dead(entry.connection, "tell", reason, _shown(body), 1, *_kept(body))
            if (left := len(rest) - max(0, _KEPT - told)) > 0:
                self._dead(entry.connection, "tell", reason, "", left)
        self._sections.page.words[HANDLED] += count
        self._mailbox.done(entry.connection, count)
        return told + count

    def _dead(
        self,
        connection: Connection,
        way: str,
        reason: str,
        text: str,
        count: int,
        tag: bytes | None = None,
        frames: Sequence[Any] = (),
    ) -> None:
        sender, name = connection.uid, connection.name
        letter = messages.Letter(self._birth.uid, reason, way, text, count, sender, name, tag, tuple(frames))
        self._outbox.say(letter)


def _shown(body: Any) -> str:
    try:
        return f"{type(body).__qualname__}: {body!r}"[:_SHOWN]
    except Exception as trouble:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"{type(body).__qualname__}: its repr cannot be had ({type(trouble).__name__})"


def _kept(body: Any) -> tuple[None, tuple[bytes, ...]]:
    packed = plain(body)
    return None, () if packed is None else (packed,)


def _no_handler(name: str, body: Any) -> str:
    return f"{name} has no handler for {type(body).__qualname__}"
