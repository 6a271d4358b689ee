"""Following the stream, decided: messages and answers in; what is to be taken, and what is to be asked for, out.

Pure: no socket and no clock. Whoever does the rest hands in each message of the stream and each answer to a `wish`,
in the order of their coming, and takes the steps in theirs. Whatever was dropped, doubled or cut off, each event
becomes one step at most, and the events of an actor keep their order; what nobody can tell any more is told as missed.

A follower of everything sees by the next number that one is left out. Who follows some names only sees it by `prev`,
or by the heads that the ticks tell; and as a tick may be lost like anything else, these are numbered.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from understudy.errors import ProtocolError
from understudy.observe.interest import KINDS, Interest
from understudy.settings import shown
from understudy.status import ActorInfo, Event
from understudy.wire.codec import VERSION

MISSED = "snapshot"
"""The kind of the event that stands for others."""
_TYPES: dict[str, tuple[type, ...]] = {
    "seq": (int,), "prev": (int,), "kind": (str,), "name": (str,), "uid": (int,), "incarnation": (int,),
    "before": (str, type(None)), "after": (str, type(None)), "cause": (str, type(None)), "time": (int, float),
    "data": (dict,),
}  # fmt: skip
_FIELDS = tuple(each.name for each in fields(Event))


class Mode(Enum):
    """What a follower is about."""

    JOINING = "waits for its first snapshot"
    LIVE = "has missed nothing, as far as it knows"
    BEHIND = "waits for what it has missed"
    LOST = "waits for a snapshot, in place of what the journal no longer has"
    ALONE = "is answered no more: it takes what still comes"
    OVER = "has heard the last"


@dataclass(frozen=True, slots=True)
class Picture:
    """All actors that are followed, as of that event."""

    rows: tuple[ActorInfo, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to be made: ``snapshot``, or ``replay`` of what follows ``since``."""

    verb: str
    since: int = 0


Step = Event | Picture


