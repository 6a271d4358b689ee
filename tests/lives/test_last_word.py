"""A crash is told in the log whether or not anybody asks for the outcome."""

from __future__ import annotations

import logging
import os

import pytest

from tests.stage import until
from understudy import Process


class Fails(Process):
    def __init__(self, lives):
        self.config.lives = lives

    def __loop__(self):
        raise ValueError(f"no luck in life {self.incarnation}")


class Hangs(Process):
    def __init__(self):
        self.config.timeouts.loop = 0.2

    def __loop__(self):
        self.wait_for_nobody()

    def wait_for_nobody(self):
        self.sleep(600)


def told(caplog, words):
    return until(lambda: [r for r in caplog.records if words in r.getMessage()], 20, f"a record of {words!r}")


@pytest.mark.requirement("L1")
def test_each_crash_is_told_and_the_last_one_as_an_error(system, caplog):
    system.spawn(Fails, 2, name="crew/fails").wait(20)
    (first,) = told(caplog, "; its understudy takes over")
    (last,) = told(caplog, "; no understudy takes over")
    assert [(r.levelno, r.name) for r in (first, last)] == [
        (logging.WARNING, "understudy.actor.crew.fails"),
        (logging.ERROR, "understudy.actor.crew.fails"),
    ]
    assert last.getMessage().startswith("ValueError: no luck in life 2 (__loop__ of crew/fails, lap 1, incarnation 2)")
    for record in (first, last):
        assert "raise ValueError(f" in record.exc_text


def test_a_timeout_is_told_with_where_it_stood_and_without_what_ended_it_there(system, caplog):
    system.spawn(Hangs, name="hangs").wait(20)
    (record,) = told(caplog, "no understudy takes over")
    assert "self.wait_for_nobody()" in record.exc_text
    assert "in wait_for_nobody" in record.exc_text
    assert "Overrun" not in record.exc_text
    assert "sections.py" not in record.exc_text


def test_a_stop_between_two_lives_is_told_as_the_end_that_it_is(system, caplog):
    ref = system.spawn(Fails, 9, name="unlucky", config={"restart.backoff.base": 600.0})
    until(lambda: ref.info().status == "RESTARTING" and ref.info().incarnation == 2, 20, "the backoff")
    ref.stop()
    ref.wait(20)
    assert told(caplog, "no luck in life 2 (__loop__ of unlucky, lap 1, incarnation 2); no understudy takes over")


def test_what_finished_or_was_killed_is_not_told_as_a_crash(system, caplog):
    system.spawn(os.getpid).wait(20)
    killed = system.spawn(Hangs, config={"timeouts.loop": None})
    killed.kill()
    killed.wait(20)
    system.spawn(Fails, 1, name="last").wait(20)
    told(caplog, "incarnation 1); no understudy takes over")
    assert len([r for r in caplog.records if r.name.startswith("understudy.actor")]) == 1
