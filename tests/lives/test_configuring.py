"""Options that are set while an actor runs: what goes by them from when on."""

from __future__ import annotations

import logging
import os
import signal
import time

import pytest

from tests.lives.test_pausing import goes_on, laps, stands_still
from tests.stage import Keeps, note, notes, until
from understudy import (
    ConfigError,
    MainLoopTimeoutError,
    Process,
    ReceiveTimeoutError,
    Remote,
    Status,
    UnknownActor,
    UnknownField,
)

pytestmark = pytest.mark.requirement("A8")

LONG = 30


class Plain(Process):
    """Says by which settings it goes."""

    def __init__(self, place, **options):
        self.place = place
        for name, value in options.items():
            setattr(self.config, name, value)

    def __loop__(self):
        if not self.place.exists():
            self.sleep(0.002)
        else:
            self.sleep(600)


class Serves(Plain):
    def __receive__(self, message):
        return message


class Answers(Process):
    def __receive__(self, message):
        if message == "sleep":
            time.sleep(60)
        return self.config.timeouts.receive


def has_heard(system, ref):
    until(lambda: system._world.orders._standing[ref.uid].heard, LONG)


def option(info, group, name):
    """As the row of one actor has it."""
    assert info.config is not None
    return info.config[group][name]


@pytest.mark.parametrize("kind", [Plain, Serves])
def test_a_section_that_begins_afterwards_has_the_new_timeout_in_each_life(system, tmp_path, kind):
    gate = tmp_path / "gate"
    ref = system.spawn(kind, gate, lives=2)
    goes_on(ref)
    assert ref.configure({"timeouts.loop": 0.3}) == "asked"
    assert ref.configure({"timeouts": {"loop": 0.3}}) == "already"
    assert option(ref.info(), "timeouts", "loop") == 0.3
    has_heard(system, ref)
    goes_on(ref)
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: ref.info().incarnation == 2, LONG)
    gate.touch()
    with pytest.raises(MainLoopTimeoutError, match=r"ran 0\.3 s .*incarnation 2"):
        ref.result(LONG)


def test_the_section_under_way_keeps_its_own_deadline(system, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    ref = system.spawn(Plain, gate)
    until(lambda: ref.info().section == "loop", LONG)
    ref.configure({"timeouts.loop": 0.05})
    has_heard(system, ref)
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.5, LONG)
    assert ref.info().status is Status.RUNNING


def test_each_message_goes_by_the_settings_of_its_moment(system):
    ref = system.spawn(Answers)
    assert ref.ask("?", LONG) == 300
    ref.configure({"timeouts.receive": 0.2})
    until(lambda: ref.ask("?", LONG) == 0.2, LONG)
    with pytest.raises(ReceiveTimeoutError):
        ref.ask("sleep", LONG)


@pytest.mark.parametrize("kind", [Plain, Serves])
def test_the_number_of_laps_can_be_raised_and_lowered(system, tmp_path, kind):
    ref = system.spawn(kind, tmp_path / "gate", num_loops=1_000_000)
    goes_on(ref)
    ref.configure({"num_loops": 2_000_000})
    goes_on(ref)
    assert ref.info().laps_left > 1_000_000
    ref.configure({"num_loops": 1})  # it has more behind it
    assert ref.wait(LONG) is Status.FINISHED
    ended = system.spawn(kind, tmp_path / "gate", num_loops=5)
    ended.pause()
    ended.configure({"num_loops": 3})
    stands_still(ended)
    ended.resume()
    assert ended.wait(LONG) is Status.FINISHED
    assert laps(ended) == 3


@pytest.mark.parametrize("kind", [Plain, Serves])
def test_laps_are_logged_from_then_on_and_no_longer(system, tmp_path, kind):
    kept = Keeps()
    logger = logging.getLogger("understudy.actor")
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    try:
        ref = system.spawn(kind, tmp_path / "gate")
        goes_on(ref)
        assert not kept.records
        ref.configure({"log_laps": True})
        until(lambda: kept.records, LONG)
        assert "loop 0.00" in kept.records[0].getMessage()
        ref.configure({"log_laps": False})
        has_heard(system, ref)
        goes_on(ref)
        goes_on(ref)
        ref.stop()
        ref.wait(LONG)
        assert ref.info().stats.laps > len(kept.records)
    finally:
        logger.setLevel(level)
        logger.removeHandler(kept)


def test_heartbeats_come_as_often_as_was_configured(system, tmp_path):
    ref = system.spawn(Plain, tmp_path / "gate")
    goes_on(ref)
    ref.configure({"heartbeat.interval": 0.05, "heartbeat.misses": 60, "heartbeat.kill": "always"})
    ages = [until(lambda: (age := ref.info().heartbeat_age) is not None and age < 0.04, LONG) for _ in range(5)]
    assert len(ages) == 5
    os.kill(ref.info().pid, signal.SIGSTOP)
    assert ref.wait(LONG) is Status.CRASHED
    assert "60 heartbeats" in str(ref.exception())


def test_join_in_can_be_set_on_one_that_runs(system, tmp_path):
    ref = system.spawn(Plain, tmp_path / "gate")
    goes_on(ref)
    ref.configure({"join_in": 0.1})
    assert ref.wait(LONG) is Status.FINISHED


def test_what_is_configured_before_ready_holds_from_the_first_lap(system, tmp_path):
    refs = [system.spawn(Notes, tmp_path / str(number)) for number in range(6)]
    for ref in refs:
        ref.pause()
        ref.configure({"timeouts.loop": 7})
    for ref in refs:
        stands_still(ref)
        has_heard(system, ref)
        ref.resume()
    for number, ref in enumerate(refs):
        assert ref.wait(LONG) is Status.FINISHED
        assert notes(tmp_path / str(number)) == ["7.0"]


class Notes(Process):
    def __init__(self, told):
        self.told = told
        self.config.num_loops = 1

    def __loop__(self):
        note(self.told, self.config.timeouts.loop)


def test_what_is_wrong_is_an_error_of_who_asks(system, tmp_path):
    ref = system.spawn(Plain, tmp_path / "gate", name="lead")
    group = system.spawn(Plain, tmp_path / "gate", name="crew", replicas=2)
    with Remote(system.endpoint) as remote:
        for configure in (ref.configure, lambda options: system.configure("*", options), group.configure):
            is_refused(configure)
        is_refused(lambda options: remote.configure("lead", options))
        assert remote.configure("crew/*", {"heartbeat.misses": 5}) == {"crew/1": "asked", "crew/2": "asked"}
        assert option(remote.info("crew/2"), "heartbeat", "misses") == 5
        assert all(row.config is None for row in remote.ps())
    assert group.configure({"heartbeat.misses": 5}) == {"crew/1": "already", "crew/2": "already"}
    with pytest.raises(UnknownActor):
        system.configure("nobody", {"num_loops": 3})
    ref.kill()
    ref.wait(LONG)
    assert ref.configure({"num_loops": 3}) == "ended"


def is_refused(configure):
    with pytest.raises(UnknownField, match=r"timeouts\.loop"):
        configure({"timeouts.lop": 3})
    for options, why in (
        ({"timeouts.loop": -1}, r"timeouts\.loop must be"),
        ({"lives": 3}, r"lives is set at the spawn; .* num_loops, join_in"),
        ({"num_loops": 3, "mailbox.size": 3}, r"mailbox\.size is set at the spawn"),
        ({}, "at least one option"),
        ("num_loops", "must be a mapping"),
    ):
        with pytest.raises(ConfigError, match=why):
            configure(options)
