"""Groups in groups, and whatever may befall their members in any order: what `Crew` asserts holds all the while."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase as Stage
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.unit.lifecycle.crew import SOON, Crew
from understudy.errors import GroupEnded
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Hold, Wish
from understudy.lifecycle.events import Event, Kill, Restart, Stop
from understudy.lifecycle.governor import Governor
from understudy.lifecycle.groups.plans import Farewell, Pace
from understudy.lifecycle.groups.tree import Phase, Strategy
from understudy.status import Status

pick = st.integers(0, 1000)
strategies = st.sampled_from(Strategy)
configs = st.fixed_dictionaries(
    {
        "restart.policy": st.sampled_from(["on_crash", "on_crash", "on_crash", "always", "never"]),
        "restart.backoff.base": st.sampled_from([0, 1]),
        "restart.backoff.jitter": st.just(0),
        "timeouts.startup": st.sampled_from([None, 1.0]),
        "stop.command": st.just(1.0),
        "stop.term": st.just(0.0),
        "stop.term_again": st.just(0.0),
    }
)


class Machine(RuleBasedStateMachine):
    """Three groups in one another, and members in all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.crew = Crew()

    @initialize(
        kinds=st.tuples(strategies, strategies, strategies),
        restarts=st.tuples(*[st.integers(0, 3)] * 3),
        count=st.integers(1, 3),
        rate=st.sampled_from([None, None, 1]),
    )
    def begin(self, kinds: tuple[Any, ...], restarts: tuple[int, ...], count: int, rate: int | None) -> None:
        self.crew.registry.governor = Governor(rate)
        for depth, (kind, most) in enumerate(zip(kinds, restarts, strict=True)):
            name = "g" + "/in" * depth
            self.crew.found(name, kind, most, name.removesuffix("/in") if depth else None)
        for name in ("g/in/in", "g", "g/in"):
            self.crew.add(name, *(f"{name}/{number}" for number in range(count)), config=SOON)

    def living(self, number: int) -> int | None:
        """A member that has not ended."""
        living = self.crew.registry.living()
        return living[number % len(living)].uid if living else None

    @rule(number=pick, config=configs, hooks=st.sampled_from([("loop",), ("loop", "error")]))
    def one_is_added(self, number: int, config: dict[str, Any], hooks: tuple[str, ...]) -> None:
        groups = list(self.crew.company.groups.values())
        if not groups:
            return
        group = groups[number % len(groups)]
        if self.crew.company.is_busy(group.number):
            return  # who spawns waits
        try:
            seat = self.crew.company.seat(group.number)
        except GroupEnded:
            assert group.phase is not Phase.OPEN
        else:
            self.crew.spawn(None, config, hooks, seat=seat)

    @rule(number=pick, choices=st.lists(st.integers(0, 30), min_size=1, max_size=12), chance=st.floats(0, 1))
    def goes_on(self, number: int, choices: list[int], chance: float) -> None:
        uid = self.living(number)
        self.crew.chance = chance
        for choice in choices:
            if uid is None or self.crew.registry.actors[uid].status.ended:
                return
            possible = self.crew.possible(uid)
            possible[choice if choice < len(possible) else 0]()

    @rule(numbers=st.lists(pick, min_size=1, max_size=6))
    def many_die_at_once(self, numbers: list[int]) -> None:
        for number in numbers:
            uid = self.living(number)
            if uid in self.crew.children:
                self.crew.die(self.crew.children[uid], None, "SIGKILL")

    @rule(number=pick, grace=st.sampled_from([None, 0.0, 4.0]), verb=st.sampled_from(["stop", "kill", "restart"]))
    def a_member_is_wished(self, number: int, grace: float | None, verb: str) -> None:
        uid = self.living(number)
        rungs = ladder.graceful(grace, self.crew.now)
        wishes: dict[str, Event] = {"stop": Stop(rungs), "kill": Kill(), "restart": Restart(rungs)}
        if uid is not None:
            self.crew.happen(uid, wishes[verb])

    @rule(number=pick, verb=st.sampled_from(["stop", "grace", "kill", "restart", "restart", "restart"]))
    def a_group_is_wished(self, number: int, verb: str) -> None:
        groups = list(self.crew.company.groups.values())
        if not groups:
            return
        group = groups[number % len(groups)].number
        farewell = Farewell(Pace.GRACE, self.crew.now + 4) if verb == "grace" else Farewell()
        if verb == "kill":
            self.crew.steer(lambda company, _, __: company.kill(group))
        elif verb == "restart":
            self.crew.steer(lambda company, look, now: company.restart(group, look, now))
        else:
            self.crew.steer(lambda company, look, now: company.stop(group, farewell, "its group stops", look, now))

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 15.0]))
    def time_passes(self, seconds: float) -> None:
        self.crew.pass_time(seconds)

    @invariant()
    def groups_hold(self) -> None:
        self.crew.groups_hold()

    def teardown(self) -> None:
        """When nothing more befalls them, each restart comes to its end: all are up, or have ended for good."""
        for _ in range(200):
            self.crew.goes_on()
            if not self.crew.company.plans and all(self.is_steady(one.uid) for one in self.crew.registry.living()):
                break
            self.crew.pass_time(1.0)
        assert not self.crew.company.plans
        for actor in self.crew.registry.living():
            assert self.is_steady(actor.uid), f"{actor} is neither up nor gone"
        for group in self.crew.company.groups.values():
            assert group.phase is Phase.OPEN
        for effect in self.crew.failed:
            assert effect.group not in self.crew.company.groups
        for actor in self.crew.registry.living():
            self.crew.happen(actor.uid, Kill())
        self.crew.quiesce()
        assert not self.crew.alarms

    def is_steady(self, uid: int) -> bool:
        """Whether it is up, and nothing is wished of it."""
        actor = self.crew.registry.actors[uid]
        return actor.status is Status.RUNNING and actor.wish is Wish.NOTHING and actor.held is not Hold.GROUP


@pytest.mark.requirement("S8")
@pytest.mark.fault("F36")
def test_whatever_befalls_the_members_each_restart_is_in_order_and_comes_to_its_end():
    drawn = settings(
        max_examples=150, stateful_step_count=30, report_multiple_bugs=False, phases=set(Stage) - {Stage.explain}
    )
    run_state_machine_as_test(Machine, settings=drawn)
