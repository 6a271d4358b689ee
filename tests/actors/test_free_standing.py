"""A Process used alone: start, wait, stop, kill, result, on the default system."""

from __future__ import annotations

import os
import signal
import textwrap
import threading
import time

import pytest

from tests.stage import ROOT, alive, note, notes, python, until
from understudy import (
    ActorKilled,
    ActorRef,
    ActorSystem,
    AlreadyStarted,
    NameTaken,
    NotStarted,
    Process,
    Status,
    WaitTimeout,
)


class Counts(Process):
    def __init__(self, laps=3):
        self.config.num_loops = laps
        self.seen = {"laps": 0}

    def __loop__(self):
        self.seen["laps"] += 1

    def __result__(self):
        return self.seen


class Lingers(Process):
    def __init__(self, path=None):
        self.path = path

    def __loop__(self):
        if self.path:
            note(self.path, os.getpid())
        self.sleep(60)

    def __result__(self):
        return "asked to go"


@pytest.mark.requirement("P6")
def test_a_process_is_started_waited_for_and_asked_without_naming_a_system():
    process = Counts()
    ref = process.start()
    assert isinstance(ref, ActorRef)
    assert process.wait() is Status.FINISHED
    assert process.result() == {"laps": 3}
    assert process.seen == {"laps": 0}
    assert ActorSystem.default().ref("counts-1") == ref


@pytest.mark.requirement("P6")
def test_stop_and_kill_on_a_process_answer_with_one_word():
    gentle, rough = Lingers(), Lingers()
    gentle.start(), rough.start()
    assert gentle.stop() == "asked"
    assert gentle.result(20) == "asked to go"
    assert gentle.stop() == "ended"
    assert rough.kill() == "asked"
    assert rough.wait(20) is Status.KILLED
    assert rough.kill() == "ended"
    with pytest.raises(ActorKilled):
        rough.result()


@pytest.mark.requirement("P6")
def test_starting_twice_is_a_typed_error_and_harms_nothing():
    process = Counts()
    process.start(name="once")
    with pytest.raises(AlreadyStarted, match="this Counts was started as once"):
        process.start()
    assert process.result(20) == {"laps": 3}
    with pytest.raises(AlreadyStarted):
        process.start()


@pytest.mark.requirement("P6")
@pytest.mark.parametrize("verb", ["wait", "stop", "kill", "result"])
def test_what_was_never_started_cannot_be_waited_for_stopped_or_asked(verb):
    process = Counts()
    with pytest.raises(NotStarted, match=r"this Counts: it is not started; in __init__ none is"):
        getattr(process, verb)()
    process.start()
    assert process.wait(20) is Status.FINISHED


@pytest.mark.requirement("P6")
def test_a_start_that_was_refused_can_be_made_again():
    first, second = Lingers(), Counts()
    first.start(name="taken")
    with pytest.raises(NameTaken, match="'taken' is the name of a living actor"):
        second.start(name="taken")
    with pytest.raises(NotStarted):
        second.wait()
    second.start(name="free")
    assert second.result(20) == {"laps": 3}
    first.kill()
    first.wait(20)


@pytest.mark.requirement("P6")
def test_of_many_threads_that_start_one_process_one_succeeds():
    process = Counts()
    gate = threading.Barrier(8)
    outcomes: list[object] = []

    def start():
        gate.wait()
        try:
            outcomes.append(process.start())
        except AlreadyStarted as error:
            outcomes.append(error)

    at_once(start, 8)
    assert sum(isinstance(outcome, ActorRef) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyStarted) for outcome in outcomes) == 7
    assert process.wait(20) is Status.FINISHED
    assert len(ActorSystem.default().ps(all=True)) == 1


@pytest.mark.requirement("P6")
def test_many_threads_may_hold_one_handle_and_get_the_same_object_each_time():
    process = Counts(1000)
    process.start()
    results, statuses = [], []

    def use():
        statuses.append(process.wait(20))
        results.append(process.result(20))
        process.stop()

    at_once(use, 12)
    assert statuses == [Status.FINISHED] * 12
    assert len({id(result) for result in results}) == 1
    assert process.result() is results[0]


