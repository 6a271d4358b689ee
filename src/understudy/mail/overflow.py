"""One thread's surplus for full mailboxes: kept, sent on in time, told of where dropped."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from understudy.mail.surplus import Kept

if TYPE_CHECKING:
    from understudy.mail.counter import Counter
    from understudy.mail.link import Link
    from understudy.mail.office import Office

_TOLD_EVERY = 0.05
"""Seconds: those that are dropped meanwhile are told as one."""


class Overflow:
    """Of one sender; under its lock."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._links: dict[int, Link] = {}
        """By actor: those that have a surplus, or dropped some of it."""
        self._told_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._links)

    def keep(self, link: Link, kept: Kept) -> None:
        """Keep a tell; the oldest may be dropped for it."""
        link.surplus.keep(kept, link.peer.window, link.lender)
        self._links[link.peer.uid] = link

    def send_on(self, counter: Counter) -> None:
        """Send what is kept, as far as there is credit; what was dropped is told after a while."""
        now = monotonic()
        tells = now - self._told_at >= _TOLD_EVERY
        if tells:
            self._told_at = now
        for uid, link in list(self._links.items()):
            if link.peer.over:
                continue  # to be buried
            counter.follow(link)
            while link.surplus and not link.is_shut:
                kept = link.surplus.next()
                counter.post_kept(link, kept.seal, kept.frames, urgent=kept.urgent)
            if tells:
                self._tell_dropped(link)
            if not (link.surplus or link.surplus.count):
                del self._links[uid]

    def forget(self, link: Link) -> int:
        """It comes to an end: how many are still kept."""
        self._tell_dropped(link)
        self._links.pop(link.peer.uid, None)
        return len(link.surplus)

    def _tell_dropped(self, link: Link) -> None:
        count, one = link.surplus.dropped()
        if count:
            self._office.lost(link.peer, count, "was full, and newer messages took its place", one)
