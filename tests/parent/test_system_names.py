"""One living system to a name, whoever runs it; what the dead left is neither found nor kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.stage import alive, descendants, gone, until
from understudy import ActorSystem, NameTaken, Remote, UnknownActor
from understudy.observe import rundir
from understudy.spawners import guard

HOLDS = """
import sys, time, understudy
system = understudy.ActorSystem(sys.argv[1])
print(system.endpoint.removeprefix("ipc://"), flush=True)
time.sleep(600)
"""


@contextmanager
def elsewhere(name):
    """A process that holds a system of that name, and the system's directory."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.requirement("A5")
def test_a_name_that_a_living_system_has_is_refused_with_the_process_that_holds_it():
    with elsewhere("shop") as (process, _):
        with pytest.raises(NameTaken, match=rf"a system named 'shop' runs already \(pid {process.pid}\)"):
            ActorSystem("shop")
        with ActorSystem("shop-2") as other:
            assert other.name == "shop-2"


def test_two_systems_of_one_name_are_refused_in_one_process_too_and_the_name_is_free_after_the_first():
    with ActorSystem("shop"), pytest.raises(NameTaken):
        ActorSystem("shop")
    with ActorSystem("shop") as again, Remote("shop") as remote:
        assert remote.ps() == []
        assert again.is_open


def test_systems_that_nobody_named_never_clash():
    with ActorSystem() as first, ActorSystem() as second, ActorSystem() as third:
        assert [second.name, third.name] == [f"{first.name}-2", f"{first.name}-3"]


def test_the_name_of_a_killed_parent_is_free_at_once():
    with elsewhere("shop") as (process, left):
        family = descendants(process.pid)
        process.kill()
        process.wait()
        with ActorSystem("shop") as system, Remote("shop") as remote:
            assert remote.ps() == []
            assert system.endpoint != f"ipc://{left}"
        gone(*family)


def test_what_a_parent_and_its_zygote_left_that_were_killed_in_one_instant_is_swept_by_the_next_system():
    with elsewhere("shop") as (process, left):
        family = descendants(process.pid)
        for pid in (process.pid, *family):
            os.kill(pid, signal.SIGSTOP)
        for pid in (*family, process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        until(lambda: not any(map(alive, family)), 20, "their end")
        assert os.path.isdir(left)
        with pytest.raises(UnknownActor, match="no system named 'shop' runs here"):
            Remote("shop")
        with ActorSystem("other"):
            assert not os.path.exists(left)


def test_a_number_that_another_process_bears_by_now_makes_no_dead_system_alive():
    left = rundir.base() / "ghost.12345678"
    left.mkdir(mode=0o700)
    (left / "name").write_text(f"ghost\n{os.getpid()}\n")
    os.mkfifo(left / rundir.LEASH)
    with pytest.raises(UnknownActor, match="no system named 'ghost' runs here"):
        Remote("ghost")
    with ActorSystem("ghost") as system:
        assert not left.exists()
        assert rundir.names() == ["ghost"]
        assert system.is_open


def test_who_asks_for_a_system_that_is_not_there_is_told_which_are():
    with ActorSystem("early"), ActorSystem("late"), pytest.raises(UnknownActor, match="of this user run: early, late"):
        Remote("middle")


def test_a_copy_that_was_forked_at_the_entrance_keeps_nobody_out():
    with rundir.entrance():
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
    try:
        with ActorSystem() as system:
            assert system.is_open
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_lock_is_on_the_leash():
    assert rundir.LEASH == guard.FIFO
