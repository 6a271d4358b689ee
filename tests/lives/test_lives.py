"""A crash of any kind costs one life; a fresh process takes over from the original state, under the same handle."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.stage import hold, note, noted, notes, running
from understudy import ActorDied, MainLoopError, MainLoopTimeoutError, Process, ResultError, Status


def fall(how):
    """Crash in that way."""
    match how:
        case "exception":
            raise RuntimeError("no luck")
        case "base exception":
            raise KeyboardInterrupt
        case "timeout":
            time.sleep(60)
        case "signal":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "memory":
            bytearray(1 << 62)
        case "lost heartbeat":
            os.kill(os.getpid(), signal.SIGSTOP)


CRASHES = ["exception", "base exception", "timeout", "signal", "exit", "memory", "lost heartbeat"]


class Falling(Process):
    """Crashes in each life as it is told to, then finishes."""

    def __init__(self, told, *falls):
        self.told, self.falls, self.seen = told, falls, []
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0
        self.config.heartbeat.interval = 0.1
        self.config.heartbeat.misses = 2
        if "timeout" in falls:
            self.config.timeouts.loop = 0.3

    def __loop__(self):
        self.seen.append(self.incarnation)
        note(self.told, f"{self.incarnation} {self.lives_left} {os.getpid()} {self.name}")
        if self.incarnation <= len(self.falls):
            if self.falls[self.incarnation - 1] == "lost heartbeat":
                hold(f"{self.told}.ready")  # held before its READY is out, it would fall to the start timeout instead
            fall(self.falls[self.incarnation - 1])

    def __result__(self):
        return self.seen


@pytest.mark.requirement("L1")
@pytest.mark.parametrize("how", CRASHES)
def test_any_crash_costs_one_life_and_a_fresh_process_begins_from_the_original_state(system, tmp_path, how):
    told = tmp_path / "told"
    ref = system.spawn(Falling, told, how, config={"lives": 3})
    ref.wait_ready(30)
    Path(f"{told}.ready").touch()
    assert ref.result(30) == [2]
    first, second = (line.split() for line in notes(told))
    assert (first[:2], second[:2]) == (["1", "2"], ["2", "1"])
    assert first[2] != second[2]


@pytest.mark.requirement("L1")
def test_a_fresh_interpreter_takes_over_from_the_original_state_too(system, tmp_path):
    ref = system.spawn(Falling, tmp_path / "told", "exit", "exception", host="spawn", config={"lives": 3})
    assert ref.result(30) == [3]


@pytest.mark.requirement("L1")
def test_soft_errors_and_hard_deaths_share_one_counter(system, tmp_path):
    falls = ("exception", "signal", "timeout", "exit")
    ref = system.spawn(Falling, tmp_path / "told", *falls, config={"lives": 4})
    assert ref.wait(30) is Status.CRASHED
    assert [line.split()[:2] for line in notes(tmp_path / "told")] == [["1", "3"], ["2", "2"], ["3", "1"], ["4", "0"]]
    with pytest.raises(ActorDied) as caught:
        ref.result()
    assert (caught.value.exit_code, caught.value.incarnation) == (3, 4)


@pytest.mark.requirement("L1")
def test_one_life_is_the_default_and_its_crash_the_end(system, tmp_path):
    ref = system.spawn(Falling, tmp_path / "told", "exception")
    with pytest.raises(MainLoopError, match="no luck"):
        ref.result(30)
    assert len(notes(tmp_path / "told")) == 1


@pytest.mark.requirement("L1")
def test_what_the_parent_changes_after_the_spawn_reaches_no_later_life(system, tmp_path):
    actor = Falling(tmp_path / "told", "exit")
    actor.config.lives = 2
    ref = system.spawn(actor)
    actor.seen.append("changed")
    actor.falls = ("exit", "exit")
    actor.config.lives = 1
    assert ref.result(30) == [2]


class Unfit(Process):
    """Its result cannot be sent in the first life, and is late in the second."""

    def __init__(self):
        self.config.num_loops = 1
        self.config.timeouts.result = 0.3
        self.config.restart.backoff.base = 0

    def __loop__(self):
        pass

    def __result__(self):
        if self.incarnation == 1:
            return (each for each in "generated")
        if self.incarnation == 2:
            time.sleep(60)
        return "at last"


@pytest.mark.requirement("L1")
def test_a_failure_of_the_result_costs_a_life_like_any_other(system):
    assert system.spawn(Unfit, config={"lives": 3}).result(30) == "at last"
    with pytest.raises(ResultError):
        system.spawn(Unfit).result(30)


class Stillborn(Process):
    """Dies at its very first instruction, whether its READY has left the process by then or not."""

    def __init__(self):
        self.config.num_loops = 1
        self.config.lives = 2
        self.config.restart.backoff.base = 1000

    def __loop__(self):
        if self.incarnation == 1:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.requirement("L1")
@pytest.mark.requirement("L5")
def test_a_death_at_the_first_instruction_is_no_death_before_ready(system):
    refs = [system.spawn(Stillborn) for _ in range(20)]
    for ref in refs:
        assert ref.wait(30) is Status.FINISHED
        ref.wait_ready(0)


@pytest.mark.requirement("L2")
def test_the_handle_stays_valid_over_restarts(system, tmp_path):
    ref = system.spawn(Falling, tmp_path / "told", "exit", "signal", name="hardy", config={"lives": 3})
    uid = ref.uid
    assert ref.result(30) == [3]
    lives = [line.split() for line in notes(tmp_path / "told")]
    assert [(life[0], life[3]) for life in lives] == [("1", "hardy"), ("2", "hardy"), ("3", "hardy")]
    assert len({life[2] for life in lives}) == 3
    assert (ref.name, ref.uid, ref.info().incarnation) == ("hardy", uid, 3)
    assert system.ref("hardy") == ref


@pytest.mark.requirement("L2")
def test_the_history_tells_every_life(system, tmp_path):
    began = time.time()
    told = tmp_path / "told"
    ref = system.spawn(Falling, told, "exit", "signal", "timeout", "exception", config={"lives": 5})
    assert ref.result(30) == [5]
    lives = ref.history()
    assert [life.incarnation for life in lives] == [1, 2, 3, 4, 5]
    assert [str(life.pid) for life in lives] == [line.split()[2] for line in notes(told)]
    assert [life.exit_code for life in lives] == [3, None, 1, 1, 0]
    assert [life.signal for life in lives] == [None, "SIGKILL", None, None, None]
    assert [life.section for life in lives] == ["loop", "loop", "loop", "loop", ""]
    assert [life.lap for life in lives] == [1, 1, 1, 1, 1]
    for word, life in zip(("code 3", "SIGKILL", "ran 0.3 s", "no luck", "finished"), lives, strict=True):
        assert word in (life.cause or "")
    times = [at for life in lives for at in (life.started_at, life.ended_at)]
    assert times == sorted(times)
    assert began <= times[0]
    for life in lives[:-1]:
        assert life.report is not None
        assert (life.report.incarnation, life.report.uid) == (life.incarnation, ref.uid)
    assert lives[-1].report is None


@pytest.mark.requirement("L2")
def test_the_history_of_a_living_actor_ends_with_the_life_under_way(system, tmp_path):
    class Standing(Falling):
        def __onfinish__(self):
            note(self.told, "end")

        def __loop__(self):
            super().__loop__()
            self.sleep(60)

    ref = system.spawn(Standing, tmp_path / "told", "exit", config={"lives": 2})
    pid = int(noted(tmp_path / "told", 2)[1].split()[2])
    running(ref)
    first, second = ref.history()
    assert (first.exit_code, second.incarnation, second.pid) == (3, 2, pid)
    assert (second.ended_at, second.cause, second.report) == (None, None, None)
    assert ref.info().pid == pid
    ref.stop()
    assert ref.wait(30) is Status.FINISHED


@pytest.mark.requirement("L2")
def test_who_waits_waits_over_all_lives(system, tmp_path):
    ref = system.spawn(Falling, tmp_path / "told", "exit", "exit", config={"lives": 3})
    assert ref.wait(30) is Status.FINISHED
    assert len(notes(tmp_path / "told")) == 3


@pytest.mark.requirement("L1")
def test_the_crash_of_one_leaves_the_others_alone(system, tmp_path):
    class Neighbour(Process):
        def __loop__(self):
            self.sleep(0.01)

        def __result__(self):
            return os.getpid()

    neighbour = system.spawn(Neighbour)
    neighbour.wait_ready(30)
    pid = neighbour.info().pid
    with pytest.raises(MainLoopTimeoutError):
        system.spawn(Falling, tmp_path / "told", "timeout").result(30)
    neighbour.stop()
    assert neighbour.result(30) == pid
    assert len(neighbour.history()) == 1
