"""Who asks over a network: by which key, from where, and what that allows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from understudy.errors import AccessDenied, ProtocolError
from understudy.router import roles
from understudy.router.audit import Audit, Who
from understudy.router.fields import HEAD, Refused
from understudy.router.replies import Replies
from understudy.router.tickets import Tickets
from understudy.wire.keyring import Member, Role
from understudy.wire.sockets import Frames
from understudy.wire.sockets.gate import Request

_HEAD = HEAD | {"ticket"}
_FRESH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Counter:
    """What all who ask at one gate share: where it is, where the streams are, and what was handed out there."""

    endpoint: str
    streams: Mapping[Role, int]
    replies: Replies
    tickets: Tickets
    audit: Audit


def name_at_the_sockets(member: Member) -> str:
    """What the messages of a member bear. Its key is in it: that of another one of its name is another."""
    return f"{member.name} {member.public}"


class Caller:
    """Asks one thing, by a key of which that role is in force."""

    head = _HEAD

    def __init__(self, counter: Counter, request: Request, role: Role) -> None:
        name, _, self.user = request.user.partition(" ")
        self._counter, self._role, self._connection = counter, role, request.connection
        self._who = Who(name, self._standing(), request.address)

    def _standing(self) -> str:
        return str(self._role)

    def enter(self) -> None:
        """It may."""

    def allow(self, verb: str, least: Role) -> None:
        """Raise Refused for what the role, or the gate, does not allow."""
        if not roles.may(self._role, least):
            text = f"{verb!r} is for a {least}, and {self._who.user} is an {self._role} here"
            raise Refused(AccessDenied(text), "denied")

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
        """What the role sees of it; ``hello`` also says how to go on here."""
        if verb != "hello":
            return roles.shown(self._role, verb, value)
        ticket = self._counter.tickets.issue(self.user, self._connection, secrets.token_hex(_FRESH_BYTES))
        return {
            **value,
            "user": self._who.user,
            "role": str(self._role),
            "stream": self._counter.streams[self._role],
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
