"""Messages that an actor sends itself, once or again and again: when each is due, and which of them are left out.

Decided without a clock. Nothing piles up while nobody asks: however late that is, each timer has one message then.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from typing import Any, NamedTuple, NoReturn

_SPARE = 64


class Appointment:
    """The state of one timer. All but ``message`` is the main thread's to change."""

    __slots__ = ("at", "begun", "in_hand", "message", "missed", "number", "period", "turn")

    def __init__(self, number: int, begun: float, seconds: float, message: Any, period: float | None) -> None:
        self.number, self.begun, self.period = number, begun, period
        self.at = begun + seconds
        """When it is due next."""
        self.turn = 1
        """Which of its messages that is."""
        self.message = [message]
        """Who takes it out is the one who gave the last message, or who cancelled it: that is a single step."""
        self.in_hand = False
        """Whether its last message is: the next one waits for the end of that."""
        self.missed = 0

    def due(self, turn: int) -> float:
        """When that turn of it is due: a multiple, for sums of rounded numbers drift."""
        return self.begun + turn * (self.period or 0.0)

    def following(self, now: float) -> int:
        """The next turn whose time has not come yet, after the present one."""
        least = self.turn + 1
        turn = max(least, math.floor((now - self.begun) / (self.period or 1.0)))
        while turn > least and self.due(turn - 1) > now:  # the quotient is rounded
            turn -= 1
        while self.due(turn) <= now:
            turn += 1
        return turn


class Due(NamedTuple):
    """A message whose time has come."""

    appointment: Appointment
    message: Any


class Agenda:
    """The timers of one incarnation. Any thread sets and cancels them; the main thread takes what is due.

    A step of the main thread may be interrupted: then an entry may stand twice in the heap, and none is lost. One that
    is not its appointment's any more counts for nothing.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._fresh: deque[Appointment] = deque()
        self._heap: list[tuple[float, int, Appointment]] = []
        self._room = _SPARE

    def after(self, now: float, seconds: float, message: Any) -> Appointment:
        """One message, in so many seconds."""
        return self._noted(Appointment(next(self._numbers), now, seconds, message, None))

    def every(self, now: float, seconds: float, message: Any) -> Appointment:
        """The message again and again, at multiples of so many seconds from now."""
        return self._noted(Appointment(next(self._numbers), now, seconds, message, seconds))

    def next(self) -> float | None:
        """When the first is due; None if none is to come."""
        while self._fresh:
            self._enter(self._fresh[0])
            self._fresh.popleft()
        while self._heap and not _stands(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Due | None:
        """The message that has been due longest, of several the one whose timer was set first; None if none is.

        Of a timer whose next turns are due as well, these are left out.
        """
        while (at := self.next()) is not None and at <= now:
            appointment = self._heap[0][2]
            try:
                message = appointment.message.pop() if appointment.period is None else appointment.message[0]
            except IndexError:  # a thread has cancelled it since
                continue
            if appointment.period is not None:
                self._put_off(appointment, now)
            heapq.heappop(self._heap)
            return Due(appointment, message)
        return None

    def hold(self, appointment: Appointment) -> None:
        """Its message is in hand, while others are taken: no other one of it until `release`."""
        appointment.in_hand = True

    def release(self, appointment: Appointment) -> None:
        """Its message is handled."""
        appointment.in_hand = False
        self._enter(appointment)

    def _noted(self, appointment: Appointment) -> Appointment:
        self._fresh.append(appointment)
        return appointment

    def _put_off(self, appointment: Appointment, now: float) -> None:
        turn = appointment.following(now)
        missed, at = turn - appointment.turn - 1, appointment.due(turn)
        heapq.heappush(self._heap, (at, appointment.number, appointment))
        appointment.turn, appointment.at = turn, at
        appointment.missed += missed

    def _enter(self, appointment: Appointment) -> None:
        if len(self._heap) > self._room:  # what was cancelled waits there for a time that may be far off
            standing = [entry for entry in self._heap if _stands(entry)]
            heapq.heapify(standing)
            self._heap, self._room = standing, _SPARE + 2 * len(standing)
        heapq.heappush(self._heap, (appointment.at, appointment.number, appointment))


def _stands(entry: tuple[float, int, Appointment]) -> bool:
    at, _, appointment = entry
    return bool(appointment.message) and not appointment.in_hand and at == appointment.at


class Reminder:
    """A timer of an actor: `Process.after` and `Process.every` make it.

    It is of this life of its actor: it cannot be sent, and ends with the life.
    """

    __slots__ = ("_appointment",)

    def __init__(self, appointment: Appointment) -> None:
        self._appointment = appointment

    def cancel(self) -> bool:
        """Let no message come any more: True if one was still to come, False if it was over or cancelled before.

        What the actor has in hand is handled. Any thread of the actor may call it; one that is not the main thread, in
        which the hooks run, may find that a message of `Process.every` is being taken at this moment.
        """
        try:
            self._appointment.message.pop()
        except IndexError:
            return False
        return True

    @property
    def active(self) -> bool:
        """Whether a message is still to come, unless a stop comes first."""
        return bool(self._appointment.message)

    @property
    def missed(self) -> int:
        """How many messages of `Process.every` were left out, for one before them still waited when they were due."""
        return self._appointment.missed

    def __repr__(self) -> str:
        period = self._appointment.period
        kind = "once" if period is None else f"every {period:g} s"
        return f"<Reminder: {kind}, {'active' if self.active else 'over'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Reminder is of this process: send a message, and let who gets it set one of its own")
