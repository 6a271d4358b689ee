"""The end of a program, by whomever: down the ladder, with its tree, with its parent; and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket

import pytest

from tests.services.casting import SLEEP, script, shell
from tests.stage import alive, descendants, gone, noted, parent, running, said, until
from understudy import ActorKilled, ActorSystem, Exec, StartError, StartTimeout, Status

DEAF = """
import os, signal, subprocess, sys
path, left = sys.argv[1], int(sys.argv[2])
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if left:
    command = [sys.executable, "-I", "-c", sys.argv[3], path, str(left - 1), sys.argv[3]]
    subprocess.Popen(command, start_new_session=left == 1)
with open(path, "a") as file:
    file.write(f"{os.getpid()}\\n")
while True:
    signal.pause()
"""
"""Deaf to polite signals, and so are its child and that one's child, which leads a session of its own."""

POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
time.sleep(600)
"""

SHORT = {"stop.command": 0.3, "stop.term": 0.2, "stop.term_again": 0.2}


def deaf(path):
    return script(DEAF, path, 2, DEAF)


def up(ref, kept):
    """It says so itself: before that its handlers may not be there."""
    until(lambda: (kept / ref.name / "stdout").exists() and (kept / ref.name / "stdout").read_text(), 20, "its word")


@pytest.mark.requirement("K1", "E7")
def test_a_stop_is_sigterm_and_whatever_it_exits_with_then_is_its_result(system, kept):
    ref = system.spawn(script(POLITE), name="polite", config={"lives": 3})
    up(ref, kept)
    assert ref.stop() == "asked"
    assert (ref.result(20), ref.wait()) == (7, Status.FINISHED)
    assert len(ref.history()) == 1


@pytest.mark.fault("F61")
@pytest.mark.requirement("K1", "K2")
@pytest.mark.parametrize("way", ["ladder", "grace", "shutdown", "kill"])
def test_who_ignores_sigterm_is_gone_with_a_tree_of_three_levels(kept, tmp_path, way):
    with ActorSystem() as system:
        ref = system.spawn(deaf(tmp_path / "told"), name="deaf", config=SHORT)
        pids = [int(pid) for pid in noted(tmp_path / "told", 3)]
        running(ref)
        match way:
            case "ladder":
                ref.stop()
            case "grace":
                ref.stop(grace=0.4)
            case "shutdown":
                system.shutdown()
            case "kill":
                ref.kill()
        assert way == "shutdown" or ref.wait(20) is Status.KILLED
        gone(*pids)
        if way != "shutdown":
            with pytest.raises(ActorKilled):
                ref.result()
            signals = sum("rung clock" in line for line in system.story("deaf"))
            assert signals == (0 if way == "kill" else 3)


def test_the_second_rung_reaches_the_children_of_a_shell_that_passes_nothing_on(system, kept):
    child = 'trap "echo told; exit 0" TERM; echo up; while :; do sleep 0.01; done'
    line = 'trap : TERM; sh -c "$1" & while kill -0 $! 2>/dev/null; do wait $!; done; exit 5'
    ref = system.spawn(shell(line, child), name="shell", config={"stop.command": 0.2})
    up(ref, kept)
    ref.stop()
    assert ref.result(20) == 5
    assert (kept / "shell" / "stdout").read_text() == "up\ntold\n"


@pytest.mark.fault("F59")
@pytest.mark.requirement("K4")
@pytest.mark.parametrize("how", ["setsid", "double"])
def test_who_forks_away_and_exits_0_is_told_of_and_swept(system, caplog, tmp_path, how):
    away = {"setsid": "setsid sleep 600 & echo $! >> $1", "double": "(setsid sleep 600 & echo $! >> $1) &  wait"}[how]
    ref = system.spawn(shell(f"{away}; exit 0", tmp_path / "told"), name="daemon")
    assert ref.result(20) == 0
    (pid,) = noted(tmp_path / "told")
    gone(int(pid))
    until(lambda: int(pid) in system.reap(), 20, "the sweep being told")
    told = until(lambda: [one.getMessage() for one in caplog.records if one.name == "understudy.actor.daemon"], 20)
    assert told[0].startswith("daemon ended and left a process behind, which ends with it: ")
    assert f"(pid {pid})" in told[0]
    assert "keep it in the foreground" in told[0]


def test_nothing_is_told_of_what_a_kill_took_along(system, caplog, tmp_path):
    ref = system.spawn(deaf(tmp_path / "told"))
    pids = [int(pid) for pid in noted(tmp_path / "told", 3)]
    ref.kill()
    ref.wait(20)
    gone(*pids)
    assert "behind" not in caplog.text


PARENT = """
import sys, time
from tests.services.casting import script, shell
from understudy import ActorSystem, Exec

told = sys.argv[1]
DEAF = sys.argv[2]
CLOSES = "import os, sys, time; os.closerange(3, 256); os.mkdir(sys.argv[1] + '.closed'); time.sleep(600)"
system = ActorSystem()
refs = [
    system.spawn(Exec(["sleep", "600"])),
    system.spawn(script(DEAF, told, 2, DEAF)),
    system.spawn(script(CLOSES, told)),
    system.spawn(shell('exec 3>&1 4>&1 9>&1; sleep 600 & echo shell >> "$1"; wait', told)),
    system.spawn(shell('kill -STOP $$; sleep 600')),
]
for ref in refs:
    ref.wait_ready(30)
