"""The mail of one process: a sender for each of its threads, and what it knows of the actors that they speak to."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from sys import modules
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.errors import SystemClosed, UnknownActor, WrongProcess
from understudy.mail.crowd import Crowd
from understudy.mail.flusher import Flusher
from understudy.mail.lending import Stores
from understudy.mail.link import Chained, Link, Peer
from understudy.mail.replicas import Replicas
from understudy.mail.roster import Roster
from understudy.mail.sender import LARGE, Sender
from understudy.mail.surplus import Kept
from understudy.mail.watch import Watch
from understudy.settings import check_timeout
from understudy.tracing import API, ASK, TELL, around, context_getter, sending
from understudy.wire import letters
from understudy.wire.ledger import first_number, name_of
from understudy.wire.messages import Blocked, Cycle, Fate, Letter, Meet, Seek, Sought, Still, Unblocked
from understudy.wire.payload import plain
from understudy.wire.sockets import Exchange

if TYPE_CHECKING:
    from understudy.mail.courier import Courier

S = TypeVar("S", bound=Sender)

_BLOCKED = 0.05
"""Seconds after which a wait of an actor's main thread is told to the router, which looks for circles."""

_REMEMBERED = 1000
"""Of those that have ended, the last so many: who is spoken to again beyond that is asked for anew."""

_ROUTER = 30.0
"""Seconds that the router may take to say who is meant, or how an actor stands: it answers within a round or two."""


@dataclass(frozen=True, slots=True)
class Myself:
    """Who speaks: an actor's life, or the parent, which is number 0."""

    system: str
    uid: int
    incarnation: int
    name: str


