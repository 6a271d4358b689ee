"""Timed hooks and a user's own timers, measured in the actor and told to the parent."""

from __future__ import annotations

from typing import Any

import pytest

from understudy import MainLoopError, Process, Status, Timer, timethis


class Timed(Process):
    """Two of its four timed places are timed."""

    def __init__(self, laps=3):
        self.config.num_loops = laps
        self.latest = []
        self.own = Timer()

    @timethis()
    def __preloop__(self):
        self.sleep(0.01)

    @timethis()
    def __loop__(self):
        with self.own:
            self.sleep(0.02)

    def __postloop__(self):
        self.sleep(0.1)

    def __onfinish__(self):
        timers: Any = self.timers
        self.latest = [timers.preloop.most_recent, timers.loop.most_recent, timers.full_loop.most_recent]

    def __result__(self):
        return self.latest, self.own, hasattr(self, "timers"), self.timers.postloop, self.timers.onfinish


@pytest.mark.requirement("P8")
def test_timed_hooks_are_measured_and_their_timers_come_back_to_the_parent(system, host):
    ref = system.spawn(Timed, host=host)
    (preloop, loop, full), own, has_timers, postloop, onfinish = ref.result(20)
    assert has_timers
    assert (postloop, onfinish) == (None, None)
    assert preloop >= 0.01
    assert loop >= 0.02
    assert full == preloop + loop

    timers = ref.timers()
    assert (timers.preloop.num_times, timers.loop.num_times, timers.full_loop.num_times) == (3, 3, 3)
    assert (timers.postloop, timers.onfinish) == (None, None)
    assert [timers.preloop.most_recent, timers.loop.most_recent, timers.full_loop.most_recent] == [preloop, loop, full]
    assert timers.full_loop.total == pytest.approx(timers.preloop.total + timers.loop.total)
    assert timers.full_loop.fastest <= timers.full_loop.mean <= timers.full_loop.slowest
    assert timers.loop.percentile(0) == timers.loop.fastest

    assert (own.num_times, own.most_recent <= loop, own.fastest >= 0.02) == (3, True, True)


@pytest.mark.requirement("P8")
def test_a_free_standing_process_has_its_timers_after_the_end_and_its_own_stay_as_they_were():
    process: Any = Timed(2)
    assert process.timers.loop.num_times == 0
    ref = process.start()
    process.wait(20)
    assert process.timers.loop.num_times == ref.timers().loop.num_times == 2
    assert process.own.num_times == 0


@pytest.mark.requirement("P8")
def test_without_the_decorator_there_are_no_timers(system):
    class Untimed(Process):
        def __loop__(self):
            self.found = hasattr(self, "timers")
            self.stop()

        def __result__(self):
            return self.found

    process = Untimed()
    assert not hasattr(process, "timers")
    with pytest.raises(AttributeError, match="no hook bears @timethis"):
        _ = process.timers
    ref = system.spawn(process)
    assert ref.result(20) is False
    assert ref.timers() is None


@pytest.mark.requirement("P8")
def test_each_life_measures_anew_and_a_crash_tells_its_timers_too(system):
    class Crashes(Timed):
        @timethis()
        def __loop__(self):
            if self.current_lap == 2 + self.incarnation:
                raise ValueError("enough")

        @timethis()
        def __onfinish__(self):
            raise AssertionError("a crash has no graceful end")

    ref = system.spawn(Crashes, None, config={"lives": 2, "restart.backoff.base": 0})
    assert ref.wait(20) is Status.CRASHED
    timers = ref.timers()
    assert (timers.preloop.num_times, timers.loop.num_times, timers.full_loop.num_times) == (4, 4, 3)
    assert timers.onfinish.num_times == 0


@pytest.mark.requirement("P8")
def test_the_end_may_be_timed_and_a_stop_amid_a_lap_leaves_that_lap_out_of_full_loop(system):
    class TimedEnd(Process):
        @timethis()
        def __preloop__(self):
            if self.current_lap == 3:
                self.stop()

        @timethis()
        def __loop__(self):
            pass

        @timethis()
        def __onfinish__(self):
            self.sleep(0)

    ref = system.spawn(TimedEnd)
    assert ref.wait(20) is Status.FINISHED
    timers = ref.timers()
    assert (timers.preloop.num_times, timers.loop.num_times, timers.full_loop.num_times) == (3, 2, 2)
    assert timers.onfinish.num_times == 1


@pytest.mark.requirement("P8")
def test_what_fails_in_a_timed_hook_is_told_as_in_any_other(system):
    class Breaks(Process):
        @timethis()
        def __loop__(self):
            raise ZeroDivisionError("timed all the same")

    ref = system.spawn(Breaks, name="breaks")
    with pytest.raises(MainLoopError, match=r"^ZeroDivisionError: timed all the same \(__loop__ of breaks, lap 1"):
        ref.result(20)
    assert ref.timers().loop.num_times == 1
