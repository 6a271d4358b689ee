"""Timers, and hooks measured by them."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import pickle
import statistics
import threading
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import cloudpickle
import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy import timing
from understudy.timing import HOOKS, KEPT, Timer, Timers, timed_hooks, timers_of, timethis

TIMES = st.lists(st.floats(0, 1e6) | st.integers(0, 10**6), max_size=30)


class Clock:
    """A performance counter that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    return clock


class Actor:
    """What a Process is to a timed hook: an object with the runtime's one private attribute."""

    def __init__(self) -> None:
        self._understudy = SimpleNamespace(timers=None)


def filled(*times: float) -> Timer:
    timer = Timer()
    for each in times:
        timer.add_time(each)
    return timer


@pytest.mark.requirement("P8")
def test_a_block_is_measured_in_seconds(clock):
    timer = Timer()
    with timer as entered:
        clock.now += 2.5
    assert entered is timer
    assert (timer.num_times, timer.most_recent, timer.total) == (1, 2.5, 2.5)


@pytest.mark.requirement("P8")
def test_an_empty_timer_knows_nothing():
    timer = Timer()
    assert (timer.num_times, timer.total) == (0, 0.0)
    assert [timer.most_recent, timer.mean, timer.fastest, timer.slowest] == [None] * 4
    assert timer.percentile(50) is None
    assert repr(timer) == "Timer(no times yet)"


@pytest.mark.requirement("P8")
@given(TIMES.filter(bool))
def test_the_figures_are_those_of_the_times(times):
    timer = filled(*times)
    assert timer.num_times == len(times)
    assert timer.most_recent == times[-1]
    assert timer.fastest == min(times)
    assert timer.slowest == max(times)
    assert timer.total == pytest.approx(math.fsum(times))
    assert timer.mean == pytest.approx(statistics.fmean(times))


@pytest.mark.requirement("P8")
@given(TIMES.filter(bool), st.floats(0, 100) | st.integers(0, 100))
def test_a_percentile_is_interpolated_between_neighbours(times, percent):
    assert filled(*times).percentile(percent) == pytest.approx(float(np.percentile(times, percent)))


@pytest.mark.parametrize("percent", [-0.001, 100.001, -1, 101, math.nan, math.inf, 10**400])
@pytest.mark.parametrize("timer", [Timer(), filled(1.0)], ids=["empty", "filled"])
def test_a_percentile_outside_0_to_100_is_refused(timer, percent):
    with pytest.raises(ValueError, match="percentile"):
        timer.percentile(percent)


@pytest.mark.parametrize("percent", [None, "50", True, [50]])
def test_a_percentile_that_is_no_number_is_refused(percent):
    with pytest.raises(TypeError, match="percentile"):
        Timer().percentile(percent)


