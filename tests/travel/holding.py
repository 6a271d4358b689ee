"""Classes derived from all sorts of others, and globals of them, that an actor imports too; a test fills them."""

from __future__ import annotations

import array
import collections
import ctypes
import datetime as dt
import decimal
import fractions
import functools
import io
import ipaddress
import pathlib
import queue
import random
import struct
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TAG = ["hung", "on"]


class Slotted:
    __slots__ = ("content",)


@dataclass(frozen=True)
class Sort:
    """What is derived from, how such an object is made and filled, and what shows that it is the same."""

    base: type
    make: Callable[[Any], Any] = lambda kind: kind()
    fill: Callable[[Any], Any] = lambda _: None
    look: Callable[[Any], Any] = lambda _: None


def _draw(chance: Any) -> float:
    return float(random.Random.random(_of_the_same_state(chance)))


def _of_the_same_state(chance: Any) -> random.Random:
    other = random.Random()
    other.setstate(chance.getstate())
    return other


def _pass(made: Any) -> Any:
    with made:
        return True


SORTS = {
    "dict": Sort(dict, fill=lambda made: made.update(a=1), look=dict),
    "list": Sort(list, fill=lambda made: made.append(1), look=list),
    "set": Sort(set, fill=lambda made: made.add(1), look=set),
    "bytearray": Sort(bytearray, fill=lambda made: made.append(1), look=bytes),
    "tuple": Sort(tuple, lambda kind: kind([1, 2]), look=tuple),
    "frozenset": Sort(frozenset, lambda kind: kind([1, 2]), look=frozenset),
    "str": Sort(str, lambda kind: kind("one"), look=str),
    "bytes": Sort(bytes, lambda kind: kind(b"one"), look=bytes),
    "int": Sort(int, lambda kind: kind(7), look=int),
    "float": Sort(float, lambda kind: kind(7.5), look=float),
    "complex": Sort(complex, lambda kind: kind(1j), look=complex),
    "slots": Sort(Slotted, fill=lambda made: setattr(made, "content", 1), look=lambda made: made.content),
    "object": Sort(object),
    "namespace": Sort(types.SimpleNamespace, fill=lambda made: setattr(made, "a", 1), look=lambda made: made.a),
    "array": Sort(array.array, lambda kind: kind("i"), lambda made: made.append(1), list),
    "OrderedDict": Sort(collections.OrderedDict, fill=lambda made: made.update(b=1, a=2), look=lambda made: [*made]),
    "defaultdict": Sort(
        collections.defaultdict,
        lambda kind: kind(list),
        lambda made: made["a"],
        lambda made: (dict(made), made.default_factory),
    ),
    "Counter": Sort(collections.Counter, fill=lambda made: made.update("aab"), look=dict),
    "deque": Sort(
        collections.deque, lambda kind: kind([], 3), lambda made: made.append(1), lambda made: (*made, made.maxlen)
    ),
    "ChainMap": Sort(collections.ChainMap, fill=lambda made: made.update(a=1), look=dict),
    "UserDict": Sort(collections.UserDict, fill=lambda made: made.update(a=1), look=dict),
    "UserList": Sort(collections.UserList, fill=lambda made: made.append(1), look=list),
    "UserString": Sort(collections.UserString, lambda kind: kind("one"), look=str),
    "Queue": Sort(queue.Queue, fill=lambda made: made.put(1), look=lambda made: made.qsize()),
    "PriorityQueue": Sort(queue.PriorityQueue, fill=lambda made: made.put(1), look=lambda made: made.qsize()),
    "RLock": Sort(type(threading.RLock()), look=_pass),
    "RLock of Python": Sort(threading._PyRLock, look=_pass),
    "Condition": Sort(threading.Condition, look=_pass),
    "Event": Sort(threading.Event, fill=lambda made: made.set(), look=lambda made: made.is_set()),
    "Semaphore": Sort(threading.Semaphore, lambda kind: kind(3), lambda made: made.acquire(), lambda made: made._value),
    "BoundedSemaphore": Sort(threading.BoundedSemaphore, lambda kind: kind(3), look=lambda made: made._value),
    "Barrier": Sort(threading.Barrier, lambda kind: kind(3), look=lambda made: made.parties),
    "local": Sort(threading.local, fill=lambda made: setattr(made, "a", 1), look=lambda made: made.a),
    "StringIO": Sort(io.StringIO, fill=lambda made: made.write("one"), look=lambda made: made.getvalue()),
    "BytesIO": Sort(io.BytesIO, fill=lambda made: made.write(b"one"), look=lambda made: made.getvalue()),
    "partial": Sort(functools.partial, lambda kind: kind(max, 3), look=lambda made: made(2)),
    "date": Sort(dt.date, lambda kind: kind(2024, 2, 29), look=str),
    "datetime": Sort(dt.datetime, lambda kind: kind(2024, 2, 29, tzinfo=dt.UTC), look=str),
    "time": Sort(dt.time, lambda kind: kind(12), look=str),
    "timedelta": Sort(dt.timedelta, lambda kind: kind(3), look=str),
    "Decimal": Sort(decimal.Decimal, lambda kind: kind("1.10"), look=str),
    "Fraction": Sort(fractions.Fraction, lambda kind: kind(1, 3), look=str),
    "path": Sort(type(pathlib.Path()), lambda kind: kind("/srv/a"), look=str),
    "address": Sort(ipaddress.IPv4Address, lambda kind: kind("10.0.0.1"), look=str),
    "network": Sort(ipaddress.IPv4Network, lambda kind: kind("10.0.0.0/8"), look=str),
    "Random": Sort(random.Random, lambda kind: kind(7), lambda made: made.random(), _draw),
    "SystemRandom": Sort(random.SystemRandom, look=lambda made: 0 <= made.random() < 1),
    "Struct": Sort(struct.Struct, lambda kind: kind("<ih"), look=lambda made: made.size),
    "library": Sort(ctypes.CDLL, lambda kind: kind(None), look=lambda made: made.abs(-3)),
    "exception": Sort(ValueError, lambda kind: kind("one"), look=lambda made: made.args),
}


def kind_of(name: str) -> Any:
    """The class of this module that is derived so."""
    return globals()["Own_" + name.replace(" ", "_")]


for _name, _sort in SORTS.items():
    _title = "Own_" + _name.replace(" ", "_")
    globals()[_title] = types.new_class(_title, (_sort.base,), exec_body=lambda body: body.update(__module__=__name__))
    globals()["BARE_" + _title] = _sort.make(globals()[_title])
    globals()["TAGGED_" + _title] = _sort.make(globals()[_title])


def hang(made: Any) -> Any:
    """An attribute of the user's."""
    made.tag = list(TAG)
    return made


def shown(name: str, made: Any) -> tuple[Any, ...]:
    """What is seen of it, what hangs on it, and its class."""
    return SORTS[name].look(made), getattr(made, "tag", None), type(made).__qualname__


class Unset:
    """One without state, with room for some."""


class UnsetSlots(Slotted):
    """One without state, with a slot and a dict for some."""


UNSET = Unset()
UNSET_SLOTS = UnsetSlots()
LATER: Unset | None = None
OTHER: object = Unset()
