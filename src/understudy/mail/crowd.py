"""One thread's words with several actors at once: how much each has to do, and an ask of all of them."""

# ruff: noqa: SLF001 - a part of Sender, kept apart

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from understudy.errors import ActorDied, UnderstudyError
from understudy.mail.answers import Said
from understudy.mail.link import Link, Peer
from understudy.mail.sender import Sender
from understudy.wire import letters

_FRESH = 0.001
"""Seconds for which what an actor said of its credit is not asked for again."""


class Crowd:
    """The replicas that one thread speaks to."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def loads(self, peers: Sequence[Peer]) -> list[int | None]:
        """How many messages of this thread each has yet to handle, as far as it said; None of who has ended.

        Nobody is waited for: a mailbox that has not said for a moment how far it is, is asked for the next time.
        """
        sender = self._sender
        if not sender._busy:
            sender.amid(self._look, peers)
        return [None if peer.over else self._load(peer) for peer in peers]

    def _look(self, peers: Sequence[Peer]) -> None:
        self._sender.drain()
        for peer in peers:
            self.wonder(peer.uid)

    def ask(self, links: Sequence[Link], message: Any, timeout: float | None) -> list[Any]:
        """Ask all that live, then wait for their answers, in that order; raises the first error that is met."""
        sender = self._sender
        if sender._busy:
            raise UnderstudyError("nothing can be asked amid another send of this thread, as from a finalizer")
        until = None if timeout is None else monotonic() + timeout
        asked: list[tuple[Link, int, int, list[Said]]] = []
        with sender._lock:
            try:
                sealed, frames = sender.seal(links[0], message)
                for link in links:
                    if sealed.loans and link is not links[0]:  # memory is lent to one
                        sealed, frames = sender.seal(link, message)
                    number, box = sender._office.number(), list[Said]()
                    with suppress(ActorDied):  # one that ended just now, and was sent nothing
                        deaths = sender.amid(sender.send_ask, link, number, sealed, frames, box, until)
                        asked.append((link, number, deaths, box))
                for link, number, deaths, box in asked:
                    if not box:
                        sender._await(link, number, deaths, until, timeout, box)
            finally:
                for link, number, _, _ in asked:
                    sender.cancel(link, number)  # of those that have answered nothing is expected
        return [sender.opened(link, box[0]) for link, _, _, box in asked]

    def _load(self, peer: Peer) -> int:
        link = self._sender.links.get(peer.uid)
        return 0 if link is None else link.load

    def wonder(self, uid: int) -> None:
        """Under the lock: a mailbox says of its own accord only now and then how far it is."""
        link, now = self._sender.links.get(uid), monotonic()
        if link is None or link.peer.over or link.seq == link.credit:
            return
        if now - link.wondered_at > _FRESH:
            link.wondered_at = now
            self._sender.say(link, letters.SYNC, [])
