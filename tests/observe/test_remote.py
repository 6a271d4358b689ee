"""A remote steers a running system by name or glob, from the same process or any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from tests.stage import parent, python, said, state_of, until
from understudy import ConfigError, Process, Remote, Status, SystemClosed, UnknownActor, WaitTimeout


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Stubborn(Process):
    def __loop__(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        time.sleep(600)


@pytest.fixture
def remote(system):
    with Remote(system.endpoint) as connected:
        yield connected


@pytest.fixture
def crew(system):
    refs = {name: system.spawn(Idle, name=name) for name in ("crew/a", "crew/b", "lone")}
    for ref in refs.values():
        ref.wait_ready(20)
    return refs


@pytest.mark.requirement("K1")
def test_verbs_reach_actors_by_name_and_by_glob_and_answer_as_the_systems_do(remote, crew):
    assert remote.restart("lone") == {"lone": "asked"}
    until(lambda: crew["lone"].info().incarnation == 2 and crew["lone"].info().status is Status.RUNNING)
    assert remote.stop("crew/*") == {"crew/a": "asked", "crew/b": "asked"}
    assert [crew[name].wait(20) for name in ("crew/a", "crew/b")] == [Status.FINISHED] * 2
    assert remote.stop("crew/a") == {"crew/a": "ended"}
    assert remote.kill("lon?") == {"lone": "asked"}
    assert crew["lone"].wait(20) is Status.KILLED
    assert remote.kill("*") == remote.stop("nobody*") == remote.restart("nobody*") == {}


def test_after_its_close_a_remote_says_so(system):
    with Remote(system.endpoint) as remote:
        assert system.endpoint in repr(remote)
    with pytest.raises(SystemClosed, match="was closed"):
        remote.ps()
    with pytest.raises(SystemClosed, match="was closed"):
        remote.stop("nobody")


@pytest.mark.requirement("K1")
def test_verbs_for_many_take_an_iterable_of_names_and_globs(remote, crew):
    assert remote.stop(name for name in ("crew/*", "lone")) == {"crew/a": "asked", "crew/b": "asked", "lone": "asked"}
    assert [crew[name].wait(20) for name in crew] == [Status.FINISHED] * 3
    assert remote.kill(["lone"]) == {"lone": "ended"}
    assert remote.kill([]) == remote.stacks(()) == {}


@pytest.mark.requirement("K1")
def test_answers_come_in_the_order_in_which_actors_were_meant_and_once_for_each(remote, crew):
    assert list(remote.stop(["lone", "crew/*", "crew/*", "crew/b", "*"])) == ["lone", "crew/a", "crew/b"]
    # By their names, for a glob does not reach who has ended by now.
    assert list(remote.stop(["crew/b", "crew/a", "crew/b", "lone"])) == ["crew/b", "crew/a", "lone"]
    assert [crew[name].wait(20) for name in crew] == [Status.FINISHED] * 3


@pytest.mark.requirement("K1")
def test_what_is_no_name_is_refused_before_it_is_sent(remote, crew):
    for verb in ("stop", "kill", "restart", "info", "healthy", "story", "stacks", "logs"):
        one = ["lone"] if verb in {"info", "healthy", "story"} else ["lone", crew["lone"]]
        for name in (crew["lone"], one, 5, None, b"lone"):
            with pytest.raises(ConfigError, match="names no actor here: a remote takes a name or a glob"):
                getattr(remote, verb)(name)
    assert crew["lone"].info().incarnation == 1


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("timeout", [None, 1e12, float("inf")])
def test_a_remote_waits_for_its_answers_as_long_as_it_is_told(system, crew, timeout):
    with Remote(system.endpoint, timeout=timeout) as patient:
        assert {info.name for info in patient.ps()} == set(crew)


@pytest.mark.requirement("S8")
def test_an_ended_actor_is_spawned_anew_by_a_restart(remote, crew, system):
    remote.kill("lone")
    crew["lone"].wait(20)
    assert remote.restart("lone") == {"lone": "ended"}
    anew = system.ref("lone")
    anew.wait_ready(20)
    assert anew != crew["lone"]
    assert remote.info("lone").uid == anew.uid


@pytest.mark.requirement("K1")
def test_a_grace_ends_what_does_not_stop_by_itself(remote, system):
    ref = system.spawn(Stubborn)
    until(lambda: ref.info().section == "loop", 20, "its first lap: before it, a stop ends it at once")
    with pytest.raises(ConfigError, match="grace"):
        remote.stop(ref.name, grace=-1)
    with pytest.raises(ConfigError, match="grace"):
        remote.stop(ref.name, grace=float("nan"))
    assert remote.stop(ref.name) == {ref.name: "asked"}
    assert remote.stop(ref.name, grace=0.2) == {ref.name: "already"}
    assert ref.wait(20) is Status.KILLED


@pytest.mark.requirement("H1")
def test_ps_and_info_give_the_rows_of_the_system(remote, crew, system):
    system.spawn(os.getpid, name="done").wait(20)
    assert [info.name for info in remote.ps()] == ["crew/a", "crew/b", "lone"]
    assert [info.name for info in remote.ps(all=True)] == ["crew/a", "crew/b", "lone", "done"]
    mine, theirs = remote.info("lone"), system.info("lone")
    assert (mine.uid, mine.pid, mine.status, mine.command, mine.lives_left) == (
        theirs.uid,
        theirs.pid,
        theirs.status,
        theirs.command,
        theirs.lives_left,
    )
    assert remote.info("done").status is Status.FINISHED
    assert str(remote.ps()).splitlines()[0].split() == str(system.ps()).splitlines()[0].split()


@pytest.mark.requirement("K6")
def test_an_unknown_name_is_told_with_the_nearest_ones(remote, crew):
    for verb in (remote.stop, remote.kill, remote.restart, remote.info):
        with pytest.raises(UnknownActor, match="no actor is named 'crew/c'; did you mean crew/"):
            verb("crew/c")
    assert all(ref.info().alive for ref in crew.values())


def test_many_remotes_at_once_each_get_their_own_answers(system, crew):
    answers = []

    def ask(name):
        with Remote(system.endpoint) as own:
            answers.append({own.info(name).name for _ in range(30)} == {name})

    threads = [threading.Thread(target=ask, args=(name,)) for name in [*crew, *crew]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [True] * 6


def test_a_remote_that_closes_leaves_the_system_alone(system, crew):
    with Remote(system.endpoint) as one:
        one.ps()
    one.close()
    assert {info.name for info in system.ps()} == set(crew)


PARENT = """
import sys
from understudy import ActorSystem, Process

