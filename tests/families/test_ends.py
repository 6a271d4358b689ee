"""The end of a life is the end of those whom it spawned; and, where they are linked, the other way round."""

from __future__ import annotations

import functools
import os
import signal

import pytest

from tests.families.kin import Boss, Brief, Founder, Kid
from tests.stage import gone, noted, notes, running, until
from understudy import ActorSystem, Status


def raises(_):
    raise ValueError("no luck")


WAYS = {
    "finishes": lambda boss: boss.tell(lambda self: self.stop()),
    "is stopped": lambda boss: boss.stop(),
    "crashes": lambda boss: boss.tell(raises),
    "is killed from outside": lambda boss: os.kill(boss.info().pid, signal.SIGKILL),
    "is killed": lambda boss: boss.kill(),
}


@pytest.mark.requirement("A6", "E2")
@pytest.mark.parametrize("way", WAYS)
def test_however_a_parent_ends_its_children_end_and_theirs(tmp_path, nothing_is_left_behind, way):
    said = tmp_path / "said"
    with ActorSystem(max_depth=3) as system:
        boss = system.spawn(Boss, name="boss")
        middle = boss.ask(lambda self: self.spawn(Boss, name="middle"), 30)
        kids = [boss.ask(lambda self: self.spawn(Kid, said, name="kid"), 30)]
        kids.append(middle.ask(lambda self: self.spawn(Kid, said, name="kid"), 30))
        running(middle, *kids)
        pids = [ref.info().pid for ref in (boss, middle, *kids)]
        other = system.spawn(Kid, name="other")
        WAYS[way](boss)
        ends = [ref.wait(40) for ref in (middle, *kids)]
        assert ends == [Status.KILLED if way == "is killed" else Status.FINISHED] * 3
        gone(*pids)
        assert sorted(notes(said)) == ([] if way == "is killed" else ["boss/kid went", "boss/middle/kid went"])
        told = "was killed" if way == "is killed" else "has ended"
        assert any(f"its parent boss {told}" in line for line in system.story("boss/kid"))
        assert [info.name for info in system.ps()] == ["other"]
        assert other.done() is False


@pytest.mark.requirement("A6")
def test_a_child_that_is_killed_leaves_its_parent_alone_and_both_may_be(system, boss):
    def spawn(self):
        return self.spawn(Kid, name="kid")

    kid = boss.ask(spawn, 30)
    running(kid)
    os.kill(kid.info().pid, signal.SIGKILL)
    assert kid.wait(30) is Status.CRASHED
    again = boss.ask(spawn, 30)
    running(again)
    assert again.uid != kid.uid
    pids = [boss.info().pid, again.info().pid]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert boss.wait(30) is Status.CRASHED
    assert again.wait(30) in {Status.CRASHED, Status.FINISHED}
    gone(*pids)
    assert system.ps() == []


def has_more_children(ref, number):
    return len(ref.children()) > number


def spawns_on(self):
    for number in range(10_000):
        self.spawn(Kid, name=f"kid-{number}")


@pytest.mark.requirement("A6")
def test_of_a_spawn_that_is_under_way_when_the_parent_dies_nothing_is_left(system):
    for number in range(4):
        boss = system.spawn(Boss, name="boss")
        boss.tell(spawns_on)
        until(functools.partial(has_more_children, boss, number), 30, "children")
        os.kill(boss.info().pid, signal.SIGKILL)
        assert boss.wait(30) is Status.CRASHED
        until(lambda: not system.ps(), 60, "the end of all")
        family = [info for info in system.ps(all=True) if info.parent == "boss"]
        assert all(info.status.ended and not info.alive for info in family)


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("way", ["crashes", "is killed from outside", "is restarted"])
def test_a_next_life_spawns_anew_under_names_that_are_free_again(tmp_path, system, way):
    said, gate = tmp_path / "said", tmp_path / "gate"
    founder = system.spawn(Founder, said, gate, name="founder")
    (first,) = noted(said, 1)
    kid = system.ref("founder/kid")
    assert first == f"life 1: uid {kid.uid}"
    running(kid)
    if way == "crashes":
        founder.tell(raises)
    elif way == "is killed from outside":
        os.kill(founder.info().pid, signal.SIGKILL)
    else:
        founder.restart()
    until(lambda: founder.info().incarnation == 2 and founder.info().section == "preloop", 30, "the next life's spawn")
    assert system.ref("founder/kid") == kid  # which takes its time: the spawn waits for the name
    gate.touch()
    assert kid.wait(30) is Status.FINISHED
    lines = noted(said, 3)
    heir = system.ref("founder/kid")
    assert lines[1:] == ["founder/kid went", f"life 2: uid {heir.uid}"]
    assert founder.children() == [heir]


@pytest.mark.requirement("A6")
def test_a_restart_does_not_save_a_child_whose_parent_has_ended(tmp_path, system, boss):
    gate = tmp_path / "gate"
    kid = boss.ask(lambda self: self.spawn(Kid, None, gate, name="kid"), 30)
    running(kid)
    boss.stop()
    assert boss.wait(30) is Status.FINISHED
    assert kid.restart() == "already"
    gate.touch()
    assert kid.wait(30) is Status.FINISHED
    assert kid.restart() == "ended"
    anew = system.ref("boss/kid")
    assert (anew.info().parent, anew.info().depth) == (None, 1)


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("way", ["finishes", "crashes", "is killed from outside", "kills itself"])
def test_the_end_of_a_linked_child_stops_its_parent(tmp_path, system, boss, way):
    said, gate = tmp_path / "said", tmp_path / "gate"
    config = {"num_loops": 1} if way == "finishes" else {}
    kid = boss.ask(lambda self: self.spawn(Brief, gate, way, name="kid", link=True, config=config), 30)
    sibling = boss.ask(lambda self: self.spawn(Kid, said, name="sibling"), 30)
    running(kid, sibling)
    gate.touch()
    status = {"finishes": Status.FINISHED, "kills itself": Status.KILLED}.get(way, Status.CRASHED)
    assert kid.wait(30) is status
    assert boss.wait(30) is Status.FINISHED
    assert any(f"boss/kid, which is linked to it, is {status}" in line for line in system.story("boss"))
    assert sibling.wait(30) is Status.FINISHED
    assert notes(said) == ["boss/sibling went"]


@pytest.mark.requirement("E2")
def test_a_linked_child_that_is_stopped_and_one_that_lives_on_end_nobody(tmp_path, system, boss):
    gate = tmp_path / "gate"
    stopped = boss.ask(lambda self: self.spawn(Kid, name="stopped", link=True), 30)
    revived = boss.ask(
        lambda self: self.spawn(Brief, gate, "crashes", name="revived", link=True, config={"lives": 1_000}), 30
    )
    loose = boss.ask(lambda self: self.spawn(Brief, gate, "crashes", name="loose"), 30)
    running(stopped, revived, loose)
    stopped.stop()
    assert stopped.wait(30) is Status.FINISHED
    gate.touch()
    assert loose.wait(30) is Status.CRASHED
    until(lambda: revived.info().incarnation > 1, 30, "another life")
    assert boss.info().status is Status.RUNNING
    assert boss.ask(lambda self: self.stopping, 30) is False
