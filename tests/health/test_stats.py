"""What is told of laps, errors and restarts, over all lives of an actor."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from tests.health.household import Idle
from tests.stage import until
from understudy import Process, Remote, Stats, Status
from understudy.router.records import Record
from understudy.stats import KEPT_LAPS
from understudy.wire.messages import Identity
from understudy.wire.page import LAPS, Page

AT_ONCE = {"restart.backoff.base": 0}


class Lives(Process):
    """Two laps and an exception; three and a death without a word; four and a good end."""

    def __init__(self):
        self.config.lives = 3
        self.config.num_loops = 4

    def __loop__(self):
        if (self.incarnation, self.current_lap) == (1, 3):
            raise ValueError("the first life is short")
        if (self.incarnation, self.current_lap) == (2, 4):
            os._exit(7)
        time.sleep(0.01)


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("host", ["process", "spawn"])
def test_statistics_cover_all_lives_also_those_that_could_not_tell_theirs(system, host):
    before = time.time()
    ref = system.spawn(Lives, name="cat", host=host, config=AT_ONCE)
    assert ref.wait(30) is Status.FINISHED
    stats = ref.info().stats
    assert (stats.laps, stats.timed_laps, len(stats.recent)) == (9, 6, 6), "the second life told no times"
    assert (stats.errors, stats.restarts, stats.timeouts) == (2, 2, 0)
    assert before - 1 <= stats.started_at < stats.ended_at <= time.time() + 1
    assert 0.01 <= stats.fastest_lap <= stats.mean_lap <= stats.slowest_lap
    assert stats.fastest_lap == min(stats.recent)
    assert stats.lap_seconds == pytest.approx(sum(stats.recent))
    assert [(event.incarnation, event.kind, event.section, event.lap) for event in stats.error_events] == [
        (1, "error", "loop", 3),
        (2, "exit", "loop", 4),
    ]
    assert stats.error_events[0].text.startswith("ValueError: the first life is short (__loop__ of cat")
    assert stats.started_at <= stats.error_events[0].time <= stats.error_events[1].time <= stats.ended_at


@pytest.mark.requirement("H5")
def test_statistics_of_an_actor_that_runs_have_no_end_and_its_laps_so_far(system):
    class Counts(Process):
        def __loop__(self):
            if self.current_lap == 4:
                self.sleep(600)

    ref = system.spawn(Counts)
    until(lambda: ref.info().lap == 4, 20, "the fourth lap")
    stats = ref.info().stats
    assert (stats.laps, stats.restarts, stats.errors, stats.ended_at) == (3, 0, 0, None)
    assert ref.restart() == "asked"
    until(lambda: ref.info().incarnation == 2 and ref.info().lap == 4, 20, "the fourth lap of the next life")
    stats = ref.info().stats
    assert (stats.laps, stats.timed_laps, stats.restarts, stats.errors, stats.ended_at) == (7, 4, 1, 0, None)
    ref.kill()
    ref.wait(20)
    stats = ref.info().stats
    assert (stats.laps, stats.errors, stats.error_events) == (7, 0, ()), "a kill by request is no error"
    assert stats.ended_at is not None


@pytest.mark.requirement("H5")
def test_an_overrun_counts_as_a_timeout_and_rites_as_no_restart(system):
    class Slow(Process):
        def __init__(self):
            self.config.timeouts.loop = 0.2

        def __loop__(self):
            time.sleep(600)

        def __error__(self):
            return "fallback"

    class Dies(Slow):
        def __loop__(self):
            os._exit(3)

    slow, dies = system.spawn(Slow, config={"lives": 2, **AT_ONCE}), system.spawn(Dies)
    assert (slow.result(30), dies.result(30)) == ("fallback", "fallback")
    stats = slow.info().stats
    assert (stats.errors, stats.timeouts, stats.restarts, stats.laps) == (2, 2, 1, 0)
    assert stats.mean_lap is stats.fastest_lap is stats.slowest_lap is None
    stats = dies.info().stats
    assert dies.info().incarnation == 2, "the rites had a process of their own"
    assert (stats.errors, stats.timeouts, stats.restarts) == (1, 0, 0)


@pytest.mark.requirement("H5")
def test_the_last_thousand_lap_times_are_kept_and_go_to_who_asks_for_one_actor(system):
    class Many(Process):
        def __init__(self):
            self.config.num_loops = 2500

        def __loop__(self):
            pass

        def __onfinish__(self):
            self.seen = self.stats

        def __result__(self):
            return self.seen

    ref = system.spawn(Many, name="many")
    own = ref.result(30)
    stats = ref.info().stats
    assert isinstance(own, Stats)
    assert (own.laps, own.timed_laps, len(own.recent), own.ended_at) == (2500, 2500, KEPT_LAPS, None)
    assert (stats.laps, stats.recent, stats.mean_lap) == (2500, own.recent, own.mean_lap)
    with Remote(system.endpoint) as remote:
        assert remote.info("many").stats == stats
        (row,) = remote.ps(all=True)
        assert row.stats == replace(stats, recent=())


@pytest.mark.requirement("H5")
def test_a_life_is_counted_once_also_while_it_is_being_buried():
    page, fd = Page.create("test")
    os.close(fd)
    record = Record()
    record.begin(1, page, rites=False)
    page.words[LAPS] = 3
    assert record.stats().laps == 3
    record.past = 1, record.stats()
    assert record.stats().laps == 3, "what is in the past is no longer current, though it still stands there"
    record.begin(2, page, rites=False)
    assert (record.stats().laps, record.stats().restarts) == (6, 1)


@pytest.mark.requirement("H5")
def test_figures_that_make_no_sense_are_dropped_and_counted(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    dropped = system._world.dropped
    identity = Identity(system._world.system, ref.uid, 1)
    for nonsense in ({"laps": "many"}, {"recent": 5}, {"error_events": [{"time": 1}]}, {"lap_seconds": True}):
        system._calls.make(lambda sent=nonsense: system._router._reports._measure(identity, {"stats": sent}))
    assert system._world.dropped == dropped + 4
    assert ref.info().stats.timed_laps == 0
    ref.kill()
