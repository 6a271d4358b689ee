"""Groups in a world without processes: what ended and what began, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.lifecycle.world import Child, Deed, World
from understudy.config import GroupConfig
from understudy.lifecycle.actor import Actor, Hold, Wish
from understudy.lifecycle.effects import Effect, GiveUp, Publish
from understudy.lifecycle.events import Event, Expired, Finishing, Ready, Rejoin, Released, Resulted, Stop
from understudy.lifecycle.groups.company import Company
from understudy.lifecycle.groups.plans import Farewell, Plan, Step
from understudy.lifecycle.groups.tree import Group, Phase
from understudy.status import Status

SOON = {"restart.backoff.base": 0, "timeouts.startup": None}
DOWN = {Status.RESTARTING, Status.FINISHED, Status.CRASHED, Status.KILLED}


class Crew(World):
    """A world with groups, by name; what must hold whenever anything happens is asserted here."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        """Who was told to end, who is down, begins, and is READY."""
        self.stood: dict[int, tuple[Status, int]] = {}
        self.failed: list[GiveUp] = []
        self.told: list[Publish] = []
        self.rungs: dict[str, tuple[float, ...]] = {}
        """Of each that was told to end, how long after that its ladder has its rungs."""

    @property
    def company(self) -> Company:
        """All groups."""
        return self.registry.company

    def group(self, name: str) -> Group:
        """The one of that name."""
        return next(group for group in self.company.groups.values() if group.name == name)

    def named(self, name: str) -> Actor:
        """The actor of that name."""
        return self.registry.find(name)

    def found(self, name: str, strategy: Any = "one_for_one", restarts: int = 3, parent: str | None = None) -> int:
        """A group, in another one if that is named."""
        above = None if parent is None else self.group(parent).number
        return self.registry.found(name, GroupConfig(strategy, restarts, 5.0), above)[0]

    def add(
        self, group: str, *names: str, config: Mapping[str, Any] | None = None, hooks: tuple[str, ...] = ("loop",)
    ) -> list[int]:
        """Members of it, RUNNING."""
        uids = []
        for name in names:
            seat = self.company.seat(self.group(group).number)
            uids.append(self.spawn(name, {**SOON, **(config or {})}, hooks, seat=seat))
            self.come_up(uids[-1])
        self.log.clear()
        return uids

    def come_up(self, uid: int) -> None:
        """It is born, and READY."""
        self.bear(uid)
        self.say(self.children[uid], Ready(), Deed.READY)

    def crash(self, *names: str) -> None:
        """Their processes are lost, one after the other."""
        for name in names:
            self.die(self.children[self.registry.find(name).uid], None, "SIGKILL")

    def finish(self, name: str) -> None:
        """It comes to its own end, in order."""
        child = self.children[self.registry.find(name).uid]
        self.say(child, Finishing("laps done", stop=False), Deed.FINISHING)
        self.say(child, Resulted(["a result"]), Deed.RESULTED)
        self.die(child, 0, None)

    def stop(self, group: str, farewell: Farewell | None = None) -> None:
        """Somebody stops it."""
        number = self.group(group).number
        self.steer(
            lambda company, look, now: company.stop(number, farewell or Farewell(), "its group stops", look, now)
        )

    def goes_on(self, until: str = "") -> None:
        """Whoever is to end does, in order; whoever is asked for is born and READY.

        Until that is in the log, or nothing is left to do.
        """
        self.pass_time(0.0)
        while todo := self._todo():
            self._step(todo[0])
            self.groups_hold()
            self.pass_time(0.0)
            if until in self.log:
                return

    def _todo(self) -> list[int | Child]:
        return [*self.asked, *(child for child in self.children.values() if self._is_due(child))]

    def _is_due(self, child: Child) -> bool:
        actor = self.registry.actors[child.uid]
        return child.doomed or child.deed is not Deed.READY or actor.wish is not Wish.NOTHING or bool(actor.rites_for)

    def _step(self, one: int | Child) -> None:
        if isinstance(one, int):
            self.bear(one)
            return
        ends, done = self.possible(one.uid), Finishing("", stop=True)
        if one.deed is Deed.READY and not one.doomed and self.registry.actors[one.uid].rites_for is None:
            self.say(one, done, Deed.FINISHING)
        else:
            ends[0]()

    # --- what is seen, and has to hold

    def happen(self, uid: int, event: Event) -> None:
        """As the world does; an order of a plan comes when nobody behind it has a process, a begin in its turn."""
        before = self.registry.actors[uid]
        plan = self.plan_of(uid)
        if isinstance(event, Rejoin | Stop) and plan is not None and event.cause == plan.cause:
            self.is_the_last(uid, plan)
            if before.status not in DOWN:
                self.log.append(f"end {before.name}")
                self.rungs[before.name] = tuple(rung.at - self.now for rung in event.rungs)
        if before.status is Status.RESTARTING and isinstance(event, Expired | Released) and plan is not None:
            began = self.incarnation(uid, event)
            assert not began or (plan.step is Step.BEGINNING and plan.pending[0] == uid), "it began out of turn"
        super().happen(uid, event)

    def note(self, after: Actor) -> None:
        """What has become of it, before what follows for others."""
        status, incarnation = self.stood.get(after.uid, (Status.STARTING, 1))
        self.stood[after.uid] = after.status, after.incarnation
        if after.status in DOWN and status not in DOWN:
            self.log.append(f"down {after.name}")
        if after.incarnation > incarnation and after.rites_for is None:
            self.log.append(f"begin {after.name}")
        if after.status is Status.RUNNING and status is Status.STARTING:
            self.log.append(f"ready {after.name}")

    def incarnation(self, uid: int, event: Event) -> bool:
        """Whether that event begins another life, now."""
        return (
            self.registry.actors[uid].held is None
            and self.registry.governor.hold(self.registry.actors[uid], event, self.now) is None
        )

    def is_the_last(self, uid: int, plan: Plan) -> None:
        """Whoever stands behind it in the order has no process any more, where it has one itself."""
        behind = plan.pending[plan.pending.index(uid) + 1 :]
        if uid in self.children or uid in self.asked:
            assert not [one for one in behind if one in self.children or one in self.asked], "it was told too early"

    def plan_of(self, uid: int) -> Plan | None:
        """What is under way with it."""
        found = [plan for plan in self.company.plans if uid in plan.pending]
        assert len(found) <= 1, "it is in two plans"
        return found[0] if found else None

    def groups_hold(self) -> None:
        """Of all groups, whenever what was decided is done."""
        company = self.company
        for group in company.groups.values():
            assert len(group.recent(self.now)) <= group.restarts
            for uid in company.members(group.number):
                actor = self.registry.actors[uid]
                plan = self.plan_of(uid)
                assert actor.held is not Hold.GROUP or plan is not None, "nobody will call for it"
                ends = plan is None or plan.farewell is not None or actor.wish is Wish.KILL
                assert ends or group.phase is Phase.OPEN, "it will come up again"

    def perform(self, uid: int, effects: tuple[Effect, ...]) -> None:
        """As the world does."""
        self.note(self.registry.actors[uid])
        self.failed += [effect for effect in effects if isinstance(effect, GiveUp)]
        self.told += [effect for effect in effects if isinstance(effect, Publish) and effect.kind == "group"]
        super().perform(uid, effects)