@pytest.mark.parametrize("seconds", [-1, -1e-9, math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge")])
def test_add_time_refuses_what_no_time_can_be(seconds):
    timer = filled(1.0)
    with pytest.raises(ValueError, match="a time"):
        timer.add_time(seconds)
    assert timer.state() == filled(1.0).state()


@pytest.mark.parametrize("seconds", [None, "1", True, [1], 1 + 0j, Decimal(1)])
def test_add_time_refuses_what_is_no_number(seconds):
    timer = Timer()
    with pytest.raises(TypeError, match="a time must be a number"):
        timer.add_time(seconds)
    assert timer.num_times == 0


def test_a_time_of_zero_counts():
    assert (filled(0).fastest, filled(0).mean, filled(0).percentile(100)) == (0.0, 0.0, 0.0)


def test_percentiles_know_the_latest_times_and_the_rest_knows_all():
    timer = filled(9.0, 0.25)
    for _ in range(KEPT):
        timer.add_time(1.0)
    assert (timer.percentile(0), timer.percentile(100)) == (1.0, 1.0)
    assert (timer.fastest, timer.slowest, timer.num_times) == (0.25, 9.0, KEPT + 2)
    assert timer.total == KEPT + 9.25
    assert len(timer.state()["recent"]) == KEPT


def test_a_timer_nests_in_itself(clock):
    timer = Timer()
    with timer:
        clock.now += 1.0
        with timer:
            clock.now += 0.25
        assert timer.most_recent == 0.25
        clock.now += 2.0
    assert timer.most_recent == 3.25
    assert timer.num_times == 2


def test_a_recursive_function_counts_each_call(clock):
    timer = Timer()

    def down(depth: int) -> None:
        with timer:
            clock.now += 1.0
            if depth:
                down(depth - 1)

    down(9)
    assert (timer.num_times, timer.fastest, timer.slowest) == (10, 1.0, 10.0)


def test_a_block_that_raises_counts_and_lets_the_error_through(clock):
    timer = Timer()

    def block() -> None:
        with timer:
            clock.now += 1.5
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert timer.most_recent == 1.5
    with timer:
        clock.now += 0.5
    assert timer.most_recent == 0.5


def test_leaving_a_timer_that_was_not_entered_is_an_error():
    timer, other = Timer(), Timer()
    with other, pytest.raises(RuntimeError, match="not entered"):
        timer.__exit__(None, None, None)
    assert (timer.num_times, other.num_times) == (0, 1)


def test_blocks_of_suspended_generators_may_end_in_any_order(clock):
    def block(timer: Timer) -> Any:
        with timer:
            yield

    one, other = Timer(), Timer()
    first, second = block(one), block(other)
    next(first)
    clock.now += 1.0
    next(second)
    clock.now += 2.0
    first.close()
    clock.now += 4.0
    second.close()
    assert (one.most_recent, other.most_recent) == (3.0, 6.0)


def test_tasks_that_interleave_are_told_apart(clock):
    timer = Timer()

    async def main() -> None:
        inside, other_inside, out = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def first() -> None:
            with timer:
                inside.set()
                await other_inside.wait()
                clock.now += 2.0
            out.set()

        async def second() -> None:
            await inside.wait()
            clock.now += 1.0
            with timer:
                other_inside.set()
                await out.wait()
                clock.now += 4.0

        await asyncio.gather(first(), second())

    asyncio.run(main())
    assert timer.state()["recent"] == [3.0, 6.0]


def test_threads_that_interleave_are_told_apart(clock):
    timer = Timer()
    inside, out = threading.Event(), threading.Event()

    def other() -> None:
        with timer:
            inside.set()
            assert out.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(30)
    clock.now += 1.0
    with timer:
        clock.now += 2.0
    out.set()
    thread.join(30)
    assert timer.state()["recent"] == [2.0, 3.0]


def test_no_time_is_lost_between_threads():
    timer = Timer()
    each, threads = 5_000, 8
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait(30)
        for _ in range(each):
            timer.add_time(1.0)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert (timer.num_times, timer.total) == (threads * each, float(threads * each))


@given(TIMES)
def test_a_timer_survives_msgpack_pickle_and_copy(times):
    timer = filled(*times)
    state = timer.state()
    carried = msgpack.unpackb(msgpack.packb(state, strict_types=True))
    twins = [
        Timer.from_state(carried),
        pickle.loads(pickle.dumps(timer)),
        cloudpickle.loads(cloudpickle.dumps(timer)),
        copy.deepcopy(timer),
    ]
    for twin in twins:
        assert twin.state() == state
        twin.add_time(1.0)
        assert twin.num_times == len(times) + 1
    assert timer.state() == state


def test_a_timer_travels_while_a_block_is_open(clock):
    timer = Timer()
    with timer:
        twin = pickle.loads(pickle.dumps(timer))
        clock.now += 1.0
    assert (timer.num_times, twin.num_times) == (1, 0)
    with twin:
        clock.now += 2.0
    assert twin.most_recent == 2.0


@pytest.mark.parametrize(
    "damage",
    [
        {"recent": None},
        {"recent": ["x"]},
        {"recent": [-1.0]},
        {"recent": [1.0, 2.0, 3.0]},
        {"num_times": "two"},
        {"num_times": None},
        {"total": math.nan},
        {"fastest": None},
        {"most_recent": "x"},
    ],
)
def test_a_state_that_is_none_is_refused(damage):
    with pytest.raises(ValueError, match="not the state of a Timer"):
        Timer.from_state(filled(1.0, 2.0).state() | damage)


@pytest.mark.parametrize("state", [{}, None, 5, [1.0]])
def test_what_is_no_state_at_all_is_refused(state):
    with pytest.raises(ValueError, match="not the state of"):
        Timer.from_state(state)
    with pytest.raises(ValueError, match="not the state of"):
        Timers.from_state(state)


def test_a_timer_prints_its_figures():
    assert repr(filled(1.0, 3.0)) == "Timer(2 times, mean 2 s, 1 to 3 s)"


# Hooks


class Timed(Actor):
    clock: Clock

    @timethis()
    def __preloop__(self):
        self.clock.now += 1.0

    @timethis()
    def __loop__(self, plus=0.0):
        """The part."""
        self.clock.now += 2.0 + plus
        return "looped"

    def __postloop__(self):
        self.clock.now += 4.0

    @timethis()
    async def __onfinish__(self):
        await asyncio.sleep(0)
        self.clock.now += 8.0
        return "finished"


@pytest.mark.requirement("P8")
def test_each_timed_hook_has_its_timer_and_the_others_none(clock):
    actor = Timed()
    actor.clock = clock
    actor.__preloop__()
    assert actor.__loop__(plus=0.5) == "looped"
    actor.__postloop__()
    assert asyncio.run(actor.__onfinish__()) == "finished"
    timers = timers_of(actor)
    assert timers is actor._understudy.timers
    latest = {name: timer and timer.most_recent for name, timer in vars(timers).items() if name in HOOKS.values()}
    assert latest == {"preloop": 1.0, "loop": 2.5, "postloop": None, "onfinish": 8.0}


def test_an_actor_whose_hooks_never_ran_has_no_timers_yet():
    actor = Timed()
    assert actor._understudy.timers is None
    assert timers_of(actor) is timers_of(actor)


def test_a_timed_hook_says_so_and_keeps_its_face():
    assert Timed.__loop__.__understudy_timed__ is True  # type: ignore[attr-defined]
    assert (Timed.__loop__.__name__, Timed.__loop__.__doc__) == ("__loop__", "The part.")
    assert list(inspect.signature(Timed.__loop__).parameters) == ["self", "plus"]
    assert inspect.iscoroutinefunction(Timed.__onfinish__)
    assert not inspect.iscoroutinefunction(Timed.__loop__)
    assert not hasattr(Timed.__postloop__, "__understudy_timed__")


def test_timed_hooks_are_found_through_inheritance_until_overridden():
    class Heir(Timed):
        def __loop__(self, plus=0.0):
            return plus

    assert timed_hooks(Timed) == ("preloop", "loop", "onfinish")
    assert timed_hooks(Heir) == ("preloop", "onfinish")
    assert timed_hooks(Actor) == ()


def test_a_timed_hook_that_calls_its_base_class_counts_once(clock):
    class Heir(Timed):
        @timethis()
        def __loop__(self, plus=0.0):
            self.clock.now += 10.0
            return super().__loop__(plus)

        @timethis()
        async def __onfinish__(self):
            self.clock.now += 10.0
            return await super().__onfinish__()

    heir = Heir()
    heir.clock = clock
    for _ in range(2):
        assert heir.__loop__() == "looped"
        assert asyncio.run(heir.__onfinish__()) == "finished"
    timers = timers_of(heir)
    assert timers.slot("loop").state()["recent"] == [12.0, 12.0]
    assert timers.slot("onfinish").state()["recent"] == [18.0, 18.0]


def test_a_hook_that_raises_is_timed_and_can_run_again(clock):
    class Failing(Actor):
        @timethis()
        def __loop__(self):
            clock.now += 1.0
            raise ZeroDivisionError

        @timethis()
        async def __onfinish__(self):
            clock.now += 2.0
            raise ZeroDivisionError

    actor = Failing()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            actor.__loop__()
        with pytest.raises(ZeroDivisionError):
            asyncio.run(actor.__onfinish__())
    assert timers_of(actor).slot("loop").state()["recent"] == [1.0, 1.0]
    assert timers_of(actor).slot("onfinish").state()["recent"] == [2.0, 2.0]


def test_actors_of_one_class_have_timers_of_their_own(clock):
    one, other = Timed(), Timed()
    one.clock = other.clock = clock
    one.__loop__()
    assert timers_of(one).slot("loop").num_times == 1
    assert timers_of(other).loop is None


def test_timethis_without_parentheses_is_refused_at_that_line():
    with pytest.raises(TypeError, match=r"write @timethis\(\)"):

        class Wrong:
            @timethis  # type: ignore[arg-type]
            def __loop__(self): ...  # type: ignore[misc]


@pytest.mark.parametrize("name", ["__result__", "__error__", "__receive__", "work", "__init__"])
def test_timethis_on_another_function_is_refused_and_names_the_four(name):
    def function(self): ...

    function.__name__ = name
    with pytest.raises(TypeError) as caught:
        timethis()(function)
    assert f"{name} is none of them" in str(caught.value)
    assert all(hook in str(caught.value) for hook in HOOKS)


def test_timethis_on_what_is_no_method_is_refused():
    def function(self): ...

    function.__name__ = "__loop__"
    for wrong in (staticmethod(function), classmethod(function), property(function), 5, None, "__loop__"):
        with pytest.raises(TypeError, match=r"@timethis\(\)"):
            timethis()(wrong)  # type: ignore[type-var]


def test_timethis_on_a_generator_is_refused():
    def generator(self):
        yield

    async def async_generator(self):
        yield

    wrongs: list[Any] = [generator, async_generator]
    for wrong in wrongs:
        wrong.__name__ = "__loop__"
        with pytest.raises(TypeError, match="generator"):
            timethis()(wrong)


@pytest.mark.parametrize("stranger", [object(), SimpleNamespace(), 5])
def test_a_timed_hook_of_what_is_no_process_is_refused(stranger):
    with pytest.raises(TypeError, match="hooks of a Process"):
        Timed.__loop__(stranger)


def test_a_class_with_timed_hooks_travels_by_value(clock):
    namespace: dict[str, Any] = {"timethis": timethis, "__name__": "__main__"}
    source = "class Local:\n @timethis()\n def __loop__(self):\n  return 7"
    exec(source, namespace)  # noqa: S102 - a class whose module nobody can import
    local = cloudpickle.loads(cloudpickle.dumps(namespace["Local"]))
    assert timed_hooks(local) == ("loop",)
    actor = local()
    actor._understudy = SimpleNamespace(timers=None)
    assert actor.__loop__() == 7
    assert timers_of(actor).slot("loop").num_times == 1


# Laps


@pytest.mark.requirement("P8")
def test_used_gives_slots_their_timers_and_leaves_the_others_none():
    timers = Timers().used(["loop", "onfinish"])
    loop = timers.loop
    assert (type(timers.loop), type(timers.onfinish), type(timers.full_loop)) == (Timer, Timer, Timer)
    assert (timers.preloop, timers.postloop) == (None, None)
    assert timers.used(("loop", "preloop")) is timers
    assert timers.loop is loop
    assert timers.preloop is not None


@pytest.mark.parametrize("name", ["full_loop", "__loop__", "result", "state", "used"])
def test_what_is_no_slot_of_a_hook_is_refused(name):
    with pytest.raises(ValueError, match="slots are preloop, loop, postloop, onfinish"):
        Timers().used([name])


@pytest.mark.requirement("P8")
def test_a_full_lap_is_the_sum_of_the_sections_in_use(clock):
    actor = Timed()
    actor.clock = clock
    timers = timers_of(actor)
    for _ in range(3):
        actor.__preloop__()
        actor.__loop__()
        actor.__postloop__()
        timers.finish_lap()
    asyncio.run(actor.__onfinish__())
    assert timers.full_loop.state()["recent"] == [3.0, 3.0, 3.0]


def test_a_section_that_did_not_run_in_a_lap_adds_nothing_to_it():
    timers = Timers().used(["preloop", "loop"])
    preloop, loop = timers.slot("preloop"), timers.slot("loop")
    preloop.add_time(1.0)
    loop.add_time(2.0)
    timers.finish_lap()
    loop.add_time(4.0)
    timers.finish_lap()
    preloop.add_time(8.0)
    timers.finish_lap()
    assert timers.full_loop.state()["recent"] == [3.0, 4.0, 8.0]


def test_after_a_lap_that_was_cut_short_the_next_one_counts_its_own_times():
    timers = Timers().used(["preloop", "loop"])
    timers.slot("preloop").add_time(1.0)  # and then the lap was cut short
    timers.slot("preloop").add_time(2.0)
    timers.slot("loop").add_time(4.0)
    timers.finish_lap()
    assert timers.full_loop.state()["recent"] == [6.0]


def test_a_lap_without_a_timed_section_is_not_counted():
    timers = Timers().used(["loop", "onfinish"])
    timers.slot("onfinish").add_time(1.0)
    timers.finish_lap()
    assert timers.full_loop.num_times == 0


def test_the_timers_of_an_actor_survive_msgpack_and_pickle():
    timers = Timers().used(["loop", "postloop", "onfinish"])
    timers.slot("loop").add_time(1.0)
    timers.slot("postloop").add_time(8.0)
    timers.finish_lap()
    timers.slot("loop").add_time(2.0)
    timers.begin("loop")
    carried = msgpack.unpackb(msgpack.packb(timers.state(), strict_types=True))
    for twin in (Timers.from_state(carried), pickle.loads(pickle.dumps(timers)), copy.deepcopy(timers)):
        assert twin.state() == timers.state()
        assert twin.preloop is None
        assert twin.begin("loop")  # what runs here does not run there
        twin.end("loop", 4.0)
        twin.finish_lap()
        assert twin.full_loop.state()["recent"] == [9.0, 4.0]  # postloop did not run again
    assert repr(timers).startswith("Timers(loop=Timer(2 times")


def test_a_timer_can_be_added_to_amid_an_add_of_the_same_thread():
    timer = Timer()
    done = threading.Event()

    def interrupted() -> None:
        with timer._lock:  # where a signal handler or a finalizer may come in between
            timer.add_time(1.0)
        done.set()

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    assert done.wait(10)
    thread.join(10)
    assert timer.num_times == 1
