"""The process that forks actors is killed or stopped at the worst moments: no actor is lost, doubled or called dead."""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import suppress

import pytest

from tests.lives.leftovers import start
from tests.stage import alive, descendants, gone, hold, note, noted, notes, running, state_of, until
from understudy import ActorDied, ActorSystem, Process, StartError, Status
from understudy.spawners import generation
from understudy.spawners import zygote as zygote_module

VARIABLE = "UNDERSTUDY_FAILPOINTS"


class Working(Process):
    """Works until it is stopped; notes each of its processes."""

    def __init__(self, told):
        self.told = told
        self.config.restart.backoff.base = 0.01

    def __loop__(self):
        if self.current_lap == 1:
            note(self.told, os.getpid())
        self.sleep(0.01)

    def __result__(self):
        return os.getpid()


@pytest.fixture
def system(nothing_is_left_behind):
    """One zygote at a time; those that learn are killed in a file of their own."""
    opened = ActorSystem(learn=False)
    yield opened
    opened.shutdown(force=True)


def zygote_of(system):
    # For a moment, while one is replaced, there is none.
    return until(lambda: system._world.spawners["process"].pids, 20, "a zygote")[-1]


def idle_zygote(system):
    """The zygote, once it has answered and waits for more."""
    assert system.spawn(os.getpid).wait(30) is Status.FINISHED
    zygote = zygote_of(system)
    until(lambda: state_of(zygote) == "S", 20, "the zygote's rest")
    return zygote


def works_on(ref):
    """It completes further laps."""
    before = ref.info().completed_laps
    until(lambda: ref.info().completed_laps > before, 20, "a further lap")


@pytest.mark.fault("F8")
def test_a_zygote_killed_while_idle_is_replaced_for_the_next_spawn(system, tmp_path):
    zygote = idle_zygote(system)
    os.kill(zygote, signal.SIGKILL)
    ref = system.spawn(Working, tmp_path / "told")
    ref.wait_ready(20)
    assert zygote_of(system) != zygote
    (pid,) = noted(tmp_path / "told")
    ref.stop()
    assert ref.result(20) == int(pid)
    assert len(ref.history()) == 1


@pytest.mark.fault("F8")
def test_a_zygote_killed_with_fifty_living_harms_none_of_them(system, tmp_path):
    refs = [system.spawn(Working, tmp_path / "told", config={"lives": 2}) for _ in range(50)]
    pids = dict.fromkeys(refs)
    noted(tmp_path / "told", 50, 40)
    for ref in refs:
        ref.wait_ready(20)
        pids[ref] = ref.info().pid
    os.kill(zygote_of(system), signal.SIGKILL)
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    for ref in refs:
        works_on(ref)
        info = ref.info()
        assert (info.status, info.pid, info.incarnation) == (Status.RUNNING, pids[ref], 1)
    assert len(notes(tmp_path / "told")) == 50
    system.stop(refs)
    assert set(system.wait_all(refs, 40).values()) == {Status.FINISHED}
    assert [ref.result() for ref in refs] == [pids[ref] for ref in refs]


@pytest.mark.fault("F8")
def test_a_zygote_killed_amid_a_request_is_asked_for_again_at_no_lifes_cost(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "zygote.fork=stop")
    with ActorSystem(learn=False) as system:
        ref = system.spawn(Working, tmp_path / "told")
        zygote = zygote_of(system)
        until(lambda: state_of(zygote) == "T", 20, "the zygote's stop, about to fork")
        monkeypatch.delenv(VARIABLE)
        os.kill(zygote, signal.SIGKILL)
        noted(tmp_path / "told")
        assert (ref.info().incarnation, len(ref.history())) == (1, 1)
        ref.stop()
        assert ref.result(20) == int(notes(tmp_path / "told")[0])
        assert len(notes(tmp_path / "told")) == 1


@pytest.mark.fault("F8")
def test_a_zygote_killed_between_the_fork_and_the_word_of_it_leaves_one_process_not_two(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "child.born=sleep:1")
    with ActorSystem(learn=False) as system:
        ref = system.spawn(Working, tmp_path / "told")
        zygote = zygote_of(system)
        until(lambda: children(zygote), 20, "the fork")
        monkeypatch.delenv(VARIABLE)
        os.kill(zygote, signal.SIGKILL)
        (pid,) = noted(tmp_path / "told")
        works_on(ref)
        running(ref)
        assert (ref.info().pid, ref.info().incarnation) == (int(pid), 1)
        ref.stop()
        assert (ref.result(20), notes(tmp_path / "told")) == (int(pid), [pid])


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return file.read().split()
    except OSError:
        return []


