"""Who asks, as the control socket knows them: what they may do and see, and how an answer reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from understudy.router.fields import HEAD, Refused
from understudy.router.replies import Replies
from understudy.status import Role
from understudy.wire.sockets import Frames


class Peer(Protocol):
    """Asks one thing."""

    @property
    def user(self) -> str:
        """Whose the key of the request is."""

    @property
    def head(self) -> frozenset[str]:
        """The keys that its requests may have, whatever the verb."""

    def enter(self) -> None:
        """Raise Refused where it may ask for nothing."""

    def allow(self, verb: str, least: Role) -> None:
        """Raise Refused where it may not do that, which needs that role at least."""

    def spend(self, request: Mapping[str, Any]) -> None:
        """Before something is changed: raise Refused where the request does not bear what it needs for that."""

    def shown(self, verb: str, value: Any) -> Any:
        """What it may see of that answer; raises Refused where it may see none of it any more."""

    def did(self, verb: str, whom: object, outcome: object) -> None:
        """Something was changed, or could not be."""

    def refused(self, verb: str, whom: object, refusal: Refused) -> None:
        """The request was refused."""

    def send(self, envelope: Frames, body: bytes) -> None:
        """Give it a reply, without waiting for it."""


class Neighbour:
    """Who asks by ipc is of the same user, and may do and see all."""

    user = ""
    head = HEAD

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def enter(self) -> None:
        """It may."""

    def allow(self, verb: str, least: Role) -> None:
        """It may."""

    def spend(self, request: Mapping[str, Any]) -> None:
        """It needs nothing."""

    def shown(self, verb: str, value: Any) -> Any:
        """All of it."""
        return value

    def did(self, verb: str, whom: object, outcome: object) -> None:
        """It is told by what becomes of the actors."""

    def refused(self, verb: str, whom: object, refusal: Refused) -> None:
        """It is told to whoever asked."""

    def send(self, envelope: Frames, body: bytes) -> None:
        """By the parent's own socket."""
        self._replies.send(envelope, body)
