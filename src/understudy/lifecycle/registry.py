"""All actors of a system: by uid, by name, and what befell each. State changes in `Registry.apply` and nowhere else."""

from __future__ import annotations

import difflib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate

from understudy.config import GroupConfig
from understudy.errors import ConfigError, NameTaken, UnknownActor
from understudy.globs import LONGEST_NAME, Globs
from understudy.lifecycle import budget
from understudy.lifecycle.actor import Actor, Body, Kin, Seat, Tie, Wish
from understudy.lifecycle.archive import Archive
from understudy.lifecycle.effects import Bury, Effect, Order, Publish, Settle
from understudy.lifecycle.events import Event, Restart
from understudy.lifecycle.families import bereft, is_parent, kin_of, linked
from understudy.lifecycle.governor import Governor
from understudy.lifecycle.groups.company import Company
from understudy.lifecycle.groups.plans import Look, Seen, seen
from understudy.lifecycle.groups.tree import top
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.names import check_name
from understudy.lifecycle.replicas import Replicas, names
from understudy.lifecycle.settle import launch
from understudy.lifecycle.spec import Spec
from understudy.lifecycle.story import step
from understudy.lifecycle.transitions import Undecided, transition
from understudy.settings import shown
from understudy.status import Status

_LONGEST_STEM, _LONGEST_NUMBER = 100, 12
STORY_STEPS = 50
_SHOWN = 3
_EFFORT = 1_000_000
"""Pairs of characters that are compared to find the nearest names."""


Steering = Callable[[Company, Look, float], tuple[Company, tuple[Order, ...]]]
"""What somebody asks of the groups: of these, how their members stand, and the time, it makes them anew, and orders."""


