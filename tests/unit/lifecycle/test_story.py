"""The story of an actor: a line a step that a person can read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.lifecycle.scene import DONE, EXIT_1, IN_LOOP, SIGSEGV, START, UNKNOWN, Pass, Scene, boom, boot, running
from understudy.lifecycle import ladder
from understudy.lifecycle.events import (
    Alarm,
    Checkpointed,
    Configure,
    Died,
    Errored,
    Event,
    Expired,
    Forked,
    ForkFailed,
    Heard,
    Kill,
    Overran,
    Pause,
    Place,
    Ready,
    Restart,
    Silent,
    Stage,
    Stop,
)


def test_a_step_has_its_time_the_actor_with_its_incarnation_what_happened_and_the_change():
    scene = Scene({"lives": 2}).happens(Forked(7), Pass(1), Ready(), Pass(1.5), SIGSEGV, Expired(Alarm.BACKOFF))
    assert scene.registry.story(1) == [
        "1000.000 indexer#1 spawned as texts:Indexer",
        "1000.000 indexer#1 born as pid 7",
        "1001.000 indexer#1 ready: STARTING -> RUNNING",
        "1002.500 indexer#1 died: SIGSEGV, in __loop__, lap 17: RUNNING -> RESTARTING",
        "1002.500 indexer#2 the backoff clock ran out: RESTARTING -> STARTING",
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (DONE, "goes to its end: laps done"),
        (Errored(boom()), "tells its error: RuntimeError: no luck (__loop__ of indexer, lap 17, incarnation 1)"),
        (
            Errored(boot()),
            "tells its error: ImportError: no module (while indexer was opening its state, incarnation 1)",
        ),
        (EXIT_1, "died: exit code 1, in lap 17"),
        (replace(EXIT_1, lost=3), "died: exit code 1, in lap 17, with 3 messages in hand"),
        (UNKNOWN, "died: how is unknown, in lap 17"),
        (Died(None, "SIGKILL", Place(phase="connecting")), "died: SIGKILL, in connecting"),
        (Stop(), "a stop is asked (stop)"),
        (Stop(ladder.force(START + 9), "shutdown"), "a stop is asked (shutdown, with a grace)"),
        (Stop(drain=True), "a stop is asked (stop, after what has arrived)"),
        (Kill("self.kill()"), "a kill is asked (self.kill())"),
        (Restart(), "restart"),
        (Pause(), "a pause is asked"),
        (Checkpointed(2, b"12345"), "tells its checkpoint 2, of 5 bytes"),
        (Configure({"timeouts.loop": 2.0, "num_loops": 9}), "configured: timeouts.loop=2.0, num_loops=9"),
        (Expired(Alarm.JOIN), "the join clock ran out"),
        (Overran(Stage.INTERRUPT, Place()), "a section overran: interrupt"),
        (Overran(Stage.KILL, IN_LOOP), "a section overran __loop__, lap 17: kill"),
        (Silent(2, lost=False, held=False), "silent for 2 heartbeats"),
        (Heard(), "heard"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_each_event_has_its_words(event: Event, words: str):
    scene = running({"lives": 9}).happens(event)
    told = scene.registry.story(1)[-1]
    assert told.removeprefix("1000.000 indexer#1 ").split(": RUNNING -> ")[0] == words


def test_a_fork_that_fails_is_told_with_its_reason():
    scene = Scene().happens(ForkFailed("OSError: [Errno 11] EAGAIN"))
    assert "not born: OSError: [Errno 11] EAGAIN" in scene.registry.story(1)[-1]


def test_a_story_keeps_its_last_fifty_steps_and_shortens_long_ones():
    scene = running()
    for number in range(60):
        scene.happens(Silent(number + 2, lost=False, held=False))
    scene.happens(Errored(replace(boom(), text="x\n" * 10_000)))
    story = scene.registry.story(1)
    assert len(story) == 50
    assert "silent for 61 heartbeats" in story[-2]
    assert len(story[-1]) < 250
    assert story[-1].endswith("...")
    assert "\n" not in story[-1]


def test_what_changes_nothing_is_no_step_of_the_story():
    scene = running()
    before = scene.registry.story(1)
    scene.happens(Ready(), Expired(Alarm.BACKOFF), Expired(Alarm.START))
    assert scene.registry.story(1) == before
    assert not scene.effects


def test_nobody_has_no_story():
    assert Scene().registry.story(2) == []