class Following:
    """One follower of one system."""

    def __init__(self, interest: Interest) -> None:
        self.mode = Mode.JOINING
        self.system: str | None = None
        self._interest = interest
        self._base = 0
        """All that is wanted up to here is known."""
        self._heads: dict[str, int] = {}
        """Beyond that: the last that came of each name, where not everything arrives."""
        self._ticks = (0, 0)
        """The number and the seq of the last tick."""
        self._told = 0
        """Up to where it was told already that something is missing."""
        self._held: dict[str, Any] | None = None
        """The replay that waits for a snapshot."""

    @property
    def wish(self) -> Wish | None:
        """What has to be asked for now, if anything; it stays the same until it is answered, or settled otherwise."""
        match self.mode:
            case Mode.JOINING | Mode.LOST:
                return Wish("snapshot")
            case Mode.BEHIND:
                return Wish("replay", self._base)
            case _:
                return None

    def begin(self) -> None:
        """Begin anew, with a snapshot; what has not become a step by now never will."""
        if self.mode is not Mode.OVER:
            self.mode, self._held = Mode.JOINING, None

    def doubt(self) -> None:
        """Ask whether something was missed."""
        if self.mode is Mode.LIVE:
            self.mode = Mode.BEHIND

    def forsake(self) -> list[Step]:
        """Nobody answers any more: what is missed from here on is told as missed."""
        held, self._held = self._held, None
        steps = [] if held is None else self._caught_up(held)
        self.mode = Mode.OVER if self.mode in {Mode.OVER, Mode.JOINING} else Mode.ALONE
        return steps

    def end(self) -> None:
        """Nothing comes any more."""
        self.mode, self._held = Mode.OVER, None

    def heard(self, message: Any) -> list[Step]:
        """One message of the stream. Raises ProtocolError where it is of another version."""
        if not isinstance(message, dict) or self.mode is Mode.OVER:
            return []
        if message.get("v") != VERSION:
            raise ProtocolError(f"the stream is of protocol version {shown(message.get('v'))}, this is {VERSION}")
        match message.get("kind"):
            case "bye":
                steps = [*self.forsake(), *self._tick(message)]
                self.end()
                return steps
            case "tick":
                return self._tick(message)
            case _:
                event = _event(message)
                return [] if event is None else self._change(event)

    def replayed(self, answer: Any) -> list[Step]:
        """The answer to a wish for a replay."""
        if self.mode is not Mode.BEHIND or not self._is_ours(answer, {"events": list, "missing": dict}):
            return []
        if any(map(self._interest.shows, self._gone(answer))):
            self.mode, self._held = Mode.LOST, answer
            return []
        return self._caught_up(answer)

    def refused(self) -> None:
        """There is no replay to be had: a snapshot has to do."""
        if self.mode is Mode.BEHIND:
            self.mode = Mode.LOST

    def pictured(self, answer: Any) -> list[Step]:
        """The answer to a wish for a snapshot."""
        if self.mode not in {Mode.JOINING, Mode.LOST} or not self._is_ours(answer, {"actors": list}):
            return []
        rows, seq = map(ActorInfo.from_dict, answer["actors"]), answer["seq"]
        picture = Picture(tuple(row for row in rows if self._interest.knows(row.name)), seq)
        if self._held is not None:
            held, self._held = self._held, None
            return [picture, *self._caught_up(held)]
        missed = self._missed(seq, seq - self._base, KINDS) if self.mode is Mode.LOST else []
        self.mode, self._base, self._told = Mode.LIVE, seq, max(self._told, seq)
        self._heads.clear()
        return [picture, *missed]

    def _change(self, event: Event) -> list[Step]:
        name = event.name
        known = max(self._base, self._heads.get(name, 0))
        if event.seq <= known or self.mode not in {Mode.LIVE, Mode.ALONE}:
            return []
        whole, follows = self._interest.whole, self._interest.knows(name)
        missed: list[Step] = []
        if (event.seq > known + 1) if whole else (follows and event.prev > known):
            if self.mode is Mode.LIVE:
                self.mode = Mode.BEHIND
                return []
            missed = self._missed(event.seq - 1, event.seq - 1 - known, KINDS)
        if whole:
            self._base = event.seq
        elif follows:
            self._heads[name] = event.seq
        return [*missed, event] if follows else missed

    def _tick(self, message: dict[str, Any]) -> list[Step]:
        seq, number, heads = message.get("seq"), message.get("number"), message.get("heads") or {}
        if not isinstance(seq, int) or not isinstance(heads, dict) or self.mode not in {Mode.LIVE, Mode.ALONE}:
            return []
        last, before = self._ticks
        in_turn = last and number == last + 1
        self._ticks = (number if isinstance(number, int) else 0, seq)
        if self._interest.whole:
            late = seq > self._base
        elif in_turn:
            late = any(head > max(self._base, self._heads.get(name, 0)) for name, head in self._followed(heads))
        else:
            late = seq > self._base
        if late and self.mode is Mode.LIVE:
            self.mode = Mode.BEHIND
            return []
        missed = self._missed(seq, seq - self._base, KINDS) if late else []
        if late:
            self._know(seq)
        elif in_turn and seq > before:
            # Heads may be spread over several ticks of the same seq: only now all of those are in.
            self._know(before)
        return missed

    def _followed(self, heads: dict[Any, Any]) -> list[tuple[str, int]]:
        pairs = [(name, head) for name, head in heads.items() if isinstance(name, str) and isinstance(head, int)]
        return [(name, head) for name, head in pairs if self._interest.knows(name)]

    def _is_ours(self, answer: Any, parts: dict[str, type]) -> bool:
        """Whether it is of the system that was joined; where another answers in its place, that one is over."""
        parts = {"seq": int, **parts}
        if not isinstance(answer, dict) or not all(isinstance(answer.get(key), kind) for key, kind in parts.items()):
            raise ProtocolError(f"an answer has {', '.join(parts)}; this is {shown(answer)}")
        system = answer.get("system")
        if self.system is None:
            self.system = system
        if system != self.system:
            self.end()
        return system == self.system

    def _gone(self, answer: dict[str, Any]) -> dict[str, int]:
        """Up to which seq events of which kinds are missing, as far as that concerns us and was not told yet."""
        since = max(self._base, self._told)
        return {
            kind: upto
            for kind, upto in answer["missing"].items()
            if upto > since and (self._interest.wants(kind) or self._interest.shows(kind))
        }

    def _caught_up(self, answer: dict[str, Any]) -> list[Step]:
        events = [event for raw in answer["events"] if (event := _event(raw)) is not None and event.seq > self._base]
        steps: list[Step] = []
        if gone := self._gone(answer):
            upto = max(gone.values())
            had = sum(event.seq <= upto for event in events)
            steps = self._missed(upto, upto - self._base - had, tuple(gone))
        for event in events:
            if event.seq > self._heads.get(event.name, 0) and self._interest.knows(event.name):
                steps.append(event)
                self._heads[event.name] = event.seq
        more = answer.get("more") is True and bool(events)
        self._know(events[-1].seq if more else answer["seq"])
        self.mode = Mode.BEHIND if more else Mode.LIVE
        return steps

    def _know(self, seq: int) -> None:
        if seq > self._base:
            self._base = seq
            self._heads = {name: head for name, head in self._heads.items() if head > seq}

    def _missed(self, upto: int, most: int, kinds: tuple[str, ...]) -> list[Step]:
        """The one event that stands for all that are missing up to there, if that is anything that is handed on."""
        wanted = sorted(kind for kind in kinds if self._interest.wants(kind))
        self._told = max(self._told, upto)
        if most <= 0 or not wanted:
            return []
        cause = f"up to {most} events were missed, of the kinds {', '.join(wanted)}"
        return [Event(upto, 0, MISSED, "", 0, 0, cause=cause, data={"missed": most, "kinds": wanted})]


def _event(message: Any) -> Event | None:
    """The event in a message, if it is one; more than is known here may stand in it."""
    if not isinstance(message, dict):
        return None
    if not all(type(message.get(key)) in types for key, types in _TYPES.items()):
        return None
    return Event(**{key: message[key] for key in _FIELDS})