@dataclass(slots=True)
class Registry:
    """The actors of one system, values only."""

    archive: Archive = field(default_factory=Archive)
    """Which of the ended are kept, and of which only the row is."""
    governor: Governor = field(default_factory=Governor)
    """What bounds the restarts of all of them together."""
    company: Company = field(default_factory=Company)
    """The groups that actors belong to."""
    replicas: Replicas = field(default_factory=Replicas)
    """Those that one spawn made alike."""
    max_depth: int = 2
    """How deep actors may spawn actors."""
    actors: dict[int, Actor] = field(default_factory=dict)
    stories: dict[int, deque[str]] = field(default_factory=dict)
    stale: int = 0
    """Frames and facts of earlier incarnations, dropped."""
    restarts: Counter[str] = field(default_factory=Counter)
    """Lives that took over from another, by cause: ``crash``, ``asked``, ``always`` (the policy), ``group``."""
    ended: Counter[Status] = field(default_factory=Counter)
    """How many ended, by how; the forgotten too."""
    forgotten: list[Actor] = field(default_factory=list)
    """Actors that were dropped from the list of the ended, for others to drop too."""
    lightened: list[int] = field(default_factory=list)
    """Actors of which only the row is kept from now on, for others to keep no more either."""
    _living: dict[str, int] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)
    _numbers: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of generated names the last number of each stem: the system's own by 0, those of an actor by its uid."""
    _children: dict[int, dict[int, None]] = field(default_factory=dict)
    """Of each actor the living ones that it spawned, in their order."""
    _next_uid: int = 1

    def admit(
        self, spec: Spec, name: str | None, moment: Moment, kin: Kin | None = None, seat: Seat | None = None
    ) -> tuple[Actor, tuple[Effect, ...]]:
        """A new actor, its process asked for; raises NameTaken where a living one bears the name."""
        if name is None:
            name = self._numbered(spec.label, kin, seat=seat)
        else:
            self._check_free(name)
        self.replicas.make_way(name)
        return self._admit(spec, name, moment, kin, seat)

    def admit_group(
        self,
        spec: Spec,
        name: str | None,
        count: int,
        moment: Moment,
        kin: Kin | None = None,
        seat: Seat | None = None,
    ) -> tuple[str, list[tuple[Actor, tuple[Effect, ...]]]]:
        """So many alike, named ``name/1`` and so on, all or none; raises NameTaken, ConfigError.

        ``seat`` is that of the first of them; the others sit behind it.
        """
        name = self._numbered(spec.label, kin, "/1", seat) if name is None else name
        members = names(name, count)
        for one in (name, *members):
            self._check_free(one)
        seats = [None if seat is None else replace(seat, rank=seat.rank + place) for place in range(count)]
        admitted = [self._admit(spec, one, moment, kin, at) for one, at in zip(members, seats, strict=True)]
        self.replicas.make(name, [actor.uid for actor, _ in admitted])
        return name, admitted

    def kin(self, parent: int, tie: Tie = Tie.LOOSE) -> Kin:
        """What is spawned by that actor now would be to it. Raises DepthExceeded, ParentStopping."""
        return kin_of(self.actors[parent], tie, self.max_depth)

    def kept_place(self, actor: Actor) -> tuple[Kin | None, Seat | None]:
        """Of one that is to be spawned anew: it stays its parent's where the life goes on that spawned it.

        And its group's, where anything may come up in that.
        """
        kin = actor.kin if actor.kin is not None and not self.is_bereft(actor) else None
        seat = actor.seat if actor.seat is not None and self.company.is_open(actor.seat.group) else None
        return kin, seat

    def children(self, uid: int) -> list[Actor]:
        """The living actors that an actor spawned, in the order of their spawn; any thread may ask."""
        return [self.actors[child] for child in list(self._children.get(uid, ()))]

    def parent(self, actor: Actor) -> Actor | None:
        """Who spawned it, while that is kept."""
        return None if actor.kin is None else self.actors.get(actor.kin.parent)

    def is_leaving(self, name: str, count: int | None) -> bool:
        """Whether all that stands between a spawn and its name are actors whose parent's life has ended.

        They are ending, too, and the name is free then: the next life may want it at once.
        """
        holders = [uid for one in (name, *names(name, count or 0)) if (uid := self._living.get(one)) is not None]
        if self._is_living_group(name):
            holders += [uid for uid in self.replicas.uids(name) or () if not self.actors[uid].status.ended]
        return all(self.is_bereft(self.actors[uid]) for uid in holders)

    def is_bereft(self, actor: Actor) -> bool:
        """Whether the life that spawned it is over."""
        return actor.kin is not None and not is_parent(self.actors.get(actor.kin.parent), actor.kin)

    def goes_for_good(self, actor: Actor) -> bool:
        """Whether it ends with its parent's life, for no other life of it could have a parent; or with its group."""
        return self.is_bereft(actor) or (actor.seat is not None and not self.company.is_open(actor.seat.group))

    def named(self, name: str) -> list[Actor]:
        """The actor of that name, as `find` has it, or the members of the group of that name that are kept."""
        uids = self.replicas.uids(name)
        return [self.find(name)] if uids is None else [self.actors[uid] for uid in uids if uid in self.actors]

    def _check_free(self, name: str) -> None:
        if name in self._living:
            holder = self.actors[self._living[name]]
            raise NameTaken(
                f"{name!r} is the name of a living actor (uid {holder.uid}, {holder.status}); stop it or choose another"
            )
        if self._is_living_group(name):
            raise NameTaken(f"{name!r} is the name of a group with living replicas; stop them or choose another")

    def _is_living_group(self, name: str) -> bool:
        members = [self.actors[uid] for uid in self.replicas.uids(name) or () if uid in self.actors]
        return not all(actor.status.ended for actor in members)

    def _admit(
        self, spec: Spec, name: str, moment: Moment, kin: Kin | None, seat: Seat | None = None
    ) -> tuple[Actor, tuple[Effect, ...]]:
        actor, effects = launch(Actor(uid=self._next_uid, name=name, spec=spec, kin=kin, seat=seat))
        if seat is not None:
            self.company = self.company.join(seat, actor.uid)
        self._next_uid += 1
        if kin is not None:
            self._children.setdefault(kin.parent, {})[actor.uid] = None
        self.actors[actor.uid] = actor
        self._living[name] = self._latest[name] = actor.uid
        self._tell(actor, moment, f"spawned as {spec.command}")
        return actor, (*effects, Publish("state", Status.CREATED, Status.STARTING, "spawned"))

    def apply(self, uid: int, event: Event, moment: Moment) -> tuple[Effect, ...]:
        """The one place where an actor changes."""
        before = self.actors[uid]
        if isinstance(event, Restart) and self.goes_for_good(before):
            return ()
        decision = self.company.decide(before, moment.now)
        hold, sequel = self.governor.hold(before, event, moment.now), None if decision is None else decision.sequel
        at = moment if hold is None and sequel is None else replace(moment, hold=hold, sequel=sequel)
        try:
            after, effects = transition(before, event, at)
        except Undecided as error:
            raise Undecided(f"{error}\n" + "\n".join(self.story(uid))) from None
        self.actors[uid] = after
        if after is before and not effects:
            return ()
        self.governor = self.governor.after(before, event, after, moment.now)
        self._tell(after, moment, step(event, before, after))
        effects = (*effects, *self._status_effects(before, event, after, effects))
        self.company, orders = self.company.after(before, after, self._look, moment.now)
        if after.status.ended and after.kin is not None:
            self.company, more = self.company.advance(self._look, moment.now)
            orders = (*orders, *more)
        return (*effects, *orders)

    def found(self, name: str, config: GroupConfig, parent: int | None) -> tuple[int, int]:
        """A new group: its number, and that of what stands above all of it; raises as `Company.found`."""
        self.company, group = self.company.found(name, config, parent)
        return group.number, top(self.company.groups, group.number).number

    def steer(self, act: Steering, moment: Moment) -> tuple[Order, ...]:
        """The one place beside `apply` where groups change: by what somebody asks of them."""
        self.company, effects = act(self.company, self._look, moment.now)
        return effects

    def lives_left(self, actor: Actor, now: float) -> int:
        """How many restarts are still possible: its own, or those of its group."""
        left = self.company.lives_left(actor, now)
        return budget.lives_left(actor.spec.config, actor.budget, now) if left is None else left

    def _look(self, uid: int) -> Seen:
        return seen(self.actors.get(uid), children=uid in self._children)

    def _status_effects(
        self, before: Actor, event: Event, after: Actor, effects: tuple[Effect, ...]
    ) -> tuple[Effect, ...]:
        """What follows from another status or another life."""
        uid = after.uid
        if (before.status, before.incarnation) == (after.status, after.incarnation):
            return ()
        if after.status.ended:
            # The outcome is with who settles; here it would be held twice.
            self.actors[uid] = replace(after, result=None, rites=None, outcome=None, checkpoint=None)
            self.ended[after.status] += 1
            self._retire(after)
            weight = len(after.spec.blob) + sum(map(_weight, effects))
            self._lighten(self.archive.weigh(uid, weight, self.actors))
        buried = next((effect.cause for effect in effects if isinstance(effect, Bury)), "")
        cause = buried or str(getattr(event, "cause", "") or type(event).__name__.lower())
        if after.incarnation > before.incarnation and after.rites_for is None:
            self.restarts[_cause(before, event)] += 1
        return (Publish("state", before.status, after.status, cause), *self._relatives(after, before, buried))

    def _relatives(self, after: Actor, before: Actor, buried: str) -> tuple[Effect, ...]:
        """What the end of a life means to those whom it spawned, and an end for good to who spawned it."""
        down = bereft(after, before.incarnation, self.children(after.uid)) if buried or after.status.ended else ()
        return (*down, *(linked(after, self.parent(after)) if after.status.ended else ()))

    def next_restart(self, actor: Actor, now: float) -> float | None:
        """Seconds until its next life begins, as far as can be foreseen; None where it waits for none."""
        if actor.next_restart is None:
            return None
        at = self.governor.expected(actor.uid, now) if actor.held else None
        return max(0.0, (actor.next_restart if at is None else at) - now)

    def is_current(self, uid: int, incarnation: int) -> bool:
        """Whether a frame of that identity may speak; a stale one is counted."""
        actor = self.actors.get(uid)
        if actor is not None and actor.incarnation == incarnation and not actor.status.ended:
            return True
        self.stale += 1
        return False

    @property
    def spawned(self) -> int:
        """How many actors there have been."""
        return self._next_uid - 1

    def find(self, name: str) -> Actor:
        """The living actor of that name, else the last that bore it; raises UnknownActor with the nearest names.

        Any thread may ask.
        """
        if not isinstance(name, str):
            raise ConfigError(f"{shown(name)} is no name of an actor: give it as text; a ref has it as .name")
        uid = self._living.get(name, self._latest.get(name))
        actor = None if uid is None else self.actors.get(uid)
        if actor is None:
            near = difflib.get_close_matches(name, self._comparable(name), n=3)
            hint = f"did you mean {', '.join(near)}?" if near else self._some()
            raise UnknownActor(f"no actor is named {name!r}; {hint}")
        return actor

    def _some(self) -> str:
        """For who asked for a name that is like no other: what names there are."""
        names = list(self._living)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"there are {', '.join(names[:_SHOWN])}{more}" if names else "there are none"

    def knows(self, name: str) -> bool:
        """Whether an actor that is kept bears, or bore, that name."""
        return name in self._latest

    def match(self, *patterns: str) -> list[Actor]:
        """The living actors whose name any of the globs matches (``*`` crosses ``/``), in the order of their spawn."""
        globs = Globs(patterns)
        return [self.actors[uid] for name, uid in self._living.items() if globs.mean(name)]

    def living(self) -> list[Actor]:
        """All that have not ended, in the order of their spawn; any thread may ask."""
        return [self.actors[uid] for uid in list(self._living.values())]

    def listed(self) -> list[Actor]:
        """All that are kept, the ended ones too, in the order of their spawn."""
        return list(self.actors.values())

    def with_process(self) -> Iterable[Actor]:
        """Those that have a process, as far as is known."""
        return [actor for actor in self.living() if actor.body is Body.LIVE]

    def story(self, uid: int) -> list[str]:
        """The last steps of an actor, a line each."""
        return list(self.stories.get(uid, ()))

    def _comparable(self, name: str) -> list[str]:
        """The names that are looked through for one like this: long ones are dear to compare, and a client waits."""
        efforts = accumulate(len(name) * len(known) for known in self._latest)
        return [known for known, effort in zip(self._latest, efforts, strict=True) if effort <= _EFFORT]

    def _numbered(self, label: str, kin: Kin | None, suffix: str = "", seat: Seat | None = None) -> str:
        owner = 0 if kin is None else kin.parent
        path = f"{self.actors[owner].name}/" if owner else ""
        path = path if seat is None else f"{self.company.groups[seat.group].name}/"
        stem = path + label[: max(1, min(_LONGEST_STEM, LONGEST_NAME - len(path) - _LONGEST_NUMBER))]
        numbers = self._numbers.setdefault(owner, {})
        while True:
            name = check_name(f"{stem}-{numbers.get(stem, 0) + 1}")
            numbers[stem] = numbers.get(stem, 0) + 1
            if name not in self._living and name + suffix not in self._living and not self._is_living_group(name):
                return name

    def _retire(self, actor: Actor) -> None:
        if self._living.get(actor.name) == actor.uid:
            del self._living[actor.name]
        self._numbers.pop(actor.uid, None)
        if actor.kin is not None:
            siblings = self._children[actor.kin.parent]
            del siblings[actor.uid]
            if not siblings:
                del self._children[actor.kin.parent]
        for uid in self.archive.retire(actor.uid):
            self._drop(uid)

    def _lighten(self, uids: Iterable[int]) -> None:
        """Of these only the row is kept."""
        for uid in uids:
            self.actors[uid] = replace(self.actors[uid], spec=replace(self.actors[uid].spec, blob=b""))
            self.lightened.append(uid)

    def _drop(self, uid: int) -> None:
        gone = self.actors.pop(uid)
        self.stories.pop(uid, None)
        self.forgotten.append(gone)
        if self._latest.get(gone.name) == uid:
            del self._latest[gone.name]
        self.replicas.forget(uid, gone.name, self.actors)

    def _tell(self, actor: Actor, moment: Moment, what: str) -> None:
        story = self.stories.setdefault(actor.uid, deque(maxlen=STORY_STEPS))
        story.append(f"{moment.now:.3f} {actor.name}#{actor.incarnation} {what}")


def _cause(before: Actor, event: Event) -> str:
    """Why another life begins."""
    if before.wish is Wish.REJOIN:
        return "group"
    if before.wish is Wish.RESTART or isinstance(event, Restart):
        return "asked"
    return "always" if before.crash is None else "crash"


def _weight(effect: Effect) -> int:
    """The bytes of an outcome that is settled."""
    if not isinstance(effect, Settle):
        return 0
    outcome = effect.outcome
    frames = [frame for payload in (outcome.result, outcome.rites) for frame in getattr(payload, "frames", ())]
    return sum(len(frame) for frame in (*frames, *(outcome.crash.payload if outcome.crash else ())))
