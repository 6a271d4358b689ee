"""A pool stands where an executor of the standard library stands."""

from __future__ import annotations

import asyncio
import gc
import operator
import threading
import time
import weakref
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    as_completed,
    wait,
)

import pytest

from tests.pool import tasks
from tests.stage import notes, until
from understudy import ConfigError, NotAnActor, Pool, PoolClosed, SerializationError

pytestmark = pytest.mark.requirement("B1")


def test_it_is_an_executor_and_its_futures_are_futures(shared):
    assert isinstance(shared, Executor)
    future = shared.submit(operator.add, 1, 2)
    assert isinstance(future, Future)
    assert future.result(60) == 3
    assert future.done()
    assert not future.cancel()


def test_arguments_and_keywords_arrive_as_they_are(shared):
    sent = ({"a": (1, 2)}, [None, b"bytes"], {1, 2})
    assert shared.submit(lambda *args, **kwargs: (args, kwargs), *sent, key="word").result(60) == (
        sent,
        {"key": "word"},
    )


def test_what_a_task_raises_is_raised_with_its_traceback_in_the_cause(shared):
    with pytest.raises(LookupError, match="nowhere") as caught:
        shared.submit(tasks.fail, "nowhere").result(60)
    assert "raise LookupError(text)" in str(caught.value.__cause__)
    assert "pool/worker.py" not in str(caught.value.__cause__)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_a_process_is_an_outcome_like_any_other(shared, kind):
    def ends():
        raise kind("now")

    assert isinstance(shared.submit(ends).exception(60), kind)
    assert shared.submit(tasks.double, 4).result(60) == 8


def test_map_gives_results_in_order_and_reads_all_arguments_at_once(shared):
    assert list(shared.map(operator.pow, range(10), [2] * 10)) == [number**2 for number in range(10)]
    assert list(shared.map(tasks.double, [])) == []
    given = iter(range(5))
    results = shared.map(tasks.double, given, chunksize=2)
    assert list(given) == []
    assert list(results) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("chunksize", [None, 1, 3, 100])
