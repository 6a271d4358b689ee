"""The statuses of an actor: which there are, what leads from one to the next, and what each looks like from outside."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.stage import hold, note, noted, until
from understudy import Health, Process, Status

OTHERS = ["SPAWNING", "COMPLETED", "FAILED", "CANCELLED"]
"""What others call them."""


class Gate:
    """Opens in the child only when the test makes the file."""

    def __init__(self, path):
        self.path = path

    def __setstate__(self, state):
        self.__dict__.update(state)
        hold(self.path)


class Gated(Process):
    """Waits for a file at each turn of its life."""

    def __init__(self, place, falls=0):
        self.place, self.falls = str(place), falls
        self.gate = Gate(f"{place}/open")

    def __loop__(self):
        note(f"{self.place}/laps", self.incarnation)
        if self.incarnation <= self.falls:
            raise RuntimeError("no luck")
        self.sleep(60)

    def __onfinish__(self):
        hold(f"{self.place}/finish")


@pytest.fixture
def changes(system, monkeypatch):
    """What is published of an actor's status, in order; an observer would have to be there in time."""
    publish, seen = system._world.publisher.publish, []

    def publishing(kind, name, uid, incarnation, before, after, *rest):
        if kind == "state":
            seen.append((uid, before, after))
        publish(kind, name, uid, incarnation, before, after, *rest)

    def of(ref):
        return [(before, after) for uid, before, after in seen if uid == ref.uid]

    def up_to_now(ref):
        until(lambda: of(ref)[-1][1] == ref.info().status, 20, "the word of its status, which comes after the status")
        return of(ref)

    monkeypatch.setattr(system._world.publisher, "publish", publishing)
    return up_to_now


def follows(ref, status, health, *, alive):
    until(lambda: ref.info().status is status, 20, f"status {status}")
    info = ref.info()
    assert (info.health, info.alive) == (health, alive)


@pytest.mark.requirement("L4")
def test_there_are_eight_and_three_are_final():
    assert [str(status) for status in Status] == [
        "CREATED",
        "STARTING",
        "RUNNING",
        "STOPPING",
        "RESTARTING",
        "FINISHED",
        "CRASHED",
        "KILLED",
    ]
    assert [status for status in Status if status.ended] == [Status.FINISHED, Status.CRASHED, Status.KILLED]


@pytest.mark.requirement("L4")
def test_a_life_without_trouble_starts_runs_stops_and_finishes(system, tmp_path, changes):
    ref = system.spawn(Gated, tmp_path)
    until(lambda: ref.info().pid, 20, "its process")
    follows(ref, Status.STARTING, Health.UNKNOWN, alive=True)
    (tmp_path / "open").touch()
    follows(ref, Status.RUNNING, Health.HEALTHY, alive=True)
    ref.stop()
    follows(ref, Status.STOPPING, Health.HEALTHY, alive=True)
    (tmp_path / "finish").touch()
    follows(ref, Status.FINISHED, Health.COMPLETED, alive=False)
    assert changes(ref) == [
        ("CREATED", "STARTING"),
        ("STARTING", "RUNNING"),
        ("RUNNING", "STOPPING"),
        ("STOPPING", "FINISHED"),
    ]


@pytest.mark.requirement("L4")
def test_a_crash_leads_over_restarting_to_starting_and_without_lives_to_crashed(system, tmp_path, changes):
    (tmp_path / "open").touch()
    ref = system.spawn(Gated, tmp_path, falls=2, config={"lives": 2})
    follows(ref, Status.CRASHED, Health.FAILED, alive=False)
    assert changes(ref) == [
        ("CREATED", "STARTING"),
        ("STARTING", "RUNNING"),
        ("RUNNING", "RESTARTING"),
        ("RESTARTING", "STARTING"),
        ("STARTING", "RUNNING"),
        ("RUNNING", "CRASHED"),
    ]


@pytest.mark.requirement("L4")
def test_in_backoff_it_is_restarting_and_has_no_process(system, tmp_path):
    (tmp_path / "open").touch()
    config = {"lives": 5, "restart.backoff.base": 1000, "restart.backoff.cap": 1000}
    ref = system.spawn(Gated, tmp_path, falls=5, config=config)
    noted(tmp_path / "laps", 2)
    follows(ref, Status.RESTARTING, Health.UNKNOWN, alive=False)
    assert ref.info().pid is None
    ref.kill()
    follows(ref, Status.KILLED, Health.FAILED, alive=False)


@pytest.mark.requirement("L4")
def test_a_kill_leads_to_killed(system, tmp_path, changes):
    (tmp_path / "open").touch()
    ref = system.spawn(Gated, tmp_path)
    noted(tmp_path / "laps")
    ref.kill()
    follows(ref, Status.KILLED, Health.FAILED, alive=False)
    assert changes(ref)[-1][1] == "KILLED"


@pytest.mark.requirement("L4")
def test_a_death_while_stopping_is_a_crash(system, tmp_path):
    (tmp_path / "open").touch()
    ref = system.spawn(Gated, tmp_path, config={"lives": 3})
    noted(tmp_path / "laps")
    ref.stop()
    follows(ref, Status.STOPPING, Health.HEALTHY, alive=True)
    os.kill(ref.info().pid, signal.SIGKILL)
    follows(ref, Status.CRASHED, Health.FAILED, alive=False)


@pytest.mark.requirement("L4")
def test_the_guide_maps_what_others_call_them():
    page = Path(__file__).parents[2] / "docs" / "guides" / "crashes-and-lives.md"
    rows = [line for line in page.read_text().splitlines() if line.lstrip().startswith("|")]
    for other in OTHERS:
        found = [row for row in rows if re.search(rf"\b{other}\b", row)]
        assert found, f"{other} stands in no table of the guide"
        assert any(re.search(rf"\b{status}\b", row) for row in found for status in Status)
