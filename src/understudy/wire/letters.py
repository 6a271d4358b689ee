"""What a sender and a mailbox say to each other. Decoding is total: any frames give a letter or a ProtocolError.

The first frame is a msgpack array; a body is in it, or in the frames behind it (see `sealing`).

to the mailbox:    version, kind, system, uid, sender's uid, incarnation and name, seq, content
from the mailbox:  version, kind, system, uid, incarnation, credit, begun, content

``seq`` counts the tells and asks of one sender; ``credit`` is how many of them are handled, ``begun`` the seq through
which they are begun. The values are named tuples: some are made for each letter, and these are made quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

from understudy.errors import ProtocolError
from understudy.settings import shown
from understudy.tracing import arrived
from understudy.wire.bulk import Loan
from understudy.wire.codec import LONE, MAX_FRAMES, VERSION, unpack
from understudy.wire.sealing import SHORT_FORMS, Sealed

MAX_HEAD = 16 << 20
"""Bytes of the first frame of a letter: it may be a batch."""
MAX_NAME = 128
"""Characters of a sender's name, which a mailbox keeps."""
_LARGEST = (1 << 62) - 1
"""Of a count: it is told again with others added to it, in msgpack and in 8 bytes with a sign."""
_TO, _FROM = 9, 8
_SHORT_ARRAY = 1 << 4

TELLS, TELL, ASK, SYNC, CANCEL, BACK, BYE = "tells", "tell", "ask", "sync", "cancel", "back", "bye"
"""To a mailbox: many plain tells; one that bears frames; an ask; tell me my credit, and which of these loans you know
nothing of; I ask no more; your memory is free again; I am leaving."""
REPLY, FAILED, REFUSED, CREDIT, DONE = "reply", "failed", "refused", "credit", "done"
"""From a mailbox: a value; an error; it was not handled, and why; nothing but the credit; the reliable messages through
that seq need not be kept any more. BACK goes both ways."""


class Seal(NamedTuple):
    """How a body travels: see `sealing`. ``inline`` is the whole of it where it is short and plain.

    ``context`` is the trace context that goes along with a message.
    """

    form: int
    inline: bytes | None
    tag: bytes | None
    loans: Sequence[Any]
    context: Mapping[str, str] | None = None

    def sealed(self, frames: Sequence[Any]) -> Sealed:
        """With the frames that came behind the envelope."""
        return Sealed(self.form, self.tag, frames if self.inline is None else (self.inline,), self.loans)

    def told(self, *, urgent: bool, reliable: bool) -> list[Any]:
        """The content of a tell."""
        form, inline, tag, loans, context = self
        content = [form, inline, tag, loans, urgent, reliable]
        return content if context is None else [*content, context]

    def numbered(self, ask: int) -> list[Any]:
        """The content of that ask, or of its answer."""
        form, inline, tag, loans, context = self
        content = [form, inline, tag, loans, ask]
        return content if context is None else [*content, context]


def enclosed(sealed: Sealed, context: Mapping[str, str] | None = None) -> tuple[Seal, Sequence[Any]]:
    """What goes into the envelope, and the frames that go behind it."""
    if sealed.form in SHORT_FORMS:
        return Seal(sealed.form, sealed.frames[0], None, (), context), ()
    return Seal(sealed.form, None, sealed.tag, sealed.loans, context), sealed.frames


class Inbound(NamedTuple):
    """What a mailbox gets. ``content`` is by the kind: bodies, `Told`, `Asked`, the number of an ask, or of loans."""

    kind: str
    sender: int
    incarnation: int
    name: str
    seq: int
    content: Any


class Told(NamedTuple):
    """One tell; ``urgent`` ones are handled before all that wait, ``reliable`` ones until they are done."""

    seal: Seal
    urgent: bool
    reliable: bool


class Asked(NamedTuple):
    """One ask, and its number."""

    seal: Seal
    ask: int


class Outbound(NamedTuple):
    """What a sender gets back. ``content`` is by the kind: `Answer`, `Failure`, `Refusal`, loans, a seq, or None."""

    kind: str
    uid: int
    incarnation: int
    credit: int
    begun: int
    content: Any


class Answer(NamedTuple):
    """A value, in reply to an ask."""

    seal: Seal
    ask: int


class Failure(NamedTuple):
    """What the handler of an ask raised; ``timeout`` is that of its section, if it overran. The frames hold it."""

    ask: int
    lap: int
    timeout: float | None
    type_name: str
    text: str
    traceback: str
    tag: bytes | None


class Refusal(NamedTuple):
    """An ask that was not handled, for the actor ended first."""

    ask: int
    why: str


class Packer:
    """Makes letters of one speaker; for one thread."""

    def __init__(self, system: str) -> None:
        self._system = system
        self.pack: Callable[[Any], bytes] = msgpack.Packer(unicode_errors=LONE).pack

    def heading(self, kind: str, uid: int, sender: int, incarnation: int, name: str) -> bytes:
        """What all letters of one kind on one connection begin with; seq and content follow."""
        parts = [VERSION, kind, self._system, uid, sender, incarnation, name]
        return b"\x99" + b"".join(map(self.pack, parts))

    def answer(self, kind: str, uid: int, incarnation: int, credit: int, begun: int, content: Any) -> bytes:
        """The first frame of what a mailbox says."""
        return self.pack([VERSION, kind, self._system, uid, incarnation, credit, begun, content])


def array_head(count: int) -> bytes:
    """The beginning of an array of so many."""
    if count < _SHORT_ARRAY:
        return bytes((0x90 | count,))
    return b"\xdd" + count.to_bytes(4, "big")