def test_map_raises_what_a_call_raised_after_the_results_before_it(shared, chunksize):
    results = shared.map(lambda value: 10 // (value - 5), range(10), chunksize=chunksize)
    assert [next(results) for _ in range(5)] == [10 // (value - 5) for value in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_map_does_not_wait_longer_than_it_is_told(shared, gate):
    results = shared.map(tasks.hold, [str(gate)] * 2, timeout=0.1)
    with pytest.raises(TimeoutError):
        list(results)
    gate.touch()
    assert shared.submit(tasks.double, 1).result(60) == 2


def test_as_completed_and_wait_take_its_futures(shared):
    futures = [shared.submit(tasks.double, number) for number in range(20)]
    assert sorted(future.result() for future in as_completed(futures, 60)) == [2 * number for number in range(20)]
    done, not_done = wait(futures, 60)
    assert (len(done), len(not_done)) == (20, 0)


def test_what_waits_for_the_first_is_told_of_it(shared, gate):
    slow, quick = shared.submit(tasks.hold, str(gate)), shared.submit(tasks.double, 1)
    done, not_done = wait([slow, quick], 60, FIRST_COMPLETED)
    assert (done, not_done) == ({quick}, {slow})
    gate.touch()
    slow.result(60)


def test_what_no_worker_has_is_cancelled_and_what_runs_is_not(shared, gate):
    def holds():  # of which it is not known how long it takes
        return tasks.hold(str(gate))

    futures = [shared.submit(holds) for _ in range(6)]
    until(lambda: len(notes(f"{gate}.begun")) == 2, 60, "two that run")
    cancelled = [future.cancel() for future in futures]
    assert cancelled.count(True) >= 2
    assert not any(future.cancelled() for future, done in zip(futures, cancelled, strict=True) if not done)
    assert all(future.running() for future, done in zip(futures, cancelled, strict=True) if not done)
    gate.touch()
    assert not wait(futures, 60).not_done
    with pytest.raises(CancelledError):
        futures[cancelled.index(True)].result()


@pytest.mark.fault("F31")
def test_callbacks_have_a_thread_of_their_own(shared, caplog):
    said, done = [], threading.Event()

    def raises(_):
        raise ArithmeticError("in a callback")

    def leaves(_):
        raise SystemExit

    def waits(future):
        said.append(shared.submit(tasks.double, future.result()).result(60))
        done.set()

    future = shared.submit(tasks.nap, 0.1, 21)
    for callback in (raises, leaves, waits):
        future.add_done_callback(callback)
    assert done.wait(60)
    assert said == [42]
    assert "in a callback" in caplog.text
    at_once: list[Future[object]] = []
    future.add_done_callback(at_once.append)
    assert at_once == [future]


def test_threads_submit_side_by_side(shared):
    results = {}

    def submit(first):
        results[first] = [shared.submit(tasks.double, number).result(60) for number in range(first, first + 30)]

    threads = [threading.Thread(target=submit, args=(first,)) for first in range(0, 240, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {first: [2 * number for number in range(first, first + 30)] for first in range(0, 240, 30)}


def test_five_thousand_at_once_come_back_each_to_its_own(shared):
    futures = [shared.submit(tasks.double, number) for number in range(5000)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(5000)]


def test_results_that_nobody_holds_are_not_held(shared):
    for made in shared.map(lambda number: {number}, range(6), chunksize=2):
        gone = weakref.ref(made)
        del made
        assert gone() is None

    class Holds:
        def method(self):
            return 1

    holder = Holds()
    gone = weakref.ref(holder)
    future = shared.submit(holder.method)
    del holder
    assert future.result(60) == 1
    gc.collect()
    assert gone() is None


def test_arguments_are_those_of_the_call_whatever_becomes_of_them(shared, gate):
    argument = [1]
    blocked = [shared.submit(tasks.hold, str(gate)) for _ in range(4)]
    future = shared.submit(tasks.double, argument)
    argument.append(2)
    gate.touch()
    wait(blocked)
    assert future.result(60) == [1, 1]


def test_a_function_that_refers_to_what_has_changed_is_the_changed_one(shared):
    factor = 2

    def times(value):
        return factor * value

    assert shared.submit(times, 10).result(60) == 20
    factor = 3
    assert shared.submit(times, 10).result(60) == 30


def test_what_cannot_travel_is_refused_at_the_call(shared):
    with pytest.raises(SerializationError, match=r"the arguments\[0\]\[0\]"):
        shared.submit(tasks.double, (number for number in range(3)))
    with pytest.raises(NotAnActor, match="no function"):
        shared.submit(3)

    def generates():
        yield 1

    with pytest.raises(TypeError, match="generator function"):
        shared.submit(generates)
    assert isinstance(shared.submit(lambda: (number for number in range(3))).exception(60), SerializationError)
    assert shared.submit(tasks.double, 1).result(60) == 2


def test_results_and_errors_that_do_not_open_here_are_errors_that_say_so(shared):
    assert "RuntimeError('not here')" in str(shared.submit(tasks.give_what_does_not_open).exception(60))
    error = shared.submit(tasks.raise_what_does_not_open).exception(60)
    assert "Raises" in str(error)
    assert "raise Raises(1, 2)" in str(error.__cause__)


def test_large_arrays_travel_both_ways_and_may_be_written_to(shared):
    import numpy as np

    sent = np.arange(500_000.0)
    got = shared.submit(lambda array: array.__imul__(2), sent).result(60)
    assert np.array_equal(got, 2 * sent)
    got[0] = 1
    assert len(shared.submit(tasks.double, b"x" * 5_000_000).result(60)) == 10_000_000


def test_more_than_a_pipe_holds_is_on_its_way_both_ways_at_once(shared):
    futures = [shared.submit(tasks.double, b"x" * 300_000) for _ in range(40)]
    assert [len(future.result(60)) for future in futures] == [600_000] * 40


def test_async_functions_are_run_to_their_end(shared):
    assert shared.submit(tasks.awaits, 5).result(60) == 5


def test_after_shutdown_it_takes_nothing_and_what_was_submitted_is_done(system):
    pool = Pool(1, system=system)
    futures = [pool.submit(tasks.double, number) for number in range(50)]
    pool.shutdown(wait=False)
    with pytest.raises(PoolClosed, match="after shutdown"):
        pool.submit(tasks.double, 1)
    with pytest.raises(RuntimeError):
        pool.map(tasks.double, [1])
    assert [future.result(60) for future in futures] == [2 * number for number in range(50)]
    pool.shutdown()
    assert not system.ps()


def test_shutdown_cancels_what_no_worker_has_if_it_is_asked_to(system, gate):
    pool = Pool(1, system=system)
    futures = [pool.submit(tasks.hold, str(gate)) for _ in range(5)]
    until(lambda: notes(f"{gate}.begun"), 60, "the first")
    pool.shutdown(wait=False, cancel_futures=True)
    until(futures[-1].cancelled, 60, "the cancelling")
    gate.touch()
    pool.shutdown()
    assert futures[0].result(60)
    assert all(future.done() for future in futures)
    assert sum(future.cancelled() for future in futures) >= 3


def test_a_pool_that_nobody_holds_does_what_was_submitted_and_ends(system):
    pool = Pool(1, system=system)
    future = pool.submit(tasks.nap, 0.2, "done")
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None
    assert future.result(60) == "done"
    until(lambda: not system.ps(), 60, "the end of the worker")


def test_a_pool_that_was_never_used_ends_at_once(system):
    with Pool(3, system=system) as pool:
        assert pool.stats().workers == 0
    pool.shutdown()


def test_shutdown_in_a_callback_waits_for_nobody(system):
    pool = Pool(1, system=system)
    done = threading.Event()

    def shuts(_):
        pool.shutdown()
        done.set()

    pool.submit(tasks.nap, 0.1).add_done_callback(shuts)
    assert done.wait(60)
    pool.shutdown()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_workers": 0}, "max_workers=0"),
        ({"max_workers": "2"}, "max_workers='2'"),
        ({"mode": "sync"}, "mode='sync'"),
        ({"initializer": 3}, "initializer=3"),
        ({"max_tasks_per_worker": 0}, "max_tasks_per_worker=0"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "1"}, "timeout"),
        ({"retries": -1}, "retries=-1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_at_the_call(nothing_is_left_behind, options, said):
    with pytest.raises(ConfigError, match=said) as caught:
        Pool(**options)
    assert isinstance(caught.value, ValueError)


def test_wrong_numbers_of_chunks_are_refused_at_the_call(shared):
    for call in (shared.map, shared.imap, shared.imap_unordered, shared.starmap):
        with pytest.raises(ConfigError, match="chunksize"):
            list(call(tasks.double, [(1,)], chunksize=0))


def test_it_wraps_for_asyncio(shared):
    async def main():
        return await asyncio.gather(*(asyncio.wrap_future(shared.submit(tasks.double, n)) for n in range(5)))

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]


def test_a_long_task_keeps_no_other_waiting_while_a_worker_has_nothing_to_do(shared, gate):
    for _ in range(20):
        list(shared.map(tasks.double, range(200), chunksize=1))  # so that it is known that they are short
    blocked = shared.submit(tasks.hold, str(gate))
    futures = [shared.submit(tasks.double, number) for number in range(300)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(300)]
    assert not blocked.done()
    gate.touch()
    assert blocked.result(60) < time.time()
