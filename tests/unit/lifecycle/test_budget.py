"""Lives, windows and backoff, in figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lifecycle.scene import SIGSEGV, START, Pass, Scene, running
from understudy.config import ProcessConfig
from understudy.lifecycle.budget import Budget, charge, delay, is_quarantined, lives_left, stillborn
from understudy.lifecycle.effects import SetAlarm
from understudy.lifecycle.events import Alarm, Died, Expired, Forked, Place, Ready

pytestmark = pytest.mark.requirement("L5")

EVEN = 0.5
"""The chance that adds no jitter."""


def config(**options: object) -> ProcessConfig:
    """Settings by name, `_` for the dot."""
    paths = {"lives": "lives", "policy": "restart.policy", "window": "restart.window"}
    return ProcessConfig().override(
        {paths.get(name, f"restart.backoff.{name}"): value for name, value in options.items()}
    )


def pauses(settings: ProcessConfig, count: int, chance: float = EVEN, *, before_ready: bool = False) -> list[float]:
    """The pauses before that many restarts in a row without a healthy run."""
    budget, found = Budget(), []
    for number in range(count):
        budget = charge(settings, budget, START + number, None if before_ready else 0.0)
        budget = stillborn(budget) if before_ready else budget
        seconds, budget = delay(settings, budget, chance, before_ready=before_ready)
        found.append(seconds)
    return found


# --- lives


def test_lives_are_attempts_in_all():
    settings = config(lives=3)
    assert [lives_left(settings, Budget((START,) * crashes), START) for crashes in range(5)] == [2, 1, 0, 0, 0]
    assert lives_left(config(lives=1), Budget(), START) == 0


def test_policy_never_leaves_no_life():
    assert lives_left(config(lives=9, policy="never"), Budget(), START) == 0
    assert lives_left(config(lives=9, policy="always"), Budget(), START) == 8


def test_without_a_window_nothing_is_forgiven():
    settings = config(lives=3)
    assert lives_left(settings, charge(settings, Budget(), START, 0.0), START + 1e9) == 1


def test_a_crash_no_longer_counts_when_the_window_has_passed_over_it():
    settings = config(lives=3, window=60)
    budget = charge(settings, charge(settings, Budget(), START, 0.0), START + 50, 0.0)
    assert [lives_left(settings, budget, START + at) for at in (50, 59.9, 60, 109.9, 110)] == [0, 0, 1, 1, 2]


def test_crashes_outside_the_window_are_forgotten_with_the_next():
    settings = config(lives=3, window=60)
    budget = Budget()
    for number in range(1000):
        budget = charge(settings, budget, START + 25 * number, 0.0)
    assert len(budget.crashes) == 3


def test_crashes_that_come_slower_than_the_window_never_use_up_the_lives():
    scene = Scene({"lives": 2, "restart.window": 60})
    for incarnation in range(1, 50):
        scene.happens(Forked(7), Ready(), Pass(61), SIGSEGV, Expired(Alarm.BACKOFF))
        assert scene.actor.incarnation == incarnation + 1
    scene.happens(Forked(7), Ready(), Pass(30), SIGSEGV)
    assert scene.actor.status.ended


# --- backoff


def test_the_first_restart_is_at_once_and_the_pauses_grow_by_the_factor_up_to_the_cap():
    assert pauses(config(), 12) == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
    assert pauses(config(base=1, factor=3, cap=10), 5) == [0, 1, 3, 9, 10]
    assert pauses(config(base=1, factor=1), 4) == [0, 1, 1, 1]
    assert pauses(config(base=50, cap=10), 3) == [0, 10, 10]


def test_a_death_before_ready_always_backs_off():
    assert pauses(config(), 4, before_ready=True) == [0.1, 0.2, 0.4, 0.8]


def test_from_the_fifth_death_before_ready_in_a_row_the_pause_is_the_cap():
    assert pauses(config(), 7, before_ready=True)[4:] == [30, 30, 30]
    assert pauses(config(base=1, factor=1, cap=4), 7, before_ready=True) == [1, 1, 1, 1, 4, 4, 4]
    assert not is_quarantined(Budget((), 9, 4))
    assert is_quarantined(Budget((), 0, 5))


def test_base_0_restarts_at_once_always():
    assert pauses(config(base=0), 50) == [0] * 50
    assert pauses(config(base=0), 50, before_ready=True) == [0] * 50


def test_jitter_reaches_its_share_to_both_sides():
    settings = config(base=10)
    assert pauses(settings, 2, chance=0)[1] == pytest.approx(8)
    assert pauses(settings, 2, chance=1)[1] == pytest.approx(12)
    assert pauses(config(base=10, jitter=1), 2, chance=0)[1] == pytest.approx(0)
    assert pauses(config(base=10, jitter=0), 2, chance=1)[1] == 10


def test_no_number_of_crashes_overflows():
    for streak in (1023, 1024, 10_000, 10**6):
        assert delay(config(), Budget((), streak), EVEN, before_ready=True)[0] == 30
    assert delay(config(base=1e9, factor=1e300, cap=5), Budget((), 1), EVEN, before_ready=True)[0] == 5


@given(
    streak=st.integers(0, 5000),
    chance=st.floats(0, 1),
    base=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    cap=st.floats(1e-6, 1e6),
    jitter=st.floats(0, 1),
    before_ready=st.booleans(),
)
def test_a_pause_is_never_negative_or_over_the_cap_with_jitter(streak, chance, base, factor, cap, jitter, before_ready):
    settings = config(base=base, factor=factor, cap=cap, jitter=jitter)
    seconds, after = delay(settings, Budget((), streak), chance, before_ready=before_ready)
    assert math.isfinite(seconds)
    assert 0 <= seconds <= cap * (1 + jitter) * (1 + 1e-9)
    assert after.streak == streak + 1


def test_a_healthy_run_begins_the_pauses_anew():
    settings = config()
    tired = Budget((START,), 7)
    assert charge(settings, tired, START, 9.9).streak == 7
    assert charge(settings, tired, START, 10.0).streak == 0
    assert charge(settings, tired, START, None).streak == 7
    assert charge(config(reset=3), tired, START, 3.5).streak == 0


def test_a_run_counts_as_healthy_from_its_own_ready():
    scene = running({"lives": 99, "restart.backoff.jitter": 0})
    again = (Expired(Alarm.BACKOFF), Forked(8), Ready())
    assert scene.happens(SIGSEGV).only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.0)
    assert scene.happens(*again, Pass(9), SIGSEGV).only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.1)
    assert scene.happens(*again, Pass(9), SIGSEGV).only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.2)
    assert scene.happens(*again, Pass(10), SIGSEGV).only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.0)
    assert scene.happens(*again, SIGSEGV).only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.1)


def test_the_row_shows_when_the_next_life_is_due():
    scene = running({"lives": 9, "restart.backoff.base": 4}, chance=1.0)
    scene.happens(SIGSEGV, Expired(Alarm.BACKOFF), Forked(8), Died(None, "SIGKILL", Place(phase="connecting")))
    assert scene.only(SetAlarm).after == pytest.approx(9.6)
    assert scene.actor.next_restart == pytest.approx(START + 9.6)
    scene.happens(Expired(Alarm.BACKOFF))
    assert scene.actor.next_restart is None
