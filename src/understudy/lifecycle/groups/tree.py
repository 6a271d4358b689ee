"""Groups as values: what is in them, in which order, and whom a death concerns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from understudy.lifecycle.actor import Seat


class Strategy(StrEnum):
    """Who begins anew when one member has died: it alone; all; or it and those that were added after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Phase(Enum):
    """Whether anything may come up in a group."""

    OPEN = "open"
    STOPPED = "stopped"
    """Somebody asked for its end."""
    FAILED = "failed"
    """It has used up its restarts, or what it stands in has."""


@dataclass(frozen=True, slots=True)
class Member:
    """One place in the order of a group: an actor, by its uid, or another group, by its number."""

    rank: int
    uid: int | None = None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One group; its members are those that have not ended, in the order in which they were added."""

    number: int
    name: str
    strategy: Strategy
    restarts: int
    """So many in any `window` seconds; with one more it gives up."""
    window: float
    seat: Seat | None = None
    """Its place in the group that it stands in; None: at the top."""
    members: tuple[Member, ...] = ()
    ranks: int = 0
    """How many places it has given."""
    deaths: tuple[float, ...] = ()
    """When those of its members that it began anew had died, as far as the window reaches."""
    phase: Phase = Phase.OPEN

    def recent(self, now: float) -> tuple[float, ...]:
        """The deaths that count."""
        return tuple(at for at in self.deaths if now - at < self.window)

    def left(self, now: float) -> int:
        """How many restarts it has left."""
        return max(0, self.restarts - len(self.recent(now)))

    def charged(self, now: float) -> Group:
        """After one more."""
        return replace(self, deaths=(*self.recent(now), now))

    def with_member(self, member: Member) -> Group:
        """With that one in its place: a place that was given once is kept for who takes it again."""
        members = tuple(sorted((*self.members, member), key=lambda one: one.rank))
        return replace(self, members=members, ranks=max(self.ranks, member.rank + 1))

    def without(self, rank: int) -> Group:
        """Without who had that place."""
        return replace(self, members=tuple(member for member in self.members if member.rank != rank))


Groups = Mapping[int, Group]


def chain(groups: Groups, number: int) -> Iterator[Group]:
    """The group, what it stands in, and so on to the top."""
    group: Group | None = groups[number]
    while group is not None:
        yield group
        group = None if group.seat is None else groups[group.seat.group]


def top(groups: Groups, number: int) -> Group:
    """What stands above all of it."""
    return list(chain(groups, number))[-1]


def below(groups: Groups, number: int) -> Iterator[Group]:
    """The group and all that stand in it."""
    yield groups[number]
    for member in groups[number].members:
        if member.group is not None:
            yield from below(groups, member.group)


def actors(groups: Groups, number: int, since: int = 0) -> Iterator[int]:
    """The actors in it, those of inner groups in their places, from that rank on."""
    for member in groups[number].members:
        if member.rank < since:
            continue
        if member.uid is not None:
            yield member.uid
        if member.group is not None:
            yield from actors(groups, member.group)


def concerned(groups: Groups, owner: Group, member: Member) -> tuple[int, ...]:
    """Who begins anew, by the owner's strategy, for the death of that member of it; in their order."""
    match owner.strategy:
        case Strategy.ONE_FOR_ALL:
            return tuple(actors(groups, owner.number))
        case Strategy.REST_FOR_ONE:
            return tuple(actors(groups, owner.number, member.rank))
        case _ if member.group is not None:
            return tuple(actors(groups, member.group))
        case _:
            return () if member.uid is None else (member.uid,)


def renewed(groups: Groups, owner: Group, member: Member) -> list[Group]:
    """The inner groups that begin anew with it, and so without a past."""
    ranks = {
        Strategy.ONE_FOR_ALL: range(owner.ranks),
        Strategy.REST_FOR_ONE: range(member.rank, owner.ranks),
        Strategy.ONE_FOR_ONE: range(member.rank, member.rank + 1),
    }[owner.strategy]
    inner = [one.group for one in owner.members if one.group is not None and one.rank in ranks]
    return [replace(group, deaths=()) for number in inner for group in below(groups, number)]