class Idle(Process):
    def __loop__(self):
        self.sleep(600)

with ActorSystem("remotely") as system:
    refs = {name: system.spawn(Idle, name=name) for name in ("one", "other", "third")}
    for ref in refs.values():
        ref.wait_ready(20)
    print(system.endpoint, flush=True)
    for ref in refs.values():
        print(ref.name, ref.wait(40), len(ref.history()), flush=True)
"""

STEERING = """
import json, sys
from understudy import Remote, UnknownActor

with Remote(sys.argv[1]) as remote:
    said = [sorted(info.name for info in remote.ps()), remote.restart("one"), remote.kill("oth*"), remote.stop("third")]
    try:
        remote.kill("fourth")
    except UnknownActor as error:
        said.append(str(error))
    while not (remote.info("one").incarnation == 2 and remote.info("one").status == "RUNNING"):
        pass
    said.append(remote.stop("one"))
print(json.dumps(said))
"""


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("by", ["name", "endpoint"])
def test_another_process_steers_the_system_of_a_third(tmp_path, by):
    script = tmp_path / "steering.py"
    script.write_text(STEERING)
    with parent(PARENT, tmp_path) as process:
        endpoint = said(process)
        done = python("-I", str(script), endpoint if by == "endpoint" else "remotely", cwd="/")
        assert done.returncode == 0, done.stderr
        names, restarted, killed, stopped, error, finally_stopped = json.loads(done.stdout)
        assert names == ["one", "other", "third"]
        assert (restarted, killed, stopped) == ({"one": "asked"}, {"other": "asked"}, {"third": "asked"})
        assert "no actor is named 'fourth'" in error
        assert finally_stopped == {"one": "asked"}
        assert [said(process) for _ in range(3)] == ["one FINISHED 2", "other KILLED 1", "third FINISHED 1"]
        assert process.wait(20) == 0


def test_a_system_that_does_not_answer_in_time_is_told_and_a_late_answer_belongs_to_nobody(tmp_path):
    with parent(PARENT, tmp_path) as process, Remote(said(process), timeout=0.2) as remote:
        process.send_signal(signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
        with pytest.raises(WaitTimeout, match=r"did not answer 'info' within 0\.2 s"):
            remote.info("one")
        with pytest.raises(TimeoutError):
            remote.ps()
        process.send_signal(signal.SIGCONT)

        def answered():
            try:
                return remote.info("other")
            except WaitTimeout:
                return None

        assert until(answered).name == "other"
        assert remote.info("third").name == "third"
        remote.kill("*")
        assert process.wait(20) == 0


def test_a_remote_of_a_system_that_closes_says_so_and_does_not_hang(tmp_path):
    with parent(PARENT, tmp_path, stdin=subprocess.DEVNULL) as process, Remote(said(process), timeout=0.5) as remote:
        process.terminate()
        process.wait(20)
        with pytest.raises((WaitTimeout, SystemClosed)):
            remote.ps()
    with pytest.raises(UnknownActor):
        Remote("remotely")
