"""How groups end: by a stop, a kill, and with their system; the last member first."""

from __future__ import annotations

import os
import pickle
import signal

import pytest

from tests.groups.players import Deaf, Player
from tests.stage import gone, noted, notes, running, until
from understudy import (
    ActorSystem,
    ConfigError,
    GroupEnded,
    NameTaken,
    ReceiveError,
    SerializationError,
    Status,
    WaitTimeout,
    WrongProcess,
)

pytestmark = pytest.mark.requirement("K1", "K2")


def test_a_stop_ends_the_last_first_each_when_the_one_behind_it_is_gone(system, said, troupe):
    group = system.group("play")
    refs = troupe(group, "ab")
    inner = group.group("in")
    refs += troupe(inner, "c")
    refs += troupe(group, "d")
    with pytest.raises(WaitTimeout):
        group.wait(0)
    assert group.stop() == "asked"
    group.wait(30)
    assert [ref.wait(0) for ref in refs] == [Status.FINISHED] * 4
    assert notes(said)[4:] == ["d ends", "c ends", "b ends", "a ends"]  # none before one behind it
    assert inner.stop() == "ended"


@pytest.mark.requirement("K6")
def test_a_stop_amid_a_restart_ends_what_lives_and_nothing_comes_up_again(system, said, troupe, tmp_path):
    gate = tmp_path / "gate"
    group = system.group("play", strategy="one_for_all")
    refs = troupe(group, "a")
    refs += troupe(group, "b", gate=gate)
    refs += troupe(group, "cd")
    os.kill(refs[3].info().pid, signal.SIGKILL)
    noted(said, 6)  # the second is on its way to begin anew, and waits at the gate
    assert [ref.info().status_text for ref in refs[2:]] == ["RESTARTING (group)"] * 2
    assert group.stop() == "asked"
    assert [str(refs[place].wait(30)) for place in (2, 3)] == ["FINISHED", "CRASHED"]
    assert refs[0].info().status is Status.RUNNING
    with pytest.raises(GroupEnded):
        group.spawn(Player, "e", said)
    gate.touch()
    group.wait(30)
    assert notes(said)[4:] == ["c ends", "b ends", "a ends"]
    assert [ref.result() for ref in refs[:3]] == [1, 1, 1]


@pytest.mark.requirement("K3")
def test_a_kill_is_for_all_at_once_also_amid_a_restart(system, said, troupe, tmp_path):
    group = system.group("play", strategy="one_for_all")
    refs = troupe(group, "a")
    refs += troupe(group, "b", gate=tmp_path / "gate")
    refs += troupe(group, "c")
    pids = [ref.info().pid for ref in refs[:2]]
    os.kill(refs[2].info().pid, signal.SIGKILL)
    noted(said, 4)
    assert group.kill() == "asked"
    group.wait(30)
    assert [ref.wait(0) for ref in refs] == [Status.KILLED] * 3
    gone(*pids)


def test_a_restart_by_request_is_for_all_in_order_and_one_by_hand_for_one(system, said, troupe):
    group = system.group("play", restarts=0)
    refs = troupe(group, "abc")
    assert group.restart() == "asked"
    until(lambda: [ref.info().incarnation for ref in refs] == [2] * 3, 30, "the restart")
    running(*refs)
    assert notes(said)[3:] == ["c ends", "b ends", "a ends", "a begins", "b begins", "c begins"]
    refs[1].restart()
    until(lambda: refs[1].info().incarnation == 3, 30, "the other restart")
    running(*refs)
    assert [ref.info().incarnation for ref in refs] == [2, 3, 2]
    assert refs[0].stop() == "asked"
    assert refs[0].wait(30) is Status.FINISHED
    assert system.is_open


def test_by_force_all_are_killed_and_nothing_comes_up_in_the_group_any_more(system, said, troupe):
    group = system.group("play", strategy="one_for_all")
    refs = troupe(group, "ab")
    assert set(system.cleanup(force=True).values()) == {Status.KILLED}
    assert [ref.info().incarnation for ref in refs] == [1, 1]
    assert group.stop() == "ended"
    with pytest.raises(GroupEnded):
        group.spawn(Player, "c", said)
    assert notes(said)[2:] == []


