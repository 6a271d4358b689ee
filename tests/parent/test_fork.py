"""The user's code forks the parent: the copy has the objects, but neither the system nor its actors."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading

import pytest

from tests.stage import alive, descendants, gone, notes, parent, said, until
from understudy import ActorSystem, Process, Status, WrongProcess

SCRIPT = """
import os, signal, sys, time
from tests.stage import note
from understudy import ActorSystem, Process

told, how = sys.argv[1:]

class Careful(Process):
    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(told, "onfinish")

def copy(system):
    match how:
        case "raises":
            raise RuntimeError("the copy's own trouble")
        case "exits":
            sys.exit(4)
        case "_exits":
            os._exit(4)
        case "is terminated":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        case "closes":
            system.shutdown(force=True)

with ActorSystem() as system:
    ref = system.spawn(Careful)
    ref.wait_ready()
    directory = system.endpoint.removeprefix("ipc://")
    before = sorted(os.listdir(directory))
    pid = os.fork()
    if pid == 0:
        copy(system)
    else:
        _, status = os.waitpid(pid, 0)
        note(told, f"ended {os.waitstatus_to_exitcode(status)}")
        assert sorted(os.listdir(directory)) == before
        assert ref.info().alive and not ref.done()
        assert [info.name for info in system.ps()] == [ref.name]
        assert system.spawn(os.getpid).result(30) != os.getpid()
        assert ref.stop() == "asked"
        assert ref.wait(30) == "FINISHED"
        note(told, "stopped")
if pid == 0:
    os._exit(0)
"""

LASTING = """
import os, sys, time
from understudy import ActorSystem, Process

class Idle(Process):
    def __loop__(self):
        self.sleep(600)

system = ActorSystem()
system.spawn(Idle).wait_ready()
pid = os.fork()
if pid:
    print(pid, flush=True)
time.sleep(600)
"""


class Counting(Process):
    def __loop__(self):
        self.sleep(0.01)

    def __result__(self):
        return self.completed_laps


@pytest.mark.fault("F30")
@pytest.mark.parametrize(
    ("how", "code"),
    [("returns", 0), ("raises", 1), ("exits", 4), ("_exits", 4), ("is terminated", -signal.SIGTERM), ("closes", 0)],
)
def test_a_copy_of_the_parent_that_ends_takes_nothing_with_it(tmp_path, how, code):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, how) as process:
        assert process.wait(40) == 0
    assert notes(told) == [f"ended {code}", "onfinish", "stopped"]


@pytest.mark.fault("F30")
def test_a_copy_that_lives_on_does_not_keep_actors_alive_when_the_parent_is_killed(tmp_path):
    with parent(LASTING, tmp_path) as process:
        copy = int(said(process))
        family = [pid for pid in descendants(process.pid) if pid != copy]
        assert len(family) >= 2
        process.kill()
        gone(*family)
        assert alive(copy)
        os.kill(copy, signal.SIGKILL)
        gone(copy)


def in_copy(*asks):
    """What each of these comes to in a fork of this process: a value, or the type of an error."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = []
            for ask in asks:
                try:
                    found.append(ask())
                except Exception as error:
                    found.append(type(error))
            os.write(writing, pickle.dumps(found))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        found = pickle.loads(answers.read())
    os.waitpid(pid, 0)
    return found


@pytest.mark.fault("F30")
def test_in_a_copy_each_call_is_refused_and_closing_does_nothing(system):
    ref = system.spawn(Counting)
    ref.wait_ready()
    refused = [
        ref.stop,
        ref.kill,
        ref.restart,
        lambda: ref.wait(1),
        lambda: ref.result(1),
        ref.done,
        ref.info,
        ref.history,
        lambda: system.spawn(Counting),
        lambda: system.stop("*"),
        lambda: system.kill("*"),
        system.ps,
        lambda: system.ref(ref.name),
        lambda: system.wait_all(timeout=1),
        system.cleanup,
        system.reap,
    ]
    closing = [system.shutdown, lambda: system.shutdown(force=True), lambda: system.is_open]
    assert in_copy(*refused, *closing) == [WrongProcess] * len(refused) + [None, None, False]
    assert ref.info().incarnation == 1
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED


@pytest.mark.fault("F30")
def test_a_copy_may_open_a_system_of_its_own(system):
    def own():
        with ActorSystem() as another:
            return another.spawn(os.getpid).result(20)

    def own_default():
        default = ActorSystem.default()
        try:
            return default.spawn(os.getppid).result(20), default.endpoint
        finally:
            ActorSystem.close_default()

    mine = ActorSystem.default()
    pid, (_, endpoint) = in_copy(own, own_default)
    until(lambda: not alive(pid))
    assert endpoint != mine.endpoint
    assert mine.spawn(os.getpid).result(20) != os.getpid()
    assert system.spawn(os.getpid).result(20) != os.getpid()


@pytest.mark.fault("F30")
def test_processes_that_multiprocessing_forks_leave_the_system_alone(system):
    ref = system.spawn(Counting)
    ref.wait_ready()
    forking = multiprocessing.get_context("fork")
    copies = [forking.Process(target=system.shutdown) for _ in range(3)]
    starters = [threading.Thread(target=lambda copy=copy: (copy.start(), copy.join())) for copy in copies]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(30)
    assert [copy.exitcode for copy in copies] == [0, 0, 0]
    assert ref.info().alive
    for copy in copies:
        copy.close()


@pytest.mark.fault("F30")
@pytest.mark.parametrize("host", ["process", "spawn"])
def test_the_sweep_after_an_actor_spares_the_copies_of_the_parent(system, host):
    ref = system.spawn(Counting, host=host)
    ref.wait_ready()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        worker = pool.apply(os.getpid)
        ref.kill()
        ref.wait(20)
        # Swept by the system that closes, too.
        another = ActorSystem()
        another.spawn(Counting, host=host).wait_ready()
        another.shutdown(force=True)
        assert pool.apply(os.getpid) == worker
        pool.close()
        pool.join()
