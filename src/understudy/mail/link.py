"""What one thread has under way to one actor: the batch that it gathers, its credit, and copies for the next life."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from understudy.mail.lending import Lending
from understudy.mail.surplus import Surplus
from understudy.wire import letters
from understudy.wire.bulk import Lender
from understudy.wire.messages import Fate

MOST = 64
"""Tells that make a batch full."""
_PARTS = 4
"""A window is given back in so many parts, so a batch is no larger than one of them."""
_LINGER = 1.0
"""Seconds for a message to leave, from when it was sent."""
_LENT = 1_000
"""Numbers of loans that are remembered, before those that are back are forgotten."""
_HEAVY = 1 << 20
"""Bytes of copies that may stay until the mailbox says by itself how far it is."""
_BYE = 0.1
"""The same for the word that a sender ends: no message hangs on it."""


class Peer:
    """An actor that this process speaks to, as far as it was told how that stands."""

    __slots__ = (
        "begun",
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
        """The life that said it ends; until its death is known, what it is asked would be refused."""
        self.window = 1000
        self.on_full = "block"
        self.takes = "always"
        """As in a `Fate`."""
        self.begun: dict[int, tuple[int, frozenset[int]]] = {}
        """Once it has ended: through which seq it has begun what each sender of ours told, and what ahead of that."""
        self.heard = False
        """Whether its mailbox has ever said anything."""
        self.is_warned_of = False

    def learn(self, fate: Fate) -> None:
        """It stands so now."""
        if fate.begun:
            self.begun = {number: (through, frozenset(ahead)) for number, through, *ahead in fate.begun}
        if fate.state == "leaving":
            self.leaving = max(self.leaving, fate.incarnation)
        if fate.size:
            self.window, self.on_full, self.takes = fate.size, fate.on_full, fate.takes
        self.name, self.state, self.deaths = fate.name or self.name, fate.state, max(self.deaths, fate.deaths)
        self.met.set()

    @property
    def is_silent(self) -> bool:
        """Whether it may be one that never waits for a message, though it could."""
        return self.takes == "perhaps" and not self.heard

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be said to it: it is over, or a function or program, which cannot take a message."""
        return self.over or self.takes in {"never", "program"}

    @property
    def over(self) -> bool:
        """Whether nothing that is sent there will ever be handled."""
        return self.state in {"ended", "unknown"}

    @property
    def stays(self) -> bool:
        """Whether it is not about to end for good, as far as is known."""
        return not self.over and self.state != "stopping"


class Chained(Protocol):
    """A reliable message whose handling sends others: it is done when these are."""

    def sent(self) -> None:
        """One more was sent."""
        ...

    def acknowledged(self) -> None:
        """One of them is done, or nobody will handle it. In any thread."""
        ...


class Sent(NamedTuple):
    """A letter with tells that its mailbox may not have begun: the first and the last seq, and all its frames."""

    first: int
    last: int
    frames: Sequence[bytes]
    chained: Chained | None = None


RELIABLE = "reliable"
"""Beside the kinds of letters, for what has to wait: a reliable tell."""


