"""Dead letters: messages that nobody will handle, kept for who asks, told to who watches, and counted."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.deadletters import DeadLetter
from understudy.errors import ProtocolError, SystemClosed
from understudy.router.calls import Calls
from understudy.wire.codec import value_of
from understudy.wire.keys import verify
from understudy.wire.messages import Letter
from understudy.wire.pickling import loads

if TYPE_CHECKING:
    from understudy.lifecycle.actor import Actor
    from understudy.router.world import World

T = TypeVar("T")
KEPT = 1_000
KEPT_BYTES = 16 << 20
"""Bytes of messages that are kept; of those that are beyond only what is told of them is."""
_LONGEST_TEXT, _LONGEST_REASON = 200, 500


class Body:
    """A message that nobody has opened."""

    def __init__(self, key: bytes, tag: bytes | None, frames: Sequence[Any]) -> None:
        self._key, self._tag = key, tag
        self._frames = tuple(frames)
        self.bytes = sum(memoryview(frame).nbytes for frame in frames)

    def __call__(self) -> Any:
        """What it holds: plain values, or what a pickle of this system makes."""
        frames = self._frames
        if not frames:
            raise LookupError("this message is kept no more: later ones took its place")
        if self._tag is None:
            return value_of(frames[0])
        if not verify(self._key, frames, self._tag):
            raise ProtocolError("this message does not bear the tag of its system, and is not opened")
        return loads(frames)

    def let_go(self) -> None:
        """Keep it no longer."""
        self._frames = ()


class Letters:
    """The last of them; changed by the router's thread, and by whoever comes after its end."""

    def __init__(self, *, most: int = KEPT, size: int = KEPT_BYTES) -> None:
        self._most, self._room = most, size
        self._kept: deque[tuple[DeadLetter, Body | None]] = deque()
        self._bodies: deque[Body] = deque()
        self.total = 0
        """How many messages there were, since the system began."""

    def add(self, letter: DeadLetter, body: Body | None) -> None:
        """Keep one; the oldest go for it, and before them their messages."""
        self.total += letter.count
        self._kept.append((letter, body))
        if body is not None:
            self._bodies.append(body)
            self._room -= body.bytes
        if len(self._kept) > self._most:
            _, gone = self._kept.popleft()
            if self._bodies and self._bodies[0] is gone:
                self._let_go()
        while self._room < 0:
            self._let_go()

    def _let_go(self) -> None:
        oldest = self._bodies.popleft()
        self._room += oldest.bytes
        oldest.let_go()

    def kept(self) -> list[DeadLetter]:
        """All that are kept, the oldest first."""
        return [letter for letter, _ in self._kept]

    def drain(self) -> list[DeadLetter]:
        """The same, and keep them no longer: their messages belong to who took them."""
        taken, self._kept = self.kept(), deque()
        self._room += sum(body.bytes for body in self._bodies)
        self._bodies.clear()
        return taken

    def __len__(self) -> int:
        return len(self._kept)


def deliver(world: World, letter: Letter, teller: Actor | None) -> None:
    """Keep one that ``teller`` told of (None: the parent), and tell who watches.

    The event is about the actor that it was for; where that one is forgotten, about the teller.
    """
    keep(world, letter)
    about = world.registry.actors.get(letter.uid, teller)
    if about is None:
        return
    data = {
        "to": letter.uid,
        "sender": letter.sender,
        "sender_name": letter.sender_name,
        "way": letter.way,
        "text": letter.text[:_LONGEST_TEXT],
        "count": letter.count,
    }
    cause = letter.reason[:_LONGEST_REASON]
    world.publisher.publish("dead_letter", about.name, about.uid, about.incarnation, None, None, cause, data)


def keep(world: World, letter: Letter) -> None:
    """Keep one and count it."""
    receiver, body = world.registry.actors.get(letter.uid), None
    if letter.frames and (letter.tag is not None or len(letter.frames) == 1):
        made = Body(world.key, letter.tag, letter.frames)
        body = made if made.bytes <= KEPT_BYTES else None
    elif letter.frames:
        world.dropped += 1  # several frames are a pickle, and without a tag nobody opens it
    told = DeadLetter(
        time=time.time(),
        to="" if receiver is None else receiver.name,
        uid=letter.uid,
        sender=letter.sender_name,
        way=letter.way,
        reason=letter.reason[:_LONGEST_REASON],
        text=letter.text[:_LONGEST_TEXT],
        count=max(1, letter.count),
        report=world.records[letter.uid].report if letter.deaths > 0 and receiver is not None else None,
        _open=body,
    )
    world.letters.add(told, body)


def lose(world: World, actor: Actor, count: int) -> None:
    """So many messages that a life had in hand ended with it, and nobody knows which."""
    if count > 0:
        deliver(world, Letter(actor.uid, "in hand as its receiver's life ended", "tell", "", count, 0, ""), actor)


class DeadLetters:
    """The messages that nobody handled: the last 1,000 tellings of them, the oldest first; any thread may ask.

    To iterate leaves them where they are; `drain` takes them. Of the messages themselves the last 16 MiB are kept. They
    can be asked for also when the system has closed.
    """

    def __init__(self, letters: Letters, calls: Calls) -> None:
        self._letters, self._calls = letters, calls

    @property
    def total(self) -> int:
        """How many messages nobody handled since the system began, the forgotten ones among them."""
        return self._letters.total

    def drain(self) -> list[DeadLetter]:
        """Take all that are kept: they are not told again, and their messages stay with who took them."""
        return self._look(self._letters.drain)

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._look(self._letters.kept))

    def __len__(self) -> int:
        return len(self._letters)

    def __repr__(self) -> str:
        return f"<{len(self)} dead letters, of {self.total} messages>"

    def _look(self, act: Callable[[], T]) -> T:
        with contextlib.suppress(SystemClosed):
            return self._calls.look(act)
        return act()
