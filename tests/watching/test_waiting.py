"""An actor waits for others and looks at them: by the router, without holding it up, until a stop or its deadline."""

from __future__ import annotations

import functools
import os
import threading

import pytest

from tests.stage import hold, note, noted, notes, running, until
from tests.watching.cast import Mortal, Watcher
from understudy import (
    ActorKilled,
    ActorSystem,
    MainLoopTimeoutError,
    Process,
    ReceiveError,
    StartError,
    Status,
    UnknownActor,
    WaitTimeout,
    WrongProcess,
)


class Waits(Process):
    """Waits in its hooks for another one, and notes what came of it."""

    def __init__(self, said, ref, timeout=None, where="loop"):
        self.said, self.ref, self.timeout, self.where = str(said), ref, timeout, where
        self.config.num_loops = 1

    def waits(self):
        note(self.said, "waits")
        note(self.said, self.ref.wait(self.timeout))

    def __loop__(self):
        if self.where == "loop":
            self.waits()
        else:
            note(self.said, "sleeps")
            self.sleep(600)

    def __onfinish__(self):
        if self.where == "onfinish":
            self.ref.stop()
            self.waits()


def fails(watcher, act):
    with pytest.raises(ReceiveError) as raised:
        watcher.ask(act, 30)
    return raised.value.__cause__


def test_an_actor_waits_for_the_end_of_another_and_sees_how_it_stands(system, watcher):
    mortal = system.spawn(Mortal, name="mortal")
    assert watcher.ask(lambda _: mortal.wait_ready(30), 30) is None
    assert watcher.ask(lambda _: mortal.done(), 30) is False
    info = watcher.ask(lambda _: mortal.info(), 30)
    assert (info.name, info.status, info.pid) == ("mortal", Status.RUNNING, mortal.info().pid)
    assert info.memory_mb > 0
    late = fails(watcher, lambda _: mortal.wait(0.01))
    assert isinstance(late, WaitTimeout)
    assert "mortal did not end within 0.01 s (RUNNING" in str(late)
    mortal.tell("exits")
    assert watcher.ask(lambda _: mortal.wait(30), 30) is Status.CRASHED
    assert watcher.ask(lambda _: mortal.done(), 30) is True
    assert watcher.ask(lambda _: mortal.wait(0), 30) is Status.CRASHED
    assert watcher.ask(lambda _: mortal.info().exit_code, 30) == 7


