"""Async handlers side by side: up to `mailbox.concurrency` messages are in hand at once, each a task of its own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from understudy.engine.entries import NOBODY, Connection, Single
from understudy.engine.halt import NO
from understudy.engine.hand import Answers, Hand, Ticket
from understudy.engine.sections import Cut, Overrun, timeout_of
from understudy.engine.serving import Serving
from understudy.receiving.handlers import Handler
from understudy.status import ActorInfo
from understudy.wire.bell import Bell
from understudy.wire.page import DEADLINE, NEVER, PLACE, place_of
from understudy.wire.sealing import Foreign

if TYPE_CHECKING:
    from understudy.engine.ticking import Ticking
    from understudy.engine.timers import Due

_own_hand: ContextVar[Hand | None] = ContextVar("understudy_hand", default=None)
_HELD = 0.5
"""Seconds by which a task that holds up the loop may outlast its deadline, before it is interrupted as a hook is."""
_CLEANING = 10.0
"""Seconds for a task to clean up after its deadline, while the loop goes round; then all of them end."""
_TURN = 2.0
"""Seconds for which the loop may be held up meanwhile."""


class _Raised(NamedTuple):
    """What a handler raised that would end the loop at once, with the others amid what they do."""

    error: BaseException


class _Ticket(Ticket):
    """What is answered amid the tasks is sent there, and may hide from the loop what has come."""

    def __init__(self, hand: Hand, answers: Answers, bell: Bell) -> None:
        super().__init__(hand, answers)
        self._bell = bell

    def reply(self, value: Any) -> None:
        """As `Ticket.reply`."""
        super().reply(value)
        self._bell.ring()

    def fail(self, error: BaseException) -> None:
        """As `Ticket.fail`."""
        super().fail(error)
        self._bell.ring()


class Tasks(Serving):
    """Serving with several messages in hand."""

    _crash: BaseException | None = None
    """What ends all of them."""
    _cancelled = False
    _changed: asyncio.Event

    def __init__(self, *parts: Any) -> None:
        *others, self._loop, self._bell = parts
        super().__init__(*others)
        self._halt.amid = _own_hand.get
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        """Of those in hand, until when the loop is to have gone round."""

    @property
    def hand(self) -> Hand | None:
        """The message in hand: of this task, or, of a plain handler, of this thread."""
        return _own_hand.get() or self._hand

    def ticket(self, hand: Hand) -> Ticket:
        """As `Serving.ticket`."""
        return _Ticket(hand, self.answers, self._bell)

    def receive(self, timeout: float | None) -> Any:
        """As `Serving.receive`; in a task the message is in hand there, until another one is, or the task has ended."""
        try:
            return super().receive(timeout)
        finally:
            if _own_hand.get() is not None and self._hand is not None:
                _own_hand.set(self._hand)
                self._hand = None

    def _end_amid(self) -> None:
        token = _own_hand.set(None)
        try:
            super()._end_amid()
        finally:
            _own_hand.reset(token)

    def serve_waiting(self, lap: int) -> None:
        """Handle what has arrived by now, until none of it is in hand; raises what the handler of a tell raises."""
        self.settle()
        self.answers.catch_up()  # also where nothing has come: a thread may have answered what came before
        self.mailbox.take_in()
        if self.mailbox.held or self._patience(None) == 0 or self.vigil.is_waiting:
            self._loop.run(self._serve(lap, self.mailbox.held, monotonic()))

    def serve(self, lap: int) -> None:
        """Handle what has arrived, until nothing is left or in hand."""
        self.settle()
        self._loop.run(self._serve(lap, NEVER))

    def serve_on(self, lap: int) -> None:
        """Handle and wait, until a stop stands and nothing is in hand."""
        self._loop.run(self._serve(lap, NEVER))

    async def _serve(self, lap: int, most: float, moment: float | None = None) -> None:
        """Take up so many messages, and what is due at that moment; without a limit, wait for more until a stop."""
        waits = most == NEVER and not self._draining
        loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        descriptors = (self.mailbox.fileno(), self._bell.read)
        for descriptor in descriptors:
            loop.add_reader(descriptor, self._changed.set)
        try:
            while self._crash is None:
                self._changed.clear()
                # Asked again after each wait, and after whatever was sent: the descriptor tells of a change once.
                self.answers.catch_up()
                self.mailbox.take_in()
                most = self._take_up_all(lap, most, moment)
                over = self._is_over() or not (waits or self._stands_still or (most and self.mailbox.entries))
                if over and not self._deadlines:
                    break
                self._flush()
                self.mailbox.sureties.tell()
                self._show(lap)
                if self.mailbox.behind:  # the descriptor has told of that
                    await asyncio.sleep(0)
                    continue
                await self._wait(self._patience(None) if waits and self._has_hands else None)
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
            await self._cancel()
            self._sections.disarm()
            self._sections.page.words[PLACE] = place_of(lap, "receive")  # where an error is told to be from
        if self._crash is not None:
            raise self._crash
        self._sections.close(lap)

    async def _wait(self, seconds: float | None) -> None:
        """At most so long, for a change."""
        alarm = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._changed.set)
        await self._changed.wait()
        if alarm is not None:
            alarm.cancel()
        self._bell.hush()

    @property
    def _has_hands(self) -> bool:
        free = len(self._deadlines) < self._config.mailbox.concurrency
        return free and self._crash is None and not self._is_over() and not self._stands_still

    @property
    def _stands_still(self) -> bool:
        """Whether nothing more is taken up: what is in hand goes on to its end, for its deadlines are the loop's."""
        return self._halt.paused and self._halt.level == NO

    def _is_over(self) -> bool:
        return self._halt.level != NO and not self._draining

    async def _cancel(self) -> None:
        """Those that are still in hand end here, within their time."""
        tasks = list(self._deadlines)
        self._cancelled = bool(tasks)
        for task in tasks:
            if not task.cancelling():  # else it cleans up already, which a second time would cut short
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take_up_all(self, lap: int, most: float, moment: float | None) -> float:
        """So many messages and what is due, as far as there are hands; how many more it might have been."""
        while self._has_hands:
            if self.ticking is not None and (due := self.ticking.next(moment)) is not None:
                self._take_up_due(self.ticking, due, lap)
            elif self.vigil.is_due(self.mailbox):
                self._take_up_end(lap)
            elif most and self._take_up(lap):
                most -= 1
            else:
                break
            self.mailbox.take_in()
        return most

    def _take_up(self, lap: int) -> bool:
        """Begin with the next message, if there is one."""
        found = self.mailbox.next_body()
        if found is None:
            return False
        if not self._take(found, lap):
            ask, sure = (found.ask, found.sure) if isinstance(found, Single) else (None, None)
            self.mailbox.handled(ask, sure)
            if self._crash is None:
                self.mailbox.sureties.returned(sure)
        return True

    def _take(self, found: Single | tuple[Connection, Any], lap: int) -> bool:
        """Handle it, or give it to a task: whether one has it."""
        entry = found if isinstance(found, Single) else None
        connection: Connection = found.connection if isinstance(found, Single) else found[0]
        hand = Hand(connection, None) if entry is None else Hand(connection, entry.ask, sure=entry.sure)
        seconds = timeout_of(self._config.timeouts, "receive")
        try:
            body = self._sections.step("receive", self.open, seconds, entry) if entry is not None else found[1]  # type: ignore[index]
        except BaseException as error:  # noqa: BLE001 - it is the asker's, or a dead letter, or the crash of this life
            if isinstance(error, Foreign):
                self.mailbox.reject(found)  # type: ignore[arg-type]  # what is plain is open
            elif hand.ask is None and isinstance(error, Exception):
                self.burial.unopened(connection, error)
            else:
                self._failed(hand, error)
            return False
        handler = self.handlers.find(body)
        if handler is not None and entry is not None:
            handler = self.spans.around(handler, entry)
        if handler is not None and handler.is_async:
            self._begin(handler, body, hand, lap)
            return True
        if handler is not None or hand.ask is not None:
            self._handle_plain(handler, body, hand)
        elif entry is not None:
            self.burial.unhandled_alone(entry, body, str(self.handlers.refusal(body)))
        else:
            self.burial.unhandled(connection, body, str(self.handlers.refusal(body)))
        return False

    def _take_up_due(self, ticking: Ticking, due: Due, lap: int) -> None:
        handler = self.handlers.find(due.message)
        if handler is None:
            self.unhandled(due.message)
        elif handler.is_async:
            ticking.hold(due)
            task = self._begin(handler, due.message, ticking.hand(), lap, count=0)
            task.add_done_callback(lambda _: ticking.release(due))
        else:
            self._handle_plain(handler, due.message, ticking.hand())

    def _take_up_end(self, lap: int) -> None:
        end, handler, hand = self.vigil.take(), self.handlers.terminated, Hand(NOBODY, None)
        if handler is not None and handler.is_async:
            task = self._begin(handler, ActorInfo.from_dict(end.info), hand, lap, count=0)
            task.add_done_callback(lambda _: self.vigil.handled(end) if _error_of(task, late=False) is None else None)
            return
        if handler is not None:  # another target may have taken the part of the one that watched
            self._handle_plain(handler, ActorInfo.from_dict(end.info), hand)
        if self._crash is None:
            self.vigil.handled(end)

    def _handle_plain(self, handler: Handler | None, body: Any, hand: Hand) -> None:
        """A handler that is no coroutine, between the tasks."""

        def act() -> None:
            if handler is None:
                raise self.handlers.refusal(body)
            self.give(hand, handler(body))

        self._hand = hand
        try:
            self._sections.step("receive", act, timeout_of(self._config.timeouts, "receive"))
        except BaseException as error:  # noqa: BLE001 - it is the asker's, or the crash of this life
            self._failed(hand, error)
        finally:
            self._hand = None
            self.spans.settle()
            self.settle()

    def _begin(self, handler: Handler, body: Any, hand: Hand, lap: int, count: int = 1) -> asyncio.Task[_Raised | None]:
        """Its task; of the messages that were taken in it is so many, none or one."""
        loop = asyncio.get_running_loop()
        _own_hand.set(hand)
        task = loop.create_task(self._act_as_task(handler, body, hand))
        _own_hand.set(None)
        seconds = timeout_of(self._config.timeouts, "receive")
        due = NEVER if seconds is None else monotonic() + seconds
        self._deadlines[task] = due + _HELD
        late = False

        def overdue() -> None:
            nonlocal late
            late = True
            task.cancel()
            clean()

        def clean() -> None:
            if task in self._deadlines:
                self._deadlines[task] = min(monotonic() + _TURN, due + _CLEANING)
                self._show(lap)
                loop.call_later(_HELD, clean)

        timer = None if seconds is None else loop.call_later(seconds, overdue)

        def ended(task: asyncio.Task[Any]) -> None:
            if timer is not None:
                timer.cancel()
            del self._deadlines[task]
            self._changed.set()
            if count:
                self.mailbox.handled(hand.ask, hand.sure)
            error = _error_of(task, late=late)
            if error is not None:
                self._failed(hand, error)
            else:
                self.mailbox.sureties.returned(hand.sure)
            self._show(lap)

        task.add_done_callback(ended)
        return task

    async def _act_as_task(self, handler: Handler, body: Any, hand: Hand) -> _Raised | None:
        try:
            # Called in here, for to take wrong arguments is an error of the handler's; packed in here, for that has a
            # deadline.
            self.give(hand, await handler(body))
        except (SystemExit, KeyboardInterrupt) as error:
            return _Raised(error)
        finally:
            if self._received is _own_hand.get():
                self.settle()
        return None

    def _failed(self, hand: Hand, error: BaseException) -> None:
        """It is the asker's, unless all end with it; and one that ends with them is not handled."""
        ends = isinstance(error, Cut) or (self._cancelled and isinstance(error, asyncio.CancelledError))
        if ends and hand.ask is not None:
            self.mailbox.refuse(hand.connection, hand.ask, "ended before it answered")
        elif hand.ask is not None:
            self.failed(hand, error)
            ends = not isinstance(error, Exception | Overrun | asyncio.CancelledError)
        if (ends or hand.ask is None) and not self._cancelled:
            self._crash = self._crash or error

    def _show(self, lap: int) -> None:
        """In the page: a section is open while any task is, until the first of them is due.

        Who cleans up is due again and again: what goes round is not held up.
        """
        if not self._deadlines:
            self._sections.close(lap)
            return
        page = self._sections.page
        page.reals[DEADLINE] = min(self._deadlines.values())
        page.words[PLACE] = place_of(lap, "receive")


def _error_of(task: asyncio.Task[_Raised | None], *, late: bool) -> BaseException | None:
    if task.cancelled():
        return Overrun("receive") if late else asyncio.CancelledError("the handler was cancelled")
    error = task.exception()
    if error is None and (raised := task.result()) is not None:
        return raised.error
    return error
