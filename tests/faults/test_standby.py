"""The process that the zygote forked ahead: who takes it, what it knows, and that it never outlives its use."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stage import alive, descendants, gone, note, noted, until
from understudy import ActorSystem, Process, Status
from understudy.failpoints import VARIABLE


class Idle(Process):
    def __init__(self, told):
        self.told = told
        self.config.lives = 2

    def __loop__(self):
        note(self.told, os.getpid())
        self.sleep(600)

    def __result__(self):
        return os.getcwd(), os.environ.get("UNDERSTUDY_WORD"), os.getpid()


def zygote_of(system):
    return system._world.spawners["process"].pids[-1]


def standby_of(system):
    """The only descendant of an idle zygote."""
    until(lambda: len(descendants(zygote_of(system))) == 1, 20, "a process that stands by")
    return descendants(zygote_of(system))[0]


def test_the_process_that_stood_by_becomes_the_next_actor(tmp_path):
    with ActorSystem(learn=False) as system:
        waiting = standby_of(system)
        ref = system.spawn(Idle, tmp_path / "told")
        assert noted(tmp_path / "told") == [str(waiting)]
        ref.stop()
        assert ref.result(20)[2] == waiting


@pytest.mark.requirement("L1")
def test_the_process_that_stands_by_takes_over_from_the_dead(tmp_path):
    with ActorSystem(learn=False) as system:
        ref = system.spawn(Idle, tmp_path / "told")
        (first,) = noted(tmp_path / "told")
        waiting = until(lambda: set(descendants(zygote_of(system))) - {int(first)}, 20, "another that stands by").pop()
        os.kill(int(first), signal.SIGKILL)
        assert noted(tmp_path / "told", 2) == [first, str(waiting)]
        assert ref.info().incarnation == 2
        ref.kill()


@pytest.mark.requirement("P10")
@pytest.mark.fault("F10")
def test_it_takes_on_the_circumstances_of_the_spawn_and_not_of_its_fork(tmp_path, monkeypatch):
    with ActorSystem(learn=False) as system:
        standby_of(system)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        monkeypatch.setenv("UNDERSTUDY_WORD", "later")
        ref = system.spawn(Idle, tmp_path / "told")
        noted(tmp_path / "told")
        ref.stop()
        assert ref.result(20)[:2] == (str(tmp_path / "elsewhere"), "later")


@pytest.mark.fault("F8")
def test_one_that_died_while_it_waited_costs_the_next_spawn_nothing(tmp_path):
    with ActorSystem(learn=False) as system:
        os.kill(standby_of(system), signal.SIGKILL)
        ref = system.spawn(Idle, tmp_path / "told")
        noted(tmp_path / "told")
        assert (len(ref.history()), ref.info().incarnation) == (1, 1)
        ref.kill()
        assert ref.wait(20) is Status.KILLED


@pytest.mark.fault("F8")
def test_it_goes_with_its_zygote(tmp_path):
    with ActorSystem(learn=False) as system:
        waiting = standby_of(system)
        zygote = zygote_of(system)
        os.kill(zygote, signal.SIGKILL)
        gone(waiting)
        assert system.spawn(os.getpid).wait(30) is Status.FINISHED
        assert zygote_of(system) != zygote


@pytest.mark.requirement("K5")
def test_it_goes_with_the_system():
    with ActorSystem(learn=False) as system:
        waiting = standby_of(system)
    assert not alive(waiting)


def test_nobody_stands_by_where_failpoints_are_armed(monkeypatch):
    monkeypatch.setenv(VARIABLE, "zygote.standby=skip")
    with ActorSystem(learn=False) as system:
        for _ in range(3):
            assert system.spawn(os.getpid).wait(30) is Status.FINISHED
        until(lambda: not descendants(zygote_of(system)), 20, "an empty nursery")
