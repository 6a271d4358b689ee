"""Locks, events, queues and the like arrive fresh and free; queues keep their items, here and there."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.travel.carrying import Kind, carry

pytestmark = pytest.mark.requirement("P10")


def held(lock):
    lock.acquire()
    return lock


def elsewhere(make):
    """What a thread that has ended made."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(make).result()


def free(lock):
    taken = lock.acquire(timeout=5)
    lock.release()
    return taken


def waits_and_wakes(condition):
    woken = []

    def wait():
        with condition:
            woken.append(condition.wait(10))

    waiter = threading.Thread(target=wait)
    with condition:
        waiter.start()
        condition.wait_for(lambda: condition._waiters, 0.01)
    while waiter.is_alive():
        with condition:
            condition.notify_all()
        waiter.join(0.01)
    return woken


def filled(kind, *items):
    made = kind()
    for item in items:
        made.put(item)
    return made


def drained(one):
    return [one.get_nowait() for _ in range(one.qsize())]


class Named(threading.Event):
    def __init__(self, name):
        super().__init__()
        self.name = name


class Jobs(queue.Queue):
    def __init__(self, label):
        super().__init__(maxsize=3)
        self.label = label

    def next(self):
        return self.label, self.get_nowait()


class Context(threading.local):
    depth = 7


def local_with_values(_):
    made = Context()
    made.user = "ada"
    return made


def two_views_of_one_lock(_):
    lock = held(threading.RLock())
    return lock, threading.Condition(lock)


def taken_before(kind):
    made = filled(kind, 1, 2, 3, 4)
    assert made.get() in {1, 4}
    return made


def event_that_is_set(_):
    made = threading.Event()
    made.set()
    return made


def broken_barrier(_):
    made = threading.Barrier(1)
    made.abort()
    return made


def semaphore_in_part_taken(_):
    made = threading.Semaphore(3)
    made.acquire()
    return made


def busy(pool_queue):
    pool_queue.join()
    return True


def joins_when_done(jobs):
    for _ in range(3):
        jobs.get()
        jobs.task_done()
    return busy(jobs)


def run_an_asyncio_queue(jobs):
    async def take():
        return await jobs.get()

    return asyncio.run(take())


def asyncio_queue(_):
    made = asyncio.Queue()
    made.put_nowait("job")
    return made


KINDS = [
    Kind("lock", lambda _: threading.Lock(), free, True),
    Kind("held lock", lambda _: held(threading.Lock()), free, True, lambda lock: lock.locked(), True),
    Kind("rlock", lambda _: threading.RLock(), free, True),
    Kind("held rlock", lambda _: held(threading.RLock()), free, True, lambda lock: lock._is_owned(), True),
    Kind("rlock of another thread", lambda _: elsewhere(lambda: held(threading.RLock())), free, True),
    Kind("condition", lambda _: threading.Condition(), waits_and_wakes, [True]),
    Kind("held condition", lambda _: held(threading.Condition(threading.Lock())), free, True),
    Kind("a condition and its lock", two_views_of_one_lock, lambda pair: pair[1]._lock is pair[0], True),
    Kind("event", lambda _: threading.Event(), lambda event: (event.is_set(), event.wait(0)), (False, False)),
    Kind("event that is set", event_that_is_set, lambda event: (event.is_set(), event.wait(0)), (True, True)),
    Kind("event of a class", lambda _: Named("go"), lambda event: (event.name, event.is_set()), ("go", False)),
    Kind("semaphore", semaphore_in_part_taken, lambda one: [one.acquire(timeout=0.01) for _ in "abc"], [1, 1, False]),
    Kind(
        "held bounded semaphore",
        lambda _: held(threading.BoundedSemaphore(1)),
        lambda one: (one.acquire(timeout=5), one.acquire(blocking=False)),
        (True, False),
    ),
    Kind("barrier", lambda _: threading.Barrier(1), lambda barrier: barrier.wait(5), 0),
    Kind("broken barrier", broken_barrier, lambda barrier: barrier.wait(5), 0, lambda barrier: barrier.broken, True),
    Kind(
        "thread local",
        local_with_values,
        lambda local: (local.user, local.depth, elsewhere(lambda: hasattr(local, "user"))),
        ("ada", 7, False),
        lambda local: local.user,
        "ada",
    ),
    Kind("queue", lambda _: filled(queue.Queue, 1, 2), drained, [1, 2], drained, [1, 2]),
    Kind("queue with tasks under way", lambda _: taken_before(queue.Queue), joins_when_done, True),
    Kind("stack", lambda _: filled(queue.LifoQueue, 1, 2), drained, [2, 1], drained, [2, 1]),
    Kind("priority queue", lambda _: filled(queue.PriorityQueue, 3, 1), drained, [1, 3], drained, [1, 3]),
    Kind("simple queue", lambda _: taken_before(queue.SimpleQueue), drained, [2, 3, 4], drained, [2, 3, 4]),
    Kind("simple queue of a list", lambda _: filled(queue.SimpleQueue, [1]), drained, [[1]], drained, [[1]]),
    Kind("queue of a class", lambda _: filled(lambda: Jobs("a"), 1), lambda jobs: jobs.next(), ("a", 1)),
    Kind("asyncio queue", asyncio_queue, run_an_asyncio_queue, "job", lambda jobs: jobs.get_nowait(), "job"),
    Kind("bound method of a lock", lambda _: held(threading.Lock()).acquire, lambda take: take(timeout=5), True),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("threads"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_arrives_fresh_and_is_used_there(kind, verdicts):
    assert not verdicts[kind.name]