def test_all_threads_of_an_actor_may_wait_at_once(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")

    def act(self):
        for _ in range(4):
            threading.Thread(target=lambda: note(said, mortal.wait(30))).start()

    watcher.ask(act, 30)
    running(mortal)
    mortal.kill()
    assert noted(said, 4) == ["KILLED"] * 4


def test_a_coroutine_waits_without_holding_up_the_loop(system, said):
    mortal = system.spawn(Mortal, name="mortal")

    async def waits(ref, path):
        import asyncio

        await ref.aio.wait_ready(30)
        waiting = asyncio.ensure_future(ref.aio.wait(30))
        await asyncio.sleep(0)
        note(path, (await ref.aio.info()).status)
        note(path, await waiting)

    ref = system.spawn(waits, mortal, str(said))
    noted(said)
    mortal.kill()
    assert noted(said, 2) == ["RUNNING", "KILLED"]
    ref.result(30)


@pytest.mark.parametrize("how", ["it cannot start", "it is killed first"])
def test_a_wait_for_the_start_raises_if_there_was_none(system, watcher, tmp_path, how):
    unborn = system.spawn(Unborn(tmp_path / "gate"), name="unborn")
    noted(f"{tmp_path}/gate.held")
    if how == "it is killed first":
        unborn.kill()
    (tmp_path / "gate").touch()
    error = fails(watcher, lambda _: unborn.wait_ready(30))
    assert isinstance(error, ActorKilled if how == "it is killed first" else StartError)
    assert "unborn" in str(error)


class Unborn(Process):
    """Its state cannot be opened."""

    def __init__(self, gate):
        self.gate = str(gate)

    def __setstate__(self, state):
        note(f"{state['gate']}.held", "held")
        hold(state["gate"])
        raise ValueError("no luck")

    def __loop__(self):
        pass


def test_a_stop_ends_a_wait_and_its_section_without_an_error(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    waits = system.spawn(Waits, said, mortal, name="waits")
    noted(said)
    waits.stop()
    assert waits.wait(30) is Status.FINISHED
    assert notes(said) == ["waits"]
    assert not mortal.done()


def test_the_deadline_of_its_section_ends_a_wait(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    waits = system.spawn(Waits, said, mortal, name="waits", config={"timeouts.loop": 0.3})
    with pytest.raises(MainLoopTimeoutError):
        waits.result(30)
    assert notes(said) == ["waits"]


def test_a_pause_lets_a_wait_stand_and_its_deadline_with_it(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    waits = system.spawn(Waits, said, mortal, 600, name="waits")
    noted(said)
    waits.pause()
    mortal.kill()
    mortal.wait(30)
    waits.resume()
    assert waits.wait(30) is Status.FINISHED
    assert notes(said) == ["waits", "KILLED"]


def test_the_last_hooks_may_wait_though_a_stop_stands(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    waits = system.spawn(Waits, said, mortal, 30, "onfinish", name="waits")
    noted(said)
    running(waits, mortal)
    waits.stop()
    assert waits.wait(30) is Status.FINISHED
    assert notes(said) == ["sleeps", "waits", "FINISHED"]


def test_who_waits_for_itself_or_for_who_takes_it_along_is_told_at_once(nothing_is_left_behind, said):
    with ActorSystem(max_depth=3) as system:
        watcher = system.spawn(Watcher, said, name="watcher")
        child = watcher.ask(lambda self: self.spawn(Watcher, self.said, name="child"), 30)
        grandchild = child.ask(lambda self: self.spawn(Watcher, self.said, name="grandchild"), 30)
        for ref in (watcher, child):
            error = fails(grandchild, functools.partial(waits_for, ref=ref))
            assert isinstance(error, WrongProcess)
            assert f"cannot wait for {ref.name}, which takes it along when it ends" in str(error)
        assert isinstance(fails(watcher, functools.partial(waits_for, ref=watcher)), WrongProcess)
        assert grandchild.ask(lambda _: watcher.wait_ready(30), 30) is None
        grandchild.kill()
        assert watcher.ask(functools.partial(waits_for, ref=grandchild), 30) is Status.KILLED


def waits_for(_, ref):
    return ref.wait(30)


def test_what_cannot_be_had_inside_says_why(system, watcher):
    mortal = system.spawn(Mortal, name="mortal")
    mortal.kill()
    mortal.wait(30)
    for call in ("result", "exception"):
        error = fails(watcher, functools.partial(calls, ref=mortal, name=call))
        assert isinstance(error, WrongProcess)
        assert "opened by the program, not inside the actor watcher" in str(error)
    for call in ("history", "timers", "stacks", "healthy"):
        assert isinstance(fails(watcher, functools.partial(calls, ref=mortal, name=call)), WrongProcess)
    nobody = type(mortal)(mortal.system_id, 9_999, "nobody")
    for call in ("wait", "wait_ready", "info", "done"):
        assert isinstance(fails(watcher, functools.partial(calls, ref=nobody, name=call)), UnknownActor)


def calls(_, ref, name):
    return getattr(ref, name)()


def test_who_dies_amid_a_wait_leaves_nothing_with_the_router(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    waits = system.spawn(Waits, said, mortal, name="waits", config={"lives": 2})
    noted(said)
    settled = system._world.cells[mortal.uid].settled
    until(lambda: len(settled._callbacks) == 1, 30, "its wait")
    os.kill(waits.info().pid, 9)
    assert noted(said, 2) == ["waits", "waits"]
    until(lambda: len(settled._callbacks) == 1, 30, "the second life's wait alone")
    mortal.kill()
    assert waits.wait(30) is Status.FINISHED
    assert notes(said) == ["waits", "waits", "KILLED"]


def test_to_wait_again_and_again_asks_the_router_once(system, watcher):
    mortal = system.spawn(Mortal, name="mortal")

    def act(_):
        for _ in range(50):
            with pytest.raises(WaitTimeout):
                mortal.wait(0)

    watcher.ask(act, 30)
    assert len(system._world.cells[mortal.uid].settled._callbacks) == 1
