"""What ps() and info() show, how an actor's health is called, and what a death report tells."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stage import note, notes, until
from understudy import (
    ActorDied,
    ActorError,
    ActorTable,
    Health,
    MainLoopError,
    MainLoopTimeoutError,
    Process,
    StartError,
    Status,
)


class Steps(Process):
    """Goes on by one section each time the parent lets it."""

    def __init__(self, path):
        self.path = path
        self.steps = 0

    def step(self):
        self.steps += 1
        until(lambda: len(notes(self.path)) >= self.steps, 30, "the parent's word")

    def __preloop__(self):
        self.step()

    def __loop__(self):
        self.step()


@pytest.mark.requirement("H1")
def test_info_follows_an_actor_through_its_laps_and_sections(system, host, tmp_path):
    go = tmp_path / "go"
    before = time.time()
    ref = system.spawn(Steps, go, name="crew/walker", host=host, config={"num_loops": 2, "join_in": 60, "lives": 3})
    ref.wait_ready(20)
    info = ref.info()
    for lap, section in [(1, "preloop"), (1, "loop"), (2, "preloop"), (2, "loop")]:
        while (info.lap, info.section) != (lap, section):
            info = ref.info()
        assert (info.completed_laps, info.laps_left) == (lap - 1, 3 - lap)
        note(go, section)
    assert (info.name, info.uid, info.parent, info.command) == ("crew/walker", ref.uid, None, f"{__name__}:Steps")
    assert (info.status, info.health, info.alive) == (Status.RUNNING, Health.HEALTHY, True)
    assert (info.incarnation, info.lives_left, info.exit_code, info.paused) == (1, 2, None, False)
    assert (info.progress, info.note, info.next_restart) == (None, None, None)
    assert os.path.exists(f"/proc/{info.pid}") or ref.done()
    assert 0 < info.time_left <= 60
    assert 0 <= info.heartbeat_age < 60
    assert before - 1 <= info.started_at <= time.time()
    assert 0 < info.runtime < 120
    assert ref.wait(20) is Status.FINISHED

    ended = ref.info()
    assert (ended.status, ended.health, ended.alive) == (Status.FINISHED, Health.COMPLETED, False)
    assert (ended.pid, ended.section, ended.lap, ended.completed_laps, ended.laps_left) == (None, "", 2, 2, 0)
    assert (ended.exit_code, ended.heartbeat_age, ended.time_left) == (0, None, None)
    assert ended.stats.laps == 2
    assert ended.stats.fastest_lap <= ended.stats.mean_lap <= ended.stats.slowest_lap


@pytest.mark.requirement("H1")
def test_ps_lists_the_living_with_all_also_the_ended_and_prints_as_a_table(system, tmp_path):
    assert str(system.ps()) == "(no actors)"
    go = tmp_path / "go"
    done = system.spawn(len, "four", name="done")
    walker = system.spawn(Steps, go, name="walker")
    sitter = system.spawn(Steps, go, name="sitter")
    done.wait(20)
    walker.wait_ready(20)
    until(lambda: {info.section for info in system.ps()} == {"preloop"}, 20, "both sections")
    living = system.ps()
    assert [info.name for info in living] == ["walker", "sitter"]
    assert [info.name for info in system.ps(all=True)] == ["done", "walker", "sitter"]
    assert system.info("walker").uid == walker.uid

    head, *rows = str(living).splitlines()
    assert head.split() == list(ActorTable.COLUMNS)
    assert rows[0].split()[:8] == ["walker", str(walker.info().pid), "RUNNING", "healthy", "1", "0", "1", "preloop"]
    assert rows[1].split()[0] == "sitter"
    table = str(system.ps(all=True))
    assert "FINISHED" in table
    assert "completed" in table
    for ref in (walker, sitter):
        ref.kill()
        ref.wait(20)
    assert system.ps() == []
    assert [info.status for info in system.ps(all=True)] == [Status.FINISHED, Status.KILLED, Status.KILLED]


@pytest.mark.requirement("H1")
def test_what_ended_stays_to_be_looked_up_after_the_system_has_closed(system):
    ref = system.spawn(len, "four")
    assert ref.result(20) == 4
    system.shutdown()
    assert ref.info().status is Status.FINISHED
    assert ref.history()[0].exit_code == 0


class Opens(Process):
    """Its state opens when the file is there."""

    def __init__(self, path, act=None):
        self.path, self.act = path, act

    def __setstate__(self, state):
        self.__dict__.update(state)
        until(lambda: os.path.exists(self.path), 30, "the file")

    def __loop__(self):
        if self.act:
            self.act()
        self.sleep(60)


@pytest.mark.requirement("H2")
@pytest.mark.requirement("S6")
def test_health_and_status_through_a_whole_life(system, tmp_path):
    path = tmp_path / "open"
    config = {"lives": 9, "restart.backoff.base": 60, "restart.backoff.cap": 60}
    ref = system.spawn(Opens, path, lambda: 1 // 0, config=config)
    seen = [(ref.info().status, ref.info().health)]
    path.touch()
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().incarnation == 2, 20, "the backoff")
    seen.append((ref.info().status, ref.info().health))
    assert 0 < ref.info().next_restart <= 72
    ref.stop()
    ref.wait(20)
    seen.append((ref.info().status, ref.info().health))
    assert seen == [
        (Status.STARTING, Health.UNKNOWN),
        (Status.RESTARTING, Health.UNKNOWN),
        (Status.CRASHED, Health.FAILED),
    ]


@pytest.mark.requirement("H2")
def test_a_killed_actor_is_failed_a_running_and_a_stopping_one_healthy(system, tmp_path):
    class Stubborn(Process):
        def __init__(self, path):
            self.path = path

        def __loop__(self):
            note(self.path, "loop")
            until(lambda: len(notes(self.path)) > 1, 30, "the parent's word")

    ref = system.spawn(Stubborn, tmp_path / "said")
    until(lambda: notes(tmp_path / "said"), 20, "the loop")
    ref.wait_ready(20)
    assert ref.info().health is Health.HEALTHY
    ref.stop()
    assert (ref.info().status, ref.info().health) == (Status.STOPPING, Health.HEALTHY)
    ref.kill()
    ref.wait(20)
    assert (ref.info().status, ref.info().health) == (Status.KILLED, Health.FAILED)


@pytest.mark.requirement("S6")
def test_an_actor_is_running_when_its_own_ready_came_and_not_because_time_passed(system, host, tmp_path):
    path = tmp_path / "open"
    ref = system.spawn(Opens, path, host=host)
    with pytest.raises(TimeoutError, match=r"opens-1 did not be ready within 0\.3 s|opens-1 was not ready"):
        ref.wait_ready(0.3)
    pid = until(lambda: ref.info().pid, 20, "the process")
    assert os.path.exists(f"/proc/{pid}")
    assert ref.info().status is Status.STARTING
    path.touch()
    ref.wait_ready(20)
    assert ref.info().status is Status.RUNNING
    ref.stop()


@pytest.mark.requirement("S6")
def test_waiting_for_the_start_of_what_cannot_start_raises_its_error(system, tmp_path):
    class DiesOpening(Opens):
        def __setstate__(self, state):
            raise LookupError("no state in here")

    ref = system.spawn(DiesOpening, tmp_path / "open")
    with pytest.raises(StartError, match="LookupError: no state in here") as caught:
        ref.wait_ready(20)
    assert caught.value.phase == "opening its state"
    assert ref.wait(20) is Status.CRASHED


def speak(act):
    def aloud():
        sys.stderr.write("words before the end\n")
        print("and the last words", file=sys.stderr)
        act()

    return aloud


class Falls(Process):
    def __init__(self, act):
        self.act = act
        self.config.timeouts.loop = 0.5
        self.config.timeouts.exit = 0.5

    def __preloop__(self):
        if self.current_lap == 2:
            self.act()

    __loop__ = __preloop__


def hang():
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: S112 - the deafest there are
            continue


FALLS: list[tuple[Any, int | None, str | None, str, str]] = [
    (lambda: 1 // 0, 1, None, "ZeroDivisionError: ", ""),
    (lambda: os._exit(5), 5, None, "exited with code 5", ""),
    (lambda: os.kill(os.getpid(), signal.SIGKILL), None, "SIGKILL", "ended by SIGKILL", ""),
    (lambda: ctypes.string_at(0), None, "SIGSEGV", "ended by SIGSEGV", "in string_at"),
    (os.abort, None, "SIGABRT", "ended by SIGABRT", "in aloud"),
]


@pytest.mark.requirement("H6")
@pytest.mark.fault("F17")
def test_a_death_report_hangs_on_every_crash(system, host):
    for act, code, name, cause, stack in FALLS:
        ref = system.spawn(Falls, speak(act), name="faller", host=host)
        with pytest.raises(ActorError) as caught:
            ref.result(20)
        report = caught.value.report
        assert report is not None
        assert (report.name, report.uid, report.incarnation) == ("faller", ref.uid, 1)
        assert cause in report.cause
        assert (report.exit_code, report.signal) == (code, name)
        assert (report.section, report.lap) == ("preloop", 2)
        assert 0 < report.runtime < 60
        assert report.usage is not None
        assert report.usage.max_rss_mb > 1
        assert report.usage.user_seconds + report.usage.system_seconds >= 0
        assert report.stderr[-2:] == ("words before the end", "and the last words")
        assert stack in report.stacks
        assert any(f"born as pid {ref.history()[0].pid}" in step for step in report.events)
        page = str(report)
        assert all(word in page for word in ("faller (incarnation 1", "__preloop__, lap 2", "and the last words"))
        assert ref.history()[0].report == report


@pytest.mark.requirement("H6")
def test_the_report_of_a_hang_has_the_stacks_of_all_threads_from_before_the_kill(system, host):
    def hang_in_two_threads():
        import threading

        threading.Thread(target=hang, daemon=True).start()
        hang_here()

    def hang_here():
        hang()

    ref = system.spawn(Falls, hang_in_two_threads, host=host, config={"timeouts.preloop": 0.3})
    with pytest.raises(ActorError) as caught:
        ref.result(20)
    report = caught.value.report
    assert report is not None
    assert report.signal == "SIGKILL"
    assert "in hang_here" in report.stacks
    assert report.stacks.count("in hang\n") == 2


@pytest.mark.requirement("H6")
def test_each_life_has_its_own_report_and_what_the_error_hook_answers_does_not_hide_it(system):
    class Answers(Falls):
        def __error__(self):
            return None

    ref = system.spawn(Answers, speak(lambda: 1 // 0), config={"lives": 2, "restart.backoff.base": 0})
    with pytest.raises(ActorError) as caught:
        ref.result(20)
    reports = [life.report for life in ref.history()]
    assert [report.incarnation for report in reports] == [1, 2]
    assert caught.value.report == reports[1]
    assert reports[1].exit_code == 1
    assert reports[1].stderr[-1] == "and the last words"


@pytest.mark.requirement("H6")
def test_a_report_remembers_the_last_of_much_that_was_written(system):
    def chatter():
        for number in range(20_000):
            print(f"line {number} äöü", file=sys.stderr)
        raise ValueError("enough")

    import io
    from contextlib import redirect_stderr

    with redirect_stderr(io.StringIO()):
        ref = system.spawn(Falls, chatter)
        with pytest.raises(ActorError) as caught:
            ref.result(30)
    report = caught.value.report
    assert report is not None
    assert report.stderr[-1] == "line 19999 äöü"
    assert list(report.stderr[1:]) == [f"line {number} äöü" for number in range(20_001 - len(report.stderr), 20_000)]


@pytest.mark.requirement("H6")
def test_a_timeout_and_a_lost_actor_have_a_report_too(system):
    slow = system.spawn(Falls, lambda: time.sleep(60), config={"timeouts.preloop": None, "timeouts.loop": None})
    until(lambda: slow.info().lap == 2, 20, "the second lap")
    os.kill(slow.info().pid, signal.SIGKILL)
    with pytest.raises(ActorDied) as died:
        slow.result(20)
    assert died.value.report is not None

    class Late(Process):
        def __init__(self):
            self.config.timeouts.loop = 0.2

        def __loop__(self):
            subprocess.run(["sleep", "60"], check=True)

    with pytest.raises(MainLoopTimeoutError) as late:
        system.spawn(Late).result(20)
    assert isinstance(late.value, MainLoopError)
    assert late.value.report is not None
    assert (late.value.report.section, late.value.report.exit_code) == ("loop", 1)


def test_who_lists_processes_sees_actors_by_their_names(system, host):
    ref = system.spawn(Path("/proc/self/comm").read_text, name="crew/fetcher-number-twelve", host=host)
    assert ref.result(20) == "crew/fetcher-nu\n"
    zygote = system._world.spawners["process"].pids[0]
    until(lambda: Path(f"/proc/{zygote}/comm").read_text() == "zygote\n", 20, "the zygote")
