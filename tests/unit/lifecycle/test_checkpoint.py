"""Checkpoints: which state a life begins from."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.scene import DONE, EXIT_0, EXIT_1, RESULT, SIGSEGV, boom, running, spec
from understudy.lifecycle.effects import Fork, Remind
from understudy.lifecycle.events import Alarm, Checkpointed, Errored, Expired, Forked, Ready, Restart, Resulted
from understudy.lifecycle.standing import state_of

pytestmark = pytest.mark.requirement("A8")

REVIVES = {"restart.revive": "checkpoint", "lives": 9}
FIRST, SECOND = Checkpointed(1, b"a later state"), Checkpointed(2, b"the latest state")
AGAIN = (SIGSEGV, Expired(Alarm.BACKOFF))


@pytest.mark.parametrize(
    ("config", "events", "expected"),
    [
        (REVIVES, AGAIN, b"the original"),
        (REVIVES, (FIRST, *AGAIN), FIRST.blob),
        (REVIVES, (FIRST, SECOND, *AGAIN), SECOND.blob),
        (REVIVES, (FIRST, *AGAIN, Forked(8), Ready(), *AGAIN), FIRST.blob),
        (REVIVES, (FIRST, Restart(), EXIT_0), FIRST.blob),
        (REVIVES, (FIRST, Restart((), spec(REVIVES)), EXIT_0), b"the original"),
        ({"lives": 9}, (FIRST, *AGAIN), b"the original"),
    ],
)
def test_a_life_begins_from_the_last_one_where_that_is_configured(config, events, expected):
    scene = running(config).happens(*events)
    assert scene.does(Fork)
    assert state_of(scene.actor) == expected


def test_last_rites_are_held_by_the_original():
    scene = running({**REVIVES, "lives": 1}, ("loop", "error")).happens(FIRST, SIGSEGV)
    assert scene.does(Fork)
    assert state_of(scene.actor) == b"the original"


def test_each_is_acknowledged_by_its_number_which_begins_anew_with_each_life():
    scene = running(REVIVES).happens(FIRST)
    assert (scene.actor.kept, [type(effect) for effect in scene.effects]) == (1, [Remind])
    assert scene.happens(SECOND).actor.kept == 2
    assert scene.happens(*AGAIN).actor.kept == 0


def test_one_that_comes_late_changes_nothing_and_none_is_kept_beyond_the_end():
    scene = running(REVIVES).happens(FIRST, SIGSEGV)
    assert not scene.happens(SECOND).effects
    assert state_of(scene.actor) == FIRST.blob
    scene.happens(Expired(Alarm.BACKOFF), Forked(8), Ready(), DONE, Resulted(RESULT), EXIT_0)
    assert (scene.status.ended, scene.actor.checkpoint) == (True, None)
    assert not scene.happens(SECOND).effects


def test_it_is_taken_in_the_end_of_a_life_as_well():
    assert running(REVIVES).happens(DONE, FIRST).does(Remind)
    assert running(REVIVES).happens(Errored(boom()), FIRST).actor.kept == 1
    assert running(REVIVES).happens(Errored(boom()), FIRST, EXIT_1).actor.checkpoint == FIRST.blob