print(system.endpoint.removeprefix("ipc://"), refs[0].info().pid, *system._world.spawners["process"].pids, flush=True)
time.sleep(600)
"""


IN_GROUPS = """
import time
from tests.services.casting import shell
from understudy import ActorSystem, LogLine

system = ActorSystem(learn=False)
held, paused = (system.spawn(shell("sleep 600 & echo up; wait"), wait=LogLine("up")) for _ in range(2))
for ref in (held, paused):
    ref.wait_ready(30)
paused.pause()
print(system.endpoint.removeprefix("ipc://"), *system._world.spawners["process"].pids, flush=True)
time.sleep(600)
"""


@pytest.mark.fault("F27")
@pytest.mark.requirement("K5")
def test_programs_and_their_trees_end_with_the_parents_sigkill(tmp_path):
    with parent(PARENT, tmp_path, tmp_path / "told", DEAF) as process:
        directory = said(process).split()[0]
        noted(tmp_path / "told", 4)
        until((tmp_path / "told.closed").exists, 20, "the closing of all descriptors")
        family = descendants(process.pid)
        assert len(family) >= 9
        process.kill()
        gone(*family)
    until(lambda: not os.path.exists(directory), what="the removal of the directory")


@pytest.mark.fault("F28")
@pytest.mark.requirement("K5")
def test_the_leash_passes_through_the_exec_so_a_program_ends_though_the_zygote_can_do_nothing(tmp_path):
    with parent(PARENT, tmp_path, tmp_path / "told", DEAF) as process:
        directory, sleep, zygote = said(process).split()
        noted(tmp_path / "told", 4)
        until((tmp_path / "told.closed").exists, 20, "the closing of all descriptors")
        family = descendants(process.pid)
        os.kill(int(zygote), signal.SIGSTOP)
        process.kill()
        gone(int(sleep))
        assert alive(int(zygote)), "it was held"
        os.kill(int(zygote), signal.SIGCONT)
        gone(*family)
    until(lambda: not os.path.exists(directory), what="the removal of the directory")


@pytest.mark.fault("F28")
@pytest.mark.requirement("K5")
def test_what_stays_in_the_group_of_a_program_ends_though_parent_and_zygote_die_at_one_moment(tmp_path):
    with parent(IN_GROUPS, tmp_path) as process:
        directory, zygote = said(process).split()
        family = descendants(process.pid)
        assert len(family) >= 5, "the zygote, two shells and what they started"
        for pid in (process.pid, int(zygote)):
            os.kill(pid, signal.SIGSTOP)  # neither does anything between the one end and the other
        for pid in (process.pid, int(zygote)):
            os.kill(pid, signal.SIGKILL)
        gone(*family)
    shutil.rmtree(directory)  # as the next system would


@pytest.mark.fault("F8")
def test_programs_outlive_their_zygote_and_can_be_stopped_and_begun_anew(system):
    first, second = system.spawn(SLEEP), system.spawn(SLEEP, config={"lives": 2})
    running(first, second)
    pids = [ref.info().pid for ref in (first, second)]
    (zygote,) = system._world.spawners["process"].pids
    os.kill(zygote, signal.SIGKILL)
    third = system.spawn(SLEEP)
    running(third)
    assert [ref.info().pid for ref in (first, second)] == pids
    first.stop()
    assert (first.result(20), first.wait()) == (None, Status.FINISHED), "nobody could say how it ended"
    os.kill(pids[1], signal.SIGKILL)
    until(lambda: second.info().incarnation == 2, 20, "its second life")
    running(second)


@pytest.mark.fault("F1")
def test_who_dies_before_its_exec_is_not_taken_for_one_that_ran(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.exec@1=kill9")
    with ActorSystem() as system:
        words = r"^early was ended by SIGKILL while beginning its program, before READY \(incarnation 1\)$"
        with pytest.raises(StartError, match=words):
            system.spawn(SLEEP, name="early").wait_ready(20)
        second = system.spawn(Exec(["true"]), config={"lives": 2, "restart.backoff.base": 0})
        assert second.result(20) == 0
        assert len(second.history()) == 2


@pytest.mark.fault("F2")
def test_who_hangs_before_its_exec_is_ended_at_its_time_and_a_stop_before_it_is_heeded(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.exec=sleep:600")
    with ActorSystem() as system:
        ref = system.spawn(SLEEP, name="slow", config={"timeouts.startup": 0.2})
        with pytest.raises(StartTimeout, match=r"^slow was not READY within 0.2 s; it was beginning its program"):
            ref.result(20)
        ref = system.spawn(SLEEP)
        until(lambda: ref.info().pid, 20, "its birth")
        ref.stop(grace=0.2)
        assert ref.wait(20) is Status.KILLED, "it takes SIGTERM when it has become its program"


@pytest.mark.fault("F36")
def test_a_stop_at_any_moment_of_its_birth_ends_it(system):
    for _ in range(20):
        ref = system.spawn(SLEEP)
        ref.stop()
        assert ref.wait(20) is Status.FINISHED
    assert system.ps() == []


@pytest.mark.requirement("S6")
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed here")
def test_a_redis_server_is_looked_after(system, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Exec(["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)], limits={"core": 0})
    ref = system.spawn(program, name="redis", config={"lives": 5})

    def pong():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False

    until(pong, 20, "its answer")
    first = ref.info().pid
    os.kill(first, signal.SIGKILL)
    until(lambda: ref.info().incarnation == 2, 20, "its second life")
    until(pong, 20, "its answer")
    assert ref.info().pid != first
    ref.stop()
    assert ref.result(20) == 0, "it saw to its end itself"
