"""The timers of one incarnation at work: whose turn it is, theirs or that of what was sent; and how long to wait."""

from __future__ import annotations

from time import monotonic
from typing import Any

from understudy.engine.entries import NOBODY, Single
from understudy.engine.halt import NO, Halt
from understudy.engine.hand import Hand
from understudy.engine.mailbox import Mailbox
from understudy.engine.timers import Agenda, Appointment, Due, Reminder


class Ticking:
    """What the actor is to get from itself. It stands in no queue: what is cancelled is never handled.

    Between two of its messages there is one of those that wait in the mailbox: neither keeps the other from its turn.
    """

    def __init__(self, mailbox: Mailbox, halt: Halt) -> None:
        self._mailbox, self._halt = mailbox, halt
        self._agenda = Agenda()
        self._was_last = False

    def after(self, seconds: float, message: Any) -> Reminder:
        """As `Process.after`; in any thread."""
        return self._begun(self._agenda.after(monotonic(), seconds, message))

    def every(self, seconds: float, message: Any) -> Reminder:
        """As `Process.every`; in any thread."""
        return self._begun(self._agenda.every(monotonic(), seconds, message))

    def next(self, moment: float | None = None) -> Due | None:
        """What is due, by now or that moment, if it is its turn; once a stop stands, and in a pause, nothing is."""
        if self._halt.level != NO or self._halt.paused:
            return None
        waiting = self._mailbox.entries
        if waiting and (self._was_last or _is_urgent(waiting[0])):
            self._was_last = False
            return None
        due = self._agenda.take(monotonic() if moment is None else moment)
        self._was_last = due is not None
        return due

    def patience(self, seconds: float | None) -> float | None:
        """For how long to wait, at most so many seconds: until something is due."""
        at = None if self._halt.level != NO or self._halt.paused else self._agenda.next()
        if at is None:
            return seconds
        left = max(0.0, at - monotonic())
        return left if seconds is None else min(left, seconds)

    def hand(self) -> Hand:
        """For a message of its own: nobody has sent it, and nobody waits for an answer."""
        return Hand(NOBODY, None)

    def hold(self, due: Due) -> None:
        """It is in hand beside others: the timer's next one waits until `release`."""
        self._agenda.hold(due.appointment)

    def release(self, due: Due) -> None:
        """It is handled."""
        self._agenda.release(due.appointment)

    def _begun(self, appointment: Appointment) -> Reminder:
        if self._halt.waiter is not None:
            self._halt.waiter.ring()  # whoever waits may wait for something that is due later
        return Reminder(appointment)


def _is_urgent(entry: Any) -> bool:
    return isinstance(entry, Single) and entry.urgent
