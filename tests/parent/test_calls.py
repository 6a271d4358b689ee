"""The router's thread runs nothing of the user's, and nothing that strikes it amid a decision counts before its end."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from typing import Any

import pytest

from tests.stage import until
from understudy import ActorSystem, ConfigError, Process, Status, SystemClosed, UnderstudyError
from understudy.latch import Latch
from understudy.lifecycle import archive
from understudy.lifecycle import registry as registry_module


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Failing(Process):
    def __init__(self):
        self.config.lives = 1000
        self.config.restart.backoff.base = 0

    def __loop__(self):
        self.sleep(0.05)
        raise ValueError("again")


@pytest.mark.fault("F31")
@pytest.mark.parametrize("verb", ["stop", "kill", "restart", "wait_all"])
def test_an_iterable_of_names_is_read_in_the_thread_that_gives_it(system, verb):
    ref = system.spawn(Idle, name="a")
    ref.wait_ready(20)
    read_in = []

    def names():
        read_in.append(threading.current_thread())
        yield "a"
        sys.exit(3)

    with pytest.raises(SystemExit):
        getattr(system, verb)(names())
    assert read_in == [threading.current_thread()]
    assert ref.info().status is Status.RUNNING
    assert system.stop(iter(["a", ref])) == {"a": "asked"}
    assert ref.wait(20) is Status.FINISHED


@pytest.mark.fault("F31")
@pytest.mark.parametrize("who", [b"a", 5, None, [["a"], 7]])
def test_what_names_nobody_is_refused_where_it_is_said(system, who):
    for verb in (system.stop, system.kill, system.restart):
        with pytest.raises(ConfigError, match="names no actor"):
            verb(who)


@pytest.mark.fault("F31")
def test_a_name_whose_comparison_is_the_users_code_is_taken_by_its_text_alone(system):
    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            sys.exit(3)

        __hash__ = str.__hash__

    ref = system.spawn(Idle, name=Name("odd"))
    assert system.stop(Name("odd")) == {"odd": "asked"}
    assert ref.wait(20) is Status.FINISHED


@pytest.fixture
def amid_decisions(monkeypatch):
    """Has the garbage collector run where a decision is made and not yet kept, as it may at any allocation."""
    real: Any = vars(registry_module)["transition"]
    armed: list[bool] = []

    def transition(actor, event, moment):
        decided = real(actor, event, moment)
        if armed:
            armed.clear()
            gc.collect()
        return decided

    monkeypatch.setattr(registry_module, "transition", transition)
    gc.disable()
    yield armed
    gc.enable()


class Handle:
    """Calls when it is collected, for it is part of a circle."""

    def __init__(self, call, said):
        self.call, self.said, self.circle = call, said, self

    def __del__(self):
        try:
            self.said.append((threading.current_thread().name, self.call()))
        except UnderstudyError as error:
            self.said.append((threading.current_thread().name, error))


@pytest.mark.fault("F31")
@pytest.mark.requirement("K6")
@pytest.mark.parametrize("how", ["ref", "system", "kill"])
def test_a_stop_by_a_finalizer_that_strikes_amid_a_decision_is_not_lost(system, amid_decisions, how):
    ref = system.spawn(Failing, name="a")
    ref.wait_ready(20)
    said: list[Any] = []
    call = {"ref": ref.stop, "system": lambda: system.stop("a")["a"], "kill": ref.kill}[how]
    Handle(call, said)
    amid_decisions.append(True)
    ended = ref.wait(20)
    assert said[0] == (system._router._thread.name, "asked")
    assert ended is Status.KILLED if how == "kill" else ended.ended
    assert ref.stop() == "ended"


@pytest.mark.fault("F31")
def test_a_finalizer_in_the_routers_thread_may_look_but_not_spawn(system, amid_decisions):
    ref = system.spawn(Failing, name="a")
    ref.wait_ready(20)
    said: list[Any] = []
    Handle(lambda: [row.name for row in system.ps()], said)
    Handle(lambda: system.spawn(Idle), said)
    Handle(lambda: system.stop("nobody"), said)
    amid_decisions.append(True)
    until(lambda: len(said) == 3)
    assert {where for where, _ in said} == {system._router._thread.name}
    answers = [what for _, what in said]
    assert ["a"] in answers
    errors = sorted(str(what) for what in answers if isinstance(what, UnderstudyError))
    assert "cannot be waited for" in errors[0]
    assert "no actor is named 'nobody'" in errors[1]
    assert [row.name for row in system.ps()] == ["a"]


@pytest.mark.fault("F31")
def test_when_the_loop_ends_by_a_defect_nobody_waits_for_ever(nothing_is_left_behind, caplog, monkeypatch):
    system = ActorSystem()
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    pid = ref.info().pid
    caplog.clear()

    def breaks():
        raise SystemExit(3)

    monkeypatch.setattr(system._router, "_due", breaks)
    with contextlib.suppress(SystemClosed):
        system.ps()  # at the latest its next turn is its last
    with pytest.raises(SystemClosed):
        ref.wait(20)
    with pytest.raises(SystemClosed):
        system.ps()
    with pytest.raises(SystemClosed):
        system.stop("*")
    until(lambda: [one for one in caplog.records if "the router ended by an error" in one.getMessage()])
    caplog.clear()
    system.shutdown()
    assert pid is not None  # that it is gone the check of leaks says


@pytest.mark.fault("F31")
def test_an_error_that_is_no_exception_in_one_step_costs_the_router_nothing_else(system, monkeypatch, caplog):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    over: list[object] = []

    def exits():
        over.append(True)
        raise SystemExit(3)

    system._calls.make(lambda: system._world.timers.set("test", 0.0, exits))
    until(lambda: over)
    assert len(system.ps()) == 1
    until(lambda: [one for one in caplog.records if "an error of its own and goes on" in one.getMessage()])
    caplog.clear()


@pytest.mark.fault("F15")
@pytest.mark.parametrize("other", ["process", "spawn"])
def test_reports_that_were_read_are_heard_though_the_news_of_a_spawner_fail(system, monkeypatch, caplog, other):
    hub, spawner, failed = system._world.hub, system._world.spawners[other], []
    take, news = hub.take, spawner.news
    read: list[Any] = []

    def notices(socket):
        taken, all_read = take(socket)
        if socket is hub.reports:
            read[:] = taken
        return taken, all_read

    def fails(now):
        if read:
            failed.append(read.pop())
            raise OSError("no descriptor is left")
        return news(now)

    monkeypatch.setattr(hub, "take", notices)
    monkeypatch.setattr(spawner, "news", fails)
    refs = [system.spawn(pow, 2, number) for number in range(5)]
    assert [ref.result(20) for ref in refs] == [1, 2, 4, 8, 16]
    assert failed, "several reports may be read in one round"
    until(lambda: [one for one in caplog.records if "an error of its own and goes on" in one.getMessage()])
    monkeypatch.undo()
    until(lambda: not system.ps())
    system.shutdown()
    caplog.clear()


@pytest.mark.requirement("H1")
def test_all_rows_are_had_while_the_oldest_of_the_ended_are_forgotten(system, monkeypatch):
    monkeypatch.setattr(archive, "KEEP_ENDED", 2)
    for number in range(3):
        system.spawn(os.getpid, name=f"old-{number}").wait(20)

    def forgets(_):
        for number in range(6):
            system.spawn(os.getpid, name=f"new-{number}").wait(20)

    monkeypatch.setattr(system._router.sampler, "refresh", forgets)
    names = [row.name for row in system.ps(all=True)]
    assert "new-5" in names
    assert "old-0" not in names


def test_a_latch_opens_for_all_who_wait_and_is_set_once():
    latch: Latch[int] = Latch()
    told: list[object] = []
    got: list[int] = []
    latch.add_done_callback(told.append)
    with pytest.raises(TimeoutError):
        latch.result(0)
    with pytest.raises(TimeoutError):
        latch.result(0.01)
    threads = [threading.Thread(target=lambda: got.append(latch.result())) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: len(latch._gates) == 5)
    latch.set_result(7)
    latch.set_exception(ValueError())
    for thread in threads:
        thread.join(20)
    latch.add_done_callback(told.append)
    assert got == [7] * 5
    assert told == [latch, latch]
    assert not latch._gates


def test_a_latch_never_misses_who_comes_while_it_is_set():
    for _ in range(300):
        latch: Latch[int] = Latch()
        barrier = threading.Barrier(3)
        got: list[int] = []

        def wait(latch=latch, barrier=barrier, got=got):
            barrier.wait(20)
            got.append(latch.result(20))

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait(20)
        latch.set_result(1)
        for thread in threads:
            thread.join(20)
        assert got == [1, 1]


def test_calls_after_the_end_are_refused_from_every_thread():
    system = ActorSystem()
    over = time.monotonic() + 0.2
    errors: list[BaseException] = []

    def ask():
        try:
            while time.monotonic() < over + 20:
                system.ps()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: time.monotonic() > over)
    system.shutdown()
    for thread in threads:
        thread.join(20)
    assert [type(error) for error in errors] == [SystemClosed] * 4
