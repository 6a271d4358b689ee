"""No process can be had, or no descriptor is left: that spawn fails and says why, the rest live, the next works."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stage import gone, note, noted, running, until
from understudy import ActorSystem, NoCapacity, Process, StartError, Status, failpoints

PATCH = """
import errno, os
_fork = os.fork
def fork():
    try:
        left = int(open({count!r}).read())
    except FileNotFoundError:
        left = 0
    if left <= 0:
        return _fork()
    with open({count!r}, "w") as file:
        file.write(str(left - 1))
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
os.fork = fork
"""
"""Makes as many forks fail, in each interpreter that starts with it, as a file says."""


class Idle(Process):
    def __init__(self, told):
        self.told = told

    def __loop__(self):
        note(self.told, self.incarnation)
        self.sleep(600)

    def __result__(self):
        return os.getpid()


class Once(Process):
    """Dies in its first life when the file is there."""

    def __init__(self, trigger):
        self.trigger = trigger
        self.config.lives = 6
        self.config.restart.backoff.base = 0.01

    def __loop__(self):
        if self.incarnation == 1:
            until(lambda: os.path.exists(self.trigger), 60)
            os._exit(1)
        self.stop()

    def __result__(self):
        return self.incarnation


class Leaving(Process):
    """Leaves something behind that only a look at all processes finds."""

    def __init__(self, told):
        self.told = told

    def __loop__(self):
        note(self.told, subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        self.sleep(600)


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A system whose zygote fails as many forks as one says."""
    count = tmp_path / "count"
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(PATCH.format(count=str(count)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "patch"))
    with ActorSystem(learn=False) as system:  # an apprentice is a fork, too
        yield system, lambda times: count.write_text(str(times))


@pytest.fixture(autouse=True)
def nobody_stands_by(monkeypatch):
    """An actor that was forked ahead needs no fork."""
    monkeypatch.setenv(failpoints.VARIABLE, "zygote.standby=skip")


def works(system, host="process"):
    return system.spawn(os.getpid, host=host).wait(30) is Status.FINISHED


@pytest.mark.fault("F6")
def test_a_fork_that_fails_is_told_and_harms_nobody_else(failing, tmp_path):
    system, fail = failing
    neighbour = system.spawn(Idle, tmp_path / "told")
    noted(tmp_path / "told")
    fail(1)
    ref = system.spawn(Idle, tmp_path / "never", name="unlucky")
    with pytest.raises(StartError, match=r"unlucky could not be forked: BlockingIOError.*temporarily unavailable"):
        ref.result(20)
    assert ref.wait(0) is Status.CRASHED
    with pytest.raises(StartError, match="could not be forked"):
        ref.wait_ready(0)
    assert works(system)
    assert system.spawn(os.getpid, name="unlucky").wait(30) is Status.FINISHED
    running(neighbour)
    assert len(neighbour.history()) == 1
    neighbour.kill()


@pytest.mark.fault("F6")
def test_forks_that_fail_cost_lives_with_pauses_between(failing, tmp_path):
    system, fail = failing
    fail(2)
    config = {"lives": 3, "restart.backoff.base": 0.2, "restart.backoff.jitter": 0}
    ref = system.spawn(Idle, tmp_path / "told", config=config)
    assert noted(tmp_path / "told") == ["3"]
    first, second, third = ref.history()
    assert [life.pid for life in (first, second)] == [None, None]
    assert second.started_at - first.ended_at > 0.15
    assert third.started_at - second.ended_at > 0.35
    ref.kill()


@pytest.mark.fault("F6")
def test_a_program_that_cannot_be_started_is_told_for_a_fresh_interpreter_too(system, monkeypatch):
    start = subprocess.Popen

    def failing(command, **options):
        monkeypatch.setattr(subprocess, "Popen", start)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    assert works(system, "spawn")
    monkeypatch.setattr(subprocess, "Popen", failing)
    with pytest.raises(StartError, match="could not be forked: BlockingIOError"):
        system.spawn(os.getpid, host="spawn").result(20)
    assert works(system, "spawn")


@pytest.mark.fault("F6")
def test_a_thread_that_cannot_be_started_is_told_too(system, tmp_path, monkeypatch):
    """The same limit of the kernel counts threads, and a fresh interpreter is started on one."""
    ref = system.spawn(Once, tmp_path / "trigger", host="spawn")
    ref.wait_ready(30)
    start = threading.Thread.start
    failures: list[str] = []

    def failing(thread):
        if thread.name.startswith("understudy-fresh") and len(failures) < 2:
            failures.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", failing)
    with pytest.raises(StartError, match="can't start new thread"):
        system.spawn(os.getpid, host="spawn").result(20)
    (tmp_path / "trigger").touch()
    assert ref.result(30) == 3
    assert len(failures) == 2
    assert works(system, "spawn")


