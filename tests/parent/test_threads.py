"""Systems and actors that are opened, spawned, held and ended from threads other than the main one."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage import hold, note, noted, until
from understudy import ActorKilled, ActorSystem, NameTaken, Process, Status, SystemClosed
from understudy.spawners.zygote import ZygoteSpawner


class Counting(Process):
    def __loop__(self):
        self.sleep(0.01)

    def __result__(self):
        return [self.completed_laps]


@pytest.mark.fault("F33")
def test_an_actor_outlives_the_thread_that_spawned_it(system):
    with ThreadPoolExecutor(4) as pool:
        refs = list(pool.map(lambda _: system.spawn(Counting), range(8)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
    for ref in refs:
        ref.wait_ready(20)
    laps = [ref.info().lap for ref in refs]
    until(lambda: all(ref.info().lap > lap for ref, lap in zip(refs, laps, strict=True)))
    assert {ref.info().incarnation for ref in refs} == {1}


@pytest.mark.fault("F33")
def test_a_system_outlives_the_thread_that_opened_it_and_ends_in_another():
    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        system, ref = pool.submit(lambda: (opened := ActorSystem(), opened.spawn(Counting))).result()
    try:
        assert signal.getsignal(signal.SIGTERM) is before  # only the main thread may take signals
        ref.wait_ready(20)
        zygotes = system._world.spawners["process"]
        assert isinstance(zygotes, ZygoteSpawner)
        assert system.spawn(os.getppid).result(20) == zygotes.pids[-1]
    finally:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(system.shutdown).result()
    assert ref.wait(0) is Status.FINISHED
    assert not system.is_open


@pytest.mark.requirement("P6")
def test_many_threads_hold_one_handle_and_get_the_same_answer(system):
    ref = system.spawn(Counting)
    barrier = threading.Barrier(24)

    def hold(number):
        barrier.wait(20)
        if number % 8 == 0:
            ref.wait_ready(20)
            ref.stop()
        return ref.wait(20), ref.result(20), ref.exception(20), ref.done(), len(ref.history())

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(hold, range(24)))
    first = answers[0]
    assert first[0] is Status.FINISHED
    assert first[2:] == (None, True, 1)
    for answer in answers:
        assert answer == first
        assert answer[1] is first[1]


@pytest.mark.requirement("P6")
def test_many_threads_get_the_one_error_of_an_actor(system):
    ref = system.spawn(Counting)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ref.exception, 20) for _ in range(8)]
        ref.wait_ready(20)
        ref.kill()
        errors = {id(one.result()): one.result() for one in waiting}
    assert len(errors) == 1
    assert isinstance(next(iter(errors.values())), ActorKilled)


class SlowToOpen:
    """A result whose opening notes that it began, and waits for the gate."""

    def __init__(self, began, gate):
        self.began, self.gate = began, gate

    def __reduce__(self):
        return open_slowly, (self.began, self.gate)


def open_slowly(began, gate):
    note(began, os.getpid())
    hold(gate)
    return "open"


def give_slowly(began, gate):
    return SlowToOpen(began, gate)


@pytest.mark.requirement("P6")
def test_a_result_that_is_slow_to_open_holds_up_neither_other_results_nor_the_end(tmp_path):
    system, began, gate = ActorSystem(), tmp_path / "began", tmp_path / "gate"
    slow, quick = system.spawn(give_slowly, began, gate), system.spawn(os.getpid)
    with ThreadPoolExecutor(3) as pool:
        try:
            opening = pool.submit(slow.result, 30)
            assert noted(began) == [str(os.getpid())]
            assert pool.submit(quick.result, 20).result(20) != os.getpid()
            pool.submit(system.shutdown).result(20)
            assert not opening.done()
        finally:
            gate.touch()
            system.shutdown()
        assert opening.result(20) == "open"


@pytest.mark.requirement("A5")
def test_of_many_threads_that_want_one_name_one_gets_it(system):
    barrier = threading.Barrier(12)

    def claim(_):
        barrier.wait(20)
        try:
            return system.spawn(Counting, name="wanted")
        except NameTaken:
            return None

    with ThreadPoolExecutor(12) as pool:
        won = [ref for ref in pool.map(claim, range(12)) if ref is not None]
    assert len(won) == 1
    assert [info.uid for info in system.ps()] == [won[0].uid]


def test_spawning_ending_and_listing_from_many_threads_at_once_disturbs_nobody(system):
    over = threading.Event()

    def churn(_):
        return [system.spawn(os.getpid).result(30) for _ in range(12)]

    def look():
        while not over.is_set():
            repr(system)
            system.ps(all=True)

    with ThreadPoolExecutor(8) as pool:
        looking = pool.submit(look)
        pids = [pid for churned in pool.map(churn, range(6)) for pid in churned]
        over.set()
        looking.result(20)
    assert len(pids) == 72
    assert {info.status for info in system.ps(all=True)} == {Status.FINISHED}


def test_what_waits_in_another_thread_hears_that_the_system_closed():
    system = ActorSystem()
    ref = system.spawn(Counting)
    ref.wait_ready(20)
    with ThreadPoolExecutor(2) as pool:
        waiting, waiting_for_all = pool.submit(ref.wait, 30), pool.submit(system.wait_all, "*", 30)
        until(lambda: waiting.running() and waiting_for_all.running())
        system.shutdown()
        assert waiting.result(20) is Status.FINISHED
        with contextlib.suppress(SystemClosed):  # if it came to ask only then
            assert waiting_for_all.result(20) == {ref.name: Status.FINISHED}
