"""Restarts of a whole system: how many begin in a second, in which order, and what becomes of those in quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lifecycle.scene import START
from tests.unit.lifecycle.world import World
from understudy.lifecycle.actor import Body, Hold, Wish
from understudy.lifecycle.budget import QUARANTINE_FROM
from understudy.lifecycle.effects import Publish
from understudy.lifecycle.events import Alarm, Event, Expired, Kill, Ready, Restart, Stop
from understudy.lifecycle.governor import PATIENCE, Governor
from understudy.lifecycle.registry import Registry
from understudy.lifecycle.standing import held_back
from understudy.status import Status

pytestmark = [pytest.mark.requirement("L5"), pytest.mark.fault("F41")]

PATIENT = {"lives": 1000, "timeouts.startup": None}
AT_ONCE = {**PATIENT, "restart.backoff.base": 0}
CAP = 20.0
STEADY = {**PATIENT, "restart.backoff.base": 1, "restart.backoff.cap": CAP, "restart.backoff.jitter": 0}


class Troop(World):
    """Actors of a system with such a rate; what became due, and what began, in its order."""

    def __init__(self, rate: int | None, count: int = 0, config: Mapping[str, Any] = AT_ONCE) -> None:
        super().__init__(Registry(governor=Governor(rate)))
        self.due: list[int] = []
        self.began: list[tuple[float, int]] = []
        """Restarts that nobody asked for."""
        self.told: list[Publish] = []
        self.uids = [self.spawn(None, config, ("loop",)) for _ in range(count)]

    def happen(self, uid: int, event: Event) -> None:
        """As the world does, and take it down."""
        before = self.registry.actors[uid]
        super().happen(uid, event)
        if before.status is Status.RESTARTING and event == Expired(Alarm.BACKOFF):
            self.due.append(uid)
        begins = self.registry.actors[uid].incarnation > before.incarnation
        if begins and before.wish is not Wish.RESTART and not isinstance(event, Restart):
            self.began.append((self.now, uid))

    def perform(self, uid: int, effects: tuple[Any, ...]) -> None:
        """As the world does, and take down what was told of those that are held."""
        super().perform(uid, effects)
        self.told += [effect for effect in effects if isinstance(effect, Publish) and effect.kind == "held"]

    def crash(self, uid: int) -> None:
        """Its process, READY, is lost, and its pause, of no length, is over."""
        self.come_up(uid)
        self.die(self.children[uid], None, "SIGKILL")
        self.pass_time(0)

    def come_up(self, uid: int) -> None:
        """It is born, and READY."""
        if uid in self.asked:
            self.bear(uid)
        if self.registry.actors[uid].ready_at is None:
            self.happen(uid, Ready())

    def fail_before_ready(self, *uids: int, times: int = QUARANTINE_FROM) -> None:
        """So many deaths of each before READY, one after the other; the pause after the last one begins."""
        for number in range(times):
            if number:
                self.pass_time(CAP)
            for uid in uids:
                self.bear(uid)
                self.die(self.children[uid], 6, None)

    def seconds(self) -> list[float]:
        """When restarts began, since the start."""
        return [at - START for at, _ in self.began]

    def queue(self) -> list[int]:
        """Who queues."""
        return [due.uid for due in self.registry.governor.queue]

    def begins_in(self, uid: int) -> float | None:
        """As `info().next_restart` tells it."""
        return self.registry.next_restart(self.registry.actors[uid], self.now)


def crashed(rate: int | None, count: int) -> Troop:
    """All have crashed at once, in the order of their spawn."""
    troop = Troop(rate, count)
    for uid in troop.uids:
        troop.crash(uid)
    return troop


def quarantined(count: int, config: Mapping[str, Any] = STEADY) -> Troop:
    """All are in quarantine, in the pause before the next probe."""
    troop = Troop(None, count, config)
    troop.fail_before_ready(*troop.uids)
    return troop


# --- so many a second


def test_so_many_restarts_begin_at_once_and_the_others_a_second_later_in_their_order():
    troop = crashed(3, 8)
    troop.pass_time(60)
    assert troop.seconds() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [uid for _, uid in troop.began] == troop.uids


def test_without_a_bound_all_begin_at_once():
    assert crashed(None, 300).seconds() == [0] * 300


def test_a_lone_restart_is_not_held_up():
    troop = crashed(1, 1)
    assert (troop.seconds(), troop.told, troop.queue()) == ([0], [], [])


@given(
    rate=st.integers(1, 4),
    steps=st.lists(st.tuples(st.integers(0, 5), st.floats(0, 0.7)), max_size=60),
)
def test_in_no_second_more_begin_and_each_in_the_order_in_which_it_became_due(rate, steps):
    troop = Troop(rate, 6)
    for number, pause in steps:
        uid = troop.uids[number]
        if troop.registry.actors[uid].status is not Status.RESTARTING:
            troop.crash(uid)
        troop.pass_time(pause)
    troop.pass_time(60)
    times = [at for at, _ in troop.began]
    assert all(later >= sooner + 1 for sooner, later in zip(times, times[rate:], strict=False))
    assert [uid for _, uid in troop.began] == troop.due
    assert troop.queue() == []


@given(rate=st.integers(1, 4), count=st.integers(1, 12), pauses=st.lists(st.floats(0, 0.7), min_size=12, max_size=12))
def test_a_restart_begins_when_it_was_foreseen_if_nothing_comes_between(rate, count, pauses):
    troop = Troop(rate, count)
    for uid, pause in zip(troop.uids, pauses, strict=False):
        troop.crash(uid)
        troop.pass_time(pause)
    foreseen = {uid: troop.now + (troop.begins_in(uid) or 0) for uid in troop.queue()}
    troop.began.clear()
    troop.pass_time(60)
    assert {uid: at for at, uid in troop.began} == pytest.approx(foreseen)


def test_one_that_queues_says_so_once_and_until_its_turn():
    troop = crashed(1, 2)
    first, second = (troop.registry.actors[uid] for uid in troop.uids)
    assert (held_back(first), held_back(second)) == (None, Hold.QUEUED)
    assert [(told.after, troop.begins_in(troop.uids[1])) for told in troop.told] == [("queued", 1.0)]
    assert "queued" in troop.registry.story(second.uid)[-1]
    troop.pass_time(1)
    assert held_back(troop.registry.actors[second.uid]) is None
    assert "its turn came" in troop.registry.story(second.uid)[-1]
    assert len(troop.told) == 1


def test_a_restart_that_is_due_at_the_same_moment_stays_behind_those_that_queue():
    troop = crashed(2, 3)
    troop.now += 1  # now two may begin, but the clock has not rung yet
    late = troop.spawn(None, AT_ONCE, ("loop",))
    troop.come_up(late)
    troop.die(troop.children[late], 1, None)
    troop.happen(late, Expired(Alarm.BACKOFF))
    assert troop.queue() == [troop.uids[2], late]
    troop.release()
    assert [uid for _, uid in troop.began] == [*troop.uids, late]


# --- what is asked for


def test_a_restart_by_request_begins_at_once_is_not_counted_and_lets_those_behind_move_up():
    troop = crashed(1, 4)
    asked, *behind = troop.uids[1:]
    assert [troop.begins_in(uid) for uid in behind] == [2, 3]
    troop.happen(asked, Restart())
    assert troop.registry.actors[asked].status is Status.STARTING
    assert troop.queue() == behind
    assert [troop.begins_in(uid) for uid in behind] == [1, 2]
    troop.pass_time(60)
    assert troop.seconds() == [0, 1, 2]


def test_restarts_by_request_of_what_runs_neither_wait_nor_make_others_wait():
    troop = Troop(1, 20)
    for uid in troop.uids:
        troop.come_up(uid)
        troop.happen(uid, Restart())
        troop.die(troop.children[uid], 0, None)
    assert len(troop.asked) == 20
    troop.crash(troop.uids[0])
    assert troop.seconds() == [0]


@pytest.mark.parametrize("end", [Stop(), Kill(), Expired(Alarm.JOIN)], ids=["stop", "kill", "join_in"])
def test_who_ends_while_it_queues_leaves_the_queue(end):
    troop = crashed(1, 4)
    troop.happen(troop.uids[1], end)
    assert troop.registry.actors[troop.uids[1]].status.ended
    assert troop.queue() == troop.uids[2:]
    troop.pass_time(60)
    assert [uid for _, uid in troop.began] == [troop.uids[0], *troop.uids[2:]]


def test_a_stop_of_all_amid_the_queue_ends_those_that_queue_at_once():
    troop = crashed(2, 300)
    for actor in troop.registry.living():
        troop.happen(actor.uid, Stop())
    assert len(troop.registry.living()) == 2
    assert (troop.queue(), troop.registry.governor.next()) == ([], None)


# --- forks that fail


def test_a_fork_that_failed_gives_its_place_to_another():
    troop = crashed(1, 3)
    troop.fail(troop.uids[0], lost=False)
    assert troop.registry.governor.ready(troop.now) == [troop.uids[1]]
    troop.release()
    assert [uid for _, uid in troop.began] == troop.uids[:2]


def test_a_fork_that_failed_gives_back_its_own_place_and_no_other():
    troop = crashed(1, 2)
    first, second = troop.uids
    troop.come_up(first)
    troop.happen(first, Restart())
    troop.die(troop.children[first], 0, None)
    troop.fail(first, lost=False)
    assert troop.registry.governor.ready(troop.now) == []
    assert second in troop.queue()


def test_a_fork_that_was_lost_with_its_zygote_is_one_restart_and_not_two():
    troop = crashed(2, 1)
    troop.fail(troop.uids[0], lost=True)
    assert len(troop.registry.governor.begun) == 1
    assert troop.uids[0] in troop.asked


# --- quarantine


def test_five_deaths_before_ready_in_a_row_are_a_quarantine_and_four_are_none():
    troop = Troop(None, 1, STEADY)
    (uid,) = troop.uids
    troop.fail_before_ready(uid, times=4)
    assert held_back(troop.registry.actors[uid]) is None
    assert troop.begins_in(uid) == 8
    troop.pass_time(8)
    troop.fail_before_ready(uid, times=1)
    assert held_back(troop.registry.actors[uid]) is Hold.QUARANTINE
    assert troop.begins_in(uid) == CAP


def test_a_quarantine_lasts_over_its_probes_until_one_is_ready():
    troop = quarantined(1)
    (uid,) = troop.uids
    for _ in range(3):
        troop.pass_time(CAP)
        assert troop.registry.actors[uid].status is Status.STARTING
        assert held_back(troop.registry.actors[uid]) is Hold.QUARANTINE
        troop.bear(uid)
        troop.die(troop.children[uid], 6, None)
    troop.pass_time(CAP)
    troop.come_up(uid)
    assert held_back(troop.registry.actors[uid]) is None
    troop.die(troop.children[uid], 6, None)
    assert held_back(troop.registry.actors[uid]) is None


def test_only_deaths_in_a_row_count():
    troop = Troop(None, 1, STEADY)
    (uid,) = troop.uids
    for _ in range(3):
        troop.fail_before_ready(uid, times=4)
        troop.pass_time(CAP)
        troop.come_up(uid)
        troop.die(troop.children[uid], 6, None)
        assert held_back(troop.registry.actors[uid]) is None
        troop.pass_time(CAP)


def test_forks_that_failed_are_no_deaths():
    troop = Troop(None, 1, STEADY)
    (uid,) = troop.uids
    for _ in range(7):
        troop.fail(uid, lost=False)
        assert held_back(troop.registry.actors[uid]) is None
        troop.pass_time(CAP)


@pytest.mark.parametrize("waits", [False, True], ids=["in its pause", "waiting for another's probe"])
def test_a_restart_by_request_frees_from_quarantine(waits):
    troop = quarantined(2)
    troop.pass_time(CAP * waits)
    uid = troop.uids[1]
    troop.happen(uid, Restart())
    actor = troop.registry.actors[uid]
    assert (actor.status, held_back(actor), actor.budget.stillbirths) == (Status.STARTING, None, 0)
    assert uid not in troop.queue()


def test_one_in_quarantine_is_tried_at_a_time_and_the_next_when_that_is_decided():
    troop = quarantined(4)
    troop.pass_time(CAP)
    first, second, third, fourth = troop.uids
    assert (list(troop.asked), troop.queue()) == ([first], [second, third, fourth])
    assert [told.after for told in troop.told] == ["quarantine"] * 3
    troop.bear(first)
    troop.die(troop.children[first], 6, None)
    troop.pass_time(0)
    assert list(troop.asked) == [second]
    troop.come_up(second)
    troop.pass_time(0)
    assert list(troop.asked) == [third]
    troop.happen(third, Kill())
    troop.bear(third)
    troop.die(troop.children[third], None, "SIGKILL")
    troop.pass_time(0)
    assert list(troop.asked) == [fourth]


@pytest.mark.parametrize("end", ["a restart by request", "last rites"])
def test_a_probe_whose_actor_gets_another_process_at_once_holds_up_nobody(end):
    troop = Troop(None)
    troop.uids = [troop.spawn(None, {**STEADY, "lives": QUARANTINE_FROM + 1}, ("loop", "error")) for _ in range(2)]
    troop.fail_before_ready(*troop.uids)
    troop.pass_time(CAP)
    first, second = troop.uids
    troop.bear(first)
    if end == "a restart by request":
        troop.happen(first, Restart())
    troop.die(troop.children[first], 6, None)
    troop.pass_time(0)
    assert list(troop.asked) == [first, second]


def test_a_probe_that_comes_to_nothing_holds_up_the_next_one_for_a_while_only():
    troop = quarantined(3)
    troop.pass_time(CAP)
    assert [troop.begins_in(uid) for uid in troop.uids[1:]] == [PATIENCE, 2 * PATIENCE]
    troop.bear(troop.uids[0])
    troop.pass_time(2 * PATIENCE)
    assert [at - troop.began[-3][0] for at, _ in troop.began[-3:]] == [0, PATIENCE, 2 * PATIENCE]


def test_nobody_waits_for_those_in_quarantine_but_they_count():
    troop = quarantined(2)
    troop.registry.governor = Governor(1, probe=troop.registry.governor.probe)
    well = [troop.spawn(None, AT_ONCE, ("loop",)) for _ in range(2)]
    troop.pass_time(CAP)
    assert troop.queue() == [troop.uids[1]]
    for uid in well:
        troop.crash(uid)
    assert troop.queue() == [troop.uids[1], *well]
    troop.began.clear()
    troop.pass_time(2)
    assert [uid for _, uid in troop.began] == well


def test_without_a_pause_there_is_none_in_quarantine_either():
    troop = Troop(None, 1, AT_ONCE)
    (uid,) = troop.uids
    for _ in range(9):
        troop.bear(uid)
        troop.die(troop.children[uid], 6, None)
        troop.pass_time(0)
    assert troop.seconds() == [0] * 9
    assert held_back(troop.registry.actors[uid]) is Hold.QUARANTINE


@given(
    rate=st.sampled_from([None, 1, 2]),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["die", "die", "ready"]), st.floats(0, 8)), max_size=60
    ),
)
def test_no_two_probes_are_undecided_at_a_time_unless_the_first_has_been_for_long(rate, steps):
    troop = quarantined(4)
    troop.registry.governor = Governor(rate)
    probes: dict[int, float] = {}
    for number, end, pause in steps:
        troop.began.clear()
        troop.pass_time(pause)
        for at, uid in troop.began:
            if held_back(troop.registry.actors[uid]) is Hold.QUARANTINE:
                assert all(at >= since + PATIENCE for since in probes.values())
                probes[uid] = at
        uid = troop.uids[number]
        if troop.registry.actors[uid].body is Body.NONE:
            continue
        probes.pop(uid, None)
        if end == "ready":
            troop.come_up(uid)
            continue
        if uid in troop.asked:
            troop.bear(uid)
        troop.die(troop.children[uid], 6, None)