@pytest.mark.requirement("P6")
def test_the_error_of_a_process_is_the_same_object_each_time_too():
    class Fails(Process):
        def __loop__(self):
            raise KeyError("gone")

    process = Fails()
    ref = process.start()
    errors = []
    for _ in range(3):
        with pytest.raises(Exception, match="KeyError: 'gone'") as caught:
            process.result(20)
        errors.append(caught.value)
    assert len({id(error) for error in [*errors, ref.exception()]}) == 1


def at_once(act, times):
    threads = [threading.Thread(target=act) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.requirement("P6")
def test_the_default_system_is_made_at_first_use_and_leaves_signals_alone():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    process = Counts()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("understudy")]
    process.start()
    assert ActorSystem.default() is ActorSystem.default()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("understudy")]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == before
    process.wait(20)


@pytest.mark.requirement("P6")
def test_after_the_default_system_was_closed_the_next_start_makes_another():
    first, second = Counts(), Counts()
    ref = first.start()
    ActorSystem.close_default()
    assert first.wait(0).ended
    assert second.start().system_id != ref.system_id
    assert second.result(20) == {"laps": 3}


LEAVES_ACTORS = """
    import os, time
    from tests.stage import note, notes, until
    from understudy import Process

    class Willing(Process):
        def __loop__(self):
            note("pids", os.getpid())
            self.sleep(60)
        def __onfinish__(self):
            note("said", "the willing went")

    class Deaf(Process):
        def __loop__(self):
            note("pids", os.getpid())
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass

    for cls in (Willing, Willing, Deaf):
        cls().start()
    until(lambda: len(notes("pids")) == 3, 30, "the start")
"""


@pytest.mark.requirement("P6")
def test_a_script_that_ends_with_actors_running_ends_them_and_exits_soon(tmp_path):
    script = tmp_path / "leaves.py"
    script.write_text(textwrap.dedent(LEAVES_ACTORS))
    began = time.monotonic()
    done = python(str(script), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, seconds=59)
    assert time.monotonic() - began < 50  # 5 s by promise, on a quiet machine
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert notes(tmp_path / "said") == ["the willing went"] * 2
    pids = [int(pid) for pid in notes(tmp_path / "pids")]
    assert len(pids) == 3
    assert not [pid for pid in pids if alive(pid)]


class Meets(Process):
    """Ends only when all have come."""

    def __init__(self, path, number, count):
        self.path, self.number, self.count = path, number, count

    def __loop__(self):
        note(self.path, self.number)
        until(lambda: len(notes(self.path)) >= self.count, 30, "all coming")
        self.stop()

    def __result__(self):
        return self.number


@pytest.mark.requirement("P7")
@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_processes_waited_for_in_any_order_run_side_by_side(tmp_path, order):
    crowd = [Meets(tmp_path / "came", number, 6) for number in range(6)]
    for process in crowd:
        process.start()
    for process in crowd if order == "forwards" else reversed(crowd):
        assert process.wait(40) is Status.FINISHED
    assert [process.result(0) for process in crowd] == list(range(6))


@pytest.mark.requirement("P7")
def test_many_threads_may_wait_for_one_process_and_all_are_told(tmp_path):
    process = Lingers(tmp_path / "there")
    process.start()
    until(lambda: notes(tmp_path / "there"), 20, what="the start")
    told = []
    waiting = [threading.Thread(target=lambda: told.append(process.wait(30))) for _ in range(10)]
    for thread in waiting:
        thread.start()
    with pytest.raises(WaitTimeout, match=r"lingers-1 did not end within 0\.01 s"):
        process.wait(timeout=0.01)
    assert told == []
    process.stop()
    for thread in waiting:
        thread.join(30)
    assert told == [Status.FINISHED] * 10
    assert process.wait(0) is Status.FINISHED