class Office(Replicas):
    """One process's mail; any of its threads may use it.

    ``meet`` asks how an actor stands, once for each; `fate` is the answer, and called again at each change. ``lost`` is
    told of messages that nobody will handle. ``say`` tells
    the router what an actor's main thread waits for; the parent has none. ``dropped`` hears how many answers were.
    """

    def __init__(
        self,
        myself: Myself,
        key: bytes,
        exchange: Callable[[], Exchange],
        meet: Callable[[Meet], None],
        lost: Callable[[Letter], object],
        say: Callable[[Any], object] | None = None,
        dropped: Callable[[int], object] = lambda _: None,
    ) -> None:
        super().__init__(myself)
        self.system, self.key = myself.system, key
        self._make, self._meet, self._tell_lost, self._say = exchange, meet, lost, say
        self._exchange: Exchange | None = None
        self._numbers, self._names = itertools.count(1), itertools.count(first_number())
        self._peers: dict[int, Peer] = {}
        self._over: deque[int] = deque()
        """Those of them that have ended, in that order."""
        self.roster = Roster(self)
        self._lock = threading.RLock()
        self._closed = False
        self._blocked: dict[int, int] = {}
        self._sought: dict[int, SimpleQueue[Sought]] = {}
        self._cycles: dict[int, list[str]] = {}
        self._main = threading.main_thread().ident
        self.dropped = 0
        """Answers that were none to what was asked, or were not sealed by anybody of this system."""
        self._tell_dropped = dropped
        self._courier: Courier | None = None
        self.flusher, self.stores = Flusher(f"understudy-mail-{myself.system}"), Stores()
        self.is_copy = False
        self.chained: Callable[[], Chained | None] = lambda: None
        """The reliable message in hand, of whose handling is what this thread sends."""
        _offices.add(self)

    def _stands(self) -> object:
        """Whether OpenTelemetry has any context here; from the first call on, its own function in place of this one."""
        self._stands = context_getter()  # type: ignore[method-assign]  # there are many tells, and this is in each
        return self._stands()

    # --- sending

    def tell(self, uid: int, name: str, message: Any, urgent: bool = False) -> None:  # noqa: FBT001, FBT002 - see ref
        """As `ActorRef.tell`."""
        if API in modules and self._stands() and (span := sending(TELL, name)) is not None:
            with span:  # each has a context of its own, so none goes with others
                link = self._link(uid, name)
                self._own.sender.tell(link, message, urgent=urgent)
            return
        try:
            link = self._own.links[uid]
        except (AttributeError, KeyError):
            link = self._link(uid, name)
        if not urgent:
            body = plain(message)
            if body is not None and len(body) <= LARGE:
                bodies = link.bodies
                bodies.append(body)
                gathered = len(bodies)
                if gathered == 1 or gathered >= link.most or not link.begun:
                    self._own.sender.gathered(link)
                return
        self._own.sender.tell(link, message, urgent=urgent)

    def tell_reliably(self, uid: int, name: str, message: Any, *, urgent: bool) -> None:
        """As `ActorRef.tell` with ``reliable=True``."""
        with around(TELL, name):
            link = self._link(uid, name)
            self._own.sender.tell_reliably(link, message, urgent=urgent)

    def check_not_myself(self, uid: int, name: str) -> None:
        """Raise WrongProcess for an actor that asks itself."""
        if uid == self._myself.uid:
            raise WrongProcess(f"{name} cannot ask itself: nobody would be there to answer")

    def _link(self, uid: int, name: str) -> Link:
        sender: Sender | None = getattr(self._own, "sender", None)
        if sender is None:
            self.check_open()
            self._own.lease = self.roster.lease()
            sender = self._own.sender = self._own.lease.sender
            self._own.links = sender.links
            self._own.crowd = Crowd(sender)
        return sender.link(self.known(uid) or self.peer(uid, name))

    def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`."""
        seconds = check_timeout(timeout)
        self.check_not_myself(uid, name)
        if API in modules and self._stands():
            with around(ASK, name):
                link = self._link(uid, name)
                return self._own.sender.ask(link, message, seconds)
        try:
            link = self._own.links[uid]
        except (AttributeError, KeyError):
            link = self._link(uid, name)
        return self._own.sender.ask(link, message, seconds)

    def flush(self) -> None:
        """Send what this thread has gathered; it is about to wait."""
        sender = getattr(self._own, "sender", None)
        if sender is not None:
            sender.flush_now()

    @property
    def courier(self) -> Courier:
        """For asyncio, an import of which costs each process some MiB: made at first use."""
        with self._lock:
            if self._courier is None:
                from understudy.mail.courier import Courier

                self._courier = Courier(self)
            return self._courier

    @property
    def in_use(self) -> bool:
        """Whether any mail socket was made."""
        return self._exchange is not None

    @property
    def exchange(self) -> Exchange:
        """What sockets are made from; made itself at first use."""
        with self._lock:
            if self._exchange is None:
                self._exchange = self._make()
            return self._exchange

    def known(self, uid: int) -> Peer | None:
        """What is known of an actor that was met."""
        peer = self._peers.get(uid)
        return peer if peer is not None and peer.met.is_set() else None

    def peer(self, uid: int, name: str) -> Peer:
        """What is known of an actor; at first it is asked for."""
        known = self._peers.get(uid)
        if known is None:
            known = self._peers.setdefault(uid, Peer(uid, name))
        if not known.met.is_set():
            # Without a lock, and once more if another thread is at it: the router may be held up by who waits for that.
            self._meet(Meet(uid))
        if not known.met.wait(_ROUTER):
            raise SystemClosed(f"the system {self.system} did not say within {_ROUTER:g} s how {name} stands")
        return known

    def has_lost(self, uid: int, incarnation: int, name: str) -> bool:
        """Whether that life of an actor has ended, as far as is known; at first it is asked for, and not waited for."""
        peer = self._peers.get(uid)
        if peer is None:
            peer = self._peers.setdefault(uid, Peer(uid, name))
            self._meet(Meet(uid))
        return peer.met.is_set() and (peer.over or peer.deaths >= incarnation)

    def heading(self, packer: letters.Packer, kind: str, uid: int) -> bytes:
        """How letters of a kind to that actor begin."""
        me = self._myself
        return packer.heading(kind, uid, me.uid, me.incarnation, me.name)

    def name_of_sender(self) -> bytes:
        """Of the next one, by which mailboxes know it over all their lives."""
        return name_of(self._myself.uid, next(self._names))

    def number(self) -> int:
        """Of the next ask."""
        return next(self._numbers)

    def drop(self) -> None:
        """Count what is no answer."""
        with self._lock:
            self.dropped += 1
            self._tell_dropped(self.dropped)

    def check_open(self) -> None:
        """Raise WrongProcess, SystemClosed where nothing can be sent."""
        if self.is_copy:
            raise WrongProcess(f"this is a forked copy of {self._myself.name or 'the program'}: it can send nothing")
        if self._closed:
            raise SystemClosed("this system was shut down")

    def hire(self, kind: type[S]) -> S:
        """A sender for a thread of ours; raises WrongProcess, SystemClosed, NoCapacity."""
        self.check_open()
        return self.roster.hire(kind)

    # --- what the router says

    def fate(self, fate: Fate) -> None:
        """How an actor stands."""
        peer = self._peers.get(fate.uid)
        if peer is None:
            return
        # Held first: a thread that meets the end, and ends with it, would leave before its account is settled.
        senders, was_over = self.roster.senders(), peer.over
        peer.learn(fate)
        if self._courier is not None:
            self._courier.changed(peer)
        if peer.over and not was_over:
            self._over.append(peer.uid)
            if len(self._over) > _REMEMBERED:
                self._peers.pop(self._over.popleft(), None)
        if peer.is_closed or fate.state == "ready":
            for sender in senders:
                if peer.uid in sender.links:
                    self.flusher.note(sender)
        self._wake()

    def seek(self, pattern: str) -> list[tuple[int, str]]:
        """The living actors that a name or glob means, asked of the router; raises UnknownActor for a name."""
        request, answer = self.number(), SimpleQueue[Sought]()
        self._sought[request] = answer
        try:
            if self._say is None:
                raise WrongProcess("only actors ask their router by messages")
            self._say(Seek(request, pattern))
            found: list[tuple[int, str]] = []
            while True:
                said = answer.get(timeout=_ROUTER)
                found.extend((int(uid), str(name)) for uid, name in said.found)
                if said.hint:
                    raise UnknownActor(said.hint)
                if not said.more:
                    return found
        except Empty:
            raise SystemClosed(f"the system {self.system} did not answer within {_ROUTER:g} s") from None
        finally:
            del self._sought[request]

    def sought(self, sought: Sought) -> None:
        """Which actors are meant."""
        answer = self._sought.get(sought.request)
        if answer is not None:
            answer.put(sought)

    def still(self, still: Still) -> None:
        """Whether that ask still waits."""
        if (uid := self._blocked.get(still.ask)) is not None and self._say is not None:
            self._say(Blocked(still.ask, uid))

    def cycle(self, cycle: Cycle) -> None:
        """That ask waits for itself."""
        if cycle.ask in self._blocked:
            self._cycles[cycle.ask] = cycle.names
            self._wake()

    def lost(self, peer: Peer, count: int, how: str = "has ended", one: Kept | None = None) -> None:
        """So many messages of this process will not get there; if it is one, it may be told what it was."""
        me = self._myself
        text, tag, frames = ("", None, ()) if one is None else one.told()
        reason = f"{peer.name} {how}"
        self._tell_lost(Letter(peer.uid, reason, "tell", text, count, me.uid, me.name, tag=tag, frames=frames))

    def _wake(self) -> None:
        for sender in self.roster.senders():
            sender.ring()

    # --- waiting

    @contextmanager
    def blocking(self, ask: int, uid: int) -> Iterator[Watch]:
        """While a thread waits for that actor."""
        tells = self._say is not None and threading.get_ident() == self._main
        watch = Watch(self, ask, uid, monotonic() + _BLOCKED if tells else None)
        try:
            yield watch
        finally:
            if self._blocked.pop(ask, None) is not None and self._say is not None:
                self._say(Unblocked(ask))
            self._cycles.pop(ask, None)

    def tell_blocked(self, ask: int, uid: int) -> None:
        """The actor's main thread has waited for a while."""
        self._blocked[ask] = uid
        if self._say is not None:
            self._say(Blocked(ask, uid))

    def cycle_of(self, ask: int) -> list[str] | None:
        """The names of those that wait in a circle with it."""
        return self._cycles.get(ask)

    # --- the end

    def close(self) -> None:
        """Send what waits, and end; threads that wait get SystemClosed."""
        with self._lock:
            self._closed = True
        self.flusher.close()
        self.roster.close()
        if self._courier is not None:
            self._courier.close()
        if self._exchange is not None:
            self._exchange.close()

    def disown(self) -> None:
        """In a forked copy: hold nothing, send nothing."""
        self.is_copy = True
        self._own, self.stores = threading.local(), Stores()  # whose locks may be taken for good


_offices: weakref.WeakSet[Office] = weakref.WeakSet()


def _disown_all() -> None:
    for office in list(_offices):
        office.disown()


os.register_at_fork(after_in_child=_disown_all)
