"""Groups: who begins anew with whom, in which order, how often, and what becomes of it when it is too often."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.crew import Crew
from tests.unit.lifecycle.scene import boom, boot
from tests.unit.lifecycle.world import Deed
from understudy.errors import ConfigError, GroupEnded, GroupFailed, NameTaken
from understudy.lifecycle.actor import Wish
from understudy.lifecycle.events import Errored, Finishing, Kill, Restart, Resulted, Stop
from understudy.lifecycle.groups.plans import Farewell, Pace
from understudy.lifecycle.ladder import graceful
from understudy.status import Status

pytestmark = pytest.mark.requirement("S8")


@pytest.fixture
def crew():
    return Crew()


def lives(crew, names="abcd"):
    return [crew.named(name).incarnation for name in names]


def statuses(crew, names):
    return [crew.named(name).status for name in names]


ORDER = {
    "one_for_one": ["down b", "begin b", "ready b"],
    "one_for_all": [
        "down b", "end d", "down d", "end c", "down c", "end a", "down a",
        "begin a", "ready a", "begin b", "ready b", "begin c", "ready c", "begin d", "ready d",
    ],
    "rest_for_one": [
        "down b", "end d", "down d", "end c", "down c",
        "begin b", "ready b", "begin c", "ready c", "begin d", "ready d",
    ],
}  # fmt: skip


@pytest.mark.parametrize("strategy", ORDER)
def test_the_strategy_says_who_begins_anew_the_last_ends_first_and_each_begins_when_the_one_before_is_ready(
    crew, strategy
):
    crew.found("g", strategy)
    crew.add("g", *"abcd")
    crew.crash("b")
    crew.goes_on()
    assert crew.log == ORDER[strategy]
    assert lives(crew) == {"one_for_one": [1, 2, 1, 1], "one_for_all": [2] * 4, "rest_for_one": [1, 2, 2, 2]}[strategy]
    assert not crew.company.plans
    assert crew.group("g").left(crew.now) == 2
    assert crew.registry.restarts["crash"] == 1
    assert crew.registry.restarts.total() == sum(lives(crew)) - 4


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_many_that_die_at_once_are_one_death(crew, strategy):
    crew.found("g", strategy, restarts=1)
    crew.add("g", *"abcd")
    crew.crash(*"abcd")
    crew.goes_on()
    assert lives(crew) == [2] * 4
    assert crew.group("g").left(crew.now) == 0
    assert not crew.failed


def test_one_for_one_counts_each_death_and_beyond_its_budget_the_group_gives_up(crew):
    crew.found("g", restarts=2)
    crew.add("g", *"abcd")
    crew.crash("a", "c", "d")
    assert [effect.name for effect in crew.failed] == ["g"]
    assert "more than 2 restarts within 5 s; the last to die was d" in crew.failed[0].cause
    with pytest.raises(GroupFailed):
        crew.company.seat(crew.group("g").number)
    crew.goes_on()
    assert crew.registry.living() == []
    assert statuses(crew, "abcd") == [Status.CRASHED, Status.FINISHED, Status.CRASHED, Status.CRASHED]
    assert lives(crew) == [1] * 4
    assert not crew.company.groups


def test_what_is_older_than_the_window_does_not_count(crew):
    crew.found("g", restarts=1)
    crew.add("g", "a")
    for _ in range(4):
        crew.crash("a")
        crew.goes_on()
        crew.pass_time(5.0)
    assert lives(crew, "a") == [5]
    assert crew.named("a").budget.crashes == ()  # which nothing would bound
    crew.crash("a")
    crew.goes_on()
    assert crew.named("a").status is Status.RUNNING
    crew.crash("a")
    assert crew.named("a").status is Status.CRASHED
    assert crew.failed


def test_a_death_before_ready_while_the_others_wait_counts_and_all_end_again(crew):
    crew.found("g", "one_for_all")
    uids = crew.add("g", *"abc")
    crew.crash("a")
    crew.goes_on(until="begin b")
    crew.bear(uids[1])
    crew.log.clear()
    crew.crash("b")
    crew.pass_time(0.0)
    assert crew.log == ["down b", "end a"]
    crew.goes_on()
    assert lives(crew, "abc") == [3, 3, 2]
    assert crew.group("g").left(crew.now) == 1


def test_who_has_finished_does_not_begin_anew_for_others_and_is_no_death_but_with_policy_always(crew):
    crew.found("g", "one_for_all", restarts=1)
    crew.add("g", *"abc")
    crew.finish("b")
    assert statuses(crew, "abc") == [Status.RUNNING, Status.FINISHED, Status.RUNNING]
    crew.crash("c")
    crew.goes_on()
    assert lives(crew, "abc") == [2, 1, 2]
    crew.add("g", "d", config={"restart.policy": "always"})
    crew.pass_time(5.0)
    crew.finish("d")
    crew.goes_on()
    assert lives(crew, "acd") == [3, 3, 2]
    crew.finish("d")
    assert crew.failed
    assert crew.named("d").status is Status.FINISHED


def test_who_lives_once_only_is_neither_begun_anew_nor_counted(crew):
    crew.found("g", "one_for_all", restarts=0, parent=None)
    crew.add("g", "a", "b", config={"restart.policy": "never"})
    crew.add("g", "c")
    crew.crash("a")
    assert statuses(crew, "abc") == [Status.CRASHED, Status.RUNNING, Status.RUNNING]
    number = crew.group("g").number
    crew.steer(lambda company, look, now: company.restart(number, look, now))
    crew.goes_on()
    assert statuses(crew, "abc") == [Status.CRASHED, Status.FINISHED, Status.RUNNING]
    assert lives(crew, "abc") == [1, 1, 2]


@pytest.mark.parametrize("way", ["stop", "kill", "finishes late"])
def test_what_was_asked_of_a_member_is_no_death(crew, way):
    crew.found("g", "one_for_all", restarts=0)
    (uid, _) = crew.add("g", *"ab")
    crew.happen(uid, Kill() if way == "kill" else Stop(graceful(0.0, crew.now) if way == "finishes late" else ()))
    if way == "stop":
        crew.crash("a")
    crew.goes_on()
    assert crew.named("a").status.ended
    assert crew.named("b").incarnation == 1
    assert not crew.failed


def test_a_state_that_does_not_open_is_a_death_like_any_other(crew):
    crew.found("g", restarts=2)
    (uid,) = crew.add("g", "a")
    crew.crash("a")
    crew.pass_time(0.0)
    crew.bear(uid)
    crew.say(crew.children[uid], Errored(boot(2)), Deed.TOLD)
    crew.die(crew.children[uid], 1, None)
    crew.pass_time(0.0)
    assert crew.named("a").incarnation == 3
    crew.bear(uid)
    crew.say(crew.children[uid], Errored(boot(3)), Deed.TOLD)
    crew.die(crew.children[uid], 1, None)
    assert crew.named("a").status is Status.CRASHED
    assert crew.failed


def test_last_rites_are_held_when_the_group_has_no_restart_left_and_it_gives_up_when_they_begin(crew):
    crew.found("g", restarts=0)
    (uid, _) = crew.add("g", *"ab", hooks=("loop", "error"))
    crew.say(crew.children[uid], Errored(boom()), Deed.TOLD)
    assert crew.named("a").rites_for is not None
    assert crew.failed
    assert crew.named("b").wish is Wish.STOP
    crew.goes_on()
    assert statuses(crew, "ab") == [Status.CRASHED, Status.FINISHED]


def test_of_two_that_were_promised_the_last_restart_one_holds_its_rites_in_a_process_of_their_own(crew):
    crew.found("g", restarts=1)
    uids = crew.add("g", *"ab", hooks=("loop", "error"))
    for uid in uids:
        crew.say(crew.children[uid], Errored(boom()), Deed.TOLD)
    for uid in uids:
        crew.die(crew.children[uid], 1, None)
    assert crew.failed
    assert crew.named("b").rites_for is not None
    crew.goes_on()
    assert statuses(crew, "ab") == [Status.CRASHED, Status.CRASHED]


# --- groups in groups


@pytest.mark.parametrize(
    ("outer", "begun"),
    [("one_for_one", "ab"), ("rest_for_one", "aby"), ("one_for_all", "xaby")],
)
def test_a_group_that_gives_up_is_a_death_in_the_one_above_and_begins_anew_with_a_clean_slate(crew, outer, begun):
    crew.found("g", outer, restarts=1)
    crew.add("g", "x")
    crew.found("g/in", restarts=1, parent="g")
    crew.add("g/in", "a", "b")
    crew.add("g", "y")
    crew.crash("a")
    crew.goes_on()
    assert (lives(crew, "xaby"), crew.group("g").left(crew.now)) == ([1, 2, 1, 1], 1)
    crew.log.clear()
    crew.crash("b")
    crew.goes_on()
    ends = [f"end {name}" for name in reversed(begun) if name != "b"]
    assert [line for line in crew.log if line.startswith("end")] == ends
    assert [line for line in crew.log if line.startswith("begin")] == [f"begin {name}" for name in begun]
    assert (crew.group("g/in").left(crew.now), crew.group("g").left(crew.now)) == (1, 0)
    crew.crash("b")
    crew.goes_on()
    assert not crew.failed
    crew.crash("a")
    assert [effect.name for effect in crew.failed] == ["g"]
    crew.log.clear()
    crew.goes_on()
    assert crew.registry.living() == []


def test_two_floors_up_at_the_top_all_end_from_the_last_to_the_first(crew):
    crew.found("g", restarts=0)
    crew.add("g", "x")
    crew.found("g/in", "one_for_all", restarts=0, parent="g")
    crew.found("g/in/most", "rest_for_one", restarts=0, parent="g/in")
    crew.add("g/in/most", "a", "b")
    crew.add("g", "y")
    crew.crash("a")
    (effect,) = crew.failed
    assert effect.name == "g"
    assert "for what stands in it used up its own" in effect.cause
    crew.goes_on()
    assert crew.log == ["down a", "end y", "down y", "end b", "down b", "end x", "down x"]
    assert not crew.company.groups


def test_inner_groups_are_members_in_their_places(crew):
    crew.found("g", "rest_for_one")
    crew.add("g", "a")
    crew.found("g/in", parent="g")
    crew.add("g", "c")
    crew.add("g/in", "b")
    assert [crew.registry.actors[uid].name for uid in crew.company.members(crew.group("g").number)] == ["a", "b", "c"]
    crew.crash("a")
    crew.goes_on()
    assert [line for line in crew.log if line.startswith("begin")] == ["begin a", "begin b", "begin c"]
    crew.stop("g/in")
    crew.goes_on()
    with pytest.raises(StopIteration):
        crew.group("g/in")
    assert len(crew.group("g").members) == 2


# --- wishes


def test_a_stop_ends_one_after_the_other_and_nothing_comes_up_again(crew):
    crew.found("g", "one_for_all")
    crew.add("g", *"abc")
    number = crew.group("g").number
    crew.stop("g")
    assert crew.log == ["end c"]
    with pytest.raises(GroupEnded) as caught:
        crew.company.seat(number)
    assert not isinstance(caught.value, GroupFailed)
    crew.crash("a")  # which is none of its business any more
    crew.goes_on()
    assert crew.log == ["end c", "down a", "down c", "end b", "down b"]
    assert statuses(crew, "abc") == [Status.CRASHED, Status.FINISHED, Status.FINISHED]
    assert not crew.company.groups


def test_a_stop_amid_a_restart_ends_those_that_live_in_order_and_those_that_wait_at_once(crew):
    crew.found("g", "one_for_all")
    crew.add("g", *"abcd")
    crew.crash("d")
    child = crew.children[crew.named("c").uid]
    crew.say(child, Finishing("", stop=True), Deed.FINISHING)
    crew.say(child, Resulted(["kept"]), Deed.RESULTED)
    crew.die(child, 0, None)
    crew.log.clear()
    crew.stop("g")
    assert statuses(crew, "cd") == [Status.FINISHED, Status.CRASHED]
    crew.goes_on()
    assert crew.log == ["end b", "down b", "end a", "down a"]
    assert lives(crew) == [1] * 4


def test_a_kill_is_for_all_at_once(crew):
    crew.found("g")
    crew.found("g/in", parent="g")
    crew.add("g", *"ab")
    crew.add("g/in", "c")
    number = crew.group("g").number
    crew.steer(lambda company, _, __: company.kill(number))
    assert all(child.doomed for child in crew.children.values())
    crew.goes_on()
    assert statuses(crew, "abc") == [Status.KILLED] * 3
    assert not crew.company.groups


def test_a_restart_by_request_is_in_order_and_no_death(crew):
    crew.found("g", restarts=1)
    crew.add("g", *"abc")
    crew.crash("b")
    crew.goes_on()
    crew.log.clear()
    number = crew.group("g").number
    crew.steer(lambda company, look, now: company.restart(number, look, now))
    assert crew.company.is_busy(number)
    crew.goes_on()
    assert crew.log == [
        "end c", "down c", "end b", "down b", "end a", "down a",
        "begin a", "ready a", "begin b", "ready b", "begin c", "ready c",
    ]  # fmt: skip
    assert not crew.company.is_busy(number)
    assert crew.group("g").left(crew.now) == 1


def test_a_result_that_was_on_its_way_when_the_others_began_anew_is_kept(crew):
    crew.found("g", "one_for_all")
    crew.add("g", *"abc")
    child = crew.children[crew.named("a").uid]
    crew.say(child, Finishing("laps done", stop=False), Deed.FINISHING)
    crew.crash("b")
    crew.goes_on()
    assert statuses(crew, "abc") == [Status.FINISHED, Status.RUNNING, Status.RUNNING]


def test_a_restart_by_hand_of_one_that_waits_for_its_group_comes_in_its_turn(crew):
    crew.found("g", "one_for_all")
    uids = crew.add("g", *"abc")
    crew.crash("c")
    crew.happen(uids[2], Restart())
    assert crew.named("c").incarnation == 1
    crew.happen(uids[1], Restart())
    crew.goes_on()
    assert lives(crew, "abc") == [2, 2, 2]
    assert [line for line in crew.log if line.startswith("begin")] == ["begin a", "begin b", "begin c"]


def test_a_member_that_waits_for_its_group_can_be_stopped_and_killed_and_the_others_go_on(crew):
    crew.found("g", "one_for_all")
    uids = crew.add("g", *"abcd")
    crew.crash("c", "d")
    crew.happen(uids[2], Stop())
    crew.happen(uids[3], Kill())
    crew.goes_on()
    assert statuses(crew, "abcd") == [Status.RUNNING, Status.RUNNING, Status.CRASHED, Status.KILLED]
    assert lives(crew) == [2, 2, 1, 1]


def test_the_pause_of_who_died_goes_on_while_the_others_end_and_is_waited_for_in_its_turn(crew):
    crew.found("g", "one_for_all", restarts=5)
    slow = {"restart.backoff.base": 1, "restart.backoff.jitter": 0, "restart.backoff.cap": 8}
    crew.add("g", "a")
    crew.add("g", "b", config=slow)
    crew.add("g", "c")
    crew.crash("b")
    crew.goes_on()
    crew.log.clear()
    crew.crash("b")
    crew.goes_on()
    assert crew.log == ["down b", "end c", "down c", "end a", "down a", "begin a", "ready a"]
    crew.pass_time(0.9)
    assert "begin b" not in crew.log
    crew.pass_time(0.1)
    crew.goes_on()
    assert crew.log[-4:] == ["begin b", "ready b", "begin c", "ready c"]


def test_a_member_has_ended_when_those_have_that_it_spawned(crew):
    crew.found("g", "one_for_all")
    crew.registry.max_depth = 3
    uids = crew.add("g", *"ab")
    kid = crew.spawn("b/kid", {}, ("loop",), kin=crew.registry.kin(uids[1]))
    crew.come_up(kid)
    crew.crash("b")
    assert crew.named("b/kid").wish is Wish.STOP
    assert crew.named("a").wish is Wish.NOTHING
    crew.goes_on()
    assert lives(crew, "ab") == [2, 2]
    assert crew.log.index("down b/kid") < crew.log.index("end a")


def test_one_that_is_spawned_anew_by_hand_takes_its_place_again(crew):
    crew.found("g", "rest_for_one")
    crew.add("g", *"abc")
    crew.finish("a")
    old = crew.named("a")
    kin, seat = crew.registry.kept_place(old)
    assert seat == old.seat
    crew.come_up(crew.spawn("a", {}, ("loop",), kin, seat))
    crew.crash("a")
    crew.goes_on()
    assert lives(crew, "abc") == [2, 2, 2]
    crew.stop("g")
    crew.goes_on()
    assert crew.registry.kept_place(crew.named("a")) == (None, None)


# --- time


def test_a_grace_is_for_all_and_who_is_asked_while_others_wait_has_half_of_what_is_left(crew):
    crew.found("g")
    crew.add("g", *"abc")
    crew.stop("g", Farewell(Pace.GRACE, crew.now + 8))
    assert crew.rungs["c"] == (2, 3, 4)
    crew.pass_time(4)
    assert crew.children[crew.named("c").uid].doomed
    crew.crash("c")
    assert crew.rungs["b"] == (1, 1.5, 2)
    crew.crash("b")
    assert crew.rungs["a"] == (2, 3, 4)


def test_at_a_shutdown_each_has_its_ladder_as_far_as_the_time_of_all_reaches(crew):
    crew.found("g")
    crew.add("g", "a", config={"stop.command": 1.0, "stop.term": 0.5, "stop.term_again": 0.5})
    crew.add("g", "b", "c")
    crew.stop("g", Farewell(Pace.SHUTDOWN, crew.now + 20))
    assert crew.rungs["c"] == (5, 7.5, 10)
    crew.crash("c")
    assert crew.rungs["b"] == (5, 7.5, 10)
    crew.crash("b")
    assert crew.rungs["a"] == (1, 1.5, 2)


def test_a_later_stop_may_only_be_sooner_and_an_inner_one_changes_nothing_of_the_outer(crew):
    crew.found("g")
    crew.found("g/in", parent="g")
    crew.add("g/in", "a")
    crew.add("g", "b")
    crew.stop("g")
    assert crew.rungs["b"] == ()
    crew.stop("g", Farewell(Pace.GRACE, crew.now + 8))
    assert crew.rungs["b"] == (2, 3, 4)
    crew.stop("g", Farewell(Pace.GRACE, crew.now + 80))
    crew.stop("g/in", Farewell(Pace.GRACE, crew.now))
    assert crew.rungs["b"] == (2, 3, 4)
    assert "end a" not in crew.log


def test_each_is_ended_by_its_own_ladder_when_a_group_begins_anew(crew):
    crew.found("g", "one_for_all")
    crew.add("g", "a", config={"stop.command": 1.0, "stop.term": 0.5, "stop.term_again": 0.5})
    crew.add("g", "b")
    crew.crash("b")
    assert crew.rungs["a"] == (1, 1.5, 2)
    crew.pass_time(2)
    assert crew.children[crew.named("a").uid].doomed
    crew.goes_on()
    assert lives(crew, "ab") == [2, 2]


# --- what is said of them


def test_a_name_is_one_living_groups_and_settings_are_checked(crew):
    crew.found("g")
    with pytest.raises(NameTaken):
        crew.found("g")
    with pytest.raises(ConfigError):
        crew.found("h", "one_for_some")
    with pytest.raises(ConfigError):
        crew.found("h", restarts=-1)
    crew.stop("g")
    crew.found("g")


def test_lives_left_are_those_of_the_group_and_the_group_is_named(crew):
    crew.found("g", restarts=3)
    crew.add("g", "a", config={"lives": 1})
    crew.add("g", "b", config={"restart.policy": "never"})
    crew.found("g/in", restarts=1, parent="g")
    crew.add("g/in", "c")
    crew.crash("a")
    crew.goes_on()
    assert crew.registry.lives_left(crew.named("c"), crew.now) == 3
    assert crew.registry.lives_left(crew.named("a"), crew.now) == 2
    assert crew.registry.lives_left(crew.named("b"), crew.now) == 0
    assert crew.company.name_of(crew.named("a")) == "g"


def test_what_a_group_does_is_told_with_the_death_that_it_does_it_for(crew):
    crew.found("g", "one_for_all", restarts=1)
    crew.add("g", *"ab")
    crew.crash("a")
    crew.goes_on()
    crew.crash("b")
    assert [(effect.after, effect.cause) for effect in crew.told] == [
        ("restart", "g begins anew, by one_for_all, for the death of a"),
        ("failed", "the group g gives up: more than 1 restarts within 5 s; the last to die was b"),
    ]
