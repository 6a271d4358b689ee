"""Letters as somebody makes them who has read `docs/protocol.md`, and what may be changed of them.

None of the system's code is used: what it takes for a letter is judged by what the page says.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

INLINE, PACKED, PICKLED = range(3)
MAX = (1 << 64) - 1
CONTEXT = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
Frames = list[Any]


class Canary:
    """Its opening makes a directory."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def pickled(message: Any, *buffers: bytes) -> list[bytes]:
    """A pickle of a message and of its buffers, which it holds out of band."""
    found: list[pickle.PickleBuffer] = []
    held = (message, *map(pickle.PickleBuffer, buffers)) if buffers else message
    return [pickle.dumps(held, 5, buffer_callback=found.append), *(bytes(one.raw()) for one in found)]


def tag(key: bytes, frames: Sequence[bytes], form: int = PICKLED, loans: Sequence[Any] = ()) -> bytes:
    """As the page has it."""
    digest = hashlib.blake2b(key=key, digest_size=16, person=b"lent" if loans else b"")
    digest.update(len(frames).to_bytes(4, "little"))
    for buffer in frames[1:]:
        digest.update(len(buffer).to_bytes(8, "little"))
    if loans:
        lent = struct.pack("<Q", form) + b"".join(struct.pack("<6Q", *(loan or [0] * 6)) for loan in loans)
        digest.update(len(lent).to_bytes(8, "little") + lent)
    digest.update(frames[0])
    return digest.digest()


class Sealed(NamedTuple):
    """The four values of a seal, and the frames behind the envelope."""

    form: int
    inline: bytes | None
    tag: bytes | None
    loans: list[Any]
    frames: list[bytes]


def plain(message: Any) -> Sealed:
    """A message that needs no tag."""
    return Sealed(INLINE, msgpack.packb(message), None, [], [])


def sealed(key: bytes, message: Any, *buffers: bytes) -> Sealed:
    """One that does."""
    frames = pickled(message, *buffers)
    return Sealed(PICKLED, None, tag(key, frames), [], frames)


class Forger:
    """Speaks to the mailbox of one actor, or as it."""

    def __init__(self, system: str, uid: int) -> None:
        self.system, self.uid, self.seq = system, uid, 0

    def to(self, kind: str, content: Any, frames: Sequence[Any] = (), seq: int | None = None) -> Frames:
        """A letter to the mailbox."""
        if seq is None:
            self.seq += kind in {"tell", "ask"}
            seq = self.seq
        return [msgpack.packb([1, kind, self.system, self.uid, 0, 0, "", seq, content]), *frames]

    def tell(self, one: Sealed, *context: Any, urgent: bool = False) -> Frames:
        """A tell of its own, with a trace context or without one."""
        return self.to("tell", [*one[:4], urgent, False, *context], one.frames)

    def ask(self, one: Sealed, number: int, *context: Any) -> Frames:
        """An ask of that number."""
        return self.to("ask", [*one[:4], number, *context], one.frames)

    def back(self, kind: str, content: Any, frames: Sequence[Any] = (), credit: int = 0, begun: int = 0) -> Frames:
        """What the mailbox says."""
        return [msgpack.packb([1, kind, self.system, self.uid, 1, credit, begun, content]), *frames]

    def reply(self, one: Sealed, number: int, credit: int = 0) -> Frames:
        """The answer to the ask of that number."""
        return self.back("reply", [*one[:4], number], one.frames, credit)

    def failed(self, one: Sealed | None, number: int) -> Frames:
        """An error in answer to it, which may have a pickle."""
        texts = ["ValueError", "a text", "Traceback"]
        return self.back("failed", [number, 1, None, *texts, one and one.tag], one.frames if one else ())

    def letters(self, key: bytes) -> list[Frames]:
        """A right one of each kind to a mailbox, but for those that a test has a say in."""
        loan = [1 << 40, 1 << 22, 9, 12345, 4096, 1 << 20]
        frames = [b"\x80\x05N.", b"a buffer"]
        lent = Sealed(PICKLED, None, tag(key, frames, PICKLED, [loan, None]), [loan, None], frames)
        whole = Sealed(PACKED, None, tag(key, [b""], PACKED, [loan]), [loan], [])
        return [
            self.to("tells", ["a", {"b": [1, 2.5, None]}, b"c"], seq=1),
            self.to("sync", [1, 2, 3]),
            self.to("cancel", 5),
            self.to("back", [1, 2, 3]),
            self.to("bye", None),
            *(
                make
                for one in (
                    plain({"a": [1, 2]}),
                    Sealed(PACKED, None, None, [], [msgpack.packb("x" * 5000)]),
                    sealed(key, {1, 2}),
                    sealed(key, "with buffers", b"one", b"three"),
                    lent,
                    whole,
                )
                for make in (self.tell(one), self.tell(one, urgent=True), self.ask(one, 7))
            ),
            self.tell(plain(1), CONTEXT),
            self.tell(sealed(key, {1}), CONTEXT),
            self.ask(plain(1), 7, CONTEXT),
        ]

    def answers(self, key: bytes, number: int) -> list[Frames]:
        """The same of what a mailbox says."""
        return [
            self.back("credit", None),
            self.back("back", [1, 2]),
            self.back("refused", [number, "it ended"]),
            self.reply(plain([1, 2]), number),
            self.reply(sealed(key, {1}, b"a buffer"), number),
            self.failed(None, number),
            self.failed(sealed(key, ValueError("a text")), number),
        ]


