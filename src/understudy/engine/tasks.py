"""Async handlers side by side: up to `mailbox.concurrency` messages are in hand at once, each a task of its own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from time import monotonic
from typing import Any

from understudy.engine.hand import Hand
from understudy.engine.mailbox import Connection, Single
from understudy.engine.sections import Overrun, timeout_of
from understudy.engine.serving import Serving
from understudy.receiving.handlers import Handler
from understudy.wire.page import DEADLINE, NEVER, PLACE, place_of

_own_hand: ContextVar[Hand | None] = ContextVar("understudy_hand", default=None)
_HELD = 0.5
"""Seconds by which a task that holds up the loop may outlast its deadline, before it is interrupted as a hook is."""


class Tasks(Serving):
    """Serving with several messages in hand."""

    _crash: BaseException | None = None
    _changed: asyncio.Event

    def __init__(self, *parts: Any) -> None:
        *others, self._loop, self._bell = parts
        super().__init__(*others)
        self._deadlines: dict[asyncio.Task[Any], float] = {}

    @property
    def hand(self) -> Hand | None:
        """The message in hand: of this task, or, of a plain handler, of this thread."""
        return _own_hand.get() or self._hand

    def serve_waiting(self, lap: int) -> None:
        """Handle what has arrived by now, until none of it is in hand; raises what the handler of a tell raises."""
        self.settle()
        self.mailbox.take_in()
        if self.mailbox.held:
            self._loop.run(self._serve(lap, self.mailbox.held))

    def serve(self, lap: int) -> None:
        """Handle what has arrived, until nothing is left or in hand."""
        self.settle()
        self._loop.run(self._serve(lap, NEVER))

    def serve_on(self, lap: int) -> None:
        """Handle and wait, until a stop stands and nothing is in hand."""
        self._loop.run(self._serve(lap, NEVER))

    async def _serve(self, lap: int, most: float) -> None:
        """Take up so many messages; without a limit, wait for more until a stop stands."""
        waits = most == NEVER and not self._draining
        loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        concurrency = self._config.mailbox.concurrency
        descriptors = (self.mailbox.fileno(), self._bell.read)
        for descriptor in descriptors:
            loop.add_reader(descriptor, self._changed.set)
        try:
            while self._crash is None:
                self._changed.clear()
                # Asked again after each wait: the descriptor tells of a change once.
                self.mailbox.take_in()
                while most and len(self._deadlines) < concurrency and not self._is_over() and self._take_up(lap):
                    most -= 1
                    self.mailbox.take_in()
                self.answers.catch_up()
                if not self._deadlines and (self._is_over() or not (waits or (most and self.mailbox.entries))):
                    break
                self._flush()
                self._show(lap)
                await self._changed.wait()
                self._bell.hush()
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
            for task in list(self._deadlines):
                task.cancel()
            self._sections.close(lap)
        if self._crash is not None:
            raise self._crash

    def _take_up(self, lap: int) -> bool:
        """Begin with the next message, if there is one."""
        found = self.mailbox.next_body()
        if found is None:
            return False
        entry = found if isinstance(found, Single) else None
        connection: Connection = found.connection if isinstance(found, Single) else found[0]
        hand = Hand(connection, None if entry is None else entry.ask)
        try:
            body = self.open(entry) if entry is not None else found[1]  # type: ignore[index]
        except Exception as error:  # noqa: BLE001 - a message that cannot be opened is no crash of who is sent it
            if hand.ask is None:
                self.burial.unopened(connection, error)
            else:
                self.answers.fail(hand, error)
            return True
        handler = self.handlers.find(body)
        if handler is not None and handler.is_async:
            self._begin(handler, body, hand, lap)
        elif handler is not None or hand.ask is not None:
            self._handle_plain(handler, body, hand)
        elif entry is not None:
            self.burial.unhandled_alone(entry, body, str(self.handlers.refusal(body)))
        else:
            self.burial.unhandled(connection, body, str(self.handlers.refusal(body)))
        return True

    def _handle_plain(self, handler: Handler | None, body: Any, hand: Hand) -> None:
        """A handler that is no coroutine, between the tasks."""
        self._hand = hand
        seconds = timeout_of(self._config.timeouts, "receive")
        try:
            if handler is None:
                raise self.handlers.refusal(body)
            value = self._sections.step("receive", handler, seconds, body)
        except BaseException as error:
            if hand.ask is None:
                raise
            self.failed(hand, error)
            if not isinstance(error, Exception | Overrun):
                raise
        else:
            if not hand.deferred:
                self.answers.reply_or_fail(hand, value)
        finally:
            self._hand = None

    def _begin(self, handler: Handler, body: Any, hand: Hand, lap: int) -> None:
        _own_hand.set(hand)
        task = asyncio.get_running_loop().create_task(handler(body))
        _own_hand.set(None)
        seconds = timeout_of(self._config.timeouts, "receive")
        self._deadlines[task] = NEVER if seconds is None else monotonic() + seconds
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, task.cancel)

        def ended(task: asyncio.Task[Any]) -> None:
            if timer is not None:
                timer.cancel()
            late = monotonic() >= self._deadlines.pop(task)
            self._changed.set()
            self._end(task, hand, late=late)
            self._show(lap)

        task.add_done_callback(ended)

    def _end(self, task: asyncio.Task[Any], hand: Hand, *, late: bool) -> None:
        error: BaseException | None
        if task.cancelled():
            error = Overrun("receive") if late else asyncio.CancelledError("the handler was cancelled")
        else:
            error = task.exception()
        if error is None:
            if not hand.deferred:
                self.answers.reply_or_fail(hand, task.result())
        elif hand.ask is None:
            self._crash = error
        else:
            self.failed(hand, error)

    def _show(self, lap: int) -> None:
        """In the page: a section is open while any task is, until the first of them is due."""
        if not self._deadlines:
            self._sections.close(lap)
            return
        page = self._sections.page
        page.reals[DEADLINE] = min(self._deadlines.values()) + _HELD
        page.words[PLACE] = place_of(lap, "receive")
