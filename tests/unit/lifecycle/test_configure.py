"""What is configured while an actor runs: which settings it has from then on, and which clock that moves."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.scene import EXIT_0, SIGSEGV, Pass, Scene, running, spec
from understudy.lifecycle.effects import ClearAlarm, Remind, SetAlarm
from understudy.lifecycle.events import Alarm, Configure, Expired, Restart

pytestmark = pytest.mark.requirement("A8")

LOOP = Configure({"timeouts.loop": 2.0})


def test_it_stands_in_the_settings_and_beside_the_original_over_lives():
    scene = running({"lives": 3, "timeouts.loop": 9}).happens(LOOP, Configure({"num_loops": 4}))
    assert scene.does(Remind)
    for _ in range(2):
        assert scene.actor.spec.changes == {"timeouts.loop": 2.0, "num_loops": 4}
        assert (scene.actor.spec.config.timeouts.loop, scene.actor.spec.config.num_loops) == (2.0, 4)
        assert (scene.actor.spec.config.lives, scene.actor.spec.blob) == (3, b"the original")
        scene.happens(SIGSEGV, Expired(Alarm.BACKOFF))


def test_the_settings_of_a_spawn_are_nobody_elses():
    first = running({"timeouts.loop": 9})
    before = first.actor.spec
    first.happens(LOOP)
    assert before.config.timeouts.loop == 9
    assert before.changes == {}


def test_another_target_brings_its_own():
    scene = running().happens(LOOP, Restart((), spec({"timeouts.loop": 7})), EXIT_0)
    assert scene.actor.spec.changes == {}
    assert scene.actor.spec.config.timeouts.loop == 7


@pytest.mark.parametrize(
    ("join_in", "clock"),
    [
        (9.0, SetAlarm(Alarm.JOIN, 6.0)),
        (2.0, SetAlarm(Alarm.JOIN, 0.0)),
        (None, ClearAlarm(Alarm.JOIN)),
    ],
)
@pytest.mark.parametrize("waiting", [False, True])
def test_join_in_counts_from_the_first_ready_whenever_it_is_set(join_in, clock, waiting):
    scene = running({"lives": 2, "join_in": 5}).happens(Pass(3.0))
    if waiting:
        scene.happens(SIGSEGV)
    assert scene.happens(Configure({"join_in": join_in})).effects[1:] == (clock,)


def test_before_the_first_ready_no_clock_runs():
    scene = Scene().happens(Configure({"join_in": 5.0}))
    assert not scene.does(SetAlarm)