@pytest.mark.parametrize("way", ["shutdown", "cleanup"])
def test_with_the_system_a_group_ends_in_its_order_and_others_beside_it(nothing_is_left_behind, said, way):
    (said.parent / "others").mkdir()
    with ActorSystem() as system:
        single = system.spawn(Player, "x", said.parent / "others" / "said", name="x")
        group = system.group("play")
        refs = [group.spawn(Player, name, said, name=name) for name in "abc"]
        kid = refs[2].ask(lambda self: self.spawn(Player, "k", self.said.parent / "others" / "said", name="kid"), 30)
        running(single, kid, *refs)
        getattr(system, way)()
        assert notes(said)[3:] == ["c ends", "b ends", "a ends"]
        assert [ref.wait(30) for ref in (single, kid, *refs)] == [Status.FINISHED] * 5
        if way == "cleanup":
            with pytest.raises(GroupEnded):
                group.spawn(Player, "a", said)
            group.wait(0)


def test_members_that_hear_no_stop_share_the_time_of_the_longest_ladder(nothing_is_left_behind, said):
    ladder = {"stop.command": 1.0, "stop.term": 0.5, "stop.term_again": 0.5}
    with ActorSystem() as system:
        group = system.group("play")
        refs = [group.spawn(Deaf, name, said, name=name, config=ladder) for name in "abc"]
        running(*refs)
        until(lambda: all(ref.info().section == "loop" for ref in refs), 30, "their loops")
    assert [ref.wait(0) for ref in refs] == [Status.KILLED] * 3
    ends = [ref.history()[-1].ended_at or 0.0 for ref in refs]
    assert sorted(ends, reverse=True) == ends
    assert max(ends) - min(ends) < 20


def test_a_grace_is_for_the_whole_group(system, said, troupe):
    group = system.group("play")
    refs = [group.spawn(Deaf, name, said, name=name) for name in "ab"]
    running(*refs)
    until(lambda: all(ref.info().section == "loop" for ref in refs), 30, "their loops")
    assert group.stop(grace=0.4) == "asked"
    group.wait(30)
    assert [ref.wait(0) for ref in refs] == [Status.KILLED] * 2


def test_what_a_group_does_not_take_is_refused(system, said, tmp_path):
    with pytest.raises(ConfigError, match="strategy must be"):
        system.group("g", strategy="all_for_one")
    with pytest.raises(ConfigError, match="restarts must be"):
        system.group("g", restarts=-1)
    with pytest.raises(ConfigError, match="window must be"):
        system.group("g", window=0)
    with pytest.raises(ConfigError, match="is not a name"):
        system.group("no name")
    group = system.group("g")
    with pytest.raises(NameTaken, match="living group"):
        system.group("g")
    with pytest.raises(ConfigError, match="128 characters"):
        group.spawn(Player, "a", said, name="x" * 127)
    ref = group.spawn(Player, "a", said, name="a")
    with pytest.raises(NameTaken, match="'g/a' is the name of a living actor"):
        group.spawn(Player, "a", said, name="a")
    assert group.spawn(Player, "b", said).name == "g/player-1"
    crew = group.spawn(Player, "c", said, name="crew", replicas=2)
    assert [one.name for one in group.members()] == ["g/a", "g/player-1", "g/crew/1", "g/crew/2"]
    running(ref, *crew)
    with pytest.raises(SerializationError, match="send the refs of its members"):
        pickle.dumps(group)
    with pytest.raises(SerializationError, match="send the refs of its members"):
        system.spawn(Player, "d", said, group)
    with pytest.raises(ReceiveError) as caught:
        ref.ask(lambda self: self.system.group("inside"), 30)
    assert isinstance(caught.value.__cause__, WrongProcess)
    with pytest.raises(ConfigError, match="grace must be"):
        group.stop(grace=-1)
    assert repr(group) == "<Group g: 4 actors>"
