"""The stacks of living actors: of the busy, the held, the stopped; and nobody is harmed by being asked."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.stage import hold, note, noted, running, until
from understudy import Process, Status, UnknownActor, WrongProcess
from understudy.spawners import pulse
from understudy.wire.page import DUMP_SIZE

BOUND = 10.0
"""Seconds within which a dump has to be told here; the promise is 1.5."""


class Waits(Process):
    """Waits where its stacks should show it."""

    def __init__(self, gate, others=0):
        self.gate, self.others = gate, others
        self.threads = []

    def __preloop__(self):
        for number in range(self.others):
            thread = threading.Thread(target=self.stand_aside, name=f"aside-{number}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def __loop__(self):
        self.wait_here()
        self.stop()

    def wait_here(self):
        hold(self.gate)

    def stand_aside(self):
        hold(self.gate)

    def __result__(self):
        return self.incarnation


def blocks(text):
    """The threads of a dump, each with its lines."""
    return [block.splitlines() for block in text.split("\n\n")]


def test_all_threads_are_told_the_main_one_first_and_ours_last(system, host, tmp_path):
    ref = system.spawn(Waits, tmp_path / "gate", 2, host=host)
    running(ref)
    until(lambda: ref.stacks().count("stand_aside") == 2, 20, "both threads")
    first, *others, last = blocks(ref.stacks())
    assert '"MainThread"' in first[0]
    assert any("in wait_here" in line for line in first)
    assert {line.split('"')[1] for block in others for line in block[:1]} == {"aside-0", "aside-1"}
    assert "understudy's link" in last[0]
    (tmp_path / "gate").touch()
    assert ref.result(20) == 1


def test_stacks_can_be_awaited(system, tmp_path):
    ref = system.spawn(Waits, tmp_path / "gate")
    running(ref)
    until(lambda: "in wait_here" in asyncio.run(ref.aio.stacks()), 20, "its lap")
    (tmp_path / "gate").touch()
    ref.wait(20)


def test_many_are_dumped_side_by_side_and_told_by_name(system, tmp_path):
    refs = [system.spawn(Waits, tmp_path / "gate", name=f"crew/{number}") for number in range(8)]
    alone = system.spawn(hold, tmp_path / "gate", name="alone")
    running(*refs, alone)
    told = system.stacks("crew/*")
    assert sorted(told) == [ref.name for ref in refs]
    assert all("in wait_here" in text for text in told.values())
    assert sorted(system.stacks()) == sorted([*told, "alone"])
    assert "in hold" in system.stacks(alone)["alone"]
    assert list(system.stacks(["crew/1", refs[2]])) == ["crew/1", "crew/2"]
    assert system.stacks("nobody-*") == {}
    with pytest.raises(UnknownActor, match="no actor is named 'crew/9'"):
        system.stacks("crew/9")
    (tmp_path / "gate").touch()
    assert [ref.result(20) for ref in refs] == [1] * 8


HELD = {
    "regular expression": lambda: re.match(r"(a+)+b", "a" * 26),
    "sleep in C": lambda: _sleep_held(2_000_000),
}


def _sleep_held(microseconds):
    # Blocked, for the signal that asks for the stacks would end the call.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {signal.SIGRTMAX - 3})
    until_ = time.monotonic() + microseconds / 1e6
    while (left := until_ - time.monotonic()) > 0:
        ctypes.PyDLL(None).usleep(int(left * 1e6))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Holds(Process):
    """Holds its interpreter for some seconds, and then goes on."""

    def __init__(self, told, how):
        self.told, self.how = told, how
        self.config.num_loops = 2

    def __loop__(self):
        if self.current_lap == 1:
            note(self.told, "held")
            self.hold_on()

    def hold_on(self):
        HELD[self.how]()

    def __result__(self):
        return self.incarnation


@pytest.mark.fault("F20")
@pytest.mark.parametrize("how", HELD)
def test_one_that_holds_the_interpreter_is_dumped_and_goes_on_living(system, tmp_path, how):
    ref = system.spawn(Holds, tmp_path / "told", how)
    noted(tmp_path / "told")
    text = ref.stacks()
    assert "in hold_on" in text
    assert ref.result(60) == 1
    assert [life.exit_code for life in ref.history()] == [0]


def test_looks_at_threads_have_a_tenth_of_the_routers_time_over_all_dumps_together(system, tmp_path, monkeypatch):
    class Asleep(Process):
        def __loop__(self):
            note(tmp_path / "told", "held")
            _sleep_held(120_000_000)

    refs = [system.spawn(Asleep) for _ in range(3)]
    noted(tmp_path / "told", 3)
    running(*refs)
    looks, honest = [], pulse.look

    def slow(pid):
        began = time.monotonic()
        seen = honest(pid)
        time.sleep(0.02)  # as hundreds of threads take
        looks.append((pid, began, time.monotonic()))
        return seen

    monkeypatch.setattr(pulse, "look", slow)
    system.stacks()
    assert {pid for pid, _, _ in looks} == {ref.info().pid for ref in refs}, "each has its turn"
    for (_, began, ended), (_, next_began, _) in itertools.pairwise(looks):
        assert next_began - ended >= 9 * (ended - began)
    for ref in refs:
        ref.kill()


@pytest.mark.fault("F20")
def test_one_that_never_lets_go_is_dumped_again_and_again_while_others_answer(system, tmp_path):
    class Stuck(Process):
        def __loop__(self):
            note(tmp_path / "told", "stuck")
            re.match(r"(a+)+b", "a" * 40)

    stuck, other = system.spawn(Stuck, name="stuck"), system.spawn(Waits, tmp_path / "gate", name="other")
    noted(tmp_path / "told")
    running(stuck, other)
    for _ in range(3):
        began = time.monotonic()
        told = system.stacks()
        assert time.monotonic() - began < BOUND
        assert told["stuck"].count("in __loop__") == 1
        assert "in wait_here" in told["other"]
    assert (stuck.info().status, stuck.info().incarnation) == (Status.RUNNING, 1)
    stuck.kill()


def test_when_the_held_goes_on_its_page_has_room_again_and_its_report_tells_of_its_end_only(system, tmp_path):
    class HoldsThenFails(Holds):
        def __init__(self, told):
            super().__init__(told, "regular expression")
            self.config.heartbeat.interval = 0.05

        def __loop__(self):
            super().__loop__()
            if self.current_lap == 2:
                until(lambda: os.path.exists(f"{self.told}.fail"), 30)
                raise ValueError("at last")

    ref = system.spawn(HoldsThenFails, tmp_path / "told")
    noted(tmp_path / "told")
    assert "in hold_on" in ref.stacks()
    page = system._world.records[ref.uid].page
    until(lambda: ref.info().lap == 2 and not page.fault(), 40, "an empty page")
    (tmp_path / "told.fail").touch()
    error = ref.exception(20)
    assert "at last" in error.report.stacks
    assert "hold_on" not in error.report.stacks


class Busy(Process):
    """Its threads share the interpreter as threads do; all of them move all the time."""

    def __init__(self, threads):
        self.threads = threads
        self.config.heartbeat.interval = 0.5

    def __loop__(self):
        def dig(depth):
            return depth if depth <= 0 else 1 + dig(depth - 1)

        def work():
            while not self.stopping:
                dig(20)
                [str(number) for number in range(100)]

        crew = [threading.Thread(target=work) for _ in range(self.threads)]
        for one in crew:
            one.start()
        while not self.stopping:
            dig(10)
            time.sleep(0.001)
        for one in crew:
            one.join()

    def __result__(self):
        return self.incarnation


def dump_often(system, times, threads):
    ref = system.spawn(Busy, threads)
    running(ref)
    told = 0
    for _ in range(times):
        began = time.monotonic()
        text = ref.stacks()
        assert time.monotonic() - began < BOUND
        told += text.startswith("Thread")
    assert ref.info().incarnation == 1
    page = system._world.records[ref.uid].page
    assert page.forced == 0, "a signal was sent to one whose threads run"
    ref.stop()
    assert ref.result(60) == 1
    assert [(life.exit_code, life.signal) for life in ref.history()] == [(0, None)]
    return told


def test_dumps_in_a_row_of_an_actor_whose_threads_are_busy_do_it_no_harm(system):
    assert dump_often(system, 10, 10) > 0


@pytest.mark.soak
def test_two_hundred_dumps_in_a_row_of_an_actor_whose_threads_are_busy_do_it_no_harm(system):
    assert dump_often(system, 200, 20) > 20


def test_one_that_is_stopped_is_told_so_at_once_and_dumped_when_it_goes_on(system, tmp_path):
    ref = system.spawn(Waits, tmp_path / "gate")
    running(ref)
    until(lambda: "in wait_here" in ref.stacks(), 20, "its lap")
    pid = ref.info().pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: ref.info().os_status == "stopped" or ref.stacks().startswith("(it is stopped"), 20, "the stop")
    text = until(lambda: found if (found := ref.stacks()).startswith("(") else "", 20, "the sentence")
    assert text == (
        "(it is stopped, by a signal or a debugger, and tells its stacks when it goes on; it is in __loop__, lap 1)"
    )
    os.kill(pid, signal.SIGCONT)
    until(lambda: "in wait_here" in ref.stacks(), 20, "its stacks")
    (tmp_path / "gate").touch()
    assert ref.result(20) == 1


class Slow(Process):
    """Takes its time while its state is opened, and while it ends."""

    def __init__(self, gate, told):
        self.gate, self.told = gate, told

    def __setstate__(self, state):
        vars(self).update(state)
        note(self.told, "opening")
        hold(f"{self.gate}.open")

    def __loop__(self):
        note(self.told, "running")
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "ending")
        hold(f"{self.gate}.end")


def test_one_that_starts_and_one_that_stops_are_dumped_and_one_that_has_ended_has_none(system, tmp_path, host):
    gate, told = tmp_path / "gate", tmp_path / "told"
    ref = system.spawn(Slow, gate, told, host=host)
    noted(told)
    until(lambda: "in __setstate__" in ref.stacks(), 20, "its stacks while it opens its state")
    (tmp_path / "gate.open").touch()
    noted(told, 2)
    ref.stop()
    noted(told, 3)
    until(lambda: "in __onfinish__" in ref.stacks(), 20, "its stacks while it ends")
    (tmp_path / "gate.end").touch()
    assert ref.wait(20) is Status.FINISHED
    assert (ref.stacks(), system.stacks(ref)) == ("", {ref.name: ""})
    assert system.stacks() == {}


def test_dumps_at_any_moment_of_a_start_harm_nobody(system, host):
    class Quick(Process):
        def __init__(self):
            self.config.num_loops = 1

        def __loop__(self):
            self.sleep(0.01)

        def __result__(self):
            return "done"

    refs = []
    for _ in range(6):
        ref = system.spawn(Quick, host=host)
        refs.append(ref)
        while not ref.done():
            ref.stacks()
    assert [(ref.result(20), ref.history()[0].exit_code) for ref in refs] == [("done", 0)] * 6


def test_what_runs_another_program_by_now_is_not_ended_by_the_question(system, tmp_path):
    class Becomes(Process):
        def __loop__(self):
            note(tmp_path / "told", "now")
            os.execv("/bin/sh", ["sh", "-c", f"while ! [ -e {tmp_path / 'gate'} ]; do sleep 0.05; done"])  # noqa: S606

    ref = system.spawn(Becomes, config={"heartbeat.misses": 1000})
    noted(tmp_path / "told")
    pid = ref.info().pid
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sh\0"), 20, "the other program")
    assert "runs another program by now" in ref.stacks()
    assert ref.info().pid == pid
    (tmp_path / "gate").touch()
    ref.wait(20)
    assert ref.history()[0].exit_code == 0


def test_a_killed_actor_ends_the_wait_of_who_asks_for_its_stacks(system, tmp_path):
    ref = system.spawn(Waits, tmp_path / "gate")
    running(ref)
    os.kill(ref.info().pid, signal.SIGSTOP)
    asked = threading.Thread(target=ref.stacks)
    asked.start()
    ref.kill()
    asked.join(BOUND)
    assert not asked.is_alive()
    assert ref.wait(20) is Status.KILLED


def test_many_who_ask_for_the_same_stacks_at_once_all_get_them(system, tmp_path):
    ref = system.spawn(Waits, tmp_path / "gate")
    running(ref)
    until(lambda: "in wait_here" in ref.stacks(), 20, "its lap")
    told = []
    crowd = [threading.Thread(target=lambda: told.append(ref.stacks())) for _ in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(BOUND)
    assert len(told) == 20
    assert all("in wait_here" in text for text in told)


def test_the_stacks_of_another_systems_actors_cannot_be_had(system, tmp_path):
    class Asks(Process):
        def __init__(self, ref):
            self.ref = ref
            self.config.num_loops = 1

        def __loop__(self):
            with pytest.raises(WrongProcess):
                self.ref.stacks()

    ref = system.spawn(Waits, tmp_path / "gate")
    system.spawn(Asks, ref).result(20)


def test_no_more_threads_than_there_is_room_for_are_told(system):
    class Deep(Process):
        def __loop__(self):
            def dig(depth):
                return self.sleep(600) if depth <= 0 else dig(depth - 1)

            for number in range(60):
                threading.Thread(target=dig, args=(90,), name=f"deep-{number}", daemon=True).start()
            dig(90)

    ref = system.spawn(Deep)
    running(ref)
    text = until(lambda: found if "bytes more" in (found := ref.stacks()) else "", 20, "so many threads")
    assert len(text.encode()) <= DUMP_SIZE
    assert '"MainThread"' in text.splitlines()[0]
    ref.kill()
