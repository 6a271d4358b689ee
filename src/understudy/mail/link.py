"""What one thread has under way to one actor: the batch that it gathers, and its credit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from understudy.mail.lending import Lending
from understudy.mail.surplus import Surplus
from understudy.wire import letters
from understudy.wire.bulk import Lender

MOST = 64
"""Tells that make a batch full."""
_PARTS = 4
"""A window is given back in so many parts, so a batch is no larger than one of them."""
_LINGER = 1.0
"""Seconds for a message to leave, from when it was sent."""
_LENT = 1_000
"""Numbers of loans that are remembered, before those that are back are forgotten."""
_BYE = 0.1
"""The same for the word that a sender ends: no message hangs on it."""


class Peer:
    """An actor that this process speaks to, as far as it was told how that stands."""

    __slots__ = (
        "deaths",
        "heard",
        "is_warned_of",
        "leaving",
        "met",
        "name",
        "on_full",
        "state",
        "takes",
        "uid",
        "window",
    )

    def __init__(self, uid: int, name: str) -> None:
        self.uid, self.name = uid, name
        self.state = ""
        """As in a `Fate`."""
        self.met = threading.Event()
        """Set by the first one: until then nobody could say whether a message was sent before a death or after it."""
        self.deaths = 0
        self.leaving = 0
        """The life that said it ends; until its death is known, what is sent would go down with it."""
        self.window = 1000
        self.on_full = "block"
        self.takes = "always"
        """As in a `Fate`."""
        self.heard = False
        """Whether its mailbox has ever said anything."""
        self.is_warned_of = False

    @property
    def is_silent(self) -> bool:
        """Whether it may be one that never waits for a message, though it could."""
        return self.takes == "perhaps" and not self.heard

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be said to it: it is over, or a function, which cannot take a message."""
        return self.over or self.takes == "never"

    @property
    def over(self) -> bool:
        """Whether nothing that is sent there will ever be handled."""
        return self.state in {"ended", "unknown"}

    @property
    def stays(self) -> bool:
        """Whether it is not about to end for good, as far as is known."""
        return not self.over and self.state != "stopping"


class Link:
    """One thread's way to one actor. Only that thread uses it, or who holds its sender's lock.

    Bodies are gathered without the lock: to append, and to take from the other end, are one step each.
    """

    __slots__ = (
        "_heading", "_headings", "_pack", "begun", "bodies", "credit", "known", "lending", "lent", "most", "mourned",
        "peer", "route", "sent_at", "seq", "surplus", "synced", "taken", "wondered_at",
    )  # fmt: skip

    def __init__(self, peer: Peer, route: bytes, packer: letters.Packer, heading: Callable[[str], bytes]) -> None:
        self.peer, self.route = peer, route
        self._pack, self._heading = packer.pack, heading
        self._headings: dict[str, bytes] = {}
        self.bodies: deque[bytes] = deque()
        self.taken: list[bytes] = []
        """Those of a batch that is being sent: after an interruption it may have left, or not. It is sent anew then,
        under the same numbers, by which the mailbox knows it."""
        self.begun = False
        """Whether the first of them was let in: only then they count as sent."""
        self.most = MOST
        self.seq = 0
        """Of the last tell or ask that was sent; those that are gathered follow."""
        self.credit = 0
        """Through which seq they are handled."""
        self.sent_at = 0.0
        self.mourned = 0.0
        """Until when its last words are waited for, once it has ended."""
        self.lending: Lending | None = None
        """Of what is too large to be sent; made with the first message that may be."""
        self.lent: set[int] = set()
        """The loans of letters that were sent; some may be back. One that waits to be sent is nobody's to give back."""
        self.surplus = Surplus()
        """What waits for credit without holding up who sends."""
        self.known = peer.deaths
        """How many of its deaths are known of which all is read that it said before."""
        self.synced = peer.deaths
        """After how many deaths of the actor its mailbox was last asked for the credit."""
        self.wondered_at = 0.0
        """When it was last asked out of curiosity."""

    @property
    def lender(self) -> Lender | None:
        """What lends what is too large to be sent."""
        return None if self.lending is None else self.lending.lender

    @property
    def lends(self) -> bool:
        """Whether anything is lent that is not back yet."""
        return self.lending is not None and bool(self.lending.lender.out)

    @property
    def load(self) -> int:
        """How many messages its actor has yet to handle, as far as it said."""
        return self.seq + len(self.taken) + len(self.bodies) + len(self.surplus) - self.credit

    @property
    def is_full(self) -> bool:
        """Whether what is gathered has to wait for credit."""
        return self.seq + len(self.taken) + len(self.bodies) - self.credit >= self.peer.window

    @property
    def is_shut(self) -> bool:
        """Whether nothing can be sent now, for whatever reason."""
        peer = self.peer
        return self.is_full or peer.leaving > self.known or peer.is_closed

    @property
    def has_to_wait(self) -> bool:
        """The same for what comes anew: what is kept goes before it."""
        return self.is_shut or bool(self.surplus)

    def lend_out(self, loans: Sequence[Any]) -> None:
        """These go with a letter that is sent now."""
        self.lent.update(loan[0] for loan in loans if loan is not None)
        if len(self.lent) > _LENT:
            self.still_lent()

    def still_lent(self) -> list[int]:
        """Those of sent letters that are not back."""
        self.lent.intersection_update(() if self.lender is None else self.lender.numbers)
        return sorted(self.lent)

    @property
    def keeps_for_later(self) -> bool:
        """Whether a tell is kept until the next life takes it: as many as its mailbox holds."""
        waits = self.peer.state == "leaving" or bool(self.surplus)
        return waits and not self.is_full and len(self.surplus) < self.peer.window

    def leaves_within(self, now: float) -> float:
        """Seconds that what was sent may still need to leave, once its sender ends."""
        if self.peer.over:
            return 0.0
        return max(_BYE, self.sent_at + _LINGER - now) if self.seq > self.credit else _BYE

    def size_up(self) -> None:
        """How many make a batch full: as many as the window allows for."""
        window = self.peer.window
        self.most = max(1, min(MOST, window // _PARTS, window - self.seq + self.credit))

    def batch(self) -> bytes:
        """The gathered tells, or those that are still taken, as one frame."""
        taken, bodies = self.taken, self.bodies
        if not taken:
            # One step of the interpreter: no signal's handler finds any that are neither here nor there.
            taken.extend(islice(iter(bodies.popleft, None), len(bodies)))
        return b"".join((
            self._begun(letters.TELLS), self._pack(self.seq + 1), letters.array_head(len(taken)), *taken
        ))  # fmt: skip

    def batch_sent(self) -> None:
        """It is under way; none of it is taken any more."""
        self.seq += len(self.taken)
        self.taken.clear()
        if not self.bodies:
            self.begun = False

    def head(self, kind: str, content: Any) -> bytes:
        """The envelope of a letter that is no batch, under the seq that stands."""
        return self._begun(kind) + self._pack(self.seq) + self._pack(content)

    def _begun(self, kind: str) -> bytes:
        try:
            return self._headings[kind]
        except KeyError:
            made = self._headings[kind] = self._heading(kind)
            return made
