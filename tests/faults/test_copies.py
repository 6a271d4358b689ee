"""The user's code closes all descriptors, or forks: a crash told as one; a copy that cannot speak for the actor."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest

from tests.stage import gone, hold, note, noted, notes, report_of, running
from understudy import ActorError, Process, Status
from understudy.spawners.signals import INTERRUPT


class Closing(Process):
    """Closes every descriptor in its first life, then goes on in that way."""

    def __init__(self, told, then):
        self.told, self.then = told, then
        self.config.restart.backoff.base = 0
        self.config.heartbeat.interval = 0.2
        self.config.heartbeat.misses = 2

    def __loop__(self):
        if self.incarnation > 1:
            self.stop()
            return
        if self.current_lap == 1:
            note(self.told, os.getpid())
            os.closerange(3, 4096)
        match self.then:
            case "stop":
                self.stop()
            case "raise":
                raise RuntimeError("no luck")
            case "sleep":
                time.sleep(600)
            case "laps":
                time.sleep(0.001)
            case "kill":
                self.kill()
            case "log":
                self.log.warning("closed")
                self.progress(50)
                time.sleep(600)

    def __result__(self):
        return self.incarnation


@pytest.mark.fault("F23")
def test_closing_all_descriptors_is_a_crash_told_as_one(system, tmp_path, host):
    ways = ("stop", "raise", "sleep", "laps", "kill", "log")
    refs = {then: system.spawn(Closing, tmp_path / then, then, host=host) for then in ways}
    for then, ref in refs.items():
        with pytest.raises(ActorError) as caught:
            ref.result(20)
        assert ref.wait(0) is Status.CRASHED
        assert report_of(caught.value).section in {"loop", "onfinish", "result", ""}, then
        gone(int(notes(tmp_path / then)[0]))
    assert system.spawn(lambda: "another").result(20) == "another"


@pytest.mark.fault("F23")
@pytest.mark.parametrize("then", ["stop", "raise", "sleep", "laps"])
def test_who_closed_all_descriptors_is_replaced_while_lives_are_left(system, tmp_path, then):
    ref = system.spawn(Closing, tmp_path / "told", then, config={"lives": 2})
    assert ref.result(20) == 2


class Forking(Process):
    """Forks in one hook; the copy does something in the actor's name, and waits to be swept."""

    def __init__(self, told, hook, copy):
        self.told, self.hook, self.copy = told, hook, copy
        self.config.num_loops = 3
        self.config.lives = 2

    def _reach(self, hook):
        note(self.told, f"{hook} {os.getpid()}")
        if hook != self.hook or (hook == "loop" and self.current_lap != 2):
            return
        pid = os.fork()
        if pid:
            note(f"{self.told}.copies", pid)
            hold(f"{self.told}.done")
            return
        self.act()

    def act(self):
        note(f"{self.told}.acts", os.getpid())
        open(f"{self.told}.done", "w").close()
        match self.copy:
            case "raises":
                raise RuntimeError("of the copy")
            case "exits":
                sys.exit(7)
            case "exits past":
                os._exit(7)
            case "stops":
                self.stop()
            case "kills":
                self.kill()
            case "reports":
                self.progress(77, note="of the copy")
                self.log.error("of the copy")
            case "sleeps":
                self.sleep(600)
            case "spins":
                while True:
                    time.sleep(600)

    def __loop__(self):
        self._reach("loop")

    def __onfinish__(self):
        self._reach("onfinish")

    def __result__(self):
        self._reach("result")
        return os.getpid()


COPIES = ["returns", "raises", "exits", "exits past", "stops", "kills", "reports", "sleeps", "spins"]