def decode_inbound(frame: Any, system: str, uid: int) -> Inbound:
    """What a mailbox was sent; raises ProtocolError for anything else, and for what is for another."""
    kind, to_system, to_uid, sender, incarnation, name, seq, content = _parts(frame, _TO)
    if to_uid != uid or to_system != system:
        raise ProtocolError("the letter is for another actor")
    if not (
        type(sender) is type(incarnation) is type(seq) is int
        and 0 <= seq <= _LARGEST
        and sender >= 0
        and type(name) is str
        and len(name) <= MAX_NAME
    ):
        raise ProtocolError("a sender is uid, incarnation and name; seq is a number from 0")
    read = _INBOUND.get(kind) if type(kind) is str else None
    if read is None:
        raise ProtocolError(f"{shown(kind)} is no kind of letter to a mailbox")
    return Inbound(kind, sender, incarnation, name, seq, read(content))


def decode_outbound(frame: Any, system: str) -> Outbound:
    """What a sender was sent back; raises ProtocolError for anything else."""
    kind, of_system, uid, incarnation, credit, begun, content = _parts(frame, _FROM)
    if of_system != system:
        raise ProtocolError("the letter is of another system")
    if not (type(uid) is type(incarnation) is type(credit) is type(begun) is int and credit >= 0 and begun >= 0):
        raise ProtocolError("uid, incarnation, credit and begun are numbers from 0")
    read = _OUTBOUND.get(kind) if type(kind) is str else None
    if read is None:
        raise ProtocolError(f"{shown(kind)} is no kind of letter from a mailbox")
    return Outbound(kind, uid, incarnation, credit, begun, read(content))


def _parts(frame: Any, length: int) -> list[Any]:
    parts = unpack(frame, MAX_HEAD)
    if type(parts) is not list or len(parts) != length:
        raise ProtocolError(f"an envelope is an array of {length}")
    version = parts.pop(0)
    if version != VERSION or type(version) is not int:
        raise ProtocolError(f"the letter is of protocol version {shown(version)}, this is version {VERSION}")
    return parts


def _wrong(content: Any) -> ProtocolError:
    return ProtocolError(f"{shown(content)} is not what such a letter bears")


_SEAL, _ANSWER, _FAILURE, _REFUSAL = 4, 5, 7, 2
_TOLD, _ASKED = (6, 7), (5, 6)
"""Without a trace context, and with one."""
_NONE = type(None)


def _seal(content: list[Any], length: int) -> Seal:
    """That of a content of so many, which a trace context may follow."""
    form, inline, tag, loans = content[:_SEAL]
    if (
        type(form) is int
        and type(inline) in {bytes, _NONE}
        and type(tag) in {bytes, _NONE}
        and type(loans) is list
        and (not loans or (len(loans) <= MAX_FRAMES and all(map(_is_loan, loans))))
    ):
        return Seal(form, inline, tag, loans, arrived(content[length]) if len(content) > length else None)
    raise _wrong(content)


def _is_loan(value: Any) -> bool:
    """Whether it has the shape of a loan, or stands for what is not lent."""
    return value is None or (
        type(value) is list and len(value) == len(Loan._fields) and all(type(number) is int for number in value)
    )


def _bodies(content: Any) -> list[Any]:
    if type(content) is not list or not content:
        raise ProtocolError("tells are an array, of one at least")
    return content


def _told(content: Any) -> Told:
    if type(content) is not list or len(content) not in _TOLD or not type(content[4]) is type(content[5]) is bool:
        raise _wrong(content)
    return Told(_seal(content, _TOLD[0]), content[4], content[5])


def _asked(content: Any) -> Asked:
    if type(content) is not list or len(content) not in _ASKED or type(content[_SEAL]) is not int:
        raise _wrong(content)
    return Asked(_seal(content, _ASKED[0]), content[_SEAL])


def _answer(content: Any) -> Answer:
    if type(content) is not list or len(content) != _ANSWER or type(content[_SEAL]) is not int:
        raise _wrong(content)
    return Answer(_seal(content, _ANSWER), content[_SEAL])


def _failure(content: Any) -> Failure:
    if type(content) is list and len(content) == _FAILURE:
        ask, lap, timeout, *texts, tag = content
        if (
            type(ask) is type(lap) is int
            and type(timeout) in {float, int, _NONE}
            and all(type(text) is str for text in texts)
            and type(tag) in {bytes, _NONE}
        ):
            return Failure(*content)
    raise _wrong(content)


def _refusal(content: Any) -> Refusal:
    if type(content) is list and len(content) == _REFUSAL and type(content[0]) is int and type(content[1]) is str:
        return Refusal(*content)
    raise _wrong(content)


def _number(content: Any) -> int:
    if type(content) is not int:
        raise _wrong(content)
    return content


def _numbers(content: Any) -> list[int]:
    if type(content) is not list or not all(type(number) is int for number in content):
        raise _wrong(content)
    return content


def _nothing(content: Any) -> None:
    if content is not None:
        raise _wrong(content)


_INBOUND: dict[str, Callable[[Any], Any]] = {
    TELLS: _bodies,
    TELL: _told,
    ASK: _asked,
    SYNC: _numbers,
    CANCEL: _number,
    BACK: _numbers,
    BYE: _nothing,
}
_OUTBOUND: dict[str, Callable[[Any], Any]] = {
    REPLY: _answer, FAILED: _failure, REFUSED: _refusal, CREDIT: _nothing, DONE: _number, BACK: _numbers,
}  # fmt: skip
