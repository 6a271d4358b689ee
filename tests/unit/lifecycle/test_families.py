"""Who spawned whom, in the registry: names, and what befalls others by an end."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.scene import SIGKILLED, START, boom, spec
from understudy.errors import ConfigError, DepthExceeded, ParentStopping
from understudy.lifecycle.actor import Tie, Wish
from understudy.lifecycle.effects import PassOn
from understudy.lifecycle.events import Died, Errored, Forked, Kill, Place, Ready, Restart, Stop
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.registry import Registry
from understudy.status import Status

NOW = Moment(START)
pytestmark = pytest.mark.requirement("A6")


def up(registry, uid):
    registry.apply(uid, Forked(1000 + uid), NOW)
    registry.apply(uid, Ready(), NOW)
    return uid


def spawned(registry, name="boss", parent=None, tie=Tie.LOOSE, **config):
    kin = None if parent is None else registry.kin(parent, tie)
    return up(registry, registry.admit(spec(config), name, NOW, kin)[0].uid)


def passed_on(effects):
    return [(effect.uid, effect.wish) for effect in effects if isinstance(effect, PassOn)]


@pytest.fixture
def registry():
    return Registry()


def test_children_are_numbered_for_each_parent_and_no_number_comes_twice(registry):
    boss, other = spawned(registry, "boss"), spawned(registry, "other")
    names = [registry.admit(spec(), None, NOW, registry.kin(parent))[0].name for parent in (boss, boss, other, boss)]
    assert names == ["boss/indexer-1", "boss/indexer-2", "other/indexer-1", "boss/indexer-3"]
    assert [child.name for child in registry.children(boss)] == [names[0], names[1], names[3]]


def test_a_generated_name_is_cut_to_fit_below_a_long_one_and_refused_where_nothing_fits(registry):
    long = spawned(registry, "x" * 110)
    child, _ = registry.admit(spec(label="y" * 90), None, NOW, registry.kin(long))
    assert len(child.name) <= 128
    assert child.name.startswith("x" * 110 + "/y")
    longest = spawned(registry, "z" * 128)
    with pytest.raises(ConfigError, match="128 characters in all"):
        registry.admit(spec(), None, NOW, registry.kin(longest))


def test_only_a_life_that_goes_on_has_children_and_only_down_to_the_depth(registry):
    boss = spawned(registry)
    child = spawned(registry, "boss/a", boss)
    assert (registry.actors[boss].depth, registry.actors[child].depth) == (1, 2)
    with pytest.raises(DepthExceeded, match="boss/a has depth 2, and max_depth=2 allows none below it"):
        registry.kin(child)
    registry.apply(boss, Errored(boom()), NOW)
    with pytest.raises(ParentStopping, match="boss is about to end"):
        registry.kin(boss)


@pytest.mark.parametrize("event", [Stop(), Kill(), Restart()], ids=["stop", "kill", "restart"])
def test_who_is_told_to_end_has_no_more_children_and_keeps_those_it_has_until_it_has_ended(registry, event):
    boss = spawned(registry)
    child = spawned(registry, "boss/a", boss)
    assert passed_on(registry.apply(boss, event, NOW)) == []
    with pytest.raises(ParentStopping):
        registry.kin(boss)
    wish = Wish.KILL if isinstance(event, Kill) else Wish.STOP
    assert passed_on(registry.apply(boss, Died(0, None, Place()), NOW)) == [(child, wish)]


def test_a_restart_of_the_childs_does_not_outlast_the_life_that_spawned_it_nor_begin_after_it(registry):
    boss = spawned(registry, lives=2)
    child = spawned(registry, "boss/a", boss)
    registry.apply(child, Restart(), NOW)
    assert passed_on(registry.apply(boss, SIGKILLED, NOW)) == [(child, Wish.STOP)]
    assert registry.actors[boss].status is Status.RESTARTING
    registry.apply(child, Stop(), NOW)
    stopping = registry.actors[child]
    assert registry.is_bereft(stopping)
    assert registry.apply(child, Restart(), NOW) == ()
    assert registry.actors[child] is stopping
    assert registry.is_leaving("boss/a", None)
    assert registry.kept_place(stopping) == (None, None)


def test_a_kill_of_the_parent_outranks_the_stop_that_its_children_are_under(registry):
    boss = spawned(registry)
    children = [spawned(registry, f"boss/{number}", boss) for number in range(3)]
    registry.apply(children[0], Stop(), NOW)
    registry.apply(children[1], Kill(), NOW)
    registry.apply(boss, Kill(), NOW)
    ends = passed_on(registry.apply(boss, SIGKILLED, NOW))
    assert ends == [(children[0], Wish.KILL), (children[2], Wish.KILL)]


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(
    ("tie", "wish", "stops"),
    [
        (Tie.LINKED, None, True),
        (Tie.LINKED, Kill(), True),
        (Tie.LINKED, Stop(), False),
        (Tie.LOOSE, None, False),
        (Tie.LOOSE, Kill(), False),
    ],
)
def test_the_end_of_a_child_is_its_parents_where_they_are_linked_and_it_was_not_stopped(registry, tie, wish, stops):
    boss = spawned(registry)
    child = spawned(registry, "boss/a", boss, tie)
    if wish is not None:
        registry.apply(child, wish, NOW)
    ends = passed_on(registry.apply(child, SIGKILLED, NOW))
    assert registry.actors[child].status.ended
    assert ends == ([(boss, Wish.STOP)] if stops else [])


@pytest.mark.requirement("E2")
def test_a_linked_child_with_a_life_left_ends_nobody(registry):
    boss = spawned(registry)
    child = spawned(registry, "boss/a", boss, Tie.LINKED, lives=2)
    assert passed_on(registry.apply(child, SIGKILLED, NOW)) == []


def test_names_of_a_group_are_free_when_all_of_it_that_is_left_of_an_earlier_life_has_ended(registry):
    boss = spawned(registry, lives=2)
    _, admitted = registry.admit_group(spec(), "boss/crew", 2, NOW, registry.kin(boss))
    first, second = (up(registry, actor.uid) for actor, _ in admitted)
    assert not registry.is_leaving("boss/crew", 2)
    registry.apply(boss, SIGKILLED, NOW)
    assert registry.is_leaving("boss/crew", 2)
    assert registry.is_leaving("boss/crew", None)
    spawned(registry, "boss/crew/3")  # of the system's own, which nobody ends
    assert not registry.is_leaving("boss/crew", 3)
    for uid in (first, second):
        registry.apply(uid, Kill(), NOW)
        registry.apply(uid, SIGKILLED, NOW)
    assert registry.children(boss) == []
