"""What keeps a pool going: the thread that hears its workers, and what any thread does to hand out tasks.

Who submits hands out what can be handed out, without a wait for this thread; who finds somebody at it leaves the task
with him. So one lock is held by whoever is at it, and nobody waits for it but the thread itself.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from understudy.errors import PoolClosed, ProtocolError, UnderstudyError
from understudy.pool import frames
from understudy.pool.accounts import Accounts
from understudy.pool.channel import Stream
from understudy.pool.ears import Ears
from understudy.pool.functions import Functions
from understudy.pool.schedule import Mode, Schedule
from understudy.pool.staff import Hand, Staff, death_of
from understudy.pool.task import PoolBroken, Task, lost, raised

GATHER = 64
"""Tasks that wait for the thread before whoever submits them hands them out himself."""
_FAULTS = 3
"""Workers in a row that die before they take tasks, until no further one is tried."""
_BATCH = 1 << 20
"""Bytes of tasks in one message."""


class Core:
    """One pool's tasks and workers."""

    def __init__(self, staff: Callable[[Callable[[Hand], object]], Staff], size: int, mode: Mode, name: str) -> None:
        self.pid, self.size, self.name = os.getpid(), size, name
        self.staff = staff(self._has_ended)
        self.key = self.staff.entrance.secret
        self.functions = Functions(self.key)
        self.schedule: Schedule[Task] = Schedule(size, mode)
        self.accounts = Accounts(name)
        self._arrivals: deque[Task] = deque()
        self._requests: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_hungry = True
        """Whether a further task is to be handed out at once."""
        self._faults = 0
        self._mourned: dict[int, list[Task]] = {}
        """By the worker, what it had in hand when it was gone: told when it is known how it ended."""
        self.closing = False
        self.trouble: BaseException | None = None
        """Why it is broken."""
        self._ears = Ears(self.staff.entrance, self._welcome)
        self.thread = threading.Thread(target=self._run, name=f"{name}-results", daemon=True)
        self.thread.start()
        _cores.add(self)

    # --- any thread

    def check_open(self) -> None:
        """Raise PoolBroken, PoolClosed."""
        if self.trouble is not None:
            raise PoolBroken(f"the pool {self.name} is broken: {self.trouble}") from self.trouble
        if self.closing:
            raise PoolClosed(f"cannot schedule new futures after shutdown: the pool {self.name} was shut down")

    @property
    def is_within(self) -> bool:
        """Whether this is the thread of the pool, or that of its callbacks, which wait for no end of it."""
        return threading.current_thread() in {self.thread, self.accounts.callbacks.thread}

    def submit(self, task: Task) -> None:
        """Have it done; raises PoolBroken, PoolClosed."""
        self.check_open()
        self.accounts.enter(task)
        self._arrivals.append(task)
        if self._is_hungry or len(self._arrivals) >= GATHER:
            self._nudge()
        if self.closing or self.trouble is not None:
            self._ears.ring()  # meanwhile: the thread says what becomes of it

    def hire_first(self) -> None:
        """Have one worker come up now; raises what `spawn` raises, and is closed then."""
        try:
            self.staff.hire()
        except BaseException:
            self.closing = True
            self._ears.ring()
            self.thread.join()
            raise

    def ask(self, request: Callable[[], None]) -> None:
        """Have the thread do that, under the lock."""
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

    def _nudge(self) -> None:
        """Hand out what has arrived, unless somebody is at it, who looks again before he leaves."""
        while self._arrivals and self._lock.acquire(blocking=False):
            try:
                self._hand_out()
            finally:
                self._lock.release()

    def _has_ended(self, hand: Hand) -> None:
        self.ask(lambda: self._bury(hand))

    # --- under the lock

    def _hand_out(self) -> None:
        while self._arrivals:
            self.schedule.backlog.append(self._arrivals.popleft())
        now = monotonic()
        for worker, tasks in self.schedule.give(now):
            self._send(self.staff.hands[worker], tasks)
        if self.schedule.backlog.dropped:
            self._forget_dropped()
        if self._is_short:
            self._ears.ring()
        # Where it is not, somebody has work under way, or is about to come, and the thread wakes at his next word.
        self._is_hungry = len(self.staff.hands) < self.size or self.schedule.is_hungry

    @property
    def _is_short(self) -> bool:
        """Whether a further worker would have something to do."""
        hired = len(self.staff.hands)
        return hired < self.size and self.schedule.waiting() > hired - len(self.schedule.desks)

    def _send(self, hand: Hand, tasks: list[Task]) -> None:
        hand.claims.put(task.number for task in tasks)
        writer, content = frames.Writer(), []
        for task in tasks:
            content.append(self._words(writer, hand, task))
            if writer.nbytes > _BATCH:
                hand.send(writer.message(frames.TASKS, content))
                writer, content = frames.Writer(), []
        if content:
            hand.send(writer.message(frames.TASKS, content))
        if hand.stream is not None and hand.stream.is_behind:
            self._ears.ring()

    def _words(self, writer: frames.Writer, hand: Hand, task: Task) -> list[Any]:
        number, body = None, None
        if task.function is not None:
            number = task.function.number
            if number not in hand.functions:
                hand.functions.add(number)
                body = writer.body(task.function.sealed)
        elif task.whole is not None:
            body = writer.body(task.whole)
        arguments = None if task.arguments is None else writer.body(task.arguments)
        return [task.number, number, body, arguments, task.timeout, task.by_rows]

    def _cancel_all(self) -> None:
        while self._arrivals:
            self.schedule.backlog.append(self._arrivals.popleft())
        for task in self.schedule.backlog.clear():
            self.accounts.give_back(task, self.name)

    def _forget_dropped(self) -> None:
        dropped = self.schedule.backlog.dropped
        while dropped:
            self.accounts.cancel(dropped.pop())
        self._ears.ring()

    def _cut(self, task: Task) -> None:
        """End the worker that has it in hand; all else that this holds goes to others first."""
        for number, desk in self.schedule.desks.items():
            if task.number in desk.given:
                hand = self.staff.hands[number]
                self.schedule.returned(number, hand.claims.take(len(desk.given)))
                self._hear(hand)
                if task.number in desk.given:
                    hand.ref.kill()
                self._hand_out()
                return

    def _break(self, error: BaseException) -> None:
        """There are no workers, and none can be had."""
        if self.trouble is None:
            self.trouble = error
        while self._arrivals:
            self.schedule.backlog.append(self._arrivals.popleft())
        for task in [*self.accounts.unfinished.values()]:
            broken = PoolBroken(f"the pool {self.name} is broken: {error}")
            broken.__cause__ = error
            if task.begin() or task.is_begun:
                self.accounts.fail(task, broken)
            else:
                self.accounts.cancel(task)
        self.schedule.backlog.clear()
        for number in [*self.schedule.desks]:
            self.schedule.leave(number)
        self._mourned.clear()
        with contextlib.suppress(UnderstudyError):  # a system that was shut down has ended them
            self.staff.kill()

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._is_over():
                with self._lock:
                    due = self._balance()
                if self._arrivals:  # left with this thread while it had the lock, so nobody rings for them
                    due = 0.0
                for hand, may_write, may_read in self._ears.wait(due):
                    self._serve(hand, may_write=may_write, may_read=may_read)
                with self._lock:
                    while self._requests:
                        self._requests.popleft()()
                    self._hand_out()
                    self._ears.mind(self.staff.hands.values())
                self._hire()
                self.accounts.tell()
        except BaseException as error:
            with self._lock:
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
        spare, due = self.schedule.spare(monotonic())
        for worker, count in spare:
            self.schedule.returned(worker, self.staff.hands[worker].claims.take(count))
        if spare:
            self._hand_out()
        return due

    def _serve(self, hand: Hand, *, may_write: bool, may_read: bool) -> None:
        with self._lock:
            if may_write and hand.stream is not None:
                with contextlib.suppress(OSError):  # which reading tells, too
                    hand.stream.flush()
            if may_read:
                self._hear(hand)

    def _welcome(self, number: int, stranger: Stream, said: frames.Message) -> Stream | None:
        """The stream of the worker that has come, if it is one and alone."""
        with self._lock:
            hand = self.staff.hands.get(number)
            if hand is None or hand.stream is not None:
                return None
            stream = self.staff.entrance.admit(stranger, said, hand.claims)
            if stream is not None:
                hand.come(stream)
                self._ears.listen_to(hand, stream)
            return stream

    def _hear(self, hand: Hand) -> None:
        """Under the lock: what a worker has said."""
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
            self._faults = 0
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
            if not self.accounts.settle(task, hand.place, message, self.key):
                self.schedule.backlog.put_back([task])

    def _lose(self, hand: Hand) -> None:
        """A worker is gone: others do what it had not begun."""
        was_ready = hand.number in self.schedule.desks
        desk = self.schedule.desks.get(hand.number)
        begun = self.schedule.leave(hand.number, hand.claims.take(len(desk.given)) if desk is not None else ())
        if hand.stream is not None:
            self._ears.forget(hand.stream)
        self.staff.part(hand)
        if begun:
            self.accounts.counts["lost"] += 1
            self._mourned[hand.number] = begun
        if not was_ready:
            self._note_fault(hand)
        if hand.has_ended or not self.staff.hears_of_ends:
            self._mourn(hand)

    def _bury(self, hand: Hand) -> None:
        """It has ended; what it said before may still be to be read, and the end of that comes by the stream."""
        hand.has_ended = True
        if hand.stream is not None:
            self._hear(hand)
            return
        if hand.number in self.staff.hands:
            self.staff.part(hand)
            self._note_fault(hand)
        self._mourn(hand)

    def _mourn(self, hand: Hand) -> None:
        """What it had in hand is lost, or tried again."""
        begun = self._mourned.pop(hand.number, [])
        if begun:
            report, cause = death_of(hand)
            for task in begun:
                task.deaths += 1
                if self.accounts.tries_again(task):
                    self.schedule.backlog.put_back([task])
                else:
                    self.accounts.fail(task, lost(task, hand.place, report, cause))

    def _note_fault(self, hand: Hand) -> None:
        self._faults += 1
        if self._faults >= _FAULTS:
            _, cause = death_of(hand)
            self._break(cause or RuntimeError(f"{_FAULTS} workers in a row ended before they took tasks"))

    def _hire(self) -> None:
        while self.trouble is None and self._is_short:
            try:
                self.staff.hire()
            except Exception as error:  # noqa: BLE001 - what a spawn raises ends the pool, unless others work
                if not self.staff.hands:
                    with self._lock:
                        self._break(error)
                return

    def _end(self) -> None:
        _cores.discard(self)
        with self._lock:
            self.staff.close()
            self._ears.close()

    def disown(self) -> None:
        """In a forked copy: let go of what would keep the workers from seeing the end of the original."""
        for hand in self.staff.hands.values():
            hand.close()


_cores: weakref.WeakSet[Core] = weakref.WeakSet()


def _disown_all() -> None:
    for core in [*_cores]:
        core.disown()


os.register_at_fork(after_in_child=_disown_all)
