"""The gates that are open: who comes through them, what they hear, and who is cut off. For the router's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from time import monotonic, thread_time
from typing import Any

from understudy.errors import AccessDenied, ConfigError, NoCapacity, ProtocolError
from understudy.router import roles
from understudy.router.audit import PERIOD, Audit
from understudy.router.caller import Caller, Counter, Revoked, name_at_the_sockets
from understudy.router.control import Control
from understudy.router.fields import Refused
from understudy.router.logs import defect, warning
from understudy.router.rates import PER_SECOND, SECONDS, Rates
from understudy.router.replies import Replies
from understudy.router.tickets import Tickets
from understudy.router.visits import Visits
from understudy.router.warden import Warden
from understudy.router.world import World
from understudy.status import OpenGate, Role
from understudy.wire.codec import pack
from understudy.wire.endpoints import Place
from understudy.wire.keyring import Keyring, Member
from understudy.wire.sockets.gate import CONTROL, Gate, Request, Stream, Subscription, stream_domain

LOOK = 0.5
"""Seconds between two looks at the keyring."""
_FIRST_AGAIN, _LONGEST_AGAIN = 0.002, 0.1
_TELL_AFTER = 5.0
"""Seconds after which it is told that a port is not to be had again."""
LOOKING = 64 << 10
"""Bytes of one request by an observer, whose longest is a name and an id."""
BUSY, REST, LONGEST_REST = 0.005, 3.0, 0.5
"""What takes the router as many seconds or more is followed by so many times as long, at most, in which it waits."""


class Porter:
    """Lets in who may come; in the thread that handshakes wait for, with a view of the keyring of its own."""

    def __init__(self, keyring: Keyring, gate: Role, audit: Audit) -> None:
        self._keyring, self._gate, self._audit = Keyring(keyring.directory), gate, audit
        self._roles = {stream_domain(role): role for role in roles.served(gate)}
        self._names: dict[str, str] = {}
        self._is_shut = False
        self.let_in: SimpleQueue[tuple[str, Role]] = SimpleQueue()
        """Whom it let in to follow the stream of a role, by public key."""

    def shut(self) -> None:
        """Let in nobody any more."""
        self._is_shut = True

    def admit(self, domain: str, public: str, address: str) -> str | None:
        """Under what a peer is known from then on; None: it stays out."""
        if self._is_shut:
            return None
        members = members_of(self._keyring)
        self._names |= {one.public: one.name for one in members.values()}
        member = members.get(public)
        role = None if member is None else roles.in_force(self._gate, member.role)
        if member is None or role is None:
            who = (
                f"{self._names[public]}, whose key was revoked" if public in self._names else "a key that is not known"
            )
        elif domain == CONTROL or self._roles.get(domain) is role:
            if domain != CONTROL:
                self.let_in.put((public, role))
            return name_at_the_sockets(member)
        else:
            who = f"{member.name}, {role} here, at another role's stream"
        self._audit.turned_away(f"{who}, from {address},")
        return None


@dataclass(eq=False, slots=True)
class _Open:
    """One gate."""

    told: OpenGate
    role: Role
    gate: Gate
    porter: Porter
    warden: Warden
    keyring: Keyring
    counter: Counter
    mishaps: SimpleQueue[BaseException]
    visits: Visits[tuple[bytes, int]] = field(default_factory=Visits)
    followers: set[tuple[str, Role]] = field(default_factory=set)
    """Who was let in to the streams since these were opened."""
    known: frozenset[str] = frozenset()
    ill: bool = False
    """Whether it was told that nobody comes in any more."""
    trouble: str = ""
    """What was told of the keyring last."""


class Gates:
    """All of them."""

    def __init__(self, world: World, control: Control) -> None:
        self._world, self._control = world, control
        self._open: list[_Open] = []
        self._rates = Rates()
        self._audit = Audit(world.logs.put)
        self._summed = 0.0

    @property
    def told(self) -> list[OpenGate]:
        """Those that are open, as whoever asks is told."""
        return [one.told for one in self._open]

    @property
    def ports(self) -> set[int]:
        """All at which something listens."""
        return {port for one in self._open for port in one.told.ports}

    def open(self, place: Place, role: Role, keyring: Keyring) -> OpenGate:
        """One more. Raises ConfigError and AccessDenied for the keyring, OSError where the address cannot be had."""
        mishaps: SimpleQueue[BaseException] = SimpleQueue()
        self._audit.begin()
        porter = Porter(keyring, role, self._audit)

        def fail(error: BaseException) -> None:
            porter.shut()
            mishaps.put(error)

        served = roles.served(role)
        gate = Gate(f"understudy-zap-{self._world.system}", place, keyring.server(), served, porter.admit, fail)
        endpoint = place.at(gate.port)
        told = OpenGate(endpoint, str(role), gate.ports)
        streams = {one: gate.streams[one].port for one in served}
        replies = Replies(gate, self._world.timers)

        def role_of(public: str) -> Role | None:
            member = members_of(keyring).get(public)
            return None if member is None else roles.in_force(role, member.role)

        counter = Counter(endpoint, streams, replies, Tickets(), self._audit, self._rates, role_of)
        name, turned_away = f"understudy-warden-{self._world.system}", self._audit.turned_away
        warden = Warden(name, gate.ears, frozenset(gate.ports), turned_away, fail)
        try:
            warden.start()
        except RuntimeError as error:
            gate.close()
            raise NoCapacity(f"no thread is to be had that would watch over the gate: {error}") from None
        self._open.append(_Open(told, role, gate, porter, warden, keyring, counter, mishaps))
        for socket in gate.sockets:
            self._world.hub.watch(socket)
        if len(self._open) == 1:
            self._world.publisher.sinks.append(self)
            self._world.timers.set(self, monotonic() + LOOK, self._look)
        return told

    def close(self) -> None:
        """All of them; no more is heard or told."""
        while self._open:
            self._shut(self._open[0])
        self._audit.sum_up()

    def listen(self, ready: set[object]) -> None:
        """Hear what has come, one round's worth of each."""
        for one in list(self._open):
            self._guarded(one, partial(self._listen_at, one, ready))

    # --- the stream's way out

    def publish(self, about: bytes, event: dict[str, Any], body: bytes) -> None:
        """To controllers as it is, to observers what is for them; that is made once, and only if one is there."""
        seen: bytes | None = None
        for one in list(self._open):
            for role, stream in one.gate.streams.items():
                if role == Role.CONTROLLER:
                    self._guarded(one, partial(one.gate.publish, role, about, body))
                elif stream.audience.is_there:
                    if seen is None:
                        seen = pack(roles.event(event))
                    self._guarded(one, partial(one.gate.publish, role, about, seen))

    def announce(self, about: bytes, body: bytes) -> None:
        """To all."""
        for one in list(self._open):
            for role in one.gate.streams:
                self._guarded(one, partial(one.gate.publish, role, about, body))

    def watched(self) -> bool:
        """Whether anybody follows a stream here."""
        return any(stream.audience.is_there for one in self._open for stream in one.gate.streams.values())

    def wants_figures(self) -> bool:
        """Whether anybody who does asks for figures."""
        return any(stream.audience.wants_figures for one in self._open for stream in one.gate.streams.values())

    # --- what comes in

    def _listen_at(self, one: _Open, ready: set[object]) -> None:
        for role, stream in one.gate.streams.items():
            if stream.socket in ready:
                began = thread_time()
                for said in one.gate.subscriptions(role):
                    self._hear(one, stream, said)
                self._rest(one, stream.socket, thread_time() - began)
        if one.gate.control in ready:
            began = thread_time()
            for request in one.gate.requests():
                self._take(one, request)
            self._rest(one, one.gate.control, thread_time() - began)

    def _rest(self, one: _Open, socket: Any, spent: float) -> None:
        """Where it took long, it is heard again later: a flood there leaves the router most of its time."""
        if spent < BUSY:
            return
        self._world.hub.leave(socket)
        again = partial(self._guarded, one, partial(self._rested, one, socket))
        self._world.timers.set((one, socket), monotonic() + min(LONGEST_REST, REST * spent), again)

    def _rested(self, one: _Open, socket: Any) -> None:
        if socket in one.gate.sockets:  # else it was closed meanwhile
            self._world.hub.watch(socket)

    def _hear(self, one: _Open, stream: Stream, said: Subscription) -> None:
        self._world.dropped += not stream.audience.hear(said.frame)
        if not stream.topics.hear(said.frame, said.user, monotonic()) and said.descriptor >= 0:
            one.warden.cut_off(said.descriptor)
            self._audit.turned_away(f"what {said.user.partition(' ')[0]} subscribes to beyond the share of one key")

    def _take(self, one: _Open, request: Request) -> None:
        role = one.counter.role_of(request.user.rpartition(" ")[2])
        caller = Revoked(one.counter, request) if role is None else Caller(one.counter, request, role)
        self._visit(one, caller.user, request.connection)
        began = thread_time()
        try:
            refusal = self._refusal(caller, request)
            if refusal is None:
                self._control.take(caller, request.frames)
                caller.wait()
                self._rates.charge(caller.user, (thread_time() - began) / SECONDS - 1.0)
            else:
                self._control.turn_away(caller, request.frames, refusal)
        except Exception:  # noqa: BLE001 - told in full, and to who asked: it was one request
            self._world.logs.put(defect("the router met an error of its own and goes on; please report it"))

    def _visit(self, one: _Open, user: str, which: tuple[bytes, int]) -> None:
        if one.visits.knows(user, which):
            return
        _, descriptor = which
        surplus = one.visits.came(user, which, one.warden.peer(descriptor))
        if surplus is not None and surplus[1] is not None:
            (_, descriptor), peer = surplus
            one.warden.cut_off(descriptor, peer)

    def _refusal(self, caller: Caller, request: Request) -> Refused | None:
        """Why it is not even read, if it is not."""
        if not self._rates.allow(caller.user, monotonic()):
            text = f"too many requests: {PER_SECOND:.0f} in a second of one key are met"
            return Refused(NoCapacity(text), "busy")
        if caller.role is Role.OBSERVER and len(request.frames[-1]) > LOOKING:
            return Refused(ProtocolError(f"a request of an observer has {LOOKING >> 10} KiB at most"), "malformed")
        return None

    # --- who may come no more

    def _look(self) -> None:
        now = monotonic()
        for one in list(self._open):
            self._guarded(one, partial(self._look_at, one))
        if now - self._summed >= PERIOD:
            self._summed = now
            self._audit.sum_up()
            self._rates.forget(now)
        if self._open:
            self._world.timers.set(self, now + LOOK, self._look)

    def _look_at(self, one: _Open) -> None:
        members = members_of(one.keyring)
        while not one.porter.let_in.empty():
            one.followers.add(one.porter.let_in.get())
        may = {(public, roles.in_force(one.role, member.role)) for public, member in members.items()}
        for role in {role for public, role in one.followers - may}:
            self._renew(one, role)
        for public in one.known - members.keys():
            one.counter.tickets.forget(public)
            one.visits.forget(public)
            self._control.forget(public)
        one.known = frozenset(members)
        self._tell_of_trouble(one)
        self._tell_of_mishaps(one)

    def _renew(self, one: _Open, role: Role) -> None:
        """Nobody can be cut off alone: so all are, and those who may come again."""
        one.followers = {(public, theirs) for public, theirs in one.followers if theirs is not role}
        self._world.hub.leave(one.gate.streams[role].socket)
        one.gate.renew(role)
        self._come_back(one, role, _FIRST_AGAIN, monotonic() + _TELL_AFTER)

    def _come_back(self, one: _Open, role: Role, pause: float, tell_at: float) -> None:
        if one not in self._open:
            return
        if one.gate.come_back(role):
            self._world.hub.watch(one.gate.streams[role].socket)
            return
        now = monotonic()
        if now >= tell_at:
            port = one.gate.streams[role].port
            self._world.logs.put(warning(f"port {port} of the gate {one.told.endpoint} is not to be had again yet"))
            tell_at = now + 60.0
        again = partial(self._come_back, one, role, min(_LONGEST_AGAIN, 2 * pause), tell_at)
        self._world.timers.set((one, role), now + pause, partial(self._guarded, one, again))

    # --- what goes wrong

    def _tell_of_trouble(self, one: _Open) -> None:
        trouble = trouble_of(one.keyring)
        if trouble and trouble != one.trouble:
            self._world.logs.put(warning(f"the gate {one.told.endpoint}: {trouble}"))
        one.trouble = trouble

    def _tell_of_mishaps(self, one: _Open) -> None:
        while not one.mishaps.empty():
            error = one.mishaps.get()
            if not one.ill:
                self._fall_ill(one, error)
        if not (one.ill or one.gate.zap.lives):
            self._fall_ill(one, None)

    def _fall_ill(self, one: _Open, error: BaseException | None) -> None:
        one.ill = True
        text = f"the gate {one.told.endpoint} met an error of its own and lets nobody in any more; please report it"
        self._world.logs.put(defect(text, error))

    def _guarded(self, one: _Open, act: Callable[[], None]) -> None:
        """One step at a gate; a defect of ours in it shuts that gate, and costs nobody else anything."""
        if one not in self._open:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - told in full
            self._shut(one)
            text = f"the gate {one.told.endpoint} met an error of its own and is shut; please report it"
            self._world.logs.put(defect(text, error))

    def _shut(self, one: _Open) -> None:
        self._open.remove(one)
        if not self._open and self in self._world.publisher.sinks:
            self._world.publisher.sinks.remove(self)
        for socket in one.gate.sockets:
            self._world.hub.leave(socket)
        one.gate.unhook()
        one.warden.join()
        one.gate.close()


def members_of(keyring: Keyring) -> dict[str, Member]:
    """Who may come in now, by public key: nobody where the keyring cannot be read, or others could add to it."""
    try:
        return keyring.members()
    except (ConfigError, AccessDenied, OSError):
        return {}


def trouble_of(keyring: Keyring) -> str:
    """What is wrong with it, in words; empty: nothing is."""
    try:
        keyring.members()
    except (ConfigError, AccessDenied, OSError) as error:
        return f"nobody is let in, and who is inside is refused: {error}"
    return "; ".join(f"nobody comes in by {name}: {why}" for name, why in sorted(keyring.unread.items()))
