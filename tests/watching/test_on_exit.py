"""The program has something called when an actor has ended; whatever that does, the router and others go on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any

import pytest

from tests.stage import parent, running, said, until
from tests.watching.cast import Mortal, Watcher
from understudy import ActorSystem, ConfigError, NoCapacity, Status, SystemClosed, UnknownActor
from understudy.router.exits import Exits
from understudy.router.threads import LateThread


@pytest.fixture
def called():
    """What was called, each with its thread, in their order."""
    return SimpleQueue[Any]()


@pytest.fixture
def note(called):
    return lambda info: called.put((info, threading.current_thread()))


def test_it_is_called_once_with_the_end_in_a_thread_of_its_own(system, called, note):
    mortal = system.spawn(Mortal, 2, name="mortal")
    first = mortal.on_exit(note)
    running(mortal)
    mortal.tell("dies")  # which another life follows
    until(lambda: mortal.info().incarnation == 2, 30, "another life")
    assert first.active
    assert called.empty()
    mortal.tell("exits")
    info, thread = called.get(timeout=30)
    assert (info.name, info.status, info.exit_code, info.incarnation) == ("mortal", Status.CRASHED, 7, 2)
    assert thread not in {threading.current_thread(), system._router._thread}
    assert not first.active
    late = mortal.on_exit(note)
    assert called.get(timeout=30)[0].uid == mortal.uid
    assert not late.active
    assert late.cancel() is False
    assert called.empty()


def test_what_is_cancelled_is_not_called(system, called, note):
    mortal = system.spawn(Mortal, name="mortal")
    given = [mortal.on_exit(note) for _ in range(3)]
    assert given[1].cancel() is True
    assert given[1].cancel() is False
    assert (given[0].active, given[1].active) == (True, False)
    assert "mortal: active" in repr(given[0])
    mortal.kill()
    assert [called.get(timeout=30)[0].status for _ in range(2)] == [Status.KILLED] * 2
    mortal.on_exit(lambda _: called.put("last"))
    assert called.get(timeout=30) == "last"


def shuts_down(system, **options):
    """By itself, in the callback."""
    system.shutdown(**options)
    return "closed"


WALK = {
    "raises": lambda *_: 1 / 0,
    "raises what no except catches": lambda *_: (_ for _ in ()).throw(GeneratorExit),
    "exits": lambda *_: sys.exit(3),
    "waits for another": lambda _, other: other.on_exit(print).active and other.kill() and str(other.wait(30)),
    "stops another": lambda _, other: other.stop(),
    "asks another": lambda _, other: other.ask(["says", 0], 30) or "said",
    "spawns": lambda system, _: str(system.spawn(Mortal, name="heir").wait_ready(30)),
    "looks": lambda system, _: str(len(system.ps(all=True))),
    "registers": lambda _, other: other.on_exit(print).cancel() and "cancelled",
    "shuts the system down": lambda system, _: shuts_down(system),
    "shuts the system down by force": lambda system, _: shuts_down(system, force=True),
}
GIVES = {
    "waits for another": "KILLED",
    "stops another": "asked",
    "asks another": "said",
    "spawns": "None",
    "looks": "2",
    "registers": "cancelled",
    "shuts the system down": "closed",
    "shuts the system down by force": "closed",
}


@pytest.mark.fault("F31")
@pytest.mark.parametrize("way", WALK)
def test_whatever_a_callback_does_the_router_lives_and_the_others_are_called(system, called, caplog, way):
    mortal, other = system.spawn(Mortal, name="mortal"), system.spawn(Mortal, name="other")
    running(mortal, other)
    mortal.on_exit(lambda _: called.put(WALK[way](system, other)))
    mortal.on_exit(lambda _: called.put("the next"))
    mortal.kill()
    if way in GIVES:
        assert called.get(timeout=30) == GIVES[way]
    assert called.get(timeout=30) == "the next"
    failed = [one for one in caplog.records if "callback for the end of mortal failed" in one.getMessage()]
    assert len(failed) == (way not in GIVES)
    assert not failed or failed[0].exc_info
    caplog.clear()
    if "shuts" in way:
        assert not system.is_open
        assert other.wait(0).ended
    else:
        assert system.ref("mortal").wait(0) is Status.KILLED
        assert system.spawn(Mortal, name="another").wait_ready(30) is None


@pytest.mark.fault("F31")
def test_one_that_waits_holds_up_other_callbacks_and_nobody_else(system, called, note):
    gate, begun = threading.Event(), threading.Event()
    mortals = [system.spawn(Mortal, name=f"mortal-{number}") for number in (1, 2)]
    running(*mortals)

    def waits(_: object) -> None:
        begun.set()
        gate.wait(60)

    mortals[0].on_exit(waits)
    mortals[1].on_exit(note)
    mortals[0].kill()
    assert begun.wait(30)
    mortals[1].kill()
    assert mortals[1].wait(30) is Status.KILLED
    assert system.spawn(Watcher, "nowhere").ask(lambda self: self.name, 30) == "watcher-1"
    assert called.empty()
    gate.set()
    assert called.get(timeout=30)[0].name == "mortal-2"


def test_a_shutdown_calls_what_is_due_by_its_end_and_later_ones_are_called_too(called, note, nothing_is_left_behind):
    with ActorSystem() as system:
        mortals = [system.spawn(Mortal, name=f"mortal-{number}") for number in range(3)]
        running(*mortals)
        for mortal in mortals:
            mortal.on_exit(note)
    names = sorted(called.get(timeout=30)[0].name for _ in mortals)
    assert names == ["mortal-0", "mortal-1", "mortal-2"]
    mortals[0].on_exit(note)
    assert called.get(timeout=30)[0].status is Status.FINISHED
    assert called.empty()


def test_where_a_group_takes_the_system_along_all_are_called_though_one_closes_it_too(called, nothing_is_left_behind):
    system = ActorSystem()
    group = system.group("play", restarts=0)
    refs = [group.spawn(Mortal, name="a"), group.spawn(Mortal, name="b"), system.spawn(Mortal, name="other")]
    refs[0].on_exit(lambda _: called.put(shuts_down(system)))
    for ref in refs:
        ref.on_exit(lambda info: called.put((info.name, info.status)))
    running(*refs)
    refs[0].tell("dies")
    assert called.get(timeout=30) == "closed"
    ends = {"play/a": Status.CRASHED, "play/b": Status.FINISHED, "other": Status.FINISHED}
    assert dict(called.get(timeout=30) for _ in refs) == ends
    system.shutdown()
    assert called.empty()


def test_one_whose_end_nobody_knows_is_not_called(called, note, monkeypatch, nothing_is_left_behind, caplog):
    system = ActorSystem()
    mortal = system.spawn(Mortal)
    running(mortal)
    given = mortal.on_exit(note)

    def breaks():
        raise SystemExit(3)

    monkeypatch.setattr(system._router, "_due", breaks)
    with pytest.raises(SystemClosed):
        mortal.wait(30)
    system.shutdown()
    assert called.empty()
    assert given.active
    caplog.clear()


def test_a_callback_waits_with_nothing_when_it_is_cancelled(system, note):
    mortal = system.spawn(Mortal, name="mortal")
    before = len(system._world.cells[mortal.uid].settled._callbacks)
    given = [mortal.on_exit(note) for _ in range(10)]
    for one in given:
        assert one.cancel()
    assert len(system._world.cells[mortal.uid].settled._callbacks) == before


def test_what_cannot_be_called_or_be_known_is_an_error_at_the_call(system, monkeypatch):
    mortal = system.spawn(Mortal, name="mortal")
    with pytest.raises(ConfigError, match="can be called"):
        mortal.on_exit("print")
    with pytest.raises(UnknownActor):
        type(mortal)(mortal.system_id, 9_999, "nobody").on_exit(print)
    inside = system.spawn(Watcher, "nowhere").ask(lambda self: str(tries(self, mortal)), 30)
    assert "on_exit is for the program" in inside
    assert "self.watch(ref)" in inside
    monkeypatch.setattr(LateThread, "begin", lambda _: False)
    system._answers.exits = Exits("test")
    with pytest.raises(NoCapacity, match="no thread"):
        mortal.on_exit(print)


def tries(self, ref):
    try:
        return ref.on_exit(print)
    except Exception as error:
        return error


SCRIPT = """
import os, sys
from tests.watching.cast import Mortal
from understudy import ActorSystem

system = ActorSystem(signals=False)
mortal = system.spawn(Mortal)
mortal.wait_ready()
mortal.on_exit(lambda info: print(f"called: {info.status}", flush=True))
print("ready", flush=True)
"""


def test_at_the_end_of_a_program_it_is_called(tmp_path):
    with parent(SCRIPT, tmp_path) as program:
        assert said(program) == "ready"
        assert said(program) == "called: FINISHED"
        assert program.wait(30) == 0


def test_many_that_end_at_once_are_all_called(system, called, note):
    group = system.spawn(Mortal, name="group", replicas=8)
    for ref in group:
        ref.on_exit(note)
    running(*group)
    for ref in group:
        os.kill(ref.info().pid, signal.SIGKILL)
    assert sorted(called.get(timeout=30)[0].name for _ in group) == sorted(ref.name for ref in group)
