"""What a process remembers of those that it has spoken to."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.mail.office import Myself, Office
from understudy.wire.messages import Fate

MANY = 3000
pytestmark = pytest.mark.requirement("A7")


class World:
    """Actors that have all ended but for one; says so of each as often as it is asked."""

    def __init__(self, living):
        self.living, self.met = living, []
        self.office = Office(Myself("system", 0, 0, ""), b"key", self.exchange, self.meet, print)

    def meet(self, meet):
        self.met.append(meet.uid)
        self.office.fate(self.fate(meet.uid))

    def fate(self, uid):
        return Fate(uid, f"actor-{uid}", 1, 0, "ready" if uid == self.living else "ended", 1000, "block", "always")

    def exchange(self):
        raise AssertionError("nothing is sent here")


@pytest.fixture
def world():
    return World(living=1)


def test_of_many_that_have_ended_only_the_last_are_remembered_and_the_living_always(world):
    lives = [world.office.lives(uid, f"actor-{uid}") for uid in range(1, MANY)]
    assert lives == [True] + [False] * (MANY - 2)
    assert len(world.office._peers) == 1001
    assert world.office.lives(1, "actor-1")
    assert not world.office.lives(MANY - 1, "the last")
    assert world.met == [*range(1, MANY)], "neither is asked for again"


def test_who_ended_long_ago_is_asked_for_again_and_that_adds_nothing(world):
    for _ in range(2):
        for uid in range(1, MANY):
            world.office.lives(uid, f"actor-{uid}")
    assert not world.office.lives(2, "actor-2")
    assert world.met.count(2) == 3
    assert len(world.office._peers) == len(world.office._over) + 1 == 1001


def test_one_that_is_told_to_have_ended_and_later_to_be_unknown_is_one(world):
    for uid in range(2, 1003):
        world.office.lives(uid, f"actor-{uid}")
        world.office.fate(Fate(uid, "", 0, 0, "unknown", 0, "block", "always"))
    assert len(world.office._peers) == len(world.office._over) == 1000


def test_of_many_groups_only_the_last_have_their_turn_remembered(world):
    turns = [[world.office.turn(group) for _ in range(2)] for group in range(MANY)]
    assert turns == [[0, 1]] * MANY
    assert world.office.turn(MANY - 1) == 2
    assert len(world.office._turns) == 1000


def test_a_forked_copy_waits_for_no_lock_that_another_thread_had(world):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(world.office.stores._lock.acquire).result(20)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)  # else it would wait for ever
            world.office.stores.of(1)
            os._exit(0)
        pool.submit(world.office.stores._lock.release).result(20)
    assert os.waitpid(pid, 0)[1] == 0
