"""What becomes of a group that begins anew too often: its end, that of the one above, and at the top the system's."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.groups.players import Player, kills_itself, raises, raises_at_the_gate
from tests.stage import note, noted, notes, report_of, running, until
from understudy import (
    ActorDied,
    ActorSystem,
    GroupEnded,
    GroupFailed,
    MainLoopError,
    Observer,
    Process,
    ReceiveError,
    Status,
    SystemClosed,
)

pytestmark = pytest.mark.requirement("S8", "L1")


def is_up(ref, incarnation):
    info = ref.info()
    return info.incarnation == incarnation and info.status is Status.RUNNING


def die(ref, incarnation):
    """Its process of that life is killed, once it is up."""
    until(lambda: is_up(ref, incarnation), 30, "that life")
    os.kill(ref.info().pid, signal.SIGKILL)


def is_over(system):
    until(lambda: not system.is_open, 40, "the end of the system")


def test_beyond_its_budget_the_system_ends_and_whoever_waits_hears_why(system, said, troupe):
    (said.parent / "others").mkdir()
    other = system.spawn(Player, "z", said.parent / "others" / "said", name="other")
    running(other)
    group = system.group("play", restarts=2, window=600)
    refs = troupe(group, "abc")
    for incarnation in (1, 2, 3):
        die(refs[1], incarnation)
    with pytest.raises(GroupFailed) as caught:
        group.wait(40)
    error = caught.value
    assert str(error) == ("the group play gives up: more than 2 restarts within 600 s; the last to die was play/b")
    assert isinstance(error.__cause__, ActorDied)
    assert error.report is report_of(error.__cause__)
    assert (error.name, error.report.name, error.report.signal) == ("play", "play/b", "SIGKILL")
    assert [str(ref.wait(30)) for ref in refs] == ["FINISHED", "CRASHED", "FINISHED"]
    assert notes(said)[-2:] == ["c ends", "a ends"]
    is_over(system)
    assert other.wait(30) is Status.FINISHED
    with pytest.raises(SystemClosed, match="the group play gives up: more than 2 restarts") as closed:
        system.spawn(Player, "a", said)
    assert isinstance(closed.value.__cause__, GroupFailed)
    assert closed.value.__cause__.report == error.report
    with pytest.raises(SystemClosed, match="the group play gives up") as closed:
        system._calls.make(int)  # as who asked at the last moment
    assert isinstance(closed.value.__cause__, GroupFailed)
    with pytest.raises(GroupFailed):  # also later
        group.wait()
    system.shutdown()


def test_two_floors_up_each_begins_anew_with_a_clean_slate_until_the_top_has_no_more(system, said, troupe):
    top = system.group("g", strategy="one_for_one", restarts=1, window=600)
    first = troupe(top, "a")
    middle = top.group("in", strategy="one_for_all", restarts=0)
    inner = middle.group("most", strategy="one_for_one", restarts=1, window=600)
    refs = troupe(inner, "bc")
    last = troupe(top, "d")
    assert [ref.name for ref in top.members()] == ["g/a", "g/in/most/b", "g/in/most/c", "g/d"]
    die(refs[0], 1)  # borne by the innermost
    die(refs[0], 2)  # by the top, for the middle may bear none
    until(lambda: refs[1].info().incarnation == 2, 30, "the whole inner group's new life")
    die(refs[0], 3)  # again by the innermost
    until(lambda: refs[0].info().incarnation == 4, 30, "the next life")
    assert [ref.info().incarnation for ref in (*first, *refs, *last)] == [1, 4, 2, 1]
    die(refs[1], 2)
    with pytest.raises(GroupFailed, match=r"the group g gives up: .*, for what stands in it used up its own"):
        inner.wait(40)
    is_over(system)
    # The first of these when the inner group began anew, which the outer ones had no part in.
    assert [line for line in notes(said) if "ends" in line] == ["c ends before d", "d ends", "b ends", "a ends"]


def test_it_gives_up_at_the_first_death_where_it_may_bear_none_and_the_error_of_an_exception_is_the_cause(
    system, said, troupe
):
    group = system.group("play", restarts=0)
    (ref,) = troupe(group, "a")
    ref.tell(raises)
    with pytest.raises(GroupFailed) as caught:
        group.wait(40)
    assert isinstance(caught.value.__cause__, ReceiveError)
    assert isinstance(caught.value.__cause__.__cause__, ValueError)
    assert ref.exception() is caught.value.__cause__
    is_over(system)


def told_beside_a_death(system, ref, gate):
    """What is told behind a message that ends its life, when the gate opens: who handles it."""
    ref.tell(raises_at_the_gate)
    ref.tell(lambda self: note(self.said.with_name(f"told-{self.who}"), self.incarnation))
    until(lambda: ref.info().section == "receive", 30, "the first message")
    gate.touch()
    handled = noted(gate.with_name(f"told-{ref.name[-1]}"))
    gate.unlink()
    assert not system.dead_letters.total
    return handled


@pytest.mark.requirement("A7")
def test_what_was_told_is_for_the_next_life_whichever_group_gives_it_and_whatever_was_left_at_its_birth(
    system, troupe, tmp_path
):
    gate = tmp_path / "gate"
    top = system.group("g", restarts=3)
    (ref,) = troupe(top.group("in", restarts=0), "a")
    assert ref.info().lives_left == 3
    assert told_beside_a_death(system, ref, gate) == ["2"]
    group = system.group("h", restarts=1, window=1)
    (ref,) = troupe(group, "b")
    die(ref, 1)
    until(lambda: is_up(ref, 2) and ref.info().lives_left == 1, 30, "what is forgiven")
    assert told_beside_a_death(system, ref, gate) == ["3"]


class Boots(Process):
    """Its state does not open any more once that file is there."""

    def __init__(self, flag):
        self.flag = flag

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.flag.exists():
            raise ImportError("no such thing")

    def __receive__(self, act):
        return act(self)


def test_a_state_that_does_not_open_uses_up_the_budget_and_ends(system, tmp_path):
    group = system.group("play", restarts=3, window=600)
    ref = group.spawn(Boots, tmp_path / "flag", config={"restart.backoff.base": 0})
    running(ref)
    (tmp_path / "flag").touch()
    os.kill(ref.info().pid, signal.SIGKILL)
    with pytest.raises(GroupFailed):
        group.wait(40)
    assert [life.incarnation for life in ref.history()] == [1, 2, 3, 4]
    is_over(system)


class Rites(Player):
    """Fails at once, and has a last word."""

    def __loop__(self):
        raise ConnectionError("the line is dead")

    def __error__(self):
        return f"as far as life {self.incarnation}"


def test_last_rites_are_held_when_the_group_has_no_more_restarts(system, said, troupe):
    group = system.group("play", restarts=1, window=600)
    (ref,) = troupe(group, "a", kind=Player)
    hero = group.spawn(Rites, "b", said, name="b")
    until(hero.done, 40, "its end")
    assert hero.result() == "as far as life 2"
    assert isinstance(hero.exception(), MainLoopError)
    assert ref.wait(30) is Status.FINISHED
    is_over(system)


def test_in_asyncio_and_over_the_stream_it_is_the_same(nothing_is_left_behind, said):
    async def main():
        async with ActorSystem("troupe") as system:
            group = system.group("play", strategy="one_for_all", restarts=1, window=600)
            refs = [group.spawn(Player, name, said, name=name) for name in "ab"]
            for ref in refs:
                await ref.aio.wait_ready(30)
            with Observer(system.endpoint) as stream:
                for incarnation in (1, 2):
                    await asyncio.to_thread(until, lambda number=incarnation: is_up(refs[0], number), 30)
                    refs[0].tell(kills_itself)
                with pytest.raises(GroupFailed):
                    await group.aio.wait(40)
                events = [event for event in iter(lambda: stream.next(0.2), None) if event.kind == "group"]
            return [(event.name, event.after) for event in events]

    assert asyncio.run(main()) == [("play/a", "restart"), ("play/a", "failed")]


def test_a_group_that_was_stopped_is_no_failure_and_another_of_its_name_may_follow(system, said, troupe):
    group = system.group("play")
    refs = troupe(group, "ab")
    assert (group.stop(), group.stop()) == ("asked", "already")
    group.wait(30)
    assert [ref.wait(0) for ref in refs] == [Status.FINISHED] * 2
    assert (group.stop(), group.kill(), group.restart(), group.members()) == ("ended", "ended", "ended", [])
    with pytest.raises(GroupEnded) as caught:
        group.spawn(Player, "c", said)
    assert not isinstance(caught.value, GroupFailed)
    anew = system.group("play")
    assert [ref.name for ref in troupe(anew, "a")] == ["play/a"]
    assert noted(said, 5)
    group.wait(0)
