"""Who begins anew with whom, in which order: told by what the members themselves wrote."""

from __future__ import annotations

import os
import signal

import pytest

from tests.groups.players import Player, Runner, exits, finishes, freezes, kills_itself, raises
from tests.stage import note, noted, notes, running, until
from understudy import Status

pytestmark = pytest.mark.requirement("S8", "L2")

BEGUN = [f"{name} begins" for name in "abcd"]
AFTER = {
    "one_for_one": ["b begins"],
    "one_for_all": ["d ends", "c ends", "a ends", "a begins", "b begins", "c begins", "d begins"],
    "rest_for_one": ["d ends", "c ends", "b begins", "c begins", "d begins"],
}


def up_again(refs, incarnations):
    """Wait until each is up in that life."""
    until(lambda: [ref.info().incarnation for ref in refs] == incarnations, 30, f"the lives {incarnations}")
    running(*refs)


@pytest.mark.parametrize("strategy", AFTER)
def test_of_four_the_second_is_killed_from_outside(system, said, troupe, strategy):
    group = system.group("play", strategy=strategy)
    refs = troupe(group, "abcd")
    assert group.members() == refs
    assert [ref.name for ref in refs] == ["play/a", "play/b", "play/c", "play/d"]
    assert sorted(notes(said)) == BEGUN
    uids, pids = [ref.uid for ref in refs], [ref.info().pid for ref in refs]
    os.kill(refs[1].info().pid, signal.SIGKILL)
    renewed = {"one_for_one": "b", "one_for_all": "abcd", "rest_for_one": "bcd"}[strategy]
    up_again(refs, [2 if name in renewed else 1 for name in "abcd"])
    assert notes(said)[4:] == AFTER[strategy]
    assert [ref.uid for ref in refs] == uids
    assert [ref.info().pid != pid for ref, pid in zip(refs, pids, strict=True)] == [name in renewed for name in "abcd"]
    assert [ref.ask(lambda self: self.who, 30) for ref in refs] == list("abcd")
    assert [ref.info().group for ref in refs] == ["play"] * 4
    assert system.summary().restarts == len(renewed)


DEATHS = {
    "raises": raises,
    "exits": exits,
    "is killed": kills_itself,
    "is silent": freezes,
}


@pytest.mark.parametrize("way", DEATHS)
def test_any_death_counts_lives_or_not_and_what_was_told_meanwhile_is_for_the_next_life(
    system, said, troupe, tmp_path, way
):
    gate = tmp_path / "gate"
    group = system.group("play", strategy="one_for_all")
    (first,) = troupe(group, "a", gate=gate)
    (second,) = troupe(group, "b", config={"restart.policy": "on_crash", "lives": 1})
    second.tell(DEATHS[way])
    until(lambda: first.info().section == "onfinish", 40, "the end of the first")
    assert second.info().status_text == "RESTARTING (group)"
    for ref in (first, second):
        ref.tell(lambda self: note(self.said.with_name("told"), f"{self.who} {self.incarnation}"))
    gate.touch()
    up_again([first, second], [2, 2])
    assert sorted(noted(tmp_path / "told", 2)) == ["a 2", "b 2"]


def test_who_finished_is_no_member_any_more_and_begins_with_nobody(system, said, troupe):
    group = system.group("play", strategy="one_for_all")
    first, second, third = troupe(group, "abc")
    second.tell(finishes)
    assert second.wait(30) is Status.FINISHED
    assert group.members() == [first, third]
    third.tell(raises)
    up_again([first, third], [2, 2])
    assert second.result() == 1
    assert notes(said).count("b begins") == 1
    assert second.restart() == "ended"  # by hand, under a new uid, and in its place
    anew = system.ref("play/b")
    assert group.members() == [first, anew, third]


def test_what_is_always_begun_anew_takes_the_others_along_when_it_has_finished(system, said, troupe):
    group = system.group("play", strategy="one_for_all")
    (first,) = troupe(group, "a")
    (second,) = troupe(group, "b", kind=Runner, config={"restart.policy": "always"})
    said.with_name("turn-1").touch()
    up_again([first, second], [2, 2])
    assert notes(said)[2:] == ["b ends", "a ends", "a begins", "b begins"]
    assert system.info("play/a").lives_left == 2


def test_ten_that_are_killed_at_once_are_one_death_and_begin_in_their_order(system, said, troupe):
    group = system.group("play", strategy="one_for_all", restarts=3, window=600)
    names = "abcdefghij"
    refs = troupe(group, names)
    for number in (2, 3, 4):
        for pid in [ref.info().pid for ref in refs]:
            os.kill(pid, signal.SIGKILL)
        up_again(refs, [number] * 10)
        begun = [line for line in notes(said) if line.endswith("begins")]
        assert begun[-10:] == [f"{name} begins" for name in names]
    assert system.info("play/a").lives_left == 0


def test_members_that_are_killed_while_the_group_begins_anew_are_part_of_that(system, said, troupe, tmp_path):
    gate = tmp_path / "gate"
    group = system.group("play", strategy="one_for_all", restarts=1, window=600)
    refs = troupe(group, "ab")
    refs += troupe(group, "c", gate=gate)
    refs += troupe(group, "d")
    os.kill(refs[3].info().pid, signal.SIGKILL)
    noted(said, 5)  # the third ends, and waits at the gate
    for ref in refs[:3]:
        os.kill(ref.info().pid, signal.SIGKILL)
    up_again(refs, [2] * 4)
    assert [line for line in notes(said) if line.endswith("begins")][4:] == BEGUN


def test_who_is_added_while_the_group_begins_anew_waits_until_it_has(system, said, troupe, tmp_path, in_a_thread):
    gate = tmp_path / "gate"
    group = system.group("play", strategy="one_for_all")
    refs = troupe(group, "a", gate=gate) + troupe(group, "b")
    os.kill(refs[1].info().pid, signal.SIGKILL)
    noted(said, 3)
    added = in_a_thread(lambda: group.spawn(Player, "c", said, name="c"))
    until(lambda: system._world.awaited, 30, "the wait of the spawn")
    gate.touch()
    third = added.result(30)
    running(third)
    assert [line for line in notes(said) if line.endswith("begins")] == [
        "a begins", "b begins", "a begins", "b begins", "c begins",
    ]  # fmt: skip
    assert group.members() == [*refs, third]


def test_a_member_has_gone_when_those_have_that_it_spawned(system, said, troupe, tmp_path):
    gate = tmp_path / "gate"
    group = system.group("play", strategy="one_for_all")
    first, second = troupe(group, "ab")
    kid = second.ask(lambda self: self.spawn(Player, "k", self.said, gate, name="kid"), 30)
    running(kid)
    os.kill(second.info().pid, signal.SIGKILL)
    noted(said, 4)
    assert notes(said)[3].startswith("k ends")
    assert first.info().status is Status.RUNNING
    gate.touch()
    up_again([first, second], [2, 2])
    assert notes(said)[4:] == ["a ends", "a begins", "b begins"]
