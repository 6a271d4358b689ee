"""What an office does for groups, whose members are named by uid and name: whose turn it is, who has how much to do."""

from __future__ import annotations

import itertools
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from understudy.errors import ActorDied
from understudy.mail.link import Link, Peer
from understudy.settings import check_timeout
from understudy.tracing import ASK, around

if TYPE_CHECKING:
    from understudy.mail.office import Myself

_REMEMBERED = 1000
"""Of groups, the last so many: the turn of others begins anew."""


class Replicas(ABC):
    """That part of an `Office`."""

    def __init__(self, myself: Myself) -> None:
        self._myself = myself
        self._turns: dict[int, Iterator[int]] = {}
        self._own = threading.local()

    @abstractmethod
    def known(self, uid: int) -> Peer | None:
        """What is known of an actor that was met."""

    @abstractmethod
    def peer(self, uid: int, name: str) -> Peer:
        """What is known of an actor; at first it is asked for."""

    @abstractmethod
    def check_not_myself(self, uid: int, name: str) -> None:
        """Raise WrongProcess for an actor that asks itself."""

    @abstractmethod
    def _link(self, uid: int, name: str) -> Link:
        """The way of this thread to an actor."""

    def lives(self, uid: int, name: str) -> bool:
        """Whether what is sent to that actor may still be handled."""
        return not (self.known(uid) or self.peer(uid, name)).over

    def stays(self, uid: int, name: str) -> bool:
        """Whether that actor is not about to end: one that stops takes messages, and handles them hardly ever."""
        return (self.known(uid) or self.peer(uid, name)).stays

    def turn(self, group: int) -> int:
        """Whose turn it is, one further each time; groups are named by their first member's uid.

        Each process begins elsewhere, for many may send only once.
        """
        turns = self._turns.get(group)
        if turns is None:
            turns = self._turns.setdefault(group, itertools.count(os.getpid() if self._myself.uid else 0))
            if len(self._turns) > _REMEMBERED:
                self._turns.pop(next(iter([*self._turns])), None)
        return next(turns)

    def loads(self, members: Sequence[tuple[int, str]]) -> list[int | None]:
        """How many messages of this thread each has yet to handle, as far as is known; None of who has ended."""
        peers = [self.known(uid) or self.peer(uid, name) for uid, name in members]
        if getattr(self._own, "sender", None) is None:
            return [None if peer.over else 0 for peer in peers]
        loads: list[int | None] = self._own.crowd.loads(peers)
        return loads

    def ask_all(self, members: Sequence[tuple[int, str]], message: Any, timeout: float | None) -> list[Any]:
        """The answers of all that have not ended, in that order; none where all have."""
        seconds = check_timeout(timeout)
        for uid, name in members:
            self.check_not_myself(uid, name)
        links: list[Link] = []
        for uid, name in members:
            with suppress(ActorDied):
                links.append(self._link(uid, name))
        if not links:
            return []
        with around(ASK, None, len(links)):
            answers: list[Any] = self._own.crowd.ask(links, message, seconds)
            return answers
