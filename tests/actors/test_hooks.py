"""Which hooks run, in which order, how often, and from where they may come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time

import pytest

from tests.stage import note, notes, until
from understudy import MainLoopError, MainLoopTimeoutError, NotAnActor, PreloopError, Process, Status, timethis


class Diary(Process):
    """Writes down what runs, with the lap and the laps completed until then."""

    def __init__(self, laps=None):
        self.config.num_loops = laps
        self.entries = []

    def write(self, word):
        self.entries.append((word, self.current_lap, self.completed_laps))

    def __preloop__(self):
        self.write("preloop")

    def __loop__(self):
        self.write("loop")

    def __postloop__(self):
        self.write("postloop")

    def __onfinish__(self):
        self.write("onfinish")

    def __result__(self):
        self.write("result")
        return self.entries


def lap(number):
    return [(word, number, number - 1) for word in ("preloop", "loop", "postloop")]


@pytest.mark.requirement("P3")
@pytest.mark.requirement("E1")
def test_each_lap_runs_its_three_hooks_in_order_and_the_end_comes_once(system, host):
    ref = system.spawn(Diary, 3, host=host)
    assert ref.result(20) == [*lap(1), *lap(2), *lap(3), ("onfinish", 3, 3), ("result", 3, 3)]


class StopsIn(Diary):
    """Stops itself in one section of its second lap."""

    def __init__(self, section, after):
        super().__init__()
        self.section, self.end = section, after

    def write(self, word):
        super().write(word)
        if self.current_lap == 2 and word == self.section:
            self.stop(after=self.end)


@pytest.mark.requirement("E1")
@pytest.mark.requirement("P4")
@pytest.mark.parametrize(
    ("section", "after", "seen", "completed"),
    [
        ("preloop", "section", 1, 1),
        ("loop", "section", 2, 1),
        ("postloop", "section", 3, 2),
        ("preloop", "lap", 3, 2),
        ("loop", "lap", 3, 2),
        ("postloop", "lap", 3, 2),
    ],
)
def test_a_stop_is_seen_before_the_next_section_or_after_the_lap(system, section, after, seen, completed):
    ref = system.spawn(StopsIn, section, after)
    end = [("onfinish", 2, completed), ("result", 2, completed)]
    assert ref.result(20) == [*lap(1), *lap(2)[:seen], *end]
    assert ref.info().status is Status.FINISHED


@pytest.mark.requirement("E1")
def test_a_lap_of_one_section_is_complete_when_that_section_is(system):
    class OneSection(Process):
        def __loop__(self):
            if self.current_lap == 3:
                self.stop()

        def __result__(self):
            return self.current_lap, self.completed_laps, self.stats.laps

    assert system.spawn(OneSection).result(20) == (3, 3, 3)


class CountsCalls(Diary):
    """Lists the C functions that the runtime itself calls between the sections of one lap."""

    def __init__(self):
        super().__init__(4)
        self.called = []

    def __preloop__(self):
        pass

    def __loop__(self):
        if self.current_lap == 2:
            engine = sys._getframe(1).f_code
            sys.setprofile(
                lambda frame, event, what: (
                    self.called.append(what.__name__) if event == "c_call" and frame.f_code is engine else None
                )
            )
        elif self.current_lap == 3:
            sys.setprofile(None)

    def __postloop__(self):
        pass

    def __result__(self):
        return self.called


@pytest.mark.requirement("E1")
def test_between_sections_nothing_is_called_but_the_clock(system):
    called = system.spawn(CountsCalls).result(20)
    assert called.count("monotonic") == 3
    assert set(called) <= {"monotonic", "append"}


class Base(Process):
    sound = "base"

    def __preloop__(self):
        self.heard = [self.sound, self.__private(), self.constant, self.doubled]

    def __private(self):
        return "mangled"

    @staticmethod
    def shout(word):
        return word.upper()

    @classmethod
    def whisper(cls):
        return cls.sound.lower()

    constant = 42

    @property
    def doubled(self):
        return self.sound * 2


class Sounding:
    def __postloop__(self):
        self.heard.append("mixin hook")  # type: ignore[attr-defined]
        super().__postloop__()  # type: ignore[misc]


class Ending:
    def __postloop__(self):
        self.stop()  # type: ignore[attr-defined]


class Derived(Sounding, Base, Ending):
    sound = "Derived"

    def __loop__(self):
        self.heard += [self.shout("loud"), self.whisper(), module_level("word")]

    def __result__(self):
        return self.heard


def module_level(word):
    return f"{word} from the module"


@pytest.mark.requirement("P3")
def test_inherited_and_mixed_in_hooks_helpers_and_class_attributes_work_in_the_child(system, host):
    heard = ["Derived", "mangled", 42, "DerivedDerived", "LOUD", "derived", "word from the module", "mixin hook"]
    assert system.spawn(Derived, host=host).result(20) == heard


@pytest.mark.requirement("P3")
def test_a_hook_set_to_none_in_a_subclass_is_left_out(system):
    class Quiet(Diary):
        __preloop__ = None  # type: ignore[assignment]
        __onfinish__ = None  # type: ignore[assignment]

    assert system.spawn(Quiet, 1).result(20) == [("loop", 1, 0), ("postloop", 1, 0), ("result", 1, 1)]


@pytest.mark.requirement("P3")
def test_without_a_result_hook_the_result_is_none(system):
    class Silent(Process):
        def __loop__(self):
            self.stop()

    assert system.spawn(Silent).result(20) is None


@pytest.mark.requirement("P3")
def test_a_class_without_a_loop_is_no_actor(system):
    class Idle(Process):
        def __preloop__(self):
            pass

    with pytest.raises(NotAnActor, match="Idle defines no __loop__"):
        system.spawn(Idle, name="idle")
    with pytest.raises(NotAnActor, match="Idle defines no __loop__"):
        Idle().start()
    assert system.ps() == []


class Endless(Process):
    def __init__(self, path):
        self.path = path

    def __loop__(self):
        self.sleep(30)

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        note(self.path, "result")
        return self.completed_laps


@pytest.mark.requirement("P3")
@pytest.mark.parametrize("way", ["command", "SIGTERM", "system"])
def test_onfinish_and_result_run_once_at_every_graceful_end(system, tmp_path, way):
    path = tmp_path / "said"
    ref = system.spawn(Endless, path)
    ref.wait_ready(20)
    if way == "command":
        ref.stop()
    elif way == "SIGTERM":
        os.kill(ref.info().pid, signal.SIGTERM)
    else:
        system.shutdown()
    assert ref.wait(20) is Status.FINISHED
    assert notes(path) == ["onfinish", "result"]


class Fails(Diary):
    def __init__(self, path, lives):
        super().__init__()
        self.config.lives = lives
        self.config.restart.backoff.base = 0
        self.path = path

    def __loop__(self):
        raise LookupError("nothing there")

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        note(self.path, "result")

    def __error__(self):
        note(self.path, f"error {self.incarnation} {self.lives_left} {type(self.error).__name__}")


@pytest.mark.requirement("P3")
@pytest.mark.requirement("P5")
@pytest.mark.parametrize("lives", [1, 3])
def test_the_error_hook_runs_once_when_no_life_is_left_and_no_other_end_with_it(system, tmp_path, lives):
    path = tmp_path / "said"
    with pytest.raises(MainLoopError):
        system.spawn(Fails, path, lives).result(20)
    assert notes(path) == [f"error {lives} 0 MainLoopError"]


class Asynchronous(Process):
    """Every hook is a coroutine; a task started in the first lap goes on in the next, and only within hooks."""

    def __init__(self):
        self.config.num_loops = 2
        self.loops = []
        self.ticks = 0
        self.between = []

    async def tick(self):
        while True:
            self.ticks += 1
            await asyncio.sleep(0)

    async def __preloop__(self):
        self.loops.append(id(asyncio.get_running_loop()))
        if self.current_lap == 1:
            self.task = asyncio.create_task(self.tick())
        await asyncio.sleep(0.01)

    @timethis()
    async def __loop__(self):
        self.loops.append(id(asyncio.get_running_loop()))
        before = self.ticks
        await asyncio.sleep(0.01)
        self.between.append(self.ticks > before)

    def __postloop__(self):
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            self.between.append("a loop runs in a plain hook")
        before = self.ticks
        time.sleep(0.01)
        self.between.append(self.ticks == before)

    async def __onfinish__(self):
        self.loops.append(id(asyncio.get_running_loop()))
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def __result__(self):
        self.loops.append(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return len(set(self.loops)), len(self.loops), self.between, self.task.cancelled()


@pytest.mark.requirement("P3")
def test_async_hooks_share_one_loop_that_runs_only_while_one_of_them_runs(system, host):
    ref = system.spawn(Asynchronous, host=host)
    assert ref.result(20) == (1, 6, [True, True, True, True], True)
    assert ref.timers().loop.fastest >= 0.01


class AsyncFails(Process):
    async def __preloop__(self):
        await asyncio.sleep(0)
        raise OSError(113, "No route to host")

    def __loop__(self):
        pass

    async def __error__(self):
        await asyncio.sleep(0)
        return RuntimeError(f"handled: {self.error}")


@pytest.mark.requirement("P3")
def test_an_async_hook_may_raise_and_an_async_error_hook_may_answer(system):
    with pytest.raises(RuntimeError, match=r"handled: OSError: \[Errno 113\] No route to host \(__preloop__ of flop"):
        system.spawn(AsyncFails, name="flop").result(20)


class AsyncHangs(Process):
    def __init__(self, path):
        self.path = path
        self.config.timeouts.loop = 0.2

    async def __loop__(self):
        other = asyncio.create_task(self.other())
        try:
            await asyncio.sleep(60)
        finally:
            note(self.path, "loop cleaned up")
            await other

    async def other(self):
        try:
            await asyncio.sleep(60)
        finally:
            note(self.path, "task cleaned up")


@pytest.mark.requirement("P3")
@pytest.mark.requirement("E3")
def test_an_async_hook_that_overruns_is_cancelled_and_its_tasks_clean_up(system, tmp_path):
    path = tmp_path / "said"
    with pytest.raises(MainLoopTimeoutError):
        system.spawn(AsyncHangs, path).result(20)
    assert sorted(notes(path)) == ["loop cleaned up", "task cleaned up"]


@pytest.mark.requirement("P3")
def test_an_exception_in_an_async_hook_names_its_section_like_any_other(system):
    with pytest.raises(PreloopError) as caught:
        system.spawn(type("Bare", (AsyncFails,), {"__error__": None})).result(20)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == 113


@pytest.mark.requirement("P3")
def test_hooks_see_each_others_attributes_and_the_parents_object_stays_as_it_was(system):
    role = Diary(2)
    ref = system.spawn(role)
    assert len(ref.result(20)) == 8
    assert role.entries == []
    again = system.spawn(role)
    assert len(until(lambda: again.result(20), what="the second run")) == 8
