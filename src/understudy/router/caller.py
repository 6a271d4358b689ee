"""Who asks over a network: by which key, from where, and what that allows."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.errors import AccessDenied, NoCapacity, ProtocolError
from understudy.router import roles
from understudy.router.audit import Audit, Who
from understudy.router.fields import HEAD, Refused
from understudy.router.rates import REPLY, Rates
from understudy.router.replies import Replies
from understudy.router.tickets import Tickets
from understudy.status import Role
from understudy.wire.keyring import Member
from understudy.wire.sockets import Frames
from understudy.wire.sockets.gate import Request

_HEAD = HEAD | {"ticket"}
_FRESH_BYTES = 16
UNANSWERED = 8
"""Requests of one key that may wait for their answers, as for figures that are measured first."""


@dataclass(frozen=True, slots=True)
class Counter:
    """What all who ask at one gate share: where it is, where the streams are, and what was handed out there."""

    endpoint: str
    streams: Mapping[Role, int]
    replies: Replies
    tickets: Tickets
    audit: Audit
    rates: Rates
    role_of: Callable[[str], Role | None]
    """The role that is in force here, now, of that user; None: it may come no more."""
    unanswered: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Requests that are being met, by user."""


def name_at_the_sockets(member: Member) -> str:
    """What the messages of a member bear. Its key is in it: that of another one of its name is another."""
    return f"{member.name} {member.public}"


class Caller:
    """Asks one thing, by a key of which that role is in force."""

    head = _HEAD

    def __init__(self, counter: Counter, request: Request, role: Role) -> None:
        name, _, self.user = request.user.partition(" ")
        self._counter, self.role, self._connection = counter, role, request.connection
        self._who = Who(name, self._standing(), request.address)
        self._is_met = False
        self._waits = False

    def wait(self) -> None:
        """It was not answered at once, if it was not: what it may see is looked up again, then."""
        self._waits = True

    def _standing(self) -> str:
        return str(self.role)

    def enter(self) -> None:
        """It may."""

    def allow(self, verb: str, least: Role) -> None:
        """Raise Refused for what the role, or the gate, does not allow."""
        if not roles.may(self.role, least):
            text = f"{verb!r} is for a {least}, and {self._who.user} is an {self.role} here"
            raise Refused(AccessDenied(text), "denied")
        if self._counter.unanswered[self.user] >= UNANSWERED:
            raise Refused(NoCapacity(f"{UNANSWERED} requests of one key wait for their answers"), "busy")
        self._counter.unanswered[self.user] += 1
        self._is_met = True

    def spend(self, request: Mapping[str, Any]) -> None:
        """Use the ticket."""
        if "request" not in request:
            text = (
                "field 'request' must be there: over a network a change needs a key of its own, for a reply may be lost"
            )
            raise Refused(ProtocolError(text), "field", "request")
        why = self._counter.tickets.use(self.user, self._connection, request.get("ticket"))
        if why is not None:
            raise Refused(AccessDenied(f"the request changes something: {why}"), "ticket")

    def shown(self, verb: str, value: Any) -> Any:
        """What the role sees of it; ``hello`` also says how to go on here. Raises Refused where that was long ago."""
        if self._waits and self._counter.role_of(self.user) is not self.role:
            text = f"the key of {self._who.user} was revoked, or its role changed, before this was answered"
            raise Refused(AccessDenied(text), "denied")
        if verb != "hello":
            return roles.shown(self.role, verb, value)
        ticket = self._counter.tickets.issue(self.user, self._connection, secrets.token_hex(_FRESH_BYTES))
        return {
            **value,
            "user": self._who.user,
            "role": str(self.role),
            "stream": self._counter.streams[self.role],
            "ticket": ticket,
            "endpoint": self._counter.endpoint,
        }

    def did(self, verb: str, whom: object, outcome: object) -> None:
        """It goes into the log."""
        self._counter.audit.did(self._who, verb, whom, outcome)

    def refused(self, verb: str, whom: object, refusal: Refused) -> None:
        """It goes into the log."""
        self._counter.audit.refused(self._who, verb, whom, refusal.reason, str(refusal))

    def send(self, envelope: Frames, body: bytes) -> None:
        """By the gate's socket."""
        if self._is_met:
            self._is_met = False
            self._counter.unanswered[self.user] -= 1
            if not self._counter.unanswered[self.user]:
                del self._counter.unanswered[self.user]
        self._counter.rates.charge(self.user, len(body) / REPLY - 1.0)
        self._counter.replies.send(envelope, body)


class Revoked(Caller):
    """Came in by a key that is not good any more."""

    def __init__(self, counter: Counter, request: Request) -> None:
        super().__init__(counter, request, Role.OBSERVER)

    def _standing(self) -> str:
        return "revoked"

    def enter(self) -> None:
        """Raise Refused."""
        raise Refused(AccessDenied(f"the key of {self._who.user} was revoked"), "denied")
