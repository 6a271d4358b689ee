"""Which message of an actor's own timers is due, in which order, and which are left out."""

from __future__ import annotations

import heapq
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engine.timers import Agenda, Appointment, Reminder
from understudy.testing.clock import FakeClock

pytestmark = pytest.mark.requirement("A7")

spans = st.integers(0, 12).map(lambda quarters: quarters / 4)
periods = st.integers(1, 12).map(lambda quarters: quarters / 4)
which = st.integers(0, 20)
steps = st.lists(
    st.tuples(st.just("after"), spans)
    | st.tuples(st.just("every"), periods)
    | st.tuples(st.just("advance"), spans)
    | st.tuples(st.sampled_from(["cancel", "hold", "release"]), which)
    | st.tuples(st.just("take"), st.none()),
    max_size=60,
)


class Naive:
    """What one timer does, told turn by turn."""

    def __init__(self, begun: float, seconds: float, period: float | None) -> None:
        self.begun, self.period, self.due = begun, period, begun + seconds
        self.over = self.held = False
        self.missed = 0

    def waits(self, now: float) -> bool:
        return self.due <= now and not self.over and not self.held

    def take(self, now: float) -> None:
        self.over = self.period is None
        if self.period is not None:
            self.due += self.period
            while self.due <= now:
                self.due += self.period
                self.missed += 1


class Both:
    """An agenda, and beside it what it should do."""

    def __init__(self) -> None:
        self.clock, self.agenda = FakeClock(1000.0), Agenda()
        self.made: list[tuple[Appointment, Naive]] = []

    def step(self, verb: str, value: float) -> None:
        now = self.clock.now()
        if verb == "after":
            number = len(self.made)
            self.made.append((self.agenda.after(now, value, number), Naive(now, value, None)))
        elif verb == "every":
            number = len(self.made)
            self.made.append((self.agenda.every(now, value, number), Naive(now, value, value)))
        elif verb == "advance":
            self.clock.advance(value)
        elif verb == "take":
            self.take()
        elif self.made:
            self.change(verb, *self.made[int(value) % len(self.made)])

    def change(self, verb: str, appointment: Appointment, naive: Naive) -> None:
        if verb == "cancel":
            assert Reminder(appointment).cancel() is not naive.over
            naive.over = True
        elif verb == "hold":
            self.agenda.hold(appointment)
            naive.held = True
        elif naive.held:
            self.agenda.release(appointment)
            naive.held = False

    def take(self) -> int | None:
        """The number of the timer that gave its message."""
        now = self.clock.now()
        waiting = [(naive.due, number) for number, (_, naive) in enumerate(self.made) if naive.waits(now)]
        due = self.agenda.take(now)
        if due is None:
            assert not waiting
            return None
        number: int = due.message
        assert (due.appointment, number) == (self.made[number][0], min(waiting)[1])
        self.made[number][1].take(now)
        return number

    def agree(self) -> None:
        coming = [naive.due for _, naive in self.made if not naive.over and not naive.held]
        assert self.agenda.next() == min(coming, default=None)
        for appointment, naive in self.made:
            reminder = Reminder(appointment)
            assert (reminder.active, reminder.missed) == (not naive.over, naive.missed)


@given(steps)
def test_whatever_is_set_cancelled_and_held_the_next_message_is_the_one_that_has_been_due_longest(told):
    both = Both()
    for verb, value in told:
        both.step(verb, value)
        both.agree()


@given(steps, spans)
def test_after_a_pause_of_any_length_each_timer_that_is_due_gives_one_message_in_their_order(told, pause):
    both = Both()
    for verb, value in told:
        both.step(verb, value)
    both.clock.advance(pause)
    due = [(naive.due, number) for number, (_, naive) in enumerate(both.made) if naive.waits(both.clock.now())]
    given = []
    while (number := both.take()) is not None:
        given.append(number)
    assert given == [number for _, number in sorted(due)]


@given(
    st.floats(0, 1e9),
    st.floats(0.001, 1e6),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
)
def test_every_message_is_a_multiple_from_the_first_on_however_late_each_is_taken(start, period, lateness):
    agenda = Agenda()
    appointment = agenda.every(start, period, "tick")
    now = start
    for taken, late in enumerate(lateness, 1):
        at = agenda.next() or 0.0
        assert at == start + appointment.turn * period, "no sum of rounded numbers"
        assert at > now, "what was due when the last one was taken is not due again"
        assert agenda.take(math.nextafter(at, 0)) is None
        now = at + late
        assert agenda.take(now) is not None
        assert taken + appointment.missed == appointment.turn - 1
    assert len(agenda._heap) == 1


def test_messages_that_are_due_at_once_come_in_the_order_in_which_they_were_set():
    agenda = Agenda()
    for number in range(50):
        agenda.after(number % 3, 3 - number % 3, number)
    agenda.every(0.0, 3.0, "every")
    given = []
    while (due := agenda.take(3.0)) is not None:
        given.append(due.message)
    assert given == [*range(50), "every"]


def test_what_is_cancelled_holds_neither_its_message_nor_room():
    agenda = Agenda()
    kept = [agenda.after(0.0, 1e6 + number, [number]) for number in range(10)]
    for number in range(10_000):
        appointment = agenda.after(0.0, 1e6, [number])
        assert Reminder(appointment).cancel()
        assert appointment.message == []
        assert agenda.next() == 1e6
    assert len(agenda._heap) < 200
    assert [agenda.take(2e6).message for _ in kept] == [[number] for number in range(10)]  # type: ignore[union-attr]


class Struck(BaseException):
    """What a signal's handler raises."""


@pytest.mark.parametrize("struck", ["heappush", "heappop"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_that_is_interrupted_loses_nothing_of_what_comes_again(monkeypatch, struck, when):
    """As when a section overruns amid a `receive`: its handler's asker has the error, the actor lives on."""
    agenda = Agenda()
    agenda.every(0.0, 1.0, "tick")
    agenda.after(0.0, 5.0, "late")
    assert agenda.next() == 1.0
    whole = getattr(heapq, struck)

    def strike(*args):
        monkeypatch.setattr(heapq, struck, whole)
        if when == "after":
            whole(*args)
        raise Struck

    monkeypatch.setattr(heapq, struck, strike)
    with pytest.raises(Struck):
        agenda.take(1.0)
    given = []
    for now in (1.0, 2.0, 3.0, 4.0, 5.0):
        while (due := agenda.take(now)) is not None:
            given.append((now, due.message))
    ticks = [now for now, message in given if message == "tick"]
    assert ticks in ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0, 5.0]), "at most the one that was being taken is lost"
    assert (5.0, "late") in given


def test_a_reminder_tells_what_it_is_and_stays_where_it_is():
    agenda = Agenda()
    once, often = Reminder(agenda.after(0.0, 1.0, "a")), Reminder(agenda.every(0.0, 0.25, "b"))
    assert (repr(once), repr(often)) == ("<Reminder: once, active>", "<Reminder: every 0.25 s, active>")
    assert often.cancel()
    assert not often.cancel()
    assert repr(often) == "<Reminder: every 0.25 s, over>"
    assert agenda.take(1.0) is not None
    assert (once.active, once.cancel()) == (False, False)
    with pytest.raises(TypeError, match="a Reminder is of this process"):
        pickle.dumps(once)
