"""How actors stand, told to whoever speaks to them; whom they seek; whose asks wait for one another.

Messages go straight from one process to another. What only the parent knows of it is told from here: over the orders'
socket to processes, and by a plain call to the parent's own post office.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from understudy.errors import UnderstudyError
from understudy.globs import is_glob
from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.registry import Registry
from understudy.lifecycle.standing import standing
from understudy.lifecycle.waits import Ask, Finding, Waits
from understudy.status import Status
from understudy.wire.codec import encode
from understudy.wire.ledger import is_of
from understudy.wire.messages import Answered, Cycle, Fate, Identity, Sought, Still, Terminated
from understudy.wire.sockets import Hub, topic

PARENT = 0
"""Who speaks for the parent: a uid that no actor has."""
PAIRS = 4_000
"""Actors in one answer, which has to fit into an envelope."""
_LONGEST_HINT = 1_000
_MOST_WAITING = 1_000


@dataclass(slots=True)
class _Way:
    """The way to one process."""

    incarnation: int
    is_open: bool = False
    """Whether its subscription was heard: what is sent before is lost."""
    met: set[int] = field(default_factory=set)
    waiting: deque[Any] = field(default_factory=lambda: deque(maxlen=_MOST_WAITING))
    """What is to be said once it is open; of how actors stand only what is of no actor, the rest is said anew then."""


class Post:
    """Knows who met whom; for the router's thread."""

    def __init__(self, system: str, hub: Hub, registry: Registry) -> None:
        self._system, self._hub, self._registry = system, hub, registry
        self.accounts: Callable[[int], list[list[int]]] = lambda _: []
        """How far an actor that has ended was with each sender."""
        self.office: Callable[[Fate], None] = lambda _: None
        """The parent's own post office: hears of those that the parent met."""
        self._ways: dict[int, _Way] = {PARENT: _Way(0, is_open=True)}
        self._speakers: dict[int, set[int]] = {}
        """For each actor that was met: by whom."""
        self._told: dict[int, Fate] = {}
        self._waits = Waits()

    def meet(self, speaker: int, uid: int) -> Fate:
        """Tell the process of ``speaker`` how an actor stands, now and from now on; gives what is told."""
        way, fate = self._way(speaker), self.fate(uid)
        known = fate.state != "unknown"
        if way is not None and known:
            way.met.add(uid)
            self._speakers.setdefault(uid, set()).add(speaker)
            self._told[uid] = fate
        if way is not None and (way.is_open or not known):
            self._say(speaker, way, fate)
        return fate

    def fate(self, uid: int) -> Fate:
        """How an actor stands now."""
        actor = self._registry.actors.get(uid)
        return Fate(uid, "", 0, 0, "unknown", 0, "block", "never") if actor is None else fate_of(actor)

    def changed(self, uid: int) -> None:
        """Something happened to that actor: tell who met it, if it stands otherwise now."""
        if uid in self._speakers:
            fate = fate_of(self._registry.actors[uid])
            if fate != self._told[uid]:
                self._spread(fate)

    def forgotten(self, uid: int) -> None:
        """The actor ended long ago and is listed no more: told once, and remembered by nobody."""
        if uid in self._speakers:
            self._spread(replace(self._told[uid], state="unknown"))
            del self._told[uid]
            for speaker in self._speakers.pop(uid):
                self._ways[speaker].met.discard(uid)

    def opened(self, speaker: int, incarnation: int) -> None:
        """The way to that process is open now: say what it may have missed."""
        actor = self._registry.actors.get(speaker)
        way = None if actor is None or actor.incarnation != incarnation else self._way(speaker)
        if way is None:
            return
        way.is_open = True
        for uid in sorted(way.met):
            self._say(speaker, way, self._told[uid])
        while way.waiting:
            self._say(speaker, way, way.waiting.popleft())

    def ended(self, speaker: int) -> None:
        """The process of ``speaker`` is gone, and with it whom it met, and what it waited for."""
        self._waits.forget(speaker)
        way = self._ways.pop(speaker, None)
        for uid in () if way is None else way.met:
            self._speakers[uid].discard(speaker)
            if not self._speakers[uid]:
                del self._speakers[uid], self._told[uid]

    def seek(self, speaker: int, request: int, pattern: str) -> None:
        """Tell which living actors a glob means; for a name as `ActorSystem.ref` has it, the last that bore it.

        For a group's name all its members, none of which bears it.
        """
        way, hint = self._way(speaker), ""
        if way is None:
            return
        pairs: list[list[int | str]] = []
        try:
            if is_glob(pattern):
                pairs = [[actor.uid, actor.name] for actor in self._registry.match(pattern)]
            elif (group := self._registry.replicas.named(pattern)) is not None:
                pairs = [list(member) for member in group]
            else:
                pairs = [[(actor := self._registry.find(pattern)).uid, actor.name]]
        except UnderstudyError as error:
            hint = str(error)[:_LONGEST_HINT]
        for at in range(0, max(1, len(pairs)), PAIRS):
            self._say(speaker, way, Sought(request, pairs[at : at + PAIRS], at + PAIRS < len(pairs), hint))

    def blocked(self, speaker: int, ask: int, uid: int) -> None:
        """The main thread of ``speaker`` waits for an answer of that actor."""
        if self._way(speaker) is not None:
            self._act(self._waits.block(Ask(speaker, ask), uid))

    def unblocked(self, speaker: int, ask: int) -> None:
        """It waits for that one no more."""
        if self._way(speaker) is not None:
            self._act(self._waits.unblock(Ask(speaker, ask)))

    def reaches(self, speaker: int, incarnation: int) -> bool:
        """Whether what is said now finds that life of an actor."""
        way = self._ways.get(speaker)
        return way is not None and way.is_open and way.incarnation == incarnation

    def answer(self, speaker: int, answer: Answered | Terminated) -> None:
        """Tell the process of ``speaker`` what came of what it wanted."""
        if (way := self._way(speaker)) is not None:
            self._say(speaker, way, answer)

    def _act(self, finding: Finding) -> None:
        for ask in finding.doubtful:
            self._say(ask.asker, self._ways[ask.asker], Still(ask.number))
        if finding.cycle:
            first = finding.cycle[0]
            names = [self._registry.actors[ask.asker].name for ask in finding.cycle]
            self._say(first.asker, self._ways[first.asker], Cycle(first.number, names))

    def _spread(self, fate: Fate) -> None:
        self._told[fate.uid] = fate
        for speaker in self._speakers[fate.uid]:
            way = self._ways[speaker]
            if way.is_open:
                self._say(speaker, way, fate)

    def _way(self, speaker: int) -> _Way | None:
        """The way to the process that the actor has now, if it has one; the parent's is always there."""
        way = self._ways.get(speaker)
        if way is not None:
            return way
        actor = self._registry.actors[speaker]
        if actor.body is Body.NONE:
            self._registry.stale += 1  # said before it died, read after that
            return None
        self._ways[speaker] = _Way(actor.incarnation)
        return self._ways[speaker]

    def _say(self, speaker: int, way: _Way, word: Any) -> None:
        if isinstance(word, Fate) and word.state == "ended":
            word = replace(word, begun=[one for one in self.accounts(word.uid) if is_of(one[0], speaker)])
        if speaker == PARENT:
            self.office(word)
        elif way.is_open:
            identity = Identity(self._system, speaker, way.incarnation)
            self._hub.send_orders(topic(self._system, speaker, way.incarnation), encode(identity, word)[0])
        else:
            way.waiting.append(word)


def fate_of(actor: Actor) -> Fate:
    """How an actor stands, as those that speak to it need to know."""
    ended, mailbox = actor.status.ended, actor.spec.config.mailbox
    return Fate(
        uid=actor.uid,
        name=actor.name,
        incarnation=actor.incarnation,
        deaths=actor.incarnation - (not ended and actor.status is not Status.RESTARTING),
        state=standing(actor),
        size=mailbox.size,
        on_full=mailbox.on_full,
        takes=actor.spec.takes,
    )
