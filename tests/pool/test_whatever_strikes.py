"""What strikes amid a submit, or between a pool and its workers, tears nothing."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from concurrent.futures import CancelledError, Future, wait

import pytest

from tests.pool import tasks
from tests.stage import notes, until
from understudy import Pool, PoolBroken, PoolTaskError
from understudy.pool.channel import Entrance, Stream
from understudy.pool.frames import DONE, Writer

pytestmark = [pytest.mark.requirement("B1"), pytest.mark.requirement("B3")]


@pytest.fixture
def pool(system):
    with Pool(2, name="struck", system=system) as opened:
        yield opened


def test_what_a_signals_handler_raises_amid_submits_costs_no_task_that_was_submitted(pool):
    class Stop(Exception):
        pass

    def strike(*_):
        raise Stop

    pool.submit(abs, 1).result(60)
    before = signal.signal(signal.SIGALRM, strike)
    gc.disable()  # what is raised amid a collection, by whoever is called back, is dropped
    try:
        for delay in range(1, 30):
            futures: list[Future[int]] = []
            try:
                signal.setitimer(signal.ITIMER_REAL, delay / 10_000)
                while len(futures) < 5000:
                    futures.append(pool.submit(abs, -1))
            except Stop:
                pass
            assert not wait(futures, 60).not_done
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, before)
    until(lambda: pool.stats().waiting == pool.stats().held == 0, 60, "the last task")


def test_a_finalizer_that_submits_amid_anything_is_served(pool):
    said = []

    class Last:
        def __del__(self):
            said.append(pool.submit(tasks.double, 4))

    for _ in range(50):
        Last()
        pool.submit(abs, -1).result(60)
    assert [future.result(60) for future in said] == [8] * 50


def test_who_submits_while_another_one_shuts_down_gets_an_outcome_or_an_error(system):
    for _ in range(10):
        pool, futures = Pool(1, system=system), list[Future[int]]()

        def submit(pool=pool, futures=futures):
            try:
                while True:
                    futures.append(pool.submit(abs, -1))
            except RuntimeError:
                return

        thread = threading.Thread(target=submit)
        thread.start()
        until(futures.__len__, 60, "some tasks")
        pool.shutdown()
        thread.join(60)
        assert all(future.done() for future in futures)


def test_a_worker_that_is_gone_before_it_is_welcomed_harms_nobody(pool, monkeypatch):
    whole = Entrance.admit
    gone: list[Stream] = []

    def admit(self, stranger, said, claims):
        if not gone:
            gone.append(stranger)
            stranger.link.shutdown(socket.SHUT_RDWR)
        return whole(self, stranger, said, claims)

    monkeypatch.setattr(Entrance, "admit", admit)
    assert pool.submit(tasks.double, 4).result(60) == 8
    assert gone


def test_what_a_worker_said_before_its_connection_was_reset_counts():
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    message = b"".join(Writer().message(DONE, [1, 0.1, [0, None, [b"x" * 3]]]))
    stream = Stream(ours)
    ours.send(b"unread")
    theirs.sendall(message)
    room = stream._reader.room()
    stream._reader._inbox = bytearray(len(message))  # so that it is full with that, and looks once more
    assert len(room) > len(message)
    theirs.close()
    said = stream.receive()
    assert said
    assert said[0].content[0] == 1
    assert stream.receive() is None
    ours.close()


def test_more_workers_come_at_once_than_strangers_may(system):
    with Pool(40, system=system, initializer=tasks.hold_up) as pool:
        futures = [pool.submit(tasks.nap, 0.01, number) for number in range(80)]
        assert [future.result(100) for future in futures] == [*range(80)]


def test_what_kills_whoever_reads_it_is_given_up(system):
    with Pool(1, system=system, initializer=tasks.little_memory) as pool:
        error = pool.submit(len, b"x" * 200_000_000).exception(100)
        assert isinstance(error, PoolTaskError)
        assert pool.submit(tasks.double, 4).result(100) == 8


def test_a_future_that_somebody_else_has_set_harms_nobody(pool, gate):
    blocked = [pool.submit(tasks.hold, str(gate)) for _ in range(4)]
    until(lambda: len(notes(f"{gate}.begun")) == 2, 60, "two at work")
    mine = pool.submit(tasks.double, 1)
    mine.set_result("by me")
    process = pool.submit_process("mine", tasks.Holder(str(gate)))
    other = pool.submit_process("theirs", tasks.Holder(str(gate)))
    gate.touch()
    assert mine.result(60) == "by me"
    assert [process.result(60), other.result(60)] == ["held", "held"]
    assert not wait(blocked, 60).not_done
    assert pool.submit(tasks.double, 4).result(60) == 8


def test_keys_that_read_like_workers_collide_with_none(pool):
    pool.submit_many([(1, tasks.Counter, 2), ("1", tasks.Counter, 3), ("2", tasks.double, 1), (3, tasks.double, 2)])
    assert pool.results(60) == {1: 2, "1": 3, "2": 2, 3: 4}


def test_cancelling_at_shutdown_is_for_processes_too_and_breaking_ends_them(system, gate):
    pool = Pool(1, system=system)
    futures = [pool.submit_process(f"number-{number}", tasks.Holder(str(gate))) for number in range(3)]
    until(futures[0].running, 60, "the first")
    closing = threading.Thread(target=lambda: pool.shutdown(cancel_futures=True))
    closing.start()
    until(futures[2].cancelled, 60, "the cancelling")
    gate.touch()
    closing.join(60)
    assert futures[0].result(60) == "held"
    with pytest.raises(PoolTaskError) as caught:
        pool.results()
    assert isinstance(caught.value.__cause__, CancelledError)

    gate.unlink()
    with Pool(1, system=system, initializer=tasks.fail, initargs=("no",)) as broken:
        process = broken.submit_process("process", tasks.Holder(str(gate)))
        until(process.running, 60, "the process")
        assert isinstance(broken.submit(tasks.double, 1).exception(60), PoolBroken)
        assert isinstance(process.exception(60), PoolBroken | PoolTaskError)  # whichever is told first
    until(lambda: not system.ps(), 60, "the end of the process")


def test_functions_that_are_not_remembered_any_more_are_let_go_by_workers(system):
    with Pool(1, system=system) as pool:
        for number in range(600):
            factor = number

            def times(value, factor=factor):
                return value * factor

            assert pool.submit(times, 2).result(60) == 2 * number
        assert len(pool._core.functions._known) <= 256
        (hand,) = pool._core.staff.hands.values()
        assert len(hand.functions) <= 256
        assert pool.submit(os.getpid).result(60) == hand.pid


def test_rows_of_any_length_are_calls(pool):
    assert list(pool.starmap(tasks.count, [(), (1,), (1, 2)], chunksize=3)) == [0, 1, 2]
    assert list(pool.starmap(tasks.count, [()] * 10)) == [0] * 10
