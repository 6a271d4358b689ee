"""Which of several replicas a message is for: decisions over plain numbers, alike in every process.

A replica is named by its place in the group. What is asked of places is told by functions, for it costs something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from understudy.errors import ConfigError
from understudy.settings import shown

try:
    from _blake2 import blake2b  # hashlib would bring OpenSSL into the zygote, and its pages into every fork
except ImportError:
    from hashlib import blake2b

ROUND_ROBIN, LEAST_LOADED, BROADCAST = ROUTES = ("round_robin", "least_loaded", "broadcast")
_BITS = 64
_MASK = (1 << _BITS) - 1
_STEP = 2862933555777941757  # of the linear congruence that Lamping and Veach use
_SHARE = 1 << 31


def check_route(route: object, key: object) -> str:
    """The route; raises ConfigError for one that there is not, and for a key that would be of no use."""
    if not isinstance(route, str) or route not in ROUTES:
        raise ConfigError(f"route={shown(route)}: it is one of {', '.join(map(repr, ROUTES))}")
    if key is not None and route != ROUND_ROBIN:
        raise ConfigError(
            f"key={shown(key)} chooses the replica, and so does route={shown(route)}: leave one of them out"
        )
    return str.__str__(route)


def check_replicas(replicas: object) -> int:
    """How many; raises ConfigError for what is no whole number from 1 on."""
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 1:
        raise ConfigError(f"replicas must be a whole number, at least 1; got {shown(replicas)}")
    return int(replicas)


def digest(key: object) -> int:
    """A number of 64 bits for a key, the same in every process and in every run; raises ConfigError for what is none.

    Keys are texts, bytes, whole numbers, and tuples of these; ``1`` and ``"1"`` are two.
    """
    return int.from_bytes(blake2b(_spelt(key), digest_size=8).digest(), "big")


def home(number: int, count: int) -> int:
    """The place of a key among ``count``: evenly shared, and of n + 1 only one part in n + 1 is not where it was.

    Lamping and Veach, "A fast, minimal memory, consistent hash algorithm" (2014).
    """
    place, jump = -1, 0
    while jump < count:
        place = jump
        number = (number * _STEP + 1) & _MASK
        jump = (place + 1) * _SHARE // ((number >> 33) + 1)
    return place


def refuge(number: int, places: Sequence[int]) -> int:
    """Where a key goes whose home is no more: each of the others takes its share, and keeps it while it lives."""
    return max(places, key=lambda place: _mixed(number, place))


def by_key(key: object, count: int, lives: Callable[[int], bool]) -> int | None:
    """The place of a key, while that lives, else one of the others; None where none lives."""
    number = digest(key)
    place = home(number, count)
    if lives(place):
        return place
    left = [other for other in range(count) if other != place and lives(other)]
    return refuge(number, left) if left else None


def in_turn(turn: int, count: int, lives: Callable[[int], bool]) -> int | None:
    """The next living place from that turn on; None where none lives."""
    return next((place for at in range(count) if lives(place := (turn + at) % count)), None)


def least_loaded(turn: int, loads: Sequence[int | None]) -> int | None:
    """The place with the least to do, of several the next from that turn on; those of None live no more."""
    count = len(loads)
    places = [place for at in range(count) if loads[place := (turn + at) % count] is not None]
    return min(places, key=lambda place: loads[place] or 0, default=None)


def _mixed(number: int, place: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=8, salt=place.to_bytes(8, "big")).digest()


def _spelt(key: Any) -> bytes:
    """The key in bytes; no two keys are spelt alike."""
    if isinstance(key, str):
        return _framed(b"t", str.encode(key, "utf-8", "surrogatepass"))
    if isinstance(key, bytes):
        return _framed(b"b", bytes(key))
    if isinstance(key, int) and not isinstance(key, bool):
        return _framed(b"n", b"%d" % key)
    if isinstance(key, tuple):
        return _framed(b"l", b"".join(map(_spelt, key)))
    raise ConfigError(f"key={shown(key)}: it is text, bytes, a whole number, or a tuple of these")


def _framed(kind: bytes, content: bytes) -> bytes:
    return b"%b%d:%b" % (kind, len(content), content)