@pytest.mark.fault("F8")
def test_twenty_spawns_amid_the_kill_of_their_zygote_come_up_once_each(system, tmp_path):
    zygote = idle_zygote(system)
    refs = []
    for number in range(20):
        refs.append(system.spawn(Working, tmp_path / f"{number}"))
        if number == 10:
            os.kill(zygote, signal.SIGKILL)
    for number, ref in enumerate(refs):
        noted(tmp_path / f"{number}")
        works_on(ref)
        assert ref.info().incarnation == 1
    system.stop(refs)
    assert set(system.wait_all(refs, 40).values()) == {Status.FINISHED}
    assert [len(notes(tmp_path / f"{number}")) for number in range(20)] == [1] * 20


class Ending(Process):
    """Ends as the file that it waits for says."""

    def __init__(self, told):
        self.told = told
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.told, os.getpid())
        if self.incarnation == 1:
            hold(f"{self.told}.end")
            with open(f"{self.told}.end") as file:
                how = file.read()
            if how == "raise":
                raise RuntimeError("no luck")
            if how == "exit":
                os._exit(3)

    def __result__(self):
        return self.incarnation


def orphaned(system, tmp_path, **config):
    """An actor whose zygote is dead, and how to end it."""
    ref = system.spawn(Ending, tmp_path / "told", config=config)
    noted(tmp_path / "told")
    zygote = zygote_of(system)
    os.kill(zygote, signal.SIGKILL)
    until(lambda: zygote_of(system) != zygote, 20, "another zygote")

    def end(how):
        (tmp_path / "half").write_text(how)
        (tmp_path / "half").rename(tmp_path / "told.end")

    return ref, end


@pytest.mark.fault("F8")
def test_whose_zygote_is_dead_finishes_where_its_result_was_acknowledged(system, tmp_path):
    ref, end = orphaned(system, tmp_path)
    end("finish")
    assert (ref.wait(20), ref.result()) == (Status.FINISHED, 1)


@pytest.mark.fault("F8")
def test_whose_zygote_is_dead_is_told_dead_with_an_unknown_status(system, tmp_path):
    ref, end = orphaned(system, tmp_path)
    end("exit")
    with pytest.raises(ActorDied, match="unknown") as caught:
        ref.result(20)
    assert (caught.value.exit_code, caught.value.signal) == (None, None)


@pytest.mark.fault("F8")
@pytest.mark.parametrize("how", ["raise", "exit"])
def test_whose_zygote_is_dead_is_restarted_from_another(system, tmp_path, how):
    ref, end = orphaned(system, tmp_path, lives=2)
    end(how)
    assert ref.result(20) == 2
    assert len(notes(tmp_path / "told")) == 2


@pytest.mark.fault("F8")
def test_whose_zygote_is_dead_is_killed_and_swept_like_any_other(system, tmp_path):
    class Parental(Process):
        def __loop__(self):
            for way in ("own session", "bare, own session"):
                start(way, tmp_path / "started")
            self.sleep(600)

    victim, dying = system.spawn(Parental), system.spawn(Parental)
    started = [int(pid) for pid in noted(tmp_path / "started", 4)]
    running(victim, dying)
    zygote = zygote_of(system)
    os.kill(zygote, signal.SIGKILL)
    until(lambda: zygote_of(system) != zygote, 20, "another zygote")
    os.kill(dying.info().pid, signal.SIGKILL)
    assert victim.kill() == "asked"
    assert (victim.wait(20), dying.wait(20)) == (Status.KILLED, Status.CRASHED)
    gone(*started)


@pytest.mark.fault("F8")
def test_a_zygote_killed_three_times_is_replaced_three_times(system):
    zygotes = set()
    for _ in range(3):
        zygotes.add(zygote := idle_zygote(system))
        os.kill(zygote, signal.SIGKILL)
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    assert len(zygotes) == 3
    assert not any(alive(pid) for pid in zygotes)


@pytest.mark.fault("F9")
def test_a_spawn_from_a_stopped_zygote_times_out_and_the_next_one_works(system, tmp_path):
    zygote = idle_zygote(system)
    os.kill(zygote, signal.SIGSTOP)
    ref = system.spawn(Working, tmp_path / "told", name="unlucky", config={"timeouts.startup": 0.5})
    with pytest.raises(StartError) as caught:
        ref.result(20)
    assert "zygote" in str(caught.value) or isinstance(caught.value, TimeoutError)
    assert ref.wait(0) is Status.CRASHED
    again = system.spawn(Working, tmp_path / "again", name="unlucky")
    noted(tmp_path / "again")
    assert zygote_of(system) != zygote
    gone(zygote)
    assert notes(tmp_path / "told") == []
    again.kill()


