"""What keeps a pool going: a thread that hands out tasks, hears the workers, and sets futures.

Who submits adds to a queue, in one step, and wakes the thread if it waits: so no thread holds anything that another
one, a signal's handler or a finalizer could wait for.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic

from understudy.errors import PoolClosed, PoolTaskError, ProtocolError, UnderstudyError
from understudy.pool import frames
from understudy.pool.accounts import Accounts
from understudy.pool.channel import Stream
from understudy.pool.ears import Ears
from understudy.pool.functions import Functions
from understudy.pool.schedule import Mode, Schedule
from understudy.pool.sending import send
from understudy.pool.staff import Hand, Staff, death_of
from understudy.pool.task import DEADLY, PoolBroken, Task, lost, raised

_FAULTS = 3
"""Workers in a row that die before they take tasks, until no further one is tried."""
_AGAIN = 0.25
"""Seconds until a worker is tried again where the last one could not be had, and others work."""


class Core:
    """One pool's tasks and workers; all but what any thread may do is done by the pool's own."""

    def __init__(self, staff: Callable[[Callable[[Hand], object]], Staff], size: int, mode: Mode, name: str) -> None:
        self.pid, self.size, self.name = os.getpid(), size, name
        self.staff = staff(self._has_ended)
        self.key = self.staff.entrance.secret
        self.functions = Functions(self.key)
        self.schedule: Schedule[Task] = Schedule(size, mode)
        self.accounts = Accounts(name)
        self.breaking: Callable[[], object] = lambda: None
        """Called when it breaks; it must not raise."""
        self._arrivals: deque[Task] = deque()
        self._requests: deque[Callable[[], None]] = deque()
        self._is_waiting = False
        """Whether the thread is to be woken for what arrives."""
        self._faults = 0
        self._hire_at = 0.0
        """Before that moment no further worker is tried: the last one could not be had."""
        self._mourned: dict[int, list[Task]] = {}
        """By the worker, what it had in hand when it was gone: told when it is known how it ended."""
        self.closing = self.has_ended = False
        self.trouble: BaseException | None = None
        """Why it is broken."""
        self._ears = Ears(self.staff.entrance, size, self._welcome)
        self.thread = threading.Thread(target=self._run, name=f"{name}-results", daemon=True)
        _cores.add(self)

    # --- any thread

    def start(self) -> None:
        """Begin. Inside an actor one worker comes up first: raises what `spawn` raises where there may be none."""
        if not self.staff.hears_of_ends:
            try:
                self.staff.hire()
            except BaseException:
                self._end()
                raise
        self.thread.start()

    def check_open(self) -> None:
        """Raise PoolBroken, PoolClosed."""
        if self.trouble is not None:
            raise PoolBroken(f"the pool {self.name} is broken: {_told(self.trouble)}") from self.trouble
        if self.closing:
            raise PoolClosed(f"cannot schedule new futures after shutdown: the pool {self.name} was shut down")

    @property
    def is_within(self) -> bool:
        """Whether this is the thread of the pool, or that of its callbacks, which wait for no end of it."""
        return threading.current_thread() in {self.thread, self.accounts.callbacks.thread}

    def submit(self, task: Task) -> None:
        """Have it done; raises PoolBroken, PoolClosed. One step: whatever strikes amid it, it is done, or is not."""
        self.check_open()
        self._arrivals.append(task)
        if (
            self._is_waiting
        ):  # taken back by the thread alone: who is struck before he rings leaves that to the next one
            self._ears.ring()
        if self.has_ended and task in self._arrivals:  # meanwhile: nobody looks there any more
            self._give_back_arrivals()
            self.check_open()

    @property
    def waiting(self) -> int:
        """How many tasks nobody has in hand."""
        held = sum(len(desk.given) for desk in [*self.schedule.desks.values()])
        return max(0, len(self.accounts.unfinished) + len(self._arrivals) - held)

    def ask(self, request: Callable[[], None]) -> None:
        """Have the thread do that."""
        self._requests.append(request)
        self._ears.ring()

    def shut(self, *, cancel: bool) -> None:
        """Take no further task; with ``cancel`` nothing is begun any more, else all that was submitted is done."""
        self.closing = True
        self.ask(self._cancel_all if cancel else lambda: None)

    def abandon(self, task: Task) -> None:
        """Nobody wants it any more: it is not begun, or its worker is ended amid it."""
        task.is_unwanted = True
        if not task.future.cancel():
            self.ask(lambda: self._cut(task))

    def _has_ended(self, hand: Hand) -> None:
        self.ask(lambda: self._bury(hand))

    # --- the thread: handing out

    def _hand_out(self) -> None:
        self._take_arrivals()
        for worker, tasks in self.schedule.give(monotonic()):
            send(self.staff.hands[worker], tasks)
        dropped = self.schedule.backlog.dropped
        while dropped:
            self.accounts.cancel(dropped.pop())

    def _take_arrivals(self) -> None:
        while self._arrivals:
            task = self._arrivals.popleft()
            self.accounts.enter(task)
            self.schedule.backlog.append(task)

    def _give_back_arrivals(self) -> None:
        with contextlib.suppress(IndexError):  # of several threads each takes some
            while True:
                self._arrivals.popleft().cancel()

    @property
    def _is_short(self) -> bool:
        """Whether a further worker would have something to do."""
        hired = len(self.staff.hands)
        return hired < self.size and self.schedule.waiting() > hired - len(self.schedule.desks)

    def _forget_functions(self) -> None:
        """Those that are not remembered any more need not be, either, by those who have them."""
        while self.functions.gone:
            number = self.functions.gone.popleft()
            for hand in self.staff.hands.values():
                if number in hand.functions:
                    hand.functions.discard(number)
                    hand.send(frames.Writer().message(frames.FORGET, [number]))

    def _cancel_all(self) -> None:
        self.accounts.is_cancelled = True
        self._take_arrivals()
        tasks = self.schedule.backlog.clear()
        for task in tasks:
            if not task.is_begun:
                self.accounts.cancel(task)
        # What a worker had, and has not begun, counts as running: it is done, as by the standard's executors.
        self.schedule.backlog.put_back(task for task in tasks if task.is_begun)

    def _cut(self, task: Task) -> None:
        """End the worker that has it in hand; all else that this holds goes to others first."""
        for number, desk in [*self.schedule.desks.items()]:
            if task.number in desk.given:
                hand = self.staff.hands[number]
                self.schedule.returned(number, hand.claims.take(len(desk.given)))
                self._hear(hand)
                if task.number in desk.given:
                    hand.ref.kill()

    def _break(self, error: BaseException) -> None:
        """There are no workers, and none can be had."""
        if self.trouble is None:
            self.trouble = error
        self._take_arrivals()
        for task in [*self.accounts.unfinished.values()]:
            broken = PoolBroken(f"the pool {self.name} is broken: {_told(error)}")
            broken.__cause__ = error
            if task.begin() or task.is_begun:
                self.accounts.fail(task, broken)
            else:
                self.accounts.cancel(task)
        self.schedule.backlog.clear()
        for number in [*self.schedule.desks]:
            self.schedule.leave(number)
        self._mourned.clear()
        self.breaking()
        with contextlib.suppress(UnderstudyError):  # a system that was shut down has ended them
            self.staff.kill()

    # --- the thread: what it hears

    def _run(self) -> None:
        try:
            while not self._is_over():
                due = self._balance()
                self._is_waiting = True
                if self._arrivals or self._requests:  # which came before they would have rung
                    due = 0.0
                for hand, may_write, may_read in self._ears.wait(due):
                    self._serve(hand, may_write=may_write, may_read=may_read)
                self._is_waiting = False
                while self._requests:
                    self._requests.popleft()()
                self._forget_functions()
                self._hand_out()
                self._hire()
                self._ears.mind(self.staff.hands.values())
                self.accounts.tell()
        except BaseException as error:
            self._break(error)
            self.accounts.tell()
            raise
        finally:
            self._end()

    def _is_over(self) -> bool:
        return (self.closing or self.trouble is not None) and not (
            self.accounts.are_open or self._arrivals or self._requests
        )

    def _balance(self) -> float | None:
        """Take back what waits behind a long task while others have nothing to do; when to look again."""
        now = monotonic()
        spare, due = self.schedule.spare(now)
        for worker, count in spare:
            self.schedule.returned(worker, self.staff.hands[worker].claims.take(count))
        if spare:
            self._hand_out()
        if self._is_short and self._hire_at > now:
            due = min(self._hire_at, self._hire_at if due is None else due)
        if (patience := self.staff.look_again()) is not None:
            due = min(now + patience, now + patience if due is None else due)
        return due

    def _serve(self, hand: Hand, *, may_write: bool, may_read: bool) -> None:
        if may_write and hand.stream is not None:
            with contextlib.suppress(OSError):  # which reading tells, too
                hand.stream.flush()
        if may_read:
            self._hear(hand)

    def _welcome(self, number: int, stranger: Stream, said: frames.Message) -> Stream | None:
        """The stream of the worker that has come, if it is one and alone."""
        hand = self.staff.hands.get(number)
        if hand is None or hand.stream is not None:
            return None
        stream = self.staff.entrance.admit(stranger, said, hand.claims)
        if stream is not None:
            hand.come(stream)
            self._ears.listen_to(hand, stream)
        return stream

    def _hear(self, hand: Hand) -> None:
        """What a worker has said."""
        if hand.stream is None:
            return
        try:
            said = hand.stream.receive()
        except (OSError, ProtocolError):
            said = None
        try:
            for message in said or ():
                self._heed(hand, message)
        except (ProtocolError, TypeError, ValueError):  # it is out of its mind: it ends when the stream does
            said = None
        if said is None:
            self._lose(hand)

    def _heed(self, hand: Hand, message: frames.Message) -> None:
        kind, content = message.kind, message.content
        if kind == frames.READY:
            self._faults, hand.is_ready = 0, True
            self.schedule.join(hand.number, monotonic())
        elif kind == frames.SPOILT:
            first = Task(0, None, None, None, None, None)  # type: ignore[arg-type]
            self._break(raised(first, hand.place, content, message.parts, self.key))
        else:
            self._settle(hand, message)

    def _settle(self, hand: Hand, message: frames.Message) -> None:
        """What a task came to."""
        number, seconds = message.content[:2]
        task = self.schedule.told(hand.number, number, seconds, monotonic())
        if task is not None:
            hand.done += 1
            task.hand = hand
            if not self.accounts.settle(task, hand, message, self.key):
                self.schedule.backlog.put_back([task])

    def _lose(self, hand: Hand) -> None:
        """A worker is gone: others do what it had not begun."""
        desk = self.schedule.desks.get(hand.number)
        given = [] if desk is None else [task for task, _ in desk.given.values()]
        begun = self.schedule.leave(hand.number, hand.claims.take(len(given)) if given else ())
        if hand.stream is not None:
            self._ears.forget(hand.stream)
        self.staff.part(hand)
        for task in begun:
            task.hand = hand
        if begun:
            self.accounts.counts["lost"] += 1
            self._mourned[hand.number] = begun
        elif given:
            hand.blamed = given[0]
        if hand.has_ended or not self.staff.hears_of_ends:
            self._mourn(hand)

    def _bury(self, hand: Hand) -> None:
        """It has ended; what it said before may still be to be read, and the end of that comes by the stream."""
        hand.has_ended = True
        self.staff.forget(hand)
        if hand.stream is not None:
            self._hear(hand)
            return
        if hand.number in self.staff.hands:
            self.staff.part(hand)
        self._mourn(hand)

    def _mourn(self, hand: Hand) -> None:
        """It is known how it ended: what it had in hand is lost, or tried again."""
        begun = self._mourned.pop(hand.number, [])
        report, cause = death_of(hand)
        if not hand.is_ready:
            self._note_fault(cause)
        for task in begun:
            task.deaths += 1
            if self.accounts.tries_again(task):
                self.schedule.backlog.put_back([task])
            else:
                self.accounts.fail(task, lost(task, hand.place, report, cause))
        if hand.blamed is not None and cause is not None:
            self._blame(hand.blamed, lost(hand.blamed, hand.place, report, cause))

    def _blame(self, task: Task, error: BaseException) -> None:
        """A worker died with that to do next, and nothing in hand: what it reads may kill whoever reads it."""
        task.deaths += 1
        if task.deaths >= DEADLY and self.schedule.backlog.remove(task):
            self.accounts.fail(task, error)

    def _note_fault(self, cause: BaseException | None) -> None:
        self._faults += 1
        if self._faults >= _FAULTS:
            self._break(cause or PoolTaskError(f"{_FAULTS} workers in a row ended before they took tasks"))

    def _hire(self) -> None:
        while self.trouble is None and self._is_short and monotonic() >= self._hire_at:
            try:
                self.staff.hire()
                self.schedule.size = self.size
            except Exception as error:  # noqa: BLE001 - what a spawn raises ends the pool, unless others work
                if not self.staff.hands:
                    self._break(error)
                self._hire_at = monotonic() + _AGAIN
                self.schedule.size = max(1, len(self.staff.hands))

    def _end(self) -> None:
        _cores.discard(self)
        self.has_ended = True
        self._give_back_arrivals()
        self.staff.close()
        self._ears.close()
        self.accounts.callbacks.finish()

    def disown(self) -> None:
        """In a forked copy: let go of what would keep the workers from seeing the end of the original."""
        for hand in self.staff.hands.values():
            hand.close()


def _told(trouble: BaseException) -> str:
    """Of an error of ours its text, which says where it was; of another one, which the initializer raised, the type."""
    if isinstance(trouble, UnderstudyError):
        return str(trouble)
    return f"its initializer raised {type(trouble).__name__}: {trouble}"


_cores: weakref.WeakSet[Core] = weakref.WeakSet()


def living() -> list[Core]:
    """Those whose thread has not ended."""
    return [*_cores]


def _disown_all() -> None:
    for core in living():
        core.disown()


os.register_at_fork(after_in_child=_disown_all)
