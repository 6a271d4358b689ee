"""What a pool and its workers say to each other: messages to bytes, and back from whatever pieces come.

A message is an envelope, four bytes for its length and msgpack, ``[kind, content, sizes]``, then parts of these sizes
as they are. A body in the content is a `Sealed` message: its form, its tag and its frames, of which a number stands for
the part at that place. Reading copies no part: ``room`` is where the next bytes go, `filled` says how many came.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from understudy.errors import ProtocolError
from understudy.wire.codec import MAX_PART, pack, unpack
from understudy.wire.payload import opened as plain
from understudy.wire.pickling import loads
from understudy.wire.sealing import INLINE, PICKLED, Sealed, unwrap, verified

HELLO, WELCOME, TASKS, FORGET = "hello", "welcome", "tasks", "forget"
"""To a worker, but for the first: I am that one; I am your pool; do these; you need not know these functions any more.

A task is its number, the number of its function or None, the body of that where the worker does not have it, the body
of its arguments, its timeout, and the shape of the arguments."""
ONE, COLUMNS, ROWS = range(3)
"""Shapes: positional ones and keywords of one call; columns, of which each row is a call; rows, each a call."""
READY, SPOILT, DONE, FAILED, LATE = "ready", "spoilt", "done", "failed", "late"
"""To the pool: I take tasks; my initializer has raised; a task is done, has raised, has overrun its timeout."""

SHORT = 16 << 10
"""Bytes up to which a frame of a body stands in the envelope."""
MAX_ENVELOPE = 64 << 20
_HEAD = struct.Struct("<I")
_INBOX = 256 << 10
_FIELDS = 3


class Message(NamedTuple):
    """What one side said; ``parts`` are for whoever opens its bodies."""

    kind: str
    content: Any
    parts: list[bytearray]


class Writer:
    """Gathers one message: its bodies first, then all of it."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._sizes: list[int] = []
        self.nbytes = 0
        """Of the bodies so far."""

    def body(self, sealed: Sealed) -> list[Any]:
        """What stands for it in the content."""
        if sealed.form == INLINE:  # as most are
            return self.plain(sealed.frames[0])
        frames: list[Any] = []
        for frame in sealed.frames:
            size = memoryview(frame).nbytes
            self.nbytes += size
            if size <= SHORT:
                frames.append(bytes(frame))
            else:
                frames.append(len(self._parts))
                self._parts.append(frame)
                self._sizes.append(size)
        return [sealed.form, sealed.tag, frames]

    def plain(self, packed: bytes) -> list[Any]:
        """The same for what is msgpack, and short."""
        self.nbytes += len(packed)
        return [INLINE, None, [packed]]

    def message(self, kind: str, content: Any) -> list[Any]:
        """The buffers to be sent, in this order."""
        envelope = pack([kind, content, self._sizes])
        if not self._parts:
            return [_HEAD.pack(len(envelope)) + envelope]
        return [_HEAD.pack(len(envelope)) + envelope, *self._parts]


def kept(sealed: Sealed) -> Sealed:
    """The same as it is now, whatever becomes of the buffers that it was made of."""
    if sealed.form == INLINE or all(type(frame) is bytes for frame in sealed.frames):
        return sealed
    frames = [frame if type(frame) is bytes else bytes(frame) for frame in sealed.frames]
    return Sealed(sealed.form, sealed.tag, frames, sealed.loans)


def opened(body: Any, parts: Sequence[bytearray], key: bytes) -> Any:
    """What a body holds; raises ProtocolError for what nobody of this system has sealed, and what unpickling raises."""
    if not (isinstance(body, list) and len(body) == _FIELDS and isinstance(body[2], list)):
        raise ProtocolError("a body is its form, its tag and its frames")
    form, tag, frames = body
    if form is INLINE and tag is None and len(frames) == 1 and type(frames[0]) is bytes:  # as most are
        return plain(frames[0])
    own = {place for place, frame in enumerate(frames) if type(frame) is int}
    try:
        whole = [parts[frame] if type(frame) is int else frame for frame in frames]
    except IndexError:
        raise ProtocolError("a body speaks of parts that did not come") from None
    found = verified(Sealed(form, tag, whole, ()), key)
    if found.form == PICKLED:
        return loads(found.frames, own)  # a part is nobody else's: it may be written to where it is
    return unwrap(found, None)  # type: ignore[arg-type]  # nothing is lent here


class Reader:
    """The messages of one stream."""

    def __init__(self, most: int = MAX_ENVELOPE) -> None:
        self._most = most
        self._inbox = bytearray(_INBOX)
        self._begin = self._end = 0
        self._amid: Message | None = None
        """What waits for the rest of its parts: of that one so many bytes."""
        self._at = self._got = 0

    def room(self) -> memoryview:
        """Where the next bytes are to be written; never empty."""
        if self._amid is not None:
            return memoryview(self._amid.parts[self._at])[self._got :]
        if self._begin == self._end:
            self._begin = self._end = 0
        needed = self._needed()
        if self._begin + needed > len(self._inbox):
            rest = self._inbox[self._begin : self._end]
            if needed > len(self._inbox):
                self._inbox = bytearray(needed)
            self._inbox[: len(rest)] = rest
            self._begin, self._end = 0, len(rest)
        return memoryview(self._inbox)[self._end :]

    def filled(self, count: int) -> list[Message]:
        """So many bytes came there; gives the messages that are whole by now. Raises ProtocolError for what is none."""
        found: list[Message] = []
        if self._amid is None:
            self._end += count
        else:
            self._got += count
            self._go_on(found)
        while self._amid is None and self._end - self._begin >= self._needed() > _HEAD.size:
            begin = self._begin + _HEAD.size
            self._begin += self._needed()
            self._take(bytes(self._inbox[begin : self._begin]), found)
        return found

    def _needed(self) -> int:
        """How long the envelope under way is, with its head; of an unknown one the head alone."""
        if self._end - self._begin < _HEAD.size:
            return _HEAD.size
        (length,) = _HEAD.unpack_from(self._inbox, self._begin)
        if not 0 < length <= self._most:
            raise ProtocolError(f"an envelope has 1 to {self._most} bytes, not {length}")
        return _HEAD.size + int(length)

    def _take(self, envelope: bytes, found: list[Message]) -> None:
        fields = unpack(envelope, self._most)
        if type(fields) is not list or len(fields) != _FIELDS or type(fields[0]) is not str:
            raise ProtocolError("an envelope is an array of kind, content and sizes")
        kind, content, sizes = fields
        if type(sizes) is not list or not all(type(size) is int and 0 < size <= MAX_PART for size in sizes):
            raise ProtocolError(f"each part has 1 to {MAX_PART} bytes")
        if not sizes:
            found.append(Message(kind, content, []))
            return
        self._at = self._got = 0
        self._amid = Message(kind, content, [bytearray(size) for size in sizes])
        self._fill_up(found)

    def _fill_up(self, found: list[Message]) -> None:
        while self._amid is not None and self._begin < self._end:  # what has come of them already
            room = self.room()
            size = min(len(room), self._end - self._begin)
            room[:size] = memoryview(self._inbox)[self._begin : self._begin + size]
            self._begin += size
            self._got += size
            self._go_on(found)

    def _go_on(self, found: list[Message]) -> None:
        """To the next part, if this one is whole."""
        message = self._amid
        if message is not None and self._got == len(message.parts[self._at]):
            self._at, self._got = self._at + 1, 0
            if self._at == len(message.parts):
                self._amid = None
                found.append(message)