@pytest.mark.fault("F9")
def test_a_process_that_a_stopped_zygote_forks_too_late_is_not_let_live(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "zygote.standby=skip")  # it would be there without a fork
    with ActorSystem(learn=False) as system:
        zygote = idle_zygote(system)
        os.kill(zygote, signal.SIGSTOP)
        ref = system.spawn(Working, tmp_path / "told", config={"timeouts.startup": 0.2})
        until(lambda: len(system.story(ref.name)) > 1, 20, "the start timeout")
        os.kill(zygote, signal.SIGCONT)
        with pytest.raises(StartError):
            ref.result(20)
        assert system.spawn(os.getpid).wait(20) is Status.FINISHED
        until(lambda: not children(zygote), 20, "the end of what it forked")
        assert all(not alive(int(pid)) for pid in notes(tmp_path / "told"))
        assert ref.wait(0) is Status.CRASHED


@pytest.mark.fault("F9")
def test_a_patient_spawn_survives_a_stopped_zygote(system, tmp_path):
    zygote = idle_zygote(system)
    os.kill(zygote, signal.SIGSTOP)
    ref = system.spawn(Working, tmp_path / "told")
    (pid,) = noted(tmp_path / "told")
    assert zygote_of(system) != zygote
    assert (ref.info().incarnation, len(ref.history())) == (1, 1)
    ref.stop()
    assert (ref.result(20), notes(tmp_path / "told")) == (int(pid), [pid])


@pytest.mark.fault("F9")
def test_a_zygote_that_is_held_for_a_moment_stays(system, tmp_path):
    zygote = idle_zygote(system)
    os.kill(zygote, signal.SIGSTOP)
    ref = system.spawn(Working, tmp_path / "told")
    os.kill(zygote, signal.SIGCONT)
    noted(tmp_path / "told")
    assert zygote_of(system) == zygote
    ref.kill()


@pytest.mark.fault("F9")
def test_a_death_under_a_stopped_zygote_is_seen_and_made_good(system, tmp_path, monkeypatch):
    monkeypatch.setattr(zygote_module, "_WORD_WITHIN", 1.0)  # it is waited for to its end
    ref = system.spawn(Working, tmp_path / "told", config={"lives": 2})
    (first,) = noted(tmp_path / "told")
    zygote = idle_zygote(system)
    os.kill(zygote, signal.SIGSTOP)
    os.kill(int(first), signal.SIGKILL)
    _, second = noted(tmp_path / "told", 2)
    works_on(ref)
    running(ref)
    assert (ref.info().pid, ref.info().incarnation) == (int(second), 2)
    assert zygote_of(system) != zygote
    ref.kill()


@pytest.mark.fault("F9")
def test_more_requests_than_its_channel_holds_wait_for_a_slow_zygote(system):
    zygote = idle_zygote(system)
    (known,) = system._world.spawners["process"]._zygotes
    known.channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least that the kernel grants
    os.kill(zygote, signal.SIGSTOP)
    refs = [system.spawn(os.getpid) for _ in range(40)]
    assert system._calls.make(lambda: known.waits_for_room or known.given_up)
    with suppress(ProcessLookupError):  # where the spawns took so long that it was replaced
        os.kill(zygote, signal.SIGCONT)
    assert set(system.wait_all(refs, 50).values()) == {Status.FINISHED}
    assert len({ref.result() for ref in refs}) > 1


@pytest.mark.fault("F9")
def test_a_process_that_was_forked_ahead_and_stopped_holds_up_nobody(system):
    zygote = idle_zygote(system)
    (standby,) = until(lambda: descendants(zygote), 20, "the one that stands by")
    os.kill(standby, signal.SIGSTOP)
    refs = [system.spawn(os.getpid) for _ in range(3)]
    assert set(system.wait_all(refs, 30).values()) == {Status.FINISHED}
    assert zygote_of(system) != zygote
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    os.kill(standby, signal.SIGKILL)


@pytest.mark.fault("F8")
def test_a_zygote_that_answers_slowly_and_steadily_is_left_to_its_work(monkeypatch):
    monkeypatch.setenv(VARIABLE, "zygote.fork=sleep:0.04")
    with ActorSystem(learn=False) as system:
        zygote = idle_zygote(system)
        refs = [system.spawn(os.getpid) for _ in range(100)]
        assert set(system.wait_all(refs, 60).values()) == {Status.FINISHED}
        assert zygote_of(system) == zygote


@pytest.mark.fault("F6")
@pytest.mark.fault("F8")
def test_a_zygote_that_cannot_be_replaced_at_once_is_replaced_later_and_nothing_that_was_said_is_lost(
    system, tmp_path, monkeypatch
):
    zygote = idle_zygote(system)
    ref = system.spawn(Working, tmp_path / "told", config={"num_loops": 1})
    begin = generation.begin
    failed: list[bool] = []

    def fails_once(*arguments):
        if not failed:
            failed.append(True)
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return begin(*arguments)

    monkeypatch.setattr(generation, "begin", fails_once)
    os.kill(zygote, signal.SIGKILL)
    until(lambda: failed, 20, "the attempt")
    assert ref.wait(30) is Status.FINISHED
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
