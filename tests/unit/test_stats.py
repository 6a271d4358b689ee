"""Figures of lives as values: they add up in any order, and travel."""

from __future__ import annotations

import json
from dataclasses import replace

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stats import KEPT_ERRORS, KEPT_LAPS, ErrorEvent, Stats

SECONDS = st.integers(1, 1000).map(lambda ticks: ticks / 8)  # sums of these are exact


@st.composite
def lives(draw: st.DrawFn) -> Stats:
    times = draw(st.lists(SECONDS, max_size=5))
    began = draw(st.integers(0, 10**9))
    events = [ErrorEvent(began + at, 1, "error", "loop", at, "it fell") for at in draw(st.sets(st.integers(1, 9)))]
    return Stats(
        started_at=float(began),
        ended_at=draw(st.none() | st.just(began + 10.0)),
        laps=len(times) + draw(st.integers(0, 3)),
        timed_laps=len(times),
        lap_seconds=sum(times),
        fastest_lap=min(times, default=None),
        slowest_lap=max(times, default=None),
        restarts=draw(st.integers(0, 1)),
        errors=len(events),
        timeouts=draw(st.integers(0, len(events))),
        error_events=tuple(sorted(events, key=lambda event: event.time)),
        recent=tuple(times),
    )


@pytest.mark.requirement("H5")
@settings(max_examples=50)
@given(st.lists(lives(), min_size=1, max_size=4, unique_by=lambda life: life.started_at))
def test_figures_of_lives_add_up_in_any_order(all_):
    in_order = sorted(all_, key=lambda life: life.started_at or 0)
    total = sum(in_order, Stats())
    assert total == sum(reversed(in_order), Stats())
    assert replace(total, recent=()) == replace(sum(all_, Stats()), recent=())
    assert all_[0] + all_[-1] == all_[-1] + all_[0] or len(all_) == 1
    times = [seconds for life in in_order for seconds in life.recent]
    assert total.recent == tuple(times)
    assert (total.laps, total.timed_laps) == (sum(life.laps for life in all_), len(times))
    assert total.mean_lap == (sum(times) / len(times) if times else None)
    assert (total.fastest_lap, total.slowest_lap) == (min(times, default=None), max(times, default=None))
    assert total.started_at == in_order[0].started_at
    ends = [life.ended_at for life in all_]
    assert total.ended_at == (None if None in ends else max(end for end in ends if end is not None))
    for name in ("restarts", "errors", "timeouts"):
        assert getattr(total, name) == sum(getattr(life, name) for life in all_)
    assert [event.time for event in total.error_events] == sorted(
        event.time for life in all_ for event in life.error_events
    )


@pytest.mark.requirement("H5")
def test_the_last_of_the_times_and_of_the_errors_are_kept():
    errors = tuple(ErrorEvent(at, 1, "error", "loop", 1, "it fell") for at in range(KEPT_ERRORS))
    old = Stats(1.0, 2.0, recent=tuple(map(float, range(KEPT_LAPS))), error_events=errors)
    new = Stats(3.0, 4.0, recent=(7.5,), error_events=(replace(errors[0], time=500.0),))
    both = new + old
    assert (KEPT_LAPS, len(both.recent), both.recent[0], both.recent[-1]) == (1000, 1000, 1.0, 7.5)
    assert (len(both.error_events), both.error_events[-1].time) == (KEPT_ERRORS, 500.0)


@pytest.mark.requirement("H5")
@given(lives())
def test_figures_travel_as_plain_values(life):
    assert Stats.from_dict(json.loads(json.dumps(life.to_dict()))) == life
    assert Stats.from_dict({**msgpack.unpackb(msgpack.packb(life.to_dict())), "invented_later": 1}) == life
    assert life.to_dict()["mean_lap"] == life.mean_lap


@pytest.mark.parametrize(
    "nonsense",
    [{"laps": "9"}, {"laps": True}, {"started_at": []}, {"recent": [None, "x"]}, {"recent": 5}, {"error_events": [5]},
     {"error_events": [{"time": 1.0}]}, {"lap_seconds": {}}, {"laps": float("inf")}, 5, None],
)  # fmt: skip
def test_what_are_no_figures_is_refused(nonsense):
    with pytest.raises(ValueError, match="not the figures of an actor"):
        Stats.from_dict(nonsense)


def test_only_figures_can_be_added():
    with pytest.raises(TypeError):
        Stats() + 1


def test_a_sum_needs_no_beginning():
    some = Stats(laps=2), Stats(laps=3)
    total: object = sum(some)
    assert total == sum(some, Stats())
