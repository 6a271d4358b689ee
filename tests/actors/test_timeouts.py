"""What ends a section that takes too long, and what that leaves untouched."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import threading
import time

import pytest

from tests.stage import alive, note, notes, until
from understudy import (
    ActorSystem,
    MainLoopError,
    MainLoopTimeoutError,
    OnFinishTimeoutError,
    PostLoopTimeoutError,
    PreloopTimeoutError,
    Process,
    ResultError,
    ResultTimeoutError,
    Status,
)
from understudy.spawners.signals import INTERRUPT


def busy():
    while True:
        pass


def in_a_loop_that_catches_exception():
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: S112 - written as it often is
            continue


def spin_and_catch():
    while True:
        try:
            [].pop()
        except Exception:  # noqa: S112
            continue


def reading():
    os.read(os.pipe()[0], 1)


def locking():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def joining():
    thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
    thread.start()
    thread.join()


STANDS = {
    "busy": busy,
    "sleep": lambda: time.sleep(60),
    "except-Exception": in_a_loop_that_catches_exception,
    "busy-except-Exception": spin_and_catch,
    "read": reading,
    "lock": locking,
    "join": joining,
    "queue": lambda: queue.Queue().get(),
    "subprocess": lambda: subprocess.run(["sleep", "60"], check=True),
    "comprehension": lambda: [pow(number, 3, 7) for number in itertools.count()],
}


RAN = r"^__loop__ of stuck ran 0\.25 s \(lap 1, incarnation 1\)$"


class Stuck(Process):
    """Does what it is told in one section, and notes whether it could clean up."""

    def __init__(self, act, path, section="loop", seconds=0.25):
        self.act, self.path, self.section = act, path, section
        setattr(self.config.timeouts, section, seconds)
        self.config.timeouts.exit = 0.5

    def reach(self, section):
        if section == self.section:
            began = time.monotonic()
            try:
                self.act()
            finally:
                note(self.path, time.monotonic() - began)

    def __preloop__(self):
        self.reach("preloop")

    def __loop__(self):
        self.reach("loop")

    def __postloop__(self):
        self.reach("postloop")
        self.stop()

    def __onfinish__(self):
        self.reach("onfinish")

    def __result__(self):
        self.reach("result")
        if self.section == "error":
            raise ValueError("something for __error__")

    def __error__(self):
        self.reach("error")


@pytest.mark.requirement("E3")
@pytest.mark.fault("F21")
def test_python_code_is_interrupted_wherever_it_stands(system, tmp_path):
    refs = {where: system.spawn(Stuck, act, tmp_path / where, name=where) for where, act in STANDS.items()}
    for where, ref in refs.items():
        with pytest.raises(MainLoopTimeoutError) as caught:
            ref.result(20)
        assert str(caught.value) == f"__loop__ of {where} ran 0.25 s (lap 1, incarnation 1)"
        assert (caught.value.section, caught.value.lap, caught.value.incarnation) == ("loop", 1, 1)
        assert isinstance(caught.value, TimeoutError)
        (seconds,) = notes(tmp_path / where)
        assert float(seconds) >= 0.25, where


@pytest.mark.requirement("E3")
def test_every_section_has_its_own_timeout_and_error(system, host, tmp_path):
    kinds = {
        "preloop": PreloopTimeoutError,
        "postloop": PostLoopTimeoutError,
        "onfinish": OnFinishTimeoutError,
        "result": ResultTimeoutError,
    }
    refs = {
        section: system.spawn(Stuck, busy, tmp_path / section, section, name=f"stuck-{section}", host=host)
        for section in kinds
    }
    for section, ref in refs.items():
        with pytest.raises(kinds[section], match=rf"^__{section}__ of {ref.name} ran 0\.25 s"):
            ref.result(20)
        assert ref.info().status is Status.CRASHED
        assert len(notes(tmp_path / section)) == 1


@pytest.mark.requirement("E3")
def test_last_rites_that_overrun_are_ended_and_the_first_error_stands(system, tmp_path):
    path = tmp_path / "cleaned up"
    with pytest.raises(ResultError, match="ValueError: something for __error__"):
        system.spawn(Stuck, busy, path, "error").result(20)
    assert len(notes(path)) == 1


def swallow_everything():
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: S112
            continue


def hold_the_interpreter():
    max(itertools.repeat(0))


@pytest.mark.requirement("E3")
@pytest.mark.fault("F20")
def test_what_cannot_be_interrupted_is_ended_from_outside_as_the_same_timeout(system, host, tmp_path):
    path = tmp_path / "cleaned up"
    acts = (swallow_everything, hold_the_interpreter)
    refs = [system.spawn(Stuck, act, path, name=f"stuck-{number}", host=host) for number, act in enumerate(acts)]
    began = time.monotonic()
    for act, ref in zip(acts, refs, strict=True):
        with pytest.raises(MainLoopTimeoutError, match=RAN.replace("stuck", ref.name)) as caught:
            ref.result(30)
        assert time.monotonic() - began < 0.25 + 15  # 1.5 s by promise, on a quiet machine
        assert notes(path) == []
        first, rites = ref.history()
        assert (first.signal, first.section, rites.cause) == ("SIGKILL", "loop", "last rites held")
        assert act.__name__ in first.report.stacks
        assert caught.value.report == first.report
        assert not alive(first.pid)


@pytest.mark.requirement("E3")
def test_a_timeout_costs_one_life_and_the_next_life_starts_afresh(system, tmp_path):
    class StuckOnce(Stuck):
        def reach(self, section):
            if self.incarnation == 1:
                super().reach(section)

        def __result__(self):
            return self.incarnation

    ref = system.spawn(StuckOnce, busy, tmp_path / "cleaned up", config={"lives": 2})
    assert ref.result(20) == 2
    assert [(life.section, life.exit_code) for life in ref.history()] == [("loop", 1), ("", 0)]


@pytest.mark.requirement("E3")
def test_a_timeout_is_for_one_section_of_one_lap_not_for_their_sum(system):
    class Steady(Process):
        def __init__(self):
            self.config.num_loops = 10
            self.config.timeouts.preloop = self.config.timeouts.loop = self.config.timeouts.postloop = 1.5

        def __preloop__(self):
            time.sleep(0.05)

        __loop__ = __postloop__ = __preloop__

    assert system.spawn(Steady).wait(30) is Status.FINISHED


@pytest.mark.requirement("E3")
def test_none_disables_a_timeout_and_the_others_stay(system, tmp_path):
    class Long(Process):
        def __init__(self):
            self.config.timeouts.quick()
            self.config.timeouts.loop = None
            self.config.timeouts.preloop = 0.1

        def __preloop__(self):
            pass

        def __loop__(self):
            time.sleep(0.5)
            self.stop()

    assert system.spawn(Long).wait(20) is Status.FINISHED


class OnTheEdge(Process):
    """Its first section ends just when its time is over; the second has all the time of the world."""

    def __init__(self):
        self.config.timeouts.preloop = 0.02
        self.config.timeouts.loop = None
        self.config.lives = 60
        self.config.num_loops = 20
        self.config.restart.backoff.base = 0

    def __preloop__(self):
        time.sleep(0.0199)

    def __loop__(self):
        for _ in range(20_000):
            pass


@pytest.mark.requirement("E3")
def test_an_interrupt_that_comes_too_late_never_hits_the_next_section(system):
    ref = system.spawn(OnTheEdge)
    assert ref.wait(50).ended
    crashed = [life for life in ref.history() if life.exit_code != 0]
    assert {life.section for life in crashed} <= {"preloop"}
    assert crashed or ref.info().status is Status.FINISHED


class WithSignalsOfItsOwn(Process):
    """Uses an alarm, a handler and a mask of its own, and is interrupted in its first life all the same."""

    def __init__(self):
        self.config.timeouts.loop = 0.5
        self.config.lives = 2
        self.seen = []

    def on_signal(self, number, _):
        self.seen.append(number)

    def __preloop__(self):
        for number in (signal.SIGALRM, signal.SIGUSR1, signal.SIGVTALRM):
            signal.signal(number, self.on_signal)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        os.kill(os.getpid(), signal.SIGUSR1)

    def __loop__(self):
        if self.incarnation == 1:
            busy()
        until(lambda: self.seen.count(signal.SIGALRM) > 3, 20, "the alarms")
        self.stop()

    def __result__(self):
        return (
            signal.SIGUSR1 in self.seen,
            signal.getitimer(signal.ITIMER_REAL)[1],
            signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2},
            [signal.getsignal(number) == self.on_signal for number in (signal.SIGALRM, signal.SIGUSR1)],
        )


@pytest.mark.requirement("E3")
@pytest.mark.fault("F22")
def test_the_users_own_alarms_handlers_and_mask_in_the_child_work_beside_ours(system, host):
    ref = system.spawn(WithSignalsOfItsOwn, host=host)
    heard, interval, masked, handlers = ref.result(20)
    assert (heard, masked, handlers) == (True, True, [True, True])
    assert interval == pytest.approx(0.02)
    assert ref.info().incarnation == 2


@pytest.mark.requirement("E3")
def test_an_actor_begins_with_the_signals_as_python_has_them(system, host):
    def handlers():
        return {number: signal.getsignal(number) for number in signal.valid_signals() - taken}

    taken = {INTERRUPT, signal.SIGTERM, signal.SIGINT}
    ignored = {signal.SIGPIPE, signal.SIGXFSZ}  # by Python itself
    seen = system.spawn(handlers, host=host).result(20)
    assert {number for number, handler in seen.items() if handler is not signal.SIG_DFL} == ignored


@pytest.mark.requirement("E3")
def test_the_parents_alarms_handlers_and_mask_are_untouched(tmp_path):
    def state():
        handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        timers = [signal.getitimer(which)[1] for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL)]
        return handlers, timers, signal.pthread_sigmask(signal.SIG_BLOCK, ())

    rang = []
    before_handler = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        before = state()
        with ActorSystem() as system:
            ref = system.spawn(Stuck, busy, tmp_path / "cleaned up")
            assert ref.wait(20) is Status.CRASHED
            handlers, *others = state()
            taken = {number for number in handlers if handlers[number] != before[0][number]}
            assert taken <= {signal.SIGTERM, signal.SIGHUP}  # the system's, while it is open
            assert others == list(before[1:])
        assert state() == before
        until(lambda: len(rang) > 2, 20, "the parent's alarm")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before_handler)


@pytest.fixture
def without_thread_signals(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_INTERRUPT", "async")


@pytest.mark.requirement("E8")
@pytest.mark.parametrize("act", [busy, spin_and_catch])
def test_without_thread_signals_an_async_exception_interrupts(without_thread_signals, system, host, tmp_path, act):
    path = tmp_path / "cleaned up"
    ref = system.spawn(Stuck, act, path, name="stuck", host=host)
    with pytest.raises(MainLoopTimeoutError, match=RAN):
        ref.result(20)
    assert len(notes(path)) == 1
    assert ref.history()[-1].exit_code == 1


@pytest.mark.requirement("E8")
@pytest.mark.parametrize("act", [swallow_everything, hold_the_interpreter])
def test_without_thread_signals_what_holds_out_is_ended_from_outside(without_thread_signals, system, tmp_path, act):
    path = tmp_path / "cleaned up"
    ref = system.spawn(Stuck, act, path)
    with pytest.raises(MainLoopTimeoutError):
        ref.result(20)
    assert notes(path) == []
    assert ref.history()[0].signal == "SIGKILL"


@pytest.mark.requirement("E8")
def test_without_thread_signals_what_sleeps_is_ended_from_outside(without_thread_signals, system, tmp_path):
    ref = system.spawn(Stuck, lambda: time.sleep(60), tmp_path / "cleaned up")
    with pytest.raises(MainLoopTimeoutError):
        ref.result(20)
    # The dump of its stacks, just before it is killed, wakes it: it may come to clean up, and even to leave by itself;
    # and a dump of stacks that move meanwhile may end it as well.
    first = ref.history()[0]
    assert first.signal in {"SIGKILL", "SIGSEGV"} or first.exit_code == 1
    assert first.ended_at - first.started_at >= 1.25


@pytest.mark.requirement("E8")
def test_without_thread_signals_a_stop_and_an_error_go_their_usual_way(without_thread_signals, system, tmp_path):
    def waits(stop_event):
        stop_event.wait(60)
        return "stopped"

    def fails():
        raise LookupError("as usual")

    waiting, failing = system.spawn(waits), system.spawn(fails)
    with pytest.raises(MainLoopError, match="LookupError: as usual"):
        failing.result(20)
    until(lambda: waiting.info().section == "loop", 20, "the lap")
    waiting.stop()
    assert waiting.result(20) == "stopped"
