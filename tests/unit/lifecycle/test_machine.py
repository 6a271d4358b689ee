"""The registry and a world without processes, through events in every order that a real world could bring."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.lifecycle.world import World
from understudy.errors import DepthExceeded, NameTaken, ParentStopping
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Body, Tie, Wish
from understudy.lifecycle.events import Configure, Event, Kill, Pause, Restart, Resume, Stop
from understudy.lifecycle.governor import Governor
from understudy.status import Status

SPAWNING = {Status.STARTING, Status.RUNNING}
NAMES = ("w", "w1", "w10")
pick = st.integers(0, 1000)
graces = st.sampled_from([None, 0.0, 0.5, 4.0])
configs = st.fixed_dictionaries(
    {
        "lives": st.sampled_from([1, 2, 3, 4, 9]),
        "restart.policy": st.sampled_from(["on_crash", "on_crash", "always", "never"]),
        "restart.backoff.base": st.sampled_from([0, 1]),
        "restart.window": st.sampled_from([None, None, 3.0]),
        "join_in": st.sampled_from([None, None, 5.0]),
        "timeouts.startup": st.sampled_from([None, 1.0]),
        "timeouts.exit": st.sampled_from([None, 0.5]),
        "heartbeat.kill": st.sampled_from(["auto", "always"]),
    }
)
hooks = st.sampled_from([("loop",), ("loop", "error")])


class Machine(RuleBasedStateMachine):
    """Rules are what may happen; what must hold is asserted here and in the world."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.paused: dict[int, bool] = {}
        """What each was asked for last."""

    def living(self, number: int) -> int | None:
        """One that has not ended."""
        living = self.world.registry.living()
        return living[number % len(living)].uid if living else None

    @initialize(config=configs, hooks=hooks, rate=st.sampled_from([None, 1, 2]))
    def begin(self, config: dict[str, Any], hooks: tuple[str, ...], rate: int | None) -> None:
        self.world.registry.governor, self.world.registry.max_depth = Governor(rate), 3
        self.world.spawn(None, config, hooks)

    @rule(name=st.sampled_from([None, *NAMES]), config=configs, hooks=hooks)
    def spawn(self, name: str | None, config: dict[str, Any], hooks: tuple[str, ...]) -> None:
        taken = {actor.name for actor in self.world.registry.living()}
        try:
            self.world.spawn(name, config, hooks)
        except NameTaken:
            assert name in taken
        else:
            assert name not in taken

    @rule(number=pick, name=st.sampled_from([None, "c", "c/d"]), config=configs, hooks=hooks, tie=st.sampled_from(Tie))
    def is_spawned_by_another(
        self, number: int, name: str | None, config: dict[str, Any], hooks: tuple[str, ...], tie: Tie
    ) -> None:
        uid = self.living(number)
        if uid is None:
            return
        registry, parent = self.world.registry, self.world.registry.actors[uid]
        try:
            kin = registry.kin(uid, tie)
        except DepthExceeded:
            assert parent.depth == registry.max_depth
            return
        except ParentStopping:
            assert parent.wish is not Wish.NOTHING or parent.told or parent.status not in SPAWNING
            return
        assert parent.wish is Wish.NOTHING
        assert parent.told is None
        assert parent.status in SPAWNING
        full = None if name is None else f"{parent.name}/{name}"
        held = full in {actor.name for actor in registry.living()}
        try:
            child = self.world.spawn(full, config, hooks, kin)
        except NameTaken:
            assert held
            assert full is not None
            holder = registry.find(full)
            assert registry.is_leaving(full, None) == (holder.kin is not None and registry.is_bereft(holder))
        else:
            assert not held
            assert registry.actors[child].name.startswith(f"{parent.name}/")

    @rule(number=pick, choices=st.lists(st.integers(0, 30), min_size=1, max_size=12), chance=st.floats(0, 1))
    def goes_on(self, number: int, choices: list[int], chance: float) -> None:
        """The life of one actor takes a few steps, most of them the usual ones."""
        uid = self.living(number)
        self.world.chance = chance
        for choice in choices:
            if uid is None or self.world.registry.actors[uid].status.ended:
                return
            possible = self.world.possible(uid)
            possible[choice if choice < len(possible) else 0]()

    @rule(
        number=pick,
        grace=graces,
        verb=st.sampled_from(["stop", "kill", "restart", "restart", "pause", "resume", "configure"]),
    )
    def is_wished(self, number: int, grace: float | None, verb: str) -> None:
        uid = self.living(number)
        rungs = ladder.graceful(grace, self.world.now)
        wishes: dict[str, Event] = {"stop": Stop(rungs), "kill": Kill(), "restart": Restart(rungs)}
        wishes |= {"pause": Pause(), "resume": Resume(), "configure": Configure({"join_in": grace or None})}
        if uid is not None:
            if verb == "restart" and self.world.registry.actors[uid].status is Status.RESTARTING:
                self.world.lives[uid] = 0
            if verb in {"pause", "resume"}:
                self.paused[uid] = verb == "pause"
            self.world.happen(uid, wishes[verb])

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 15.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.late)
    @rule(number=pick)
    def something_arrives_late(self, number: int) -> None:
        uid, incarnation, event = self.world.late[number % len(self.world.late)]
        registry = self.world.registry
        actor, stale = registry.actors[uid], registry.stale
        current = actor.incarnation == incarnation and not actor.status.ended
        assert registry.is_current(uid, incarnation) == current
        assert registry.stale == stale + (not current)
        if current and actor.status is Status.RESTARTING:
            self.world.happen(uid, event)
            assert registry.actors[uid] is actor, "what its last process said changed it"

    # --- what holds at all times

    @invariant()
    def all_holds(self) -> None:
        self.a_process_is_where_the_registry_believes_it()
        self.each_spawn_is_settled_once_when_it_ends()
        self.each_process_is_buried_once()
        self.restarts_stay_within_the_lives()
        self.a_name_is_free_exactly_when_its_actor_has_ended()
        self.whoever_waits_has_a_clock()
        self.nobody_goes_on_without_the_life_that_spawned_it()
        self.a_pause_stands_until_it_is_taken_back()

    def a_process_is_where_the_registry_believes_it(self) -> None:
        for actor in self.world.registry.listed():
            child = self.world.children.get(actor.uid)
            assert (actor.body is Body.LIVE) == (child is not None)
            assert (actor.body is Body.ASKED) == (actor.uid in self.world.asked)
            assert child is None or (child.incarnation, child.pid) == (actor.incarnation, actor.pid)
            assert self.world.asked.get(actor.uid, actor.incarnation) == actor.incarnation

    def each_spawn_is_settled_once_when_it_ends(self) -> None:
        for actor in self.world.registry.listed():
            assert self.world.settled[actor.uid] == actor.status.ended
            assert actor.status.ended == (actor.uid in self.world.ends)

    def each_process_is_buried_once(self) -> None:
        for actor in self.world.registry.listed():
            over = actor.status.ended or actor.status is Status.RESTARTING
            assert self.world.buried[actor.uid] == actor.incarnation - (not over)

    def restarts_stay_within_the_lives(self) -> None:
        for actor in self.world.registry.listed():
            restart = actor.spec.config.restart
            if restart.policy != "always" and restart.window is None:
                allowed = 1 if restart.policy == "never" else actor.spec.config.lives
                assert self.world.lives[actor.uid] <= allowed

    def a_name_is_free_exactly_when_its_actor_has_ended(self) -> None:
        registry = self.world.registry
        living = [actor for actor in registry.listed() if not actor.status.ended]
        assert registry.living() == living
        assert len({actor.name for actor in living}) == len(living)
        for actor in living:
            assert registry.find(actor.name) is actor

    def nobody_goes_on_without_the_life_that_spawned_it(self) -> None:
        registry = self.world.registry
        for actor in registry.living():
            assert actor.depth <= registry.max_depth
            if actor.kin is not None:
                parent = registry.actors[actor.kin.parent]
                assert actor in registry.children(parent.uid)
                assert actor.depth == parent.depth + 1
                if registry.is_bereft(actor):
                    assert actor.wish in {Wish.STOP, Wish.KILL}
                    assert actor.wish is Wish.KILL or parent.status is not Status.KILLED or parent.wish is Wish.STOP
        for actor in registry.listed():
            assert all(child.kin and child.kin.parent == actor.uid for child in registry.children(actor.uid))

    def a_pause_stands_until_it_is_taken_back(self) -> None:
        for actor in self.world.registry.listed():
            assert actor.paused == self.paused.get(actor.uid, False)

    def whoever_waits_has_a_clock(self) -> None:
        for actor in self.world.registry.living():
            queues = actor.uid in {due.uid for due in self.world.registry.governor.queue}
            assert queues == (actor.held is not None)
            if actor.status is Status.RESTARTING:
                pauses = any(uid == actor.uid and alarm.value == "backoff" for uid, alarm in self.world.alarms)
                assert pauses != queues
            else:
                assert not queues
            if actor.rungs and actor.body is Body.LIVE and not self.world.children[actor.uid].doomed:
                assert any(uid == actor.uid and alarm.value == "rung" for uid, alarm in self.world.alarms)

    def teardown(self) -> None:
        """A kill of all ends all."""
        for actor in self.world.registry.living():
            self.world.happen(actor.uid, Kill())
        self.world.quiesce()
        assert self.world.registry.living() == []
        assert not self.world.children
        assert not self.world.alarms
        assert all(self.world.settled[actor.uid] == 1 for actor in self.world.registry.listed())
        self.each_process_is_buried_once()


@pytest.mark.parametrize("examples", [150, pytest.param(3_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_whatever_happens_every_spawn_has_one_end_and_nothing_comes_back_unasked(examples):
    drawn = settings(
        max_examples=examples, stateful_step_count=40, report_multiple_bugs=False, phases=set(Phase) - {Phase.explain}
    )
    run_state_machine_as_test(Machine, settings=drawn)
