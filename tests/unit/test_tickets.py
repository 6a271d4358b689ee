"""Tickets count once, upwards, on their connection, for their user."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.router.rates import Rates
from understudy.router.tickets import EACH, LARGEST, Tickets


@pytest.fixture
def tickets():
    return Tickets()


def test_a_ticket_is_good_for_numbers_that_rise(tickets):
    text = tickets.issue("carl", "c1", "t1")
    assert [tickets.use("carl", "c1", [text, number]) for number in (0, 1, 5, LARGEST)] == [None] * 4


@pytest.mark.fault("F57")
@pytest.mark.parametrize("number", [5, 4, 0])
def test_a_number_that_was_used_or_passed_is_refused_and_told(tickets, number):
    tickets.issue("carl", "c1", "t1")
    assert tickets.use("carl", "c1", ["t1", 5]) is None
    assert "was used: the last one was 5" in tickets.use("carl", "c1", ["t1", number])
    assert tickets.use("carl", "c1", ["t1", 6]) is None


@pytest.mark.fault("F57")
@pytest.mark.parametrize(
    ("user", "connection", "text"), [("eve", "c1", "t1"), ("carl", "c2", "t1"), ("carl", "c1", "t2")]
)
def test_it_is_good_for_nobody_else_nowhere_else_and_under_no_other_text(tickets, user, connection, text):
    tickets.issue("carl", "c1", "t1")
    tickets.issue("carl", "c2", "t3")
    tickets.issue("eve", "c1", "t4")
    assert "hello gives another" in tickets.use(user, connection, [text, 1])


def test_who_asks_again_on_a_connection_gets_the_ticket_that_it_has_and_its_numbers_stay_used(tickets):
    assert tickets.issue("carl", "c1", "t1") == "t1"
    assert tickets.use("carl", "c1", ["t1", 3]) is None
    assert tickets.issue("carl", "c1", "t2") == "t1"
    assert tickets.use("carl", "c1", ["t1", 3]) is not None


@pytest.mark.parametrize(
    "given",
    [None, "t1", [], ["t1"], ["t1", 1, 2], [1, "t1"], ["t1", True], ["t1", 1.5], ["t1", -1], ["t1", LARGEST + 1], {}],
)
def test_what_is_no_ticket_is_refused(tickets, given):
    tickets.issue("carl", "c1", "t1")
    assert "ticket" in tickets.use("carl", "c1", given)
    assert tickets.use("carl", "c1", ["t1", 0]) is None


def test_so_many_connections_of_a_user_are_remembered_and_no_other_user_pays_for_them(tickets):
    tickets.issue("eve", "c", "e")
    for number in range(EACH + 1):
        tickets.issue("carl", number, f"t{number}")
    assert tickets.use("carl", 0, ["t0", 1]) is not None
    assert tickets.use("carl", 1, ["t1", 1]) is None
    assert tickets.use("eve", "c", ["e", 1]) is None


def test_of_who_may_come_no_more_nothing_is_remembered(tickets):
    tickets.issue("carl", "c1", "t1")
    tickets.forget("carl")
    tickets.forget("nobody")
    assert tickets.use("carl", "c1", ["t1", 1]) is not None


@given(st.lists(st.integers(0, 20)))
def test_whatever_is_sent_each_number_counts_once_and_only_upwards(numbers):
    tickets = Tickets()
    tickets.issue("carl", "c1", "t")
    used = [number for number in numbers if tickets.use("carl", "c1", ["t", number]) is None]
    assert used == sorted(set(used))


# How often somebody may ask.


def test_so_many_are_allowed_at_once_and_then_as_many_as_time_brings():
    rates = Rates(per_second=10, at_once=12)
    assert [rates.allow("a", 100.0) for _ in range(15)] == [True] * 12 + [False] * 3
    assert [rates.allow("a", 100.2) for _ in range(3)] == [True, True, False]
    assert rates.allow("b", 100.2)


def test_a_pause_brings_back_no_more_than_a_full_account_and_a_clock_that_stands_nothing():
    rates = Rates(per_second=10, at_once=3)
    assert [rates.allow("a", 100.0) for _ in range(4)] == [True, True, True, False]
    assert not rates.allow("a", 99.0)
    assert [rates.allow("a", 1000.0) for _ in range(4)] == [True, True, True, False]


def test_accounts_that_are_full_again_are_dropped_and_others_stay():
    rates = Rates(per_second=10, at_once=2)
    for who, now in (("a", 100.0), ("a", 100.0), ("b", 100.15), ("b", 100.15)):
        assert rates.allow(who, now)
    rates.forget(100.25)
    assert list(rates._accounts) == ["b"]
    assert not rates.allow("b", 100.2)


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=300))
def test_in_no_stretch_of_time_are_more_allowed_than_at_once_and_what_it_brings(pauses):
    rates, now, allowed = Rates(per_second=20, at_once=5), 0.0, []
    for pause in pauses:
        now += pause
        if rates.allow("a", now):
            allowed.append(now)
    for at, first in enumerate(allowed):
        for count, last in enumerate(allowed[at:], 1):
            assert count <= 5 + (last - first) * 20 + 1e-6
