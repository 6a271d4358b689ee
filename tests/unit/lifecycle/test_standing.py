"""How an actor stands for who speaks to it, and what its process hears of its end: both are read off the actor."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.scene import DONE, EXIT_0, RESULT, SIGSEGV, boom, running
from understudy.lifecycle.effects import Publish, Remind
from understudy.lifecycle.events import Errored, Finishing, Kill, Pause, Restart, Resulted, Resume, Stop
from understudy.lifecycle.standing import ordered, standing, stands_still

pytestmark = pytest.mark.requirement("A7")
ALWAYS = {"restart.policy": "always"}


@pytest.mark.fault("F44")
@pytest.mark.parametrize(
    ("config", "events", "expected"),
    [
        ({}, (), "ready"),
        ({}, (Restart(),), "leaving"),
        ({}, (Restart(), EXIT_0), "waiting"),
        (ALWAYS, (DONE,), "leaving"),
        (ALWAYS, (Resulted(RESULT),), "leaving"),
        (ALWAYS, (DONE, Stop()), "stopping"),
        (ALWAYS, (Finishing("self.stop()", stop=True),), "stopping"),
        ({}, (DONE,), "stopping"),
        ({}, (Restart(), Stop()), "stopping"),
        ({}, (Stop(drain=True),), "stopping"),
        ({}, (Restart(), Kill()), "stopping"),
        ({"lives": 2}, (SIGSEGV,), "waiting"),
        ({}, (Resulted(RESULT), EXIT_0), "ended"),
    ],
)
def test_a_life_that_ends_in_order_leaves_where_another_follows_and_stops_where_none_does(config, events, expected):
    assert standing(running(config).happens(*events).actor) == expected


def test_who_holds_its_last_rites_stops():
    scene = running(ALWAYS, ("loop", "error")).happens(Errored(boom()))
    assert standing(scene.actor) == "stopping"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), ""),
        ((Kill(),), ""),
        ((Stop(),), "stop"),
        ((Stop(drain=True),), "drain"),
        ((Stop(), Stop(drain=True)), "stop"),
        ((Restart(),), "restart"),
        ((Stop(drain=True), Restart()), "restart"),
        ((Restart(), Stop(drain=True)), "drain"),
    ],
)
def test_its_process_hears_which_stop_stands(events, expected):
    assert ordered(running().happens(*events).actor) == expected


@pytest.mark.requirement("A8")
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((Pause(),), True),
        ((Pause(), Pause(), Resume()), False),
        ((Pause(), SIGSEGV), True),
        ((Pause(), Restart(), EXIT_0), True),
        ((SIGSEGV, Pause()), True),
        ((Pause(), SIGSEGV, Resume()), False),
        ((Pause(), Stop()), False),
        ((Pause(), Kill()), False),
        ((Pause(), Restart()), True),
        ((Stop(), Pause()), False),
        ((Pause(), Resulted(RESULT), EXIT_0), False),
    ],
)
def test_a_pause_stands_over_lives_and_a_stop_for_good_goes_before_it(events, expected):
    assert stands_still(running({"lives": 2}).happens(*events).actor) is expected


@pytest.mark.requirement("A8")
def test_a_pause_is_ordered_and_told_once():
    scene = running().happens(Pause())
    assert [type(effect) for effect in scene.effects] == [Remind, Publish]
    assert (scene.only(Publish).before, scene.only(Publish).after) == ("running", "paused")
    assert not scene.happens(Pause()).effects
    assert scene.happens(Resume()).only(Publish).after == "running"
    assert not scene.happens(Resume()).effects
