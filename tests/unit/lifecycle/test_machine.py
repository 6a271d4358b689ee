"""The registry and a world without processes, through events in every order that a real world could bring."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.unit.lifecycle.scene import RESULT, RITES, boom, boot, overrun_of
from tests.unit.lifecycle.world import Child, Deed, World
from understudy.errors import NameTaken
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Body, Verdict
from understudy.lifecycle.events import (
    Errored,
    Event,
    Finishing,
    ForkFailed,
    Heard,
    Kill,
    Overran,
    Place,
    Ready,
    Restart,
    Resulted,
    Rited,
    Silent,
    Stage,
    Stop,
)
from understudy.status import Status

NAMES = ("w", "w1", "w10")
pick = st.integers(0, 1000)
graces = st.sampled_from([None, 0.0, 0.5, 4.0])
deaths = st.sampled_from([(0, None), (1, None), (None, "SIGKILL"), (None, "SIGSEGV"), (None, None)])
configs = st.fixed_dictionaries(
    {
        "lives": st.integers(1, 4),
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

    # --- choosing

    def living(self, number: int) -> int | None:
        """One that has not ended."""
        living = self.world.registry.living()
        return living[number % len(living)].uid if living else None

    def child(self, number: int, *deeds: Deed) -> Child | None:
        """A process that has come so far and is not about to be killed."""
        found = [child for child in self.world.children.values() if child.deed in deeds and not child.doomed]
        return found[number % len(found)] if found else None

    # --- what users do

    @rule(name=st.sampled_from([None, *NAMES]), config=configs, hooks=hooks)
    def spawn(self, name: str | None, config: dict[str, Any], hooks: tuple[str, ...]) -> None:
        taken = {actor.name for actor in self.world.registry.living()}
        try:
            self.world.spawn(name, config, hooks)
        except NameTaken:
            assert name in taken
        else:
            assert name not in taken

    @rule(number=pick, grace=graces)
    def stop(self, number: int, grace: float | None) -> None:
        self.wish(number, Stop(ladder.graceful(grace, self.world.now)))

    @rule(number=pick)
    def kill(self, number: int) -> None:
        self.wish(number, Kill())

    @rule(number=pick, grace=graces)
    def restart(self, number: int, grace: float | None) -> None:
        uid = self.living(number)
        if uid is not None and self.world.registry.actors[uid].status is Status.RESTARTING:
            self.world.lives[uid] = 0
        self.wish(number, Restart(ladder.graceful(grace, self.world.now)))

    def wish(self, number: int, event: Event) -> None:
        uid = self.living(number)
        if uid is not None:
            self.world.happen(uid, event)

    # --- what becomes of forks

    @precondition(lambda self: self.world.asked)
    @rule(number=pick)
    def is_born(self, number: int) -> None:
        self.world.bear(list(self.world.asked)[number % len(self.world.asked)])

    @precondition(lambda self: self.world.asked)
    @rule(number=pick, lost=st.booleans())
    def is_not_born(self, number: int, lost: bool) -> None:  # noqa: FBT001 - drawn
        uid = list(self.world.asked)[number % len(self.world.asked)]
        del self.world.asked[uid]
        self.world.happen(uid, ForkFailed("EAGAIN", lost))

    # --- what processes do

    @rule(number=pick)
    def is_ready(self, number: int) -> None:
        if child := self.child(number, Deed.BORN):
            self.world.say(child, Ready(), Deed.READY)

    @rule(number=pick)
    def does_not_open(self, number: int) -> None:
        if child := self.child(number, Deed.BORN):
            self.world.say(child, Errored(boot(child.incarnation)), Deed.TOLD)

    @rule(number=pick, stop=st.booleans())
    def finishes(self, number: int, stop: bool) -> None:  # noqa: FBT001 - drawn
        child = self.child(number, Deed.READY)
        if child and self.world.registry.actors[child.uid].rites_for is None:
            self.world.say(child, Finishing("its own end", stop), Deed.FINISHING)

    @rule(number=pick)
    def has_a_result(self, number: int) -> None:
        if child := self.child(number, Deed.FINISHING, Deed.RESULTED):
            self.world.say(child, Resulted([RESULT, child.uid]), Deed.RESULTED)

    @rule(number=pick, section=st.sampled_from(["loop", "onfinish", "result"]), late=st.booleans())
    def tells_an_error(self, number: int, section: str, late: bool) -> None:  # noqa: FBT001 - drawn
        child = self.child(number, Deed.READY, Deed.FINISHING, Deed.TOLD)
        if child and self.world.registry.actors[child.uid].rites_for is None:
            crash = overrun_of(section) if late else boom(section, child.incarnation)
            self.world.say(child, Errored(crash), Deed.TOLD)

    @rule(number=pick)
    def holds_rites(self, number: int) -> None:
        child = self.child(number, Deed.READY, Deed.TOLD, Deed.RITED)
        actor = self.world.registry.actors[child.uid] if child else None
        if child and actor and actor.rites_for is not None and actor.verdict is not Verdict.END:
            self.world.say(child, Rited([RITES, child.uid]), Deed.RITED)

    @rule(number=pick, chance=st.floats(0, 1))
    def leaves(self, number: int, chance: float) -> None:
        child = self.child(number, Deed.RESULTED, Deed.TOLD, Deed.RITED)
        if child and self.world.may_leave(child):
            self.world.die(child, 0 if child.deed is Deed.RESULTED else 1, None, chance)

    @rule(number=pick, death=deaths, chance=st.floats(0, 1))
    def dies(self, number: int, death: tuple[int | None, str | None], chance: float) -> None:
        if child := self.child(number, *Deed):
            self.world.die(child, *death, chance)

    @rule(number=pick)
    def dies_of_a_kill(self, number: int) -> None:
        doomed = [child for child in self.world.children.values() if child.doomed]
        if doomed:
            self.world.die(doomed[number % len(doomed)], None, "SIGKILL")

    # --- what the watch sees

    @rule(number=pick, stage=st.sampled_from(Stage))
    def overruns(self, number: int, stage: Stage) -> None:
        if child := self.child(number, Deed.READY, Deed.FINISHING):
            self.world.happen(child.uid, Overran(stage, Place("loop", 1)))

    @rule(number=pick, misses=st.integers(1, 4), held=st.booleans())
    def falls_silent(self, number: int, misses: int, held: bool) -> None:  # noqa: FBT001 - drawn
        if child := self.child(number, *set(Deed) - {Deed.BORN}):
            self.world.happen(child.uid, Silent(misses, lost=misses > 2, held=held))

    @rule(number=pick)
    def is_heard_again(self, number: int) -> None:
        if child := self.child(number, *Deed):
            self.world.happen(child.uid, Heard())

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
    def a_process_is_where_the_registry_believes_it(self) -> None:
        for actor in self.world.registry.listed():
            child = self.world.children.get(actor.uid)
            assert (actor.body is Body.LIVE) == (child is not None)
            assert (actor.body is Body.ASKED) == (actor.uid in self.world.asked)
            assert child is None or (child.incarnation, child.pid) == (actor.incarnation, actor.pid)
            assert self.world.asked.get(actor.uid, actor.incarnation) == actor.incarnation

    @invariant()
    def each_spawn_is_settled_once_when_it_ends(self) -> None:
        for actor in self.world.registry.listed():
            assert self.world.settled[actor.uid] == actor.status.ended
            assert actor.status.ended == (actor.uid in self.world.ends)

    @invariant()
    def each_process_is_buried_once(self) -> None:
        for actor in self.world.registry.listed():
            over = actor.status.ended or actor.status is Status.RESTARTING
            assert self.world.buried[actor.uid] == actor.incarnation - (not over)

    @invariant()
    def restarts_stay_within_the_lives(self) -> None:
        for actor in self.world.registry.listed():
            restart = actor.spec.config.restart
            if restart.policy != "always" and restart.window is None:
                allowed = 1 if restart.policy == "never" else actor.spec.config.lives
                assert self.world.lives[actor.uid] <= allowed

    @invariant()
    def a_name_is_free_exactly_when_its_actor_has_ended(self) -> None:
        registry = self.world.registry
        living = [actor for actor in registry.listed() if not actor.status.ended]
        assert registry.living() == living
        assert len({actor.name for actor in living}) == len(living)
        for actor in living:
            assert registry.find(actor.name) is actor

    @invariant()
    def whoever_waits_has_a_clock(self) -> None:
        for actor in self.world.registry.living():
            if actor.status is Status.RESTARTING:
                assert any(uid == actor.uid and alarm.value == "backoff" for uid, alarm in self.world.alarms)
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


def test_whatever_happens_every_spawn_has_one_end_and_nothing_comes_back_unasked():
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=200, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
