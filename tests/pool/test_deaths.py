"""A worker's death costs the task that it had in hand, and no other."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, wait

import pytest

from tests.pool import tasks
from tests.stage import notes, until
from understudy import ActorDied, ActorSystem, NoCapacity, Pool, PoolBroken, PoolTaskError, SystemClosed

pytestmark = [pytest.mark.requirement("B3")]


@pytest.fixture
def pool(system):
    with Pool(2, name="crew", system=system) as opened:
        yield opened


@pytest.mark.parametrize("ends", [tasks.die, tasks.crash], ids=["exit", "fault"])
def test_the_task_that_kills_its_worker_fails_and_all_others_are_done(pool, ends):
    before = [pool.submit(tasks.double, number) for number in range(300)]
    bad = pool.submit(ends)
    after = [pool.submit(tasks.double, number) for number in range(300)]
    with pytest.raises(PoolTaskError, match="crew/") as caught:
        bad.result(60)
    error = caught.value
    assert (error.key, error.order, error.may_have_run, error.others) == (None, 300, True, ())
    assert error.worker.startswith("crew/")
    assert error.pid
    assert isinstance(error.__cause__, ActorDied)
    assert error.report
    assert error.report.name == error.worker
    assert [future.result(60) for future in before + after] == [2 * number for number in range(300)] * 2
    assert pool.stats().lost == 1


def test_a_worker_killed_while_it_has_nothing_to_do_is_replaced_and_costs_nothing(pool):
    pid = pool.submit(tasks.pid).result(60)
    os.kill(pid, signal.SIGKILL)
    assert [pool.submit(tasks.double, number).result(60) for number in range(50)] == [2 * n for n in range(50)]
    assert pid not in {*pool.map(tasks.pid, range(20), chunksize=1)}


def test_a_worker_killed_from_outside_amid_many_costs_one_task_at_the_most(pool):
    list(pool.map(tasks.double, range(1000), chunksize=1))
    futures = [pool.submit(tasks.double, number) for number in range(6000)]
    os.kill(pool.submit(tasks.pid).result(60), signal.SIGKILL)
    failed = [future for future in futures if future.exception(60) is not None]
    assert len(failed) <= 1
    assert sum(future.result() == 2 * number for number, future in enumerate(futures) if future not in failed) >= 5999


def test_a_killed_task_that_has_retries_is_begun_anew(pool, tmp_path):
    path = str(tmp_path / "lives")
    assert pool.options(retries=1).submit(tasks.die_once, path).result(60) == "the second time"
    assert len(notes(path)) == 2
    assert pool.stats().retried == 1


def test_a_task_that_kills_every_worker_is_given_to_no_fourth_one(pool):
    with pytest.raises(PoolTaskError, match="3 workers died with it in hand"):
        pool.options(retries=100).submit(tasks.die).result(60)
    assert pool.stats().lost == 3
    assert pool.submit(tasks.double, 4).result(60) == 8


def test_a_stop_or_kill_by_name_is_a_death_like_any_other(pool, system, gate):
    future = pool.submit(tasks.hold, str(gate))
    until(lambda: notes(f"{gate}.begun"), 60, "the task")
    system.kill("crew/*")
    error = future.exception(60)
    assert isinstance(error, PoolTaskError)
    assert "killed" in str(error)
    assert pool.submit(tasks.double, 1).result(60) == 2
    (name,) = [info.name for info in system.ps()]
    assert system.stop(name) == {name: "asked"}
    assert pool.submit(tasks.double, 2).result(60) == 4


def test_a_timeout_interrupts_its_task_and_the_worker_goes_on(pool):
    pid = pool.submit(tasks.pid).result(60)
    for target, args in ((tasks.nap, (60,)), (tasks.spin, ())):
        error = pool.options(timeout=0.2, key=target.__name__).submit(target, *args).exception(60)
        assert isinstance(error, PoolTaskError)
        assert isinstance(error.__cause__, TimeoutError)
        assert (error.key, error.may_have_run) == (target.__name__, True)
        assert "0.2 s" in str(error)
    assert pid in {*pool.map(tasks.pid, range(20), chunksize=1)}
    assert pool.stats().lost == 0


def test_a_task_that_no_interrupt_ends_costs_its_worker(pool):
    error = pool.options(timeout=0.2).submit(tasks.deaf).exception(60)
    assert isinstance(error, PoolTaskError)
    assert isinstance(error.__cause__, TimeoutError)
    assert pool.submit(tasks.double, 4).result(60) == 8


def test_a_task_within_its_timeout_is_left_alone_and_none_hangs_over_the_next(pool):
    quick = pool.options(timeout=5)
    assert [quick.submit(tasks.double, number).result(60) for number in range(100)] == [2 * n for n in range(100)]
    assert pool.submit(tasks.nap, 0.5, "slept").result(60) == "slept"


def test_each_call_of_a_chunk_has_the_timeout_of_its_own(pool):
    results = pool.options(timeout=2).map(tasks.nap, [0.0, 0.0, 60, 0.0], "abcd", chunksize=4)
    assert [next(results), next(results)] == ["a", "b"]
    with pytest.raises(PoolTaskError):
        next(results)


def test_an_overrun_that_has_retries_is_begun_anew(pool, tmp_path):
    path = tmp_path / "begun"

    def late_once(path):
        with open(path, "a") as file:
            file.write("x")
        time.sleep(60 if os.path.getsize(path) == 1 else 0)
        return os.path.getsize(path)

    assert pool.options(timeout=0.5, retries=1).submit(late_once, str(path)).result(60) == 2


def test_workers_end_after_their_tasks_and_nothing_is_lost(system):
    with Pool(2, system=system, max_tasks_per_worker=3) as pool:
        pids = list(pool.map(tasks.pid, range(15), chunksize=1))
        assert max(pids.count(pid) for pid in pids) <= 3
        assert pool.stats().lost == 0


def test_an_initializer_is_run_in_each_worker_first(system):
    with Pool(2, system=system, initializer=tasks.remember, initargs=("yes",)) as pool:
        assert pool.submit(tasks.remembered).result(60) == "yes"


def test_an_initializer_that_raises_breaks_the_pool_and_says_why(system):
    with Pool(2, system=system, initializer=tasks.fail, initargs=("no database",)) as pool:
        futures = [pool.options().submit(tasks.double, 1)]
        for future in futures:
            with pytest.raises(PoolBroken, match="no database") as caught:
                future.result(60)
            assert isinstance(caught.value, BrokenExecutor)
            assert isinstance(caught.value.__cause__, LookupError)
        with pytest.raises(PoolBroken, match="no database"):
            until(lambda: pool.submit(tasks.double, 1).exception(60) is None, 60)


def test_workers_that_die_before_they_take_tasks_break_the_pool(system):
    with Pool(1, system=system, initializer=os._exit, initargs=(9,)) as pool:
        with pytest.raises(PoolBroken) as caught:
            pool.submit(tasks.double, 1).result(60)
        assert isinstance(caught.value.__cause__, ActorDied)


def test_a_system_that_closes_beneath_it_breaks_it(nothing_is_left_behind, gate):
    system = ActorSystem()
    pool = Pool(1, system=system)
    futures = [pool.submit(tasks.hold, str(gate)) for _ in range(3)]
    until(lambda: notes(f"{gate}.begun"), 60, "the first")
    system.shutdown(force=True)
    done, not_done = wait(futures, 60)
    assert not not_done
    assert all(isinstance(future.exception(), PoolBroken | PoolTaskError) for future in done)
    with pytest.raises(PoolBroken):
        pool.submit(tasks.double, 1)
    pool.shutdown()
    with pytest.raises(SystemClosed):
        Pool(1, system=system)


def test_a_pool_in_which_workers_die_all_the_time_loses_nothing_else(pool):
    list(pool.map(tasks.double, range(500), chunksize=1))
    stop = threading.Event()

    def murder():
        while not stop.wait(0.15):
            worker = pool.options(retries=5).submit(tasks.pid)
            try:
                os.kill(worker.result(60), signal.SIGKILL)
            except (PoolTaskError, ProcessLookupError):
                continue

    murderer = threading.Thread(target=murder)
    murderer.start()
    try:
        futures = [pool.options(retries=2).submit(tasks.nap, 0.002, number) for number in range(400)]
        assert [future.result(120) for future in futures] == [*range(400)]
    finally:
        stop.set()
        murderer.join()


def test_no_capacity_is_told_where_no_worker_can_be_had(system, monkeypatch):
    def refuses(*_, **__):
        raise NoCapacity("the machine is full")

    monkeypatch.setattr(system, "spawn", refuses)
    with Pool(1, system=system) as pool, pytest.raises(PoolBroken, match="the machine is full"):
        pool.submit(tasks.double, 1).result(60)
