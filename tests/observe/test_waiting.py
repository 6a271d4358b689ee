"""Waiting for a status: right whenever the wait begins, over restarts, and honest about what happened instead."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.observe.scripted import Refusal
from tests.stage import hold, until
from understudy import (
    ActorError,
    ActorKilled,
    ActorSystem,
    ConfigError,
    Observer,
    Process,
    Status,
    SystemClosed,
    WaitTimeout,
)


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Falling(Process):
    """Crashes in each life but the last."""

    def __init__(self, falls):
        self.falls = falls
        self.config.lives = 3
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __loop__(self):
        if self.incarnation <= self.falls:
            raise RuntimeError("no luck")


@pytest.fixture
def observer(follow):
    return follow()


@pytest.mark.requirement("A4")
@pytest.mark.parametrize("status", ["FINISHED", Status.FINISHED, ["CRASHED", "FINISHED"], {Status.FINISHED}])
def test_who_has_ended_before_the_observer_joined_is_found(system, status):
    ref = system.spawn(os.getpid, name="done")
    ref.wait(20)
    with Observer(system.endpoint) as observer:
        assert "done" not in observer.actors
        found = observer.wait_for("done", status=status, timeout=20)
    assert (found.uid, found.status, found.exit_code) == (ref.uid, Status.FINISHED, 0)


@pytest.mark.requirement("A4")
def test_the_row_of_one_that_ended_meanwhile_is_whole_and_bears_no_figures_of_the_living(system, follow):
    observer = follow()
    ref = system.spawn(Idle, name="brief")
    ref.wait_ready(20)
    ref.stop()
    found = observer.wait_for("brief", status="FINISHED", timeout=20)
    assert found == replace(ref.info(), stats=found.stats)
    assert (found.exit_code, found.memory_mb, found.section) == (0, None, "")
    assert observer.actors["brief"].memory_mb is None


@pytest.mark.requirement("A4")
def test_who_comes_up_later_is_waited_for(system, observer):
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(observer.wait_for("late", status="RUNNING", timeout=20)))
    waiting.start()
    system.spawn(os.getpid, name="another").wait(20)
    ref = system.spawn(Idle, name="late")
    waiting.join(20)
    assert [(row.uid, row.status) for row in found] == [(ref.uid, Status.RUNNING)]


@pytest.mark.requirement("A4")
def test_a_wait_goes_over_restarts(system, observer):
    system.spawn(Falling, 2, name="falling")
    found = observer.wait_for("falling", status="FINISHED", timeout=20)
    assert (found.status, found.incarnation) == (Status.FINISHED, 3)


@pytest.mark.requirement("A4")
def test_a_status_that_was_passed_since_the_last_event_counts(system, observer):
    ref = system.spawn(os.getpid, name="quick")
    ref.wait(20)
    assert observer.wait_for("quick", status="RUNNING", timeout=20).uid == ref.uid


@pytest.mark.requirement("A4")
def test_what_an_actor_was_before_a_restart_is_not_taken_for_what_it_is(system, observer):
    system.spawn(Idle, name="idle").wait_ready(20)
    assert observer.wait_for("idle", status="RUNNING", timeout=20).incarnation == 1
    for incarnation in (2, 3):
        system.restart("idle")
        assert observer.wait_for("idle", status="RUNNING", timeout=20).incarnation == incarnation
    uid = observer.actors["idle"].uid
    system.kill("idle")
    observer.wait_for("idle", status="KILLED", timeout=20)
    system.restart("idle")  # spawned anew
    assert observer.wait_for("idle", status="RUNNING", timeout=20).uid > uid


@pytest.mark.requirement("A4")
def test_an_end_of_another_kind_is_told_with_its_cause(system, observer):
    system.spawn(Falling, 3, name="fallen", config={"lives": 2})
    with pytest.raises(ActorError, match=r"fallen is CRASHED, while FINISHED .*: .*RuntimeError: no luck") as caught:
        observer.wait_for("fallen", status="FINISHED", timeout=20)
    assert (caught.value.name, caught.value.incarnation) == ("fallen", 2)
    system.spawn(Idle, name="idle").kill()
    with pytest.raises(ActorKilled, match="idle is KILLED, while FINISHED or CRASHED was waited for"):
        observer.wait_for("idle", status=["FINISHED", "CRASHED"], timeout=20)
    for late in (observer, Observer(system.endpoint)):
        told = r"fallen is CRASHED, while RUNNING was waited for: .*RuntimeError: no luck"
        with late, pytest.raises(ActorError, match=told):
            late.wait_for("fallen", status="RUNNING", timeout=20)


@pytest.mark.requirement("A4")
def test_a_wait_that_takes_too_long_says_where_the_actor_stands(system, observer):
    system.spawn(Idle, name="idle").wait_ready(20)
    with pytest.raises(WaitTimeout, match=r"idle was not FINISHED within 0\.2 s; it is RUNNING"):
        observer.wait_for("idle", status="FINISHED", timeout=0.2)
    with pytest.raises(WaitTimeout, match=r"nobody was not RUNNING within 0\.2 s; no actor of that name is known"):
        observer.wait_for("nobody", status="RUNNING", timeout=0.2)
    system.stop("idle")
    assert observer.wait_for("idle", status="FINISHED", timeout=20).status is Status.FINISHED


@pytest.mark.requirement("A4")
def test_events_that_pass_meanwhile_are_followed_and_those_after_come(system, observer, tmp_path):
    gate = tmp_path / "gate"
    system.spawn(hold, gate, name="held")
    assert observer.wait_for("held", status="RUNNING", timeout=20).status is Status.RUNNING
    assert observer.actors["held"].status is Status.RUNNING
    gate.touch()
    event = observer.next(20)
    while event.kind != "state":
        event = observer.next(20)
    assert (event.name, event.after) == ("held", "STOPPING")


@pytest.mark.requirement("A4")
def test_the_end_of_the_system_and_of_the_observer_end_a_wait():
    for end in (lambda system, _: system.shutdown(), lambda _, observer: observer.close()):
        with ActorSystem() as system, Observer(system.endpoint) as observer:
            closing = threading.Timer(0.2, end, (system, observer))
            closing.start()
            with pytest.raises(SystemClosed, match="closed before nobody was RUNNING"):
                observer.wait_for("nobody", status="RUNNING", timeout=20)
            closing.join(20)
            with pytest.raises(SystemClosed):
                observer.wait_for("nobody", status="RUNNING")


@pytest.mark.requirement("A4")
def test_what_was_missed_beyond_recall_is_looked_up(scripted):
    score = scripted.score
    score.happen("state", "a")
    with Observer(scripted.endpoint) as observer:
        assert set(observer.actors) == {"a"}
        scripted.subscribed()

        def refuse(_):
            raise Refusal("ProtocolError")

        def info(request):
            assert request["name"] == "a"
            return score.rows["a"].to_dict()

        story = ["1.000 a#1 spawned", "2.000 a#1 tells its result", "3.000 a#1 died: exit code 0"]
        scripted.answers |= {"replay": refuse, "info": info, "story": lambda _: story}
        for choice in (0, 1, 4):
            score.happen("state", "a", choice)
        assert observer.wait_for("a", status="FINISHED", timeout=20).status is Status.FINISHED
        told = "a is FINISHED, while RUNNING was waited for: tells its result; died: exit code 0"
        with pytest.raises(ActorError, match=told):
            observer.wait_for("a", status="RUNNING", timeout=20)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("a*", "RUNNING", "'a[*]' is no name of one actor"),
        ("", "RUNNING", "'' is no name"),
        (5, "RUNNING", "5 is no name"),
        ("b", "RUNNING", "'b' is not among the names that this observer follows"),
        ("a", "running", "status is one or several of CREATED, STARTING, .*; got 'running'"),
        ("a", [], r"status is one or several of .*; got \[\]"),
        ("a", None, "status is one or several of .*; got None"),
        ("a", ["RUNNING", 5], "status is one or several of"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(scripted, name, status, text):
    with Observer(scripted.endpoint, names="a*") as observer, pytest.raises(ConfigError, match=text):
        observer.wait_for(name, status=status)
    until(lambda: scripted.asked("snapshot"))
