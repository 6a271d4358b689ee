"""The clocks of the router."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from understudy.router.timers import Timers
from understudy.testing.clock import FakeClock

keys = st.sampled_from("abcd")
times = st.integers(0, 20).map(float)
steps = st.lists(
    st.tuples(st.just("set"), keys, times)
    | st.tuples(st.just("clear"), keys, times)
    | st.tuples(st.just("due"), keys, times)
)


class Rung:
    """What rang, in order."""

    def __init__(self) -> None:
        self.timers, self.names = Timers(), list[str]()

    def set(self, key: object, at: float, name: str | None = None) -> None:
        self.timers.set(key, at, lambda: self.names.append(name or str(key)))

    def ring(self, now: float) -> list[str]:
        """What rings at that time."""
        self.names.clear()
        for act in self.timers.due(now):
            act()
        return list(self.names)


def test_clocks_ring_at_their_time_the_earliest_first():
    rung = Rung()
    rung.set("late", 3.0)
    rung.set("early", 1.0)
    rung.set("middle", 2.0)
    clock = FakeClock()
    assert rung.ring(clock.now()) == []
    assert rung.timers.next() == 1.0
    assert rung.ring(clock.advance(2.0)) == ["early", "middle"]
    assert rung.timers.next() == 3.0
    assert rung.ring(clock.advance(2.0)) == ["late"]
    assert rung.timers.next() is None


def test_clocks_of_one_time_ring_in_the_order_in_which_they_were_set():
    rung = Rung()
    for name in "zya":
        rung.set(name, 1.0)
    assert rung.ring(1.0) == ["z", "y", "a"]


def test_a_clock_rings_once():
    rung = Rung()
    rung.set("a", 1.0)
    assert rung.ring(1.0) == ["a"]
    assert rung.ring(9.0) == []


def test_a_clock_that_is_set_anew_forgets_its_old_time_and_act():
    rung = Rung()
    rung.set("a", 1.0, "old")
    rung.set("a", 5.0, "new")
    assert rung.ring(4.0) == []
    assert rung.timers.next() == 5.0
    assert rung.ring(5.0) == ["new"]
    rung.set("a", 9.0, "later")
    rung.set("a", 6.0, "sooner")
    assert rung.ring(10.0) == ["sooner"]


def test_a_cleared_clock_does_not_ring_and_holds_nobody_up():
    rung = Rung()
    rung.set("a", 1.0)
    rung.set("b", 2.0)
    rung.timers.clear("a")
    rung.timers.clear("never set")
    assert rung.timers.next() == 2.0
    assert rung.ring(3.0) == ["b"]


def test_an_act_may_set_and_clear_clocks():
    rung = Rung()

    def act() -> None:
        rung.names.append("act")
        rung.timers.clear("victim")
        rung.set("next", 1.0)
        rung.set("act", 5.0)

    rung.timers.set("act", 1.0, act)
    rung.set("victim", 1.0)
    assert rung.ring(1.0) == ["act", "next"]
    assert rung.timers.next() == 5.0


def test_an_act_that_raises_costs_no_other_clock():
    def bad() -> None:
        raise RuntimeError("a defect")

    rung = Rung()
    rung.timers.set("bad", 1.0, bad)
    rung.set("good", 1.0)
    for act in rung.timers.due(1.0):
        with contextlib.suppress(RuntimeError):
            act()
    assert rung.names == ["good"]
    assert rung.timers.next() is None


@given(steps)
def test_the_clocks_agree_with_a_plain_table(steps: list[tuple[str, str, float]]):
    rung, table = Rung(), dict[str, tuple[float, int]]()
    for order, (step, key, at) in enumerate(steps):
        if step == "set":
            rung.set(key, at)
            table[key] = (at, order)
        elif step == "clear":
            rung.timers.clear(key)
            table.pop(key, None)
        else:
            due = sorted((when, number, name) for name, (when, number) in table.items() if when <= at)
            assert rung.ring(at) == [name for *_, name in due]
            for *_, name in due:
                del table[name]
        if order % 2:  # for asking when the next is due tidies up
            assert rung.timers.next() == min((when for when, _ in table.values()), default=None)


def test_clocks_that_were_cleared_or_set_anew_do_not_pile_up():
    rung = Rung()
    for number in range(20_000):
        rung.set(number, 1e9)
        rung.timers.clear(number)
        rung.set("again", 1e9)
    assert len(rung.timers._heap) < 1000
    rung.set("soon", 1.0)
    assert rung.timers.next() == 1.0
    assert rung.ring(1e9) == ["soon", "again"]
    assert not rung.timers._set
    assert not rung.timers._heap


def test_a_clock_that_is_postponed_strikes_so_much_later_and_one_that_does_not_run_stays_so():
    timers, struck = Timers(), []
    timers.set("a", 1.0, lambda: struck.append("a"))
    timers.postpone("a", 2.0)
    timers.postpone("b", 2.0)
    assert timers.next() == 3.0
    for now in (1.0, 2.9, 3.0, 9.0):
        for act in timers.due(now):
            act()
        assert struck == ([] if now < 3 else ["a"])