@pytest.mark.fault("F23")
@pytest.mark.parametrize("hook", ["loop", "onfinish", "result"])
def test_a_copy_of_the_process_cannot_speak_for_the_actor(system, tmp_path, hook, caplog):
    """The actors of all such copies, side by side."""
    refs = {copy: system.spawn(Forking, tmp_path / copy, hook, copy) for copy in COPIES}
    for copy, ref in refs.items():
        pid = ref.result(20)
        assert ref.wait(0) is Status.FINISHED
        (life,) = ref.history()
        assert (life.pid, life.exit_code) == (pid, 0), copy
        info = ref.info()
        assert (info.completed_laps, info.progress, info.note) == (life.lap, None, None), copy
        # The copy ran no section besides that in which it was made, and is gone with the actor.
        assert [line.split() for line in notes(tmp_path / copy)] == [
            [section, str(pid)] for section in ("loop", "loop", "loop", "onfinish", "result")
        ], copy
        (made,) = notes(tmp_path / f"{copy}.copies")
        assert notes(tmp_path / f"{copy}.acts") == [made], copy
        gone(int(made))
    assert "of the copy" not in caplog.text


@pytest.mark.fault("F23")
def test_a_copy_is_not_ended_by_the_timeout_of_its_original(system, tmp_path):
    class Patient(Forking):
        def act(self):
            super().act()
            time.sleep(1)
            note(f"{self.told}.acts", "outlasted")

    ref = system.spawn(Patient, tmp_path / "told", "loop", "returns", config={"timeouts.loop": 0.5})
    hold_open = noted(tmp_path / "told.acts", 1)
    assert hold_open
    assert isinstance(ref.result(20), int)
    gone(int(notes(tmp_path / "told.copies")[0]))


@pytest.mark.fault("F23")
def test_programs_that_fork_by_multiprocessing_work_in_a_hook(system):
    def work():
        context = multiprocessing.get_context("fork")
        receive, send = context.Pipe()
        helper = context.Process(target=send.send, args=("from the helper",))
        helper.start()
        word = receive.recv()
        helper.join()
        return word, helper.exitcode

    assert system.spawn(work).result(20) == ("from the helper", 0)


@pytest.mark.fault("F23")
def test_a_stop_reaches_the_actor_and_not_the_copy(system, tmp_path):
    class Both(Process):
        def __init__(self, told):
            self.told = told

        def __loop__(self):
            if self.current_lap == 1 and os.fork() == 0:
                note(self.told, os.getpid())
                threading.Event().wait()
            self.sleep(600)

        def __result__(self):
            return os.getpid()

    ref = system.spawn(Both, tmp_path / "told")
    copy = int(noted(tmp_path / "told")[0])
    running(ref)
    pid = ref.info().pid
    ref.stop()
    assert ref.result(20) == pid
    gone(copy)


def own_handler(*_):
    """A user's handler of SIGUSR1."""


@pytest.mark.fault("F23")
def test_a_copy_has_pythons_signal_handlers_and_keeps_the_users(system, host):
    def handlers():
        seen = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, INTERRUPT, signal.SIGUSR1)]
        return [getattr(handler, "__name__", handler) for handler in seen] + [faulthandler.is_enabled()]

    def work():
        signal.signal(signal.SIGUSR1, own_handler)
        context = multiprocessing.get_context("fork")
        receive, send = context.Pipe()
        helper = context.Process(target=lambda: send.send(handlers()))
        helper.start()
        seen = receive.recv()
        helper.join()
        return seen

    default = signal.SIG_DFL
    assert system.spawn(work, host=host).result(20) == [default, "default_int_handler", default, "own_handler", False]


@pytest.mark.fault("F23")
def test_a_helper_that_is_terminated_ends_by_the_signal_as_it_would_without_us(system):
    def work():
        context = multiprocessing.get_context("fork")
        receive, send = context.Pipe()

        def sleep():
            send.send("up")
            time.sleep(600)

        helpers = [context.Process(target=sleep) for _ in range(3)]
        for helper in helpers:
            helper.start()
            receive.recv()
        for helper in helpers:
            helper.terminate()
            helper.join()
        return [helper.exitcode for helper in helpers]

    assert system.spawn(work).result(20) == [-signal.SIGTERM] * 3
