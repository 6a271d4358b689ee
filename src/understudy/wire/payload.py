"""Messages as msgpack, where that carries them faithfully: what is opened is equal in value and in all types.

What is shared within a message may arrive once for each mention. Where that would add up (nested mentions double with
each level) the message is left to pickle, which keeps what is shared.
"""

from __future__ import annotations

from gc import get_referents, is_tracked
from typing import Any

import msgpack

from understudy.wire.codec import value_of

_NESTS = frozenset({list, dict})
_PLAIN = _NESTS | {type(None), bool, int, float, str, bytes}
_all_plain = _PLAIN.issuperset
_FEW = 2000
"""Mentions of objects up to which nothing that is shared can add up to much."""
_SHORT = 4096
_LARGE = 1 << 20
_BRIEF = 200

# msgpack writes bytearray and memoryview as bytes, and of its own kinds not what they were made of. Where none of these
# bytes stands, there is no bin and no ext; a number or a text may hold them by chance.
_SUSPECT = bytes(0 if 0xC4 <= byte <= 0xC9 or 0xD4 <= byte <= 0xD8 else byte for byte in range(256))  # noqa: PLR2004

_packers: list[msgpack.Packer] = []
"""Those at rest. Each is taken out for its use: another thread, or a finalizer amid a packing, takes another one."""


def plain(message: Any) -> bytes | None:
    """The message as msgpack; None for what msgpack cannot carry, or would change."""
    nests = is_tracked(message)
    if nests and not _is_plain(message):
        return None
    try:
        packer = _packers.pop()
    except IndexError:
        packer = msgpack.Packer(strict_types=True)
    try:
        packed: bytes = packer.pack(message)
    except UnicodeEncodeError:
        packed = _with_lone_surrogates(message)
    except (TypeError, ValueError, OverflowError, BufferError):
        packed = b""
    if len(packed) < _LARGE:  # one that has grown does not shrink
        _packers.append(packer)
    if nests or (len(packed) <= _SHORT and packed.translate(_SUSPECT) is packed) or _is_plain(message):
        return packed or None
    return None


def opened(frame: Any) -> Any:
    """The value in a frame of msgpack. Raises ProtocolError."""
    return value_of(frame)


def brief(message: Any) -> str:
    """Its type and the beginning of its repr, for who tells of it."""
    try:
        return f"{type(message).__qualname__}: {message!r}"[:_BRIEF]
    except Exception as trouble:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"{type(message).__qualname__}: its repr cannot be had ({type(trouble).__name__})"


def _is_plain(message: Any) -> bool:
    """Whether all types are exactly the plain ones and, where there is much, no list or dict is met twice.

    Level by level, each in C: to walk through it in Python takes several times as long as to pack it.
    """
    if type(message) not in _PLAIN:
        return False
    level, count = get_referents(message), 0
    met: set[int] | None = None
    while level:
        if not _all_plain(map(type, level)):
            return False
        count += len(level)
        if count > _FEW:
            nests = [*map(id, filter(is_tracked, level))]  # a dict that is not tracked holds no other
            met = set() if met is None else met
            before = len(met)
            met.update(nests)
            if len(met) < before + len(nests):
                return False
            if _NESTS.isdisjoint(map(type, level)):
                return True
        level = get_referents(*level)
    return True


def _with_lone_surrogates(message: Any) -> bytes:
    """As one packs whom that reaches: the others are not slowed down. Nothing if it is not to be packed."""
    try:
        packed: bytes = msgpack.Packer(strict_types=True, unicode_errors="surrogatepass").pack(message)
    except (TypeError, ValueError, OverflowError, BufferError):
        return b""
    return packed
