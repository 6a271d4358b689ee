"""Restarts of a whole system, with real processes: so many a second, in their turn, and quarantine."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from tests.stage import running, until
from understudy import ActorSystem, ConfigError, Observer, Process, Status

pytestmark = [pytest.mark.requirement("L5"), pytest.mark.fault("F41")]

ENDLESS = 1_000_000
FOREVER = 1000.0
"""A pause that no test outlives."""


class Frail(Process):
    """Crashes at the start of each of its lives but those from `well` on, in which it finishes."""

    def __init__(self, well=ENDLESS):
        self.well = well
        self.config.lives = ENDLESS
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __preloop__(self):
        if self.incarnation < self.well:
            os._exit(3)

    def __loop__(self):
        pass

    def __result__(self):
        return self.incarnation


class Door:
    """Opens where there is a file of that name, else ends who opens it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return opened, (str(self.path),)


def opened(path):
    return Door(path) if Path(path).exists() else os._exit(6)


class Locked(Process):
    """Dies before it is READY, as long as its door does not open."""

    def __init__(self, path, cap):
        self.door = Door(path)
        self.config.lives = ENDLESS
        self.config.restart.backoff.base = 0.01
        self.config.restart.backoff.cap = cap

    def __loop__(self):
        self.sleep(60)


def held(ref):
    return ref.info().restart_held


def due(info):
    """Seconds until its next life; of one that waits for one."""
    assert info.next_restart is not None
    return info.next_restart


@pytest.mark.parametrize("bound", [0, -1, 1.5, "100", True])
def test_a_bound_that_is_none_is_refused_and_leaves_nothing(bound):
    with pytest.raises(ConfigError, match="restarts_per_second must be a whole number, at least 1, or None"):
        ActorSystem(restarts_per_second=bound)


def test_a_crowd_that_crashes_at_its_start_comes_back_at_the_pace_of_the_system_and_in_its_order():
    with ActorSystem(restarts_per_second=10) as system, Observer(system.endpoint, kinds=("held", "state")) as stream:
        group = system.spawn(Frail, 3, replicas=25)
        assert [ref.result(60) for ref in group] == [3] * 25
        lives = [life for ref in group for life in ref.history() if life.incarnation > 1]
        began = sorted(life.started_at for life in lives)
        assert len(began) == 50
        # Between the first ten and the last ten lie four full seconds; when a process began another clock tells.
        assert began[-1] - began[0] > 3
        seen, finished = [], 0
        while finished < 25:
            event = stream.next(60)
            assert event is not None
            seen.append(event)
            finished += event.after == "FINISHED"
        queued = [(event.name, event.incarnation + 1) for event in seen if event.kind == "held"]
        begun = [(event.name, event.incarnation) for event in seen if event.after == "STARTING"]
        assert queued
        assert [life for life in begun if life in queued] == queued


class Steady(Process):
    def __receive__(self, message):
        return message


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("base", [0.1, 0], ids=["pauses as by default", "no pauses"])
def test_a_hundred_that_crash_for_ever_take_neither_the_parent_nor_those_that_are_well(base, caplog):
    caplog.set_level(logging.CRITICAL, "understudy")  # a warning for each crash
    with ActorSystem() as system:
        well = system.spawn(Steady)
        assert well.ask("well", timeout=20) == "well"
        began, spent, slowest = time.monotonic(), time.process_time(), 0.0
        system.spawn(Frail, replicas=100, config={"restart.backoff.base": base})
        while time.monotonic() - began < 40:
            asked = time.monotonic()
            assert well.ask("well", timeout=20) == "well"
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.1)  # not to be what the parent is busy with
        elapsed, spent = time.monotonic() - began, time.process_time() - spent
        restarts, pauses = system.summary().restarts, [info.next_restart for info in system.ps() if info.next_restart]
        system.shutdown(force=True)
    assert spent / elapsed < (0.25 if base else 0.75)
    assert slowest < 5
    assert (700 if base else 2000) <= restarts <= 100 * (elapsed + 1)
    if base:
        assert len({round(pause, 1) for pause in pauses}) > 30, "their pauses vary"


def test_the_pace_holds_though_the_wall_clock_jumps(monkeypatch):
    honest, jumps = time.time, iter(range(ENDLESS))
    monkeypatch.setattr(time, "time", lambda: honest() + (-1) ** next(jumps) * 3600)
    began = time.monotonic()
    with ActorSystem(restarts_per_second=2) as system:
        group = system.spawn(Frail, 2, replicas=6)
        assert [ref.result(60) for ref in group] == [2] * 6
    assert 2 <= time.monotonic() - began < 60


def test_who_queues_shows_it_leaves_by_a_stop_and_is_overtaken_by_a_restart_by_hand():
    with ActorSystem(restarts_per_second=1) as system:
        group = list(system.spawn(Frail, replicas=30))
        until(lambda: sum(held(ref) == "queued" for ref in group) >= 28, 30, "a queue")
        rows = sorted((info for info in system.ps() if info.restart_held), key=due)
        assert all(due(info) <= place + 1.5 for place, info in enumerate(rows))
        assert due(rows[-1]) > 20
        assert "  RESTARTING (queued)  " in str(system.ps())
        stopped, asked = (system.ref(info.name) for info in rows[-2:])
        stopped.stop()
        assert stopped.wait(0) is Status.CRASHED
        assert asked.info().incarnation == rows[-1].incarnation
        asked.restart()
        assert asked.info().incarnation > rows[-1].incarnation
        began = time.monotonic()
        system.shutdown()
        assert time.monotonic() - began < 15


def test_one_that_dies_before_ready_five_times_running_is_in_quarantine_until_it_comes_up(tmp_path, caplog):
    with ActorSystem() as system, Observer(system.endpoint) as observer:
        ref = system.spawn(Locked, tmp_path / "door", 0.2)
        until(lambda: held(ref) == "quarantine", 30, "a quarantine")
        until(lambda: observer.next(20) and observer.actors[ref.name].restart_held == "quarantine", 30, "word of it")
        lives = ref.info().incarnation
        assert lives >= 5
        until(lambda: ref.info().incarnation > lives + 1, 30, "a probe")
        assert held(ref) == "quarantine"
        (tmp_path / "door").touch()
        running(ref)
        assert held(ref) is None
        assert observer.wait_for(ref.name, status=Status.RUNNING, timeout=30).restart_held is None
        told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        until(lambda: [text for text in told if "it died before READY 5 times running and is in quarantine" in text])
        ref.kill()


def test_a_restart_by_hand_frees_from_quarantine_at_once(tmp_path):
    with ActorSystem() as system:
        ref = system.spawn(Locked, tmp_path / "door", FOREVER)
        until(lambda: held(ref) == "quarantine" and ref.info().status is Status.RESTARTING, 30, "a quarantine")
        assert FOREVER / 2 < due(ref.info()) <= FOREVER * 1.2
        (tmp_path / "door").touch()
        ref.restart()
        assert held(ref) is None
        running(ref)


def test_those_in_quarantine_hold_up_nobody_else(tmp_path):
    with ActorSystem() as system:
        locked = list(system.spawn(Locked, tmp_path / "door", 0.05, replicas=4))
        until(lambda: all(held(ref) == "quarantine" for ref in locked), 60, "a quarantine")
        assert system.spawn(Frail, 4).result(30) == 4
        (tmp_path / "door").touch()
        for ref in locked:
            running(ref)
