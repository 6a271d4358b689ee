"""Messages to frames and back. Decoding is total: any frames give a message or a ProtocolError, nothing else.

The first frame is a msgpack array: version, kind, system, uid, incarnation, seq, then the message's fields in order.
Frames that follow are opaque and only there where the kind has a tag.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import msgpack

from understudy.errors import ProtocolError
from understudy.settings import shown
from understudy.wire.messages import REPORTS, Identity

VERSION = 1
MAX_ENVELOPE = 1 << 20
MAX_FRAMES = 4096
MAX_PART = 1 << 30
"""Bytes of one frame of a message to or from an actor."""
_HEAD = 6
_SHORT = 16 << 10
"""Bytes of a frame that may announce whatever it likes."""
LONE = "surrogatepass"
"""Python's text may hold lone surrogates, such as in the name of a file that is no UTF-8: they travel as they are."""


def encode(identity: Identity, message: Any) -> list[Any]:
    """The frames of a message; the first is the envelope."""
    kind: Any = type(message)
    names, has_frames = _layout(kind)
    head = [VERSION, message.KIND, identity.system, identity.uid, identity.incarnation, identity.seq]
    envelope = pack([*head, *(getattr(message, name) for name in names)])
    return [envelope, *message.frames] if has_frames else [envelope]


def decode(frames: Sequence[Any], kinds: tuple[type[Any], ...] = REPORTS) -> tuple[Identity, Any]:
    """Who speaks, and what; raises ProtocolError for anything that is not of this protocol."""
    if not frames or len(frames) > MAX_FRAMES:
        raise ProtocolError(f"a message has 1 to {MAX_FRAMES} frames, not {len(frames)}")
    parts = unpack(frames[0], MAX_ENVELOPE)
    if not isinstance(parts, list) or len(parts) < _HEAD:
        raise ProtocolError("an envelope is an array of version, kind, system, uid, incarnation, seq and fields")
    version, kind = parts[0], parts[1]
    if type(version) is not int or version != VERSION:
        raise ProtocolError(f"the frame is of protocol version {shown(version)}, this is version {VERSION}")
    identity = _identity(parts[2:_HEAD])
    cls: Any = next((c for c in kinds if kind == c.KIND), None)
    if cls is None:
        raise ProtocolError(f"{shown(kind)} is no kind of message here")
    names, has_frames = _layout(cls)
    values = parts[_HEAD:]
    if len(values) != len(names):
        raise ProtocolError(f"{kind} has {len(names)} fields, not {len(values)}")
    for name, value, fits in zip(names, values, _checks(cls), strict=True):
        if not fits(value):
            raise ProtocolError(f"{kind}.{name} cannot be {shown(value)}")
    if has_frames:
        return identity, cls(*values, tuple(frames[1:]))
    if len(frames) > 1:
        raise ProtocolError(f"{kind} has one frame, not {len(frames)}")
    return identity, cls(*values)


def glance(frames: Sequence[Any]) -> tuple[str, int, int]:
    """Kind, uid and incarnation, nothing else looked at; no kind for what is no envelope."""
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_ENVELOPE, strict_map_key=False, unicode_errors=LONE)
    try:
        unpacker.feed(frames[0])
        unpacker.read_array_header()
        _, kind, _, uid, incarnation = (unpacker.unpack() for _ in range(5))
    except (ValueError, TypeError, IndexError, RecursionError, msgpack.UnpackException, msgpack.BufferFull):
        return "", 0, 0
    fits = type(kind) is str and type(uid) is type(incarnation) is int
    return (kind, uid, incarnation) if fits else ("", 0, 0)


def prepare(kind: Any) -> None:
    """Work out the layout of a kind of message ahead of its first use."""
    _layout(kind)
    _checks(kind)


def unpack(frame: Any, limit: int) -> Any:
    """Plain values out of one msgpack frame of at most ``limit`` bytes; raises ProtocolError."""
    if len(frame) > limit:
        raise ProtocolError(f"a frame of {len(frame)} bytes is over the limit of {limit}")
    if len(frame) > _SHORT:
        _check_whole(frame)
    return value_of(frame)


def value_of(frame: Any) -> Any:
    """The same for the whole of what a user sends, however long it is."""
    try:
        return msgpack.unpackb(frame, strict_map_key=False, unicode_errors=LONE)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError(f"not msgpack: {type(error).__name__}: {str(error)[:80]}") from None


def _check_whole(frame: Any) -> None:
    """Raise ProtocolError where less is there than is announced: room is made for each array before it is read.

    Arrays within one another that announce as many elements as the frame has bytes take thousands of times its length.
    """
    unpacker = msgpack.Unpacker(
        read_size=len(frame), max_buffer_size=len(frame), strict_map_key=False, unicode_errors=LONE
    )
    try:
        unpacker.feed(frame)
        unpacker.skip()
    except (ValueError, msgpack.UnpackException) as error:
        raise ProtocolError(f"not msgpack: {type(error).__name__}: {str(error)[:80]}") from None


def pack(value: Any) -> bytes:
    """Plain values as msgpack."""
    packed: bytes = msgpack.packb(value, unicode_errors=LONE)
    return packed


def _identity(values: list[Any]) -> Identity:
    system, uid, incarnation, seq = values
    if type(system) is not str or not all(type(n) is int and n >= 0 for n in (uid, incarnation, seq)):
        raise ProtocolError("system is text; uid, incarnation and seq are numbers from 0")
    return Identity(system, uid, incarnation, seq)


@cache
def _layout(cls: Any) -> tuple[tuple[str, ...], bool]:
    names = tuple(f.name for f in fields(cls))
    return tuple(n for n in names if n != "frames"), "frames" in names


@cache
def _checks(cls: Any) -> tuple[Callable[[Any], bool], ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_check(hints[name]) for name in _layout(cls)[0])


def _check(hint: Any) -> Callable[[Any], bool]:
    """Says of a value, as msgpack gave it, whether it is what the hint of a field allows, down to what it holds."""
    plain, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if plain is types.UnionType:
        parts = [_check(part) for part in inner]
        return lambda value: any(fits(value) for fits in parts)
    if plain is typing.Annotated:
        return lambda value: type(value) is str and value in inner[1]
    if plain is list:
        fits_one = _check(inner[0])
        return lambda value: type(value) is list and all(map(fits_one, value))
    if plain is dict:
        return lambda value: type(value) is dict and all(type(key) is str for key in value)
    allowed = {float, int} if plain is float else {plain}
    return lambda value: type(value) in allowed
