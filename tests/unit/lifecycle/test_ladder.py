"""The rungs of a stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.config import StopLadder
from understudy.lifecycle.ladder import Action, Rung, by_ladder, force, graceful, tighter

NOW = 1000.0
ladders = st.one_of(st.just(()), st.floats(0, 1000).map(lambda grace: graceful(grace, NOW)))


@pytest.mark.requirement("K1")
def test_a_grace_runs_from_the_request_to_sigkill_divided_2_1_1():
    assert graceful(3.0, NOW) == (
        Rung(NOW + 1.5, Action.TERMINATE),
        Rung(NOW + 2.25, Action.TERMINATE),
        Rung(NOW + 3.0, Action.KILL),
    )


def test_no_grace_given_is_no_ladder_and_a_grace_of_0_is_a_kill_at_once():
    assert graceful(None, NOW) == ()
    assert graceful(0, NOW) == force(NOW) == (Rung(NOW, Action.KILL),)


def test_the_default_ladder_is_10_5_and_5_seconds():
    assert [(rung.at - NOW, rung.action.value) for rung in by_ladder(StopLadder(), NOW)] == [
        (10, "SIGTERM"),
        (15, "SIGTERM"),
        (20, "SIGKILL"),
    ]


def test_a_ladder_without_pauses_is_all_due_at_once():
    assert [rung.at for rung in by_ladder(StopLadder(command=0, term=0, term_again=0), NOW)] == [NOW] * 3


def test_a_ladder_ends_sooner_than_none():
    assert tighter((), ()) == ()
    assert tighter(force(NOW), ()) == tighter((), force(NOW)) == force(NOW)


@given(ladders, ladders)
def test_of_two_ladders_that_counts_which_ends_sooner(one: tuple[Rung, ...], other: tuple[Rung, ...]):
    chosen = tighter(one, other)
    assert chosen in {one, other}
    assert chosen == tighter(chosen, chosen)
    if one and other:
        assert chosen[-1].at == min(one[-1].at, other[-1].at)
        assert tighter(other, one)[-1].at == chosen[-1].at


@given(st.floats(0, 1e6))
def test_every_ladder_ends_in_one_sigkill_and_its_rungs_come_in_order(grace: float):
    rungs = graceful(grace, NOW)
    assert [rung.action for rung in rungs].count(Action.KILL) == 1
    assert rungs[-1].action is Action.KILL
    assert [rung.at for rung in rungs] == sorted(rung.at for rung in rungs)
    assert rungs[-1].at == pytest.approx(NOW + grace)
