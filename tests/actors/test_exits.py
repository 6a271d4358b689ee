"""Exit codes, deaths around the result, SIGTERM, and what is left running at the end."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.stage import alive, note, notes, running, until
from understudy import ActorDied, ActorError, MainLoopError, Process, Status


class Ends(Process):
    """Does something in one section, if it gets there."""

    def __init__(self, act, section="loop"):
        self.act, self.section = act, section
        self.config.num_loops = 1

    def reach(self, section):
        if section == self.section:
            self.act()

    def __preloop__(self):
        self.reach("preloop")

    def __loop__(self):
        self.reach("loop")

    def __postloop__(self):
        self.reach("postloop")

    def __onfinish__(self):
        self.reach("onfinish")

    def __result__(self):
        self.reach("result")
        return "delivered"


def spin():
    while True:
        pass


@pytest.mark.requirement("E6")
def test_who_finished_has_exit_code_0(system, host):
    ref = system.spawn(Ends, int, host=host)
    assert ref.result(20) == "delivered"
    assert (ref.info().exit_code, ref.history()[0].exit_code, ref.history()[0].signal) == (0, 0, None)


CODES = [
    (lambda: 1 // 0, 1),
    (lambda: sys.exit(0), 1),
    (sys.exit, 1),
    (lambda: sys.exit("no more"), 1),
    (lambda: sys.exit(3), 3),
    (lambda: sys.exit(255), 255),
    (lambda: sys.exit(256), 1),
    (lambda: sys.exit(-3), 1),
    (spin, 1),
]


@pytest.mark.requirement("E6")
@pytest.mark.fault("F16")
def test_who_crashed_has_exit_code_1_or_that_of_its_exit(system, host):
    refs = [system.spawn(Ends, act, host=host, config={"timeouts.loop": 0.3}) for act, _ in CODES]
    for number, (ref, (_, code)) in enumerate(zip(refs, CODES, strict=True)):
        with pytest.raises(MainLoopError) as caught:
            ref.result(20)
        assert caught.value.report is not None
        codes = [told.exit_code for told in (ref.info(), ref.history()[0], caught.value.report)]
        assert codes == [code] * 3, number
        assert ref.info().status is Status.CRASHED


@pytest.mark.requirement("E6")
def test_an_exit_in_any_hook_is_a_crash_of_that_hook(system):
    sections = ["preloop", "loop", "postloop", "onfinish", "result"]
    refs = {section: system.spawn(Ends, lambda: sys.exit(0), section, name=f"leaver-{section}") for section in sections}
    for section, ref in refs.items():
        with pytest.raises(ActorError, match=rf"^SystemExit: 0 \(__{section}__ of {ref.name}, lap 1, incarnation 1\)$"):
            ref.result(20)


@pytest.mark.requirement("E6")
@pytest.mark.fault("F16")
@pytest.mark.parametrize(("code", "words"), [(0, "exited without a result"), (7, "exited with code 7")])
def test_an_exit_that_goes_around_everything_is_a_death_with_its_code(system, code, words):
    ref = system.spawn(Ends, lambda: os._exit(code), name="leaver")
    with pytest.raises(ActorDied, match=rf"^leaver {words} in __loop__ \(lap 1, incarnation 1\)$") as caught:
        ref.result(20)
    assert (caught.value.exit_code, caught.value.signal, ref.info().exit_code) == (code, None, code)


@pytest.mark.requirement("E6")
@pytest.mark.parametrize(
    ("way", "code", "name"), [("kill9", None, "SIGKILL"), ("segv", None, "SIGSEGV"), ("exit:9", 9, None)]
)
def test_a_death_after_the_result_is_a_crash_that_bears_the_result_and_costs_no_life(
    monkeypatch, system, way, code, name
):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", f"result.acknowledged={way}")
    ref = system.spawn(Ends, int, name="late", config={"lives": 3})
    with pytest.raises(ActorDied) as caught:
        ref.result(20)
    assert caught.value.result == "delivered"
    assert (caught.value.exit_code, caught.value.signal) == (code, name)
    assert ref.info().status is Status.CRASHED
    assert len(ref.history()) == 1


@pytest.mark.requirement("E6")
def test_an_exit_handler_that_leaves_with_another_code_makes_it_a_crash_with_the_result(system):
    def register():
        atexit.register(os._exit, 4)

    ref = system.spawn(Ends, register)
    with pytest.raises(ActorDied, match="exited with code 4") as caught:
        ref.result(20)
    assert caught.value.result == "delivered"


@pytest.mark.requirement("E6")
def test_a_clean_exit_after_the_result_is_finished(monkeypatch, system):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "result.acknowledged=exit:0")
    assert system.spawn(Ends, int).result(20) == "delivered"


class Waits(Process):
    def __init__(self, path, opened=None):
        self.path, self.opened = path, opened

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.opened is not None:
            self.opened()

    def __loop__(self):
        note(self.path, os.getpid())
        self.sleep(60)

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        note(self.path, "result")
        return "asked to go"


def by_python(pid):
    os.kill(pid, signal.SIGTERM)


def by_a_program(pid):
    subprocess.run(["kill", "-TERM", str(pid)], check=True)


@pytest.mark.requirement("E7")
@pytest.mark.parametrize("send", [by_python, by_a_program])
def test_a_sigterm_from_anywhere_is_a_stop(system, host, tmp_path, send):
    path = tmp_path / "said"
    ref = system.spawn(Waits, path, host=host, config={"lives": 3})
    pid = int(until(lambda: notes(path), 20, "the loop")[0])
    running(ref)
    assert pid == ref.info().pid
    send(pid)
    assert ref.result(20) == "asked to go"
    assert notes(path)[1:] == ["onfinish", "result"]
    assert (ref.info().status, len(ref.history()), ref.history()[0].exit_code) == (Status.FINISHED, 1, 0)


@pytest.mark.requirement("E7")
def test_a_sigterm_lets_the_section_finish(system, tmp_path):
    path = tmp_path / "said"

    def section():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        note(path, "the section went on")

    assert system.spawn(Ends, section).result(20) == "delivered"
    assert notes(path) == ["the section went on"]


@pytest.mark.requirement("E7")
def test_a_sigterm_while_the_state_is_opened_leaves_out_the_laps_and_not_the_end(system, host, tmp_path):
    path = tmp_path / "said"
    ref = system.spawn(Waits, path, lambda: os.kill(os.getpid(), signal.SIGTERM), host=host)
    assert ref.result(20) == "asked to go"
    assert notes(path) == ["onfinish", "result"]


@pytest.mark.requirement("E7")
def test_a_sigterm_from_the_actors_own_thread_or_child_is_a_stop_too(system, tmp_path):
    path = tmp_path / "said"

    def from_a_shell():
        subprocess.run(["sh", "-c", "kill -TERM $PPID"], check=True)

    def from_a_thread():
        thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
        thread.start()
        thread.join()

    for act in (from_a_shell, from_a_thread):
        ref = system.spawn(Ends, act, config={"num_loops": 1000})
        assert ref.result(20) == "delivered"
        assert ref.info().completed_laps <= 1
    assert notes(path) == []


def leave_thread(seconds, path, *, daemon):
    def linger():
        time.sleep(seconds)
        note(path, "the thread ended")

    threading.Thread(target=linger, name="lingerer", daemon=daemon).start()


@pytest.mark.requirement("E7")
@pytest.mark.fault("F25")
def test_a_thread_that_lingers_delays_the_end_by_the_exit_grace_only_and_is_named(system, host, tmp_path, records):
    path = tmp_path / "said"
    ref = system.spawn(Ends, lambda: leave_thread(60, path, daemon=False), host=host, config={"timeouts.exit": 0.3})
    began = time.monotonic()
    assert ref.result(20) == "delivered"
    assert time.monotonic() - began < 15  # the grace, on a quiet machine
    assert ref.info().status is Status.FINISHED
    assert ref.history()[0].signal == "SIGKILL"
    assert not alive(ref.history()[0].pid)
    system.shutdown()
    told = [record.getMessage() for record in records if record.levelname == "WARNING"]
    assert [text for text in told if "lingerer" in text]


@pytest.mark.requirement("E7")
def test_a_daemon_thread_delays_nothing(system, tmp_path):
    path = tmp_path / "said"
    ref = system.spawn(Ends, lambda: leave_thread(60, path, daemon=True), config={"timeouts.exit": None})
    assert ref.result(20) == "delivered"
    assert ref.history()[0].exit_code == 0


@pytest.mark.requirement("E7")
def test_without_an_exit_timeout_a_thread_is_waited_for(system, tmp_path):
    path = tmp_path / "said"
    ref = system.spawn(Ends, lambda: leave_thread(0.5, path, daemon=False), config={"timeouts.exit": None})
    assert ref.result(20) == "delivered"
    assert notes(path) == ["the thread ended"]
    assert ref.history()[0].exit_code == 0


@pytest.mark.requirement("E7")
def test_a_crash_with_a_lingering_thread_is_told_within_the_grace_too(system, tmp_path):
    def crash():
        leave_thread(60, tmp_path / "said", daemon=False)
        raise ValueError("and gone")

    ref = system.spawn(Ends, crash, config={"timeouts.exit": 0.3, "lives": 2, "restart.backoff.base": 0})
    with pytest.raises(MainLoopError, match="ValueError: and gone"):
        ref.result(30)
    assert [life.signal for life in ref.history()] == ["SIGKILL", "SIGKILL"]
