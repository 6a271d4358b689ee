from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.testing import FakeClock


def test_a_fake_clock_stands_still_until_it_is_advanced(fake_clock):
    assert fake_clock.now() == fake_clock.now() == 0.0
    assert fake_clock.advance(2.5) == 2.5
    assert fake_clock.now() == 2.5


def test_a_fake_clock_starts_where_it_is_put():
    clock = FakeClock(100)
    assert clock.now() == 100.0
    assert repr(clock) == "FakeClock(100.0)"


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf")])
def test_a_fake_clock_refuses_to_go_back_or_out_of_the_world(fake_clock, seconds):
    with pytest.raises(ValueError, match="advances by a finite number"):
        fake_clock.advance(seconds)
    assert fake_clock.now() == 0.0


@pytest.mark.parametrize("start", [float("nan"), float("-inf")])
def test_a_fake_clock_refuses_to_start_at_no_time(start):
    with pytest.raises(ValueError, match="starts at a finite number"):
        FakeClock(start)


@given(st.lists(st.floats(0, 1e6)))
def test_advancing_never_goes_back(steps):
    clock = FakeClock()
    times = [clock.advance(step) for step in steps]
    assert times == sorted(times)