@contextmanager
def limit(pid, most):
    """No more than so many descriptors for that process."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.fault("F6")
def test_a_zygote_without_descriptors_says_so_and_goes_on(tmp_path):
    """With none to spare, and with one, two, three: side by side, for each waits for a sweep."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(goes_on_with, spare, tmp_path / str(spare)) for spare in range(4)]:
            done.result()


def goes_on_with(spare, place):
    place.mkdir()
    system: Any
    with ActorSystem(learn=False) as system:
        neighbour = system.spawn(Idle, place / "told")
        noted(place / "told")
        (zygote,) = system._world.spawners["process"].pids
        taken = {int(fd) for fd in os.listdir(f"/proc/{zygote}/fd")}
        free = [fd for fd in range(1000) if fd not in taken]
        leaving = system.spawn(Leaving, place / "left")
        (left,) = noted(place / "left")
        with limit(zygote, free[spare]):
            ref = system.spawn(Idle, place / "never")
            error = ref.exception(20)
            assert isinstance(error, StartError)
            if spare < 2:
                assert "no descriptors left in the zygote" in str(error)
            os.kill(leaving.info().pid, signal.SIGKILL)
            assert leaving.wait(20) is Status.CRASHED
            died = time.monotonic()
            until(lambda: time.monotonic() - died > 1.5, 5, "the time of the sweep, which fails")
        gone(int(left))  # the sweep, too, was put off and not given up
        assert works(system)
        assert system._world.spawners["process"].pids == [zygote]
        running(neighbour)
        assert len(neighbour.history()) == 1
        neighbour.kill()


@pytest.mark.fault("F6")
def test_a_parent_short_of_descriptors_refuses_in_advance(system, tmp_path, host):
    ref = system.spawn(Idle, tmp_path / "told")
    noted(tmp_path / "told")
    running(ref)
    with limit(0, len(os.listdir("/proc/self/fd")) + 60):
        with pytest.raises(NoCapacity, match="ulimit"):
            system.spawn(Idle, tmp_path / "never", name="refused", host=host)
        assert ref.info().status is Status.RUNNING
    assert system.spawn(os.getpid, name="refused", host=host).wait(30) is Status.FINISHED
    ref.stop()
    assert ref.wait(30) is Status.FINISHED


LOW = 24
"""More descriptors than the router waits for: poll(2) refuses more than the limit allows."""


@pytest.fixture
def packed():
    """A system all of whose descriptors have numbers above `LOW`, for those below are taken."""
    taken: list[int] = []
    while not taken or taken[-1] < LOW:
        taken.append(os.dup(0))
    with ActorSystem(learn=False) as system:
        yield system
    for fd in taken:
        os.close(fd)


def connected(system, actors):
    """Both lines of so many actors are there: ZeroMQ would not survive having no descriptor to accept one with."""
    place = system.endpoint.removeprefix("ipc://")

    def lines():
        rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
        # Without an inode it waits to be accepted.
        accepted = [row[7] for row in rows if len(row) > 7 and row[6] != "0"]
        return all(accepted.count(f"{place}/{name}") > actors for name in ("commands", "reports"))

    until(lines, 20, "the lines of all")


@contextmanager
def nothing_left():
    """This process can open nothing more, whatever it closes meanwhile."""
    with limit(0, LOW):
        yield


@pytest.mark.fault("F6")
def test_a_restart_without_descriptors_costs_lives_and_comes_when_there_are_some(packed, tmp_path, host):
    config = {"restart.backoff.base": 0.5}
    ref = packed.spawn(Once, tmp_path / "trigger", host=host, config=config)
    neighbour = packed.spawn(Idle, tmp_path / "told")
    noted(tmp_path / "told")
    ref.wait_ready(30)
    connected(packed, 2)
    with nothing_left():
        os.mkdir(tmp_path / "trigger")
        until(lambda: len(ref.history()) > 1 and ref.history()[1].cause, 20, "a life that could not be had")
    assert ref.result(30) > 2
    assert "could not be forked: [Errno 24] Too many open files" in ref.history()[1].cause
    running(neighbour)
    assert len(neighbour.history()) == 1
    neighbour.kill()


@pytest.mark.fault("F6")
def test_a_kill_needs_no_descriptor(packed, tmp_path, host):
    ref = packed.spawn(Idle, tmp_path / "told", host=host)
    noted(tmp_path / "told")
    connected(packed, 1)
    with nothing_left():
        assert ref.kill() == "asked"
        assert ref.wait(20) is Status.KILLED