class Link:
    """One thread's way to one actor. Only that thread uses it, or who holds its sender's lock.

    Bodies are gathered without the lock: to append, and to take from the other end, are one step each.
    """

    __slots__ = (
        "_heading",
        "_headings",
        "_pack",
        "again",
        "begun",
        "bodies",
        "credit",
        "is_asked",
        "lending",
        "lent",
        "life",
        "most",
        "peer",
        "route",
        "sent",
        "sent_at",
        "seq",
        "sure",
        "surplus",
        "synced",
        "taken",
        "weight",
        "wondered_at",
    )  # fmt: skip

    def __init__(
        self, peer: Peer, life: int, route: bytes, packer: letters.Packer, heading: Callable[[str], bytes]
    ) -> None:
        self.peer, self.life, self.route = peer, life, route
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
        self.lending: Lending | None = None
        """Of what is too large to be sent; made with the first message that may be."""
        self.lent: set[int] = set()
        """The loans of letters that were sent; some may be back. One that waits to be sent is nobody's to give back."""
        self.surplus = Surplus()
        """What waits for credit without holding up who sends."""
        self.sent: deque[Sent] = deque()
        """What goes to the next life if this one does not begin it."""
        self.sure: dict[int, Sent] = {}
        """By seq, the reliable ones: kept until they are done."""
        self.again: deque[Sent] = deque()
        """What of that is still to be sent to this life."""
        self.synced = life
        """The life whose mailbox has all that is meant for it of what was sent to those before."""
        self.weight = 0
        """Bytes of it."""
        self.is_asked = False
        """Whether the mailbox was asked how far it is, and has said nothing since."""
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
        return self.is_full or self.peer.is_closed

    @property
    def has_to_wait(self) -> bool:
        """The same for what comes anew: what is kept goes before it."""
        return self.is_shut or bool(self.surplus)

    def holds_up(self, kind: str) -> bool:
        """The same for that kind: a life that ends would refuse an ask; of reliable tells a window is kept."""
        if kind == RELIABLE and len(self.sure) >= self.peer.window:
            return True
        return self.has_to_wait or (kind == letters.ASK and self.peer.leaving > self.peer.deaths)

    @property
    def is_behind(self) -> bool:
        """Whether what is under way is still to be brought to the life that there is now."""
        return self.synced <= self.peer.deaths and not self.peer.over

    def begin(self, life: int, route: bytes) -> None:
        """A death is known, and this is the way to the life that follows."""
        again = deque(sorted([*self.sent, *self.sure.values()], key=_by_seq)) if self.sure else self.sent.copy()
        self.life, self.route, self.again, self.is_asked = life, route, again, False

    def keep(self, frames: Sequence[Any]) -> None:
        """The last one is a tell with these frames."""
        self._remember(Sent(self.seq, self.seq, _copied(frames)))

    def keep_surely(self, frames: Sequence[Any], chained: Chained | None) -> None:
        """The same for a reliable one."""
        self.sure[self.seq] = Sent(self.seq, self.seq, _copied(frames), chained)

    def acknowledge(self, through: int) -> None:
        """The reliable ones are done through there, or nobody will handle them."""
        for seq in [*self.sure]:
            if seq > through:
                return
            chained = self.sure.pop(seq).chained
            if chained is not None:
                chained.acknowledged()

    def _remember(self, sent: Sent) -> None:
        self.weight += sum(map(len, sent.frames))
        self.sent.append(sent)

    @property
    def _is_kept(self) -> bool:
        """Whether the batch that is still taken is: what struck came right after that."""
        return bool(self.sent) and self.sent[-1].last > self.seq

    @property
    def is_heavy(self) -> bool:
        """Whether so much is kept that it is worth a question what of it is begun."""
        return self.weight > _HEAVY and not self.peer.is_closed

    def settle(self, begun: int) -> None:
        """Through there all is begun: no later life is to have it."""
        sent = self.sent
        while sent and sent[0].last <= begun:
            self.weight -= sum(map(len, sent[0].frames))
            sent.popleft()
        if not sent:
            self.weight = 0  # whatever struck amid the counting

    def lend_out(self, loans: Sequence[Any]) -> None:
        """These go with a letter that is sent now."""
        self.lent.update(loan[0] for loan in loans if loan is not None)
        if len(self.lent) > _LENT:
            self.still_lent()

    def still_lent(self) -> list[int]:
        """Those of sent letters that are not back."""
        self.lent.intersection_update(() if self.lender is None else self.lender.numbers)
        return sorted(self.lent)

    def end_loans(self) -> None:
        """Nobody will hear here what is back: what was sent stays with who has it, but for one that is over."""
        if self.lender is not None:
            if self.peer.over:
                self.lender.stock.close()
            self.lender.close(self.lent)

    def leaves_within(self, now: float) -> float:
        """Seconds that what was sent may still need to leave, once its sender ends."""
        if self.peer.over:
            return 0.0
        return max(_BYE, self.sent_at + _LINGER - now) if self.seq > self.credit else _BYE

    def not_begun(self, sender: int) -> int:
        """How many tells, of that sender and sent or gathered, its actor will not begin any more, as it has ended."""
        through, ahead = self.peer.begun.get(sender, (0, frozenset[int]()))
        kept = (*self.sent, *self.sure.values())
        sent = sum(one.last - max(one.first - 1, through) for one in kept if one.last > through)
        return sent - len(ahead) + (0 if self._is_kept else len(self.taken))

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

    def batch_sent(self, frame: bytes) -> None:
        """It is under way; none of it is taken any more."""
        last = self.seq + len(self.taken)
        if not self._is_kept:
            self._remember(Sent(self.seq + 1, last, (frame,)))
        self.seq = last  # and the next one in a single step: whoever strikes between finds a batch to be sent anew
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


def _by_seq(one: Sent) -> int:
    return one.first


def _copied(frames: Sequence[Any]) -> list[bytes]:
    """Some may be the user's own, to be changed as soon as he is told that they are sent."""
    return [frame if type(frame) is bytes else bytes(frame) for frame in frames]