# --- changes

ODD_LOANS: list[Any] = [[[]], [[[]]], [{}], [[[]] * 6], [1], [[1] * 5], ["123456"], [[1] * 6] * 5000]


def deep(depth: int) -> Any:
    """Lists within one another."""
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1 << 31, 1 << 63, MAX, -(1 << 63), 0.5, float("nan"), float("inf"), "", "tell",
    "\udcff", b"", bytes(16), [], [[]], [None], [[None]], [[1] * 6], [[MAX] * 6], [[-1] * 6], [[1] * 5], [["1"] * 6],
    [{}], {}, {"a": 1}, [[[]] * 6], list(range(300)), "n" * 5000, deep(100), msgpack.ExtType(5, b"x"),
    msgpack.Timestamp(1, 2),
]  # fmt: skip
RAW = [
    b"\x91" * 600, b"\x91" * 5000, b"\x81\xa1a" * 600, b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff\x01",
    b"\xc6\xff\xff\xff\xff" + b"x" * 100, b"\xdb\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\x81\x91\x01\x01",
    b"\xa4\xff\xfe\xfd\xfc", b"\xc7\x0c\xff" + b"\xff" * 12, b"\xc1", b"", b"\xdd\x00\x00\x04\x00" * 200,
]  # fmt: skip


def _changed(chance: random.Random, value: Any) -> Any:
    """One part of a value made another one, wherever it stands."""
    if not isinstance(value, list) or not value or chance.random() < 0.15:
        return chance.choice(ODD)
    value, place = list(value), chance.randrange(len(value))
    match chance.randrange(8):
        case 0:
            del value[place]
        case 1:
            value.insert(place, chance.choice(ODD))
        case _:
            value[place] = _changed(chance, value[place])
    return value


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogatepass")
    return packed


def mutated(chance: random.Random, frames: Frames) -> Frames:
    """A right letter with some of it changed: bits, lengths, types, numbers, frames."""
    head, *rest = frames
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        match chance.randrange(9):
            case 0 | 1 | 2 | 3:
                try:
                    value = msgpack.unpackb(head, strict_map_key=False, unicode_errors="surrogatepass")
                    head = _pack(_changed(chance, value))
                except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
                    head = chance.choice(RAW)
            case 4 if head:
                place = chance.randrange(len(head))
                head = head[:place] + bytes([head[place] ^ 1 << chance.randrange(8)]) + head[place + 1 :]
            case 5:
                head = head[: chance.randrange(len(head) + 1)]
            case 6:
                place = chance.randrange(len(head) + 1)
                head = head[:place] + chance.choice(RAW) + head[place + chance.randrange(2) :]
            case 7 if rest:
                place = chance.randrange(len(rest))
                one = rest[place]
                others: list[Frames] = [[], [one, one], [one[:-1]], [one + b"x"], [chance.randbytes(len(one))]]
                rest[place : place + 1] = chance.choice(others)
            case _:
                rest.insert(chance.randrange(len(rest) + 1), chance.choice([b"", b"x" * 300, head[:200]]))
    return [head, *rest]


def nonsense(chance: random.Random) -> Frames:
    """Some frames of anything."""
    return [chance.randbytes(chance.choice([0, 1, 7, 64, 300])) for _ in range(chance.randint(1, 4))]
