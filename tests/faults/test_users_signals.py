"""The user's alarms, handlers, masks and event loops: a stop works all the same, and theirs stay theirs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from tests.stage import note, noted, notes, running, until
from understudy import ActorSystem, MainLoopTimeoutError, Process, Status


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


class Signalled(Process):
    """Arranges its signals in its first lap, then works in short laps."""

    def __init__(self, told):
        self.told, self.alarms = told, 0

    def __preloop__(self):
        if self.current_lap == 1:
            self.arrange()
            note(self.told, "arranged")

    def arrange(self):
        pass

    def __loop__(self):
        self.sleep(0.01)

    def __onfinish__(self):
        note(self.told, "onfinish")

    def __result__(self):
        return "done"


class Alarmed(Signalled):
    def arrange(self):
        signal.signal(signal.SIGALRM, self.on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

    def on_alarm(self, *_):
        self.alarms += 1
        note(f"{self.told}.alarms", self.alarms)

    def __result__(self):
        ours = signal.getsignal(signal.SIGALRM) == self.on_alarm
        return ours, signal.getitimer(signal.ITIMER_REAL)[1]


@pytest.mark.fault("F22")
def test_the_users_alarm_rings_on_and_a_stop_works(system, told, host):
    ref = system.spawn(Alarmed, told, host=host)
    noted(f"{told}.alarms", 5)
    ref.stop()
    ours, interval = ref.result(30)
    assert (ours, round(interval, 3), notes(told)) == (True, 0.02, ["arranged", "onfinish"])


@pytest.mark.fault("F22")
def test_a_timeout_leaves_the_users_alarm_alone(system, told):
    class Stuck(Alarmed):
        def __loop__(self):
            threading.Event().wait()

        def __error__(self):
            self.sleep(0.1)
            return (
                signal.getsignal(signal.SIGALRM) == self.on_alarm,
                signal.getitimer(signal.ITIMER_REAL)[1],
                self.alarms,
            )

    ref = system.spawn(Stuck, told, config={"timeouts.loop": 0.5})
    ours, interval, alarms = ref.result(30)
    assert isinstance(ref.exception(), MainLoopTimeoutError)
    assert (ours, round(interval, 3)) == (True, 0.02)
    assert alarms > 2


class Termed(Signalled):
    def arrange(self):
        signal.signal(signal.SIGTERM, lambda *_: note(self.told, "theirs"))


@pytest.mark.fault("F22")
def test_the_users_own_sigterm_handler_is_called_and_a_stop_goes_by_command(system, told, host):
    ref = system.spawn(Termed, told, host=host)
    noted(told)
    running(ref)
    os.kill(ref.info().pid, signal.SIGTERM)
    noted(told, 2)
    laps = ref.info().completed_laps
    until(lambda: ref.info().completed_laps > laps, 20, "a further lap")
    ref.stop(grace=60)
    assert (ref.result(30), notes(told)) == ("done", ["arranged", "theirs", "onfinish"])


@pytest.mark.fault("F22")
def test_who_keeps_sigterm_to_itself_is_killed_at_the_end_of_the_grace(system, told):
    class Stuck(Termed):
        def __loop__(self):
            while True:
                self.sleep(0)

    ref = system.spawn(Stuck, told)
    noted(told)
    ref.stop(grace=0.8)
    assert ref.wait(30) is Status.KILLED
    assert notes(told) == ["arranged", "theirs", "theirs"]


class Masked(Signalled):
    def arrange(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))

    def __result__(self):
        return len(signal.pthread_sigmask(signal.SIG_BLOCK, set()))


@pytest.mark.fault("F22")
def test_a_stop_gets_through_a_mask_of_all_signals_and_the_mask_stays(system, told, host):
    ref = system.spawn(Masked, told, host=host)
    noted(told)
    ref.stop()
    # All but SIGKILL and SIGSTOP, and what the C library keeps for itself.
    assert ref.result(30) >= len(signal.Signals) - 4


@pytest.mark.fault("F22")
def test_a_timeout_gets_through_a_mask_of_all_signals(system, told):
    class Stuck(Masked):
        def __loop__(self):
            threading.Event().wait()

    ref = system.spawn(Stuck, told, config={"timeouts.loop": 0.5})
    with pytest.raises(MainLoopTimeoutError):
        ref.result(30)


class Looping(Signalled):
    """Runs in asyncio, with a handler of its own on that loop."""

    async def __preloop__(self):
        if self.current_lap == 1:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, note, self.told, "theirs")
            note(self.told, "arranged")

    async def __loop__(self):
        await asyncio.sleep(0.01)

    async def __result__(self):
        await asyncio.sleep(0)
        return "done"


@pytest.mark.fault("F22")
def test_an_asyncio_loop_keeps_its_signal_handlers_and_a_stop_works(system, told, host):
    ref = system.spawn(Looping, told, host=host)
    noted(told)
    running(ref)
    os.kill(ref.info().pid, signal.SIGUSR1)
    assert noted(told, 2) == ["arranged", "theirs"]
    ref.stop()
    assert (ref.result(30), notes(told)[-1]) == ("done", "onfinish")


@pytest.mark.fault("F22")
def test_a_loop_that_the_user_runs_with_sigterm_on_it_is_stopped_by_command(system, told):
    class Own(Signalled):
        def __loop__(self):
            asyncio.run(self.serve())

        async def serve(self):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, note, self.told, "theirs")
            note(self.told, "serving")
            while not self.stopping:  # noqa: ASYNC110 - a stop sets no asyncio.Event
                await asyncio.sleep(0.01)

    ref = system.spawn(Own, told)
    noted(told, 2)
    running(ref)
    os.kill(ref.info().pid, signal.SIGTERM)
    assert noted(told, 3)[2] == "theirs"
    running(ref)
    ref.stop()
    assert (ref.result(30), notes(told)) == ("done", ["arranged", "serving", "theirs", "onfinish"])


@pytest.mark.fault("F22")
@pytest.mark.parametrize("runs", ["ours", "the user's"])
def test_a_timeout_cancels_the_tasks_of_a_loop_and_lets_them_clean_up(system, told, runs):
    class Awaiting(Signalled):
        async def linger(self):
            try:
                await asyncio.sleep(600)
            finally:
                note(self.told, "cleaned up")

    class Ours(Awaiting):
        async def __loop__(self):
            await self.linger()

    class Users(Awaiting):
        def __loop__(self):
            asyncio.run(self.linger())

    ref = system.spawn(Ours if runs == "ours" else Users, told, config={"timeouts.loop": 0.5})
    with pytest.raises(MainLoopTimeoutError):
        ref.result(30)
    assert notes(told) == ["arranged", "cleaned up"]


@pytest.mark.fault("F22")
def test_signals_begin_in_a_child_as_in_any_interpreter(system, host):
    def arrangements():
        arranged = [number.name for number in signal.Signals if signal.getsignal(number) != signal.SIG_DFL]
        blocked = [str(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, set())]
        return sorted(arranged), blocked, signal.getitimer(signal.ITIMER_REAL)

    arranged, blocked, timer = system.spawn(arrangements, host=host).result(30)
    # Python ignores two in each interpreter; the kernel lets nobody arrange two; two are the runtime's.
    ours = {"SIGINT", "SIGTERM"}
    assert set(arranged) - {"SIGKILL", "SIGSTOP"} == {"SIGPIPE", "SIGXFSZ"} | ours
    assert (blocked, timer) == ([], (0.0, 0.0))


@pytest.mark.fault("F22")
def test_handlers_and_timers_of_the_parent_stay_theirs(nothing_is_left_behind):
    rung = []
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP)}

    def mine(*_):
        rung.append(1)

    try:
        for number in before:
            signal.signal(number, mine)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        with ActorSystem() as system:
            ref = system.spawn(os.getpid)
            assert ref.wait(30) is Status.FINISHED
            heard = len(rung)
            until(lambda: len(rung) > heard + 3, 20, "further alarms")
            assert [signal.getsignal(number) for number in before] == [mine] * 3
        assert [signal.getsignal(number) for number in before] == [mine] * 3
        assert signal.getitimer(signal.ITIMER_REAL)[1] == pytest.approx(0.01)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
