"""All groups of a system, and what is under way in them: one frozen value, which the registry renews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from understudy.config import GroupConfig
from understudy.errors import GroupEnded, GroupFailed, NameTaken
from understudy.lifecycle.actor import Actor, Seat, Wish
from understudy.lifecycle.effects import Effect, GiveUp, Order, PassOn, Publish
from understudy.lifecycle.groups.plans import Farewell, Look, Pace, Plan
from understudy.lifecycle.groups.tree import (
    Group,
    Member,
    Phase,
    Strategy,
    actors,
    below,
    chain,
    concerned,
    renewed,
    top,
)
from understudy.lifecycle.moment import Sequel
from understudy.status import Status


class Decision(NamedTuple):
    """What follows a member's death: by whose strategy, for the death of which of its members."""

    sequel: Sequel
    owner: Group | None = None
    member: Member | None = None


_NOTHING_MORE = Decision(Sequel.NONE)


@dataclass(frozen=True, slots=True)
class Company:
    """The groups that have not ended, by number, and what is under way: no actor is in two plans."""

    groups: Mapping[int, Group] = field(default_factory=dict)
    plans: tuple[Plan, ...] = ()
    numbers: int = 0
    """How many there have been."""

    # --- who is in it

    def found(self, name: str, config: GroupConfig, parent: int | None = None) -> tuple[Company, Group]:
        """A new group, in another one or at the top; raises NameTaken, GroupEnded, GroupFailed."""
        if any(group.name == name for group in self.groups.values()):
            raise NameTaken(f"{name!r} is the name of a living group; stop it or choose another")
        seat = None if parent is None else self.seat(parent)
        number, strategy = self.numbers + 1, Strategy(config.strategy)
        group = Group(number, name, strategy, config.restarts, config.window, seat)
        known = replace(self, groups={**self.groups, number: group}, numbers=number)
        return (known if seat is None else known.with_member(seat, Member(seat.rank, group=number))), group

    def seat(self, number: int) -> Seat:
        """The next place in a group; raises GroupEnded, GroupFailed where nothing comes up any more."""
        group = self.groups.get(number)
        if group is None or group.phase is Phase.STOPPED:
            name = "this group" if group is None else f"the group {group.name}"
            raise GroupEnded(f"{name} was stopped; nothing comes up in it any more")
        if group.phase is Phase.FAILED:
            raise GroupFailed(f"the group {group.name} has given up; nothing comes up in it any more", name=group.name)
        return Seat(number, group.ranks)

    def join(self, seat: Seat, uid: int) -> Company:
        """With that actor in that place; a group that has ended has none."""
        return self.with_member(seat, Member(seat.rank, uid=uid)) if self.is_open(seat.group) else self

    def is_open(self, number: int) -> bool:
        """Whether anything may come up in it."""
        return number in self.groups and self.groups[number].phase is Phase.OPEN

    def tops(self) -> list[Group]:
        """Those that stand in no other."""
        return [group for group in self.groups.values() if group.seat is None]

    def is_busy(self, number: int) -> bool:
        """Whether it, or what it stands in, begins anew: nobody else begins in it meanwhile."""
        above = {group.number for group in chain(self.groups, number)} if number in self.groups else set()
        return any(plan.owner in above and plan.farewell is None for plan in self.plans)

    def members(self, number: int) -> tuple[int, ...]:
        """The actors in it that have not ended, in their order, those of inner groups in their places."""
        return tuple(actors(self.groups, number)) if number in self.groups else ()

    def lives_left(self, actor: Actor, now: float) -> int | None:
        """How many restarts its group has left, and those that it stands in; None of who is in none."""
        if actor.seat is None or actor.seat.group not in self.groups:
            return None
        is_over = actor.spec.config.restart.policy == "never" or not self.is_open(actor.seat.group)
        return 0 if is_over else sum(group.left(now) for group in chain(self.groups, actor.seat.group))

    def name_of(self, actor: Actor) -> str | None:
        """The name of its group, while that lives."""
        group = None if actor.seat is None else self.groups.get(actor.seat.group)
        return None if group is None else group.name

    # --- deaths

    def decide(self, actor: Actor, now: float) -> Decision | None:
        """What follows if it dies now; None of who is in no group."""
        if actor.seat is None or actor.seat.group not in self.groups:
            return None
        if actor.spec.config.restart.policy == "never" or self.groups[actor.seat.group].phase is not Phase.OPEN:
            return _NOTHING_MORE
        if any(plan.farewell is None and plan.is_ending(actor.uid) for plan in self.plans):
            return Decision(Sequel.TOGETHER)
        member = Member(actor.seat.rank, uid=actor.uid)
        for group in chain(self.groups, actor.seat.group):
            if group.left(now) > 0:
                alone = concerned(self.groups, group, member) == (actor.uid,)
                return Decision(Sequel.ALONE if alone else Sequel.TOGETHER, group, member)
            if group.seat is not None:
                member = Member(group.seat.rank, group=group.number)
        return Decision(Sequel.NONE, None, member)

    def after(self, before: Actor, actor: Actor, look: Look, now: float) -> tuple[Company, tuple[Effect, ...]]:
        """When something has made ``actor`` of ``before``: what is known then, and what is to be done."""
        decision = self.decide(before, now)
        if decision is None or before.seat is None:
            return self, ()
        known, effects = self, tuple[Effect, ...]()
        if _has_died(before, actor) and decision.owner is not None and decision.member is not None:
            known, effects = self._begin_anew(actor, decision.owner, decision.member, now)
        elif decision.member is not None and decision.owner is None and _is_lost(before, actor):
            known, effects = self._give_up(actor, before.seat.group)
        if actor.status.ended:
            known = known.without(before.seat)
        known, orders = known.advance(look, now)
        return known, (*effects, *orders)

    def advance(self, look: Look, now: float) -> tuple[Company, tuple[Order, ...]]:
        """Whatever is under way goes on, as far as it can."""
        if not self.plans:
            return self, ()
        stepped = [plan.advance(look, now) for plan in self.plans]
        plans = tuple(plan for plan, _ in stepped if plan is not None)
        known = replace(self, plans=plans)
        if len(plans) < len(self.plans):
            known = known.pruned()
        return known, tuple(order for _, orders in stepped for order in orders)

    def _begin_anew(self, actor: Actor, owner: Group, member: Member, now: float) -> tuple[Company, tuple[Effect, ...]]:
        known = self.with_groups(owner.charged(now), *renewed(self.groups, owner, member))
        uids = concerned(self.groups, owner, member)
        if uids == (actor.uid,):
            return known, ()
        cause = f"{owner.name} begins anew, by {owner.strategy}, for the death of {actor.name}"
        told = Publish("group", None, "restart", cause)
        return known.planned(owner.number, uids, cause), (told,)

    def _give_up(self, actor: Actor, number: int) -> tuple[Company, tuple[Effect, ...]]:
        first, highest = self.groups[number], top(self.groups, number)
        span = f"more than {highest.restarts} restarts within {highest.window:g} s"
        within = "" if first is highest else ", for what stands in it used up its own"
        cause = f"the group {highest.name} gives up: {span}{within}; the last to die was {actor.name}"
        known = self.with_groups(*(replace(group, phase=Phase.FAILED) for group in below(self.groups, highest.number)))
        known = known.ending(highest.number, Farewell(Pace.LADDERS), cause)
        return known, (Publish("group", None, "failed", cause), GiveUp(highest.number, highest.name, cause))

    # --- wishes

    def stop(
        self, number: int, farewell: Farewell, cause: str, look: Look, now: float
    ) -> tuple[Company, tuple[Order, ...]]:
        """Its members are to end for good, from the last to the first; asked again, it may only be sooner."""
        if number not in self.groups:
            return self, ()
        above = {group.number for group in chain(self.groups, number)}
        for plan in self.plans:
            if plan.farewell is not None and plan.owner in above:
                if plan.owner != number:
                    return self, ()  # it ends with what it stands in
                farewell = plan.farewell.tighter(farewell)
        return self.closed(number).ending(number, farewell, cause).advance(look, now)

    def kill(self, number: int) -> tuple[Company, tuple[Order, ...]]:
        """All of its members, at once."""
        if number not in self.groups:
            return self, ()
        uids = self.members(number)
        known = self.closed(number).freed(frozenset(uids)).pruned()
        return known, tuple(PassOn(uid, Wish.KILL, "its group is killed") for uid in reversed(uids))

    def restart(self, number: int, look: Look, now: float) -> tuple[Company, tuple[Order, ...]]:
        """All of its members, from the last to the first, and again in their order; it forgets what had died."""
        if not self.is_open(number):
            return self, ()
        known = self.with_groups(*(replace(one, deaths=()) for one in below(self.groups, number)))
        name = self.groups[number].name
        return known.planned(number, self.members(number), f"{name} is restarted by request").advance(look, now)

    # --- pieces

    def with_groups(self, *groups: Group) -> Company:
        """With these in the place of what they were."""
        return replace(self, groups={**self.groups, **{group.number: group for group in groups}})

    def with_member(self, seat: Seat, member: Member) -> Company:
        """With that one in that place."""
        return self.with_groups(self.groups[seat.group].with_member(member))

    def without(self, seat: Seat) -> Company:
        """Without who has ended in that place."""
        return self.with_groups(self.groups[seat.group].without(seat.rank)).pruned()

    def closed(self, number: int) -> Company:
        """Nothing comes up any more in that group, and in what stands in it."""
        tree = below(self.groups, number)
        return self.with_groups(*(replace(one, phase=Phase.STOPPED) for one in tree if one.phase is Phase.OPEN))

    def freed(self, uids: frozenset[int]) -> Company:
        """Of no plan any more."""
        plans = (plan.without(uids) for plan in self.plans)
        return replace(self, plans=tuple(plan for plan in plans if plan is not None))

    def ending(self, number: int, farewell: Farewell, cause: str) -> Company:
        """Its members are about to end for good; whatever else was under way with them is not any more."""
        uids = self.members(number)
        known = self.freed(frozenset(uids))
        return replace(known, plans=(*known.plans, Plan(number, cause, uids, farewell)))

    def planned(self, number: int, uids: Iterable[int], cause: str) -> Company:
        """These begin anew, and with them whoever else was about to with any of them; not who is ending for good."""
        leaving = [uid for plan in self.plans if plan.farewell is not None for uid in plan.pending]
        meant = frozenset(uids).difference(leaving)
        touched = [plan for plan in self.plans if plan.farewell is None and meant & set(plan.pending)]
        owner = min([number, *(plan.owner for plan in touched)], key=lambda one: len(list(chain(self.groups, one))))
        meant = meant.union(*(plan.pending for plan in touched))
        known = self.freed(meant)
        pending = tuple(uid for uid in known.members(owner) if uid in meant)
        return replace(known, plans=(*known.plans, Plan(owner, cause, pending))) if pending else known

    def pruned(self) -> Company:
        """Without the groups that were to end and have."""
        planned = {plan.owner for plan in self.plans}
        over = [
            group
            for group in self.groups.values()
            if group.phase is not Phase.OPEN and not group.members and group.number not in planned
        ]
        if not over:
            return self
        numbers = {group.number for group in over}
        known = replace(self, groups={number: one for number, one in self.groups.items() if number not in numbers})
        for group in over:
            if group.seat is not None and group.seat.group in known.groups:
                known = known.with_groups(known.groups[group.seat.group].without(group.seat.rank))
        return known.pruned()


def _has_died(before: Actor, actor: Actor) -> bool:
    """Whether another life follows that nobody asked for."""
    begins = actor.status is Status.RESTARTING and before.status is not Status.RESTARTING
    return begins and actor.wish is Wish.NOTHING


def _is_lost(before: Actor, actor: Actor) -> bool:
    """Whether no life follows, though nobody asked for its end and it had not delivered a result."""
    if actor.wish is not Wish.NOTHING or before.status.ended or before.rites_for is not None:
        return False
    runs_on = actor.status is Status.FINISHED and actor.spec.config.restart.policy == "always"
    return actor.rites_for is not None or runs_on or (actor.status is Status.CRASHED and actor.result is None)
