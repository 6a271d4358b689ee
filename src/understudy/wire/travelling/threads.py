"""Locks and what is built of them: fresh, and free, for their holders and waiters stay behind."""

from __future__ import annotations

import copy
import copyreg
import gc
import inspect
import queue
import sys
import threading
from collections.abc import Iterable
from typing import Any

from understudy.wire.travelling.hung import along, renewed
from understudy.wire.travelling.refusal import Refused

_CONDITION = frozenset(vars(threading.Condition(threading.RLock())))
_EVENT = frozenset(vars(threading.Event())) - {"_flag"}
_RLOCK = frozenset({"_block", "_owner", "_count"})
_SEMAPHORE = frozenset(vars(threading.BoundedSemaphore()))
_BARRIER = frozenset(vars(threading.Barrier(1)))
_MUTEX_WAIT = 1.0


def lock(_: Any) -> Any:
    """Free, whoever holds it here."""
    return threading.Lock, ()


def rlock(obj: Any) -> Any:
    """Free, whoever holds it here."""
    base: Any = next(base for base in type(obj).__mro__ if base.__module__ in {"_thread", "threading"})
    return along((renewed, (type(obj), base, ())), obj, _RLOCK)


def condition(obj: Any) -> Any:
    """Over the same lock as before, with nobody waiting."""
    return along((renewed, (type(obj), threading.Condition, (obj._lock,))), obj, _CONDITION)  # noqa: SLF001


def event(obj: Any) -> Any:
    """With its flag."""
    return along((renewed, (type(obj), threading.Event, ())), obj, _EVENT)


def semaphore(obj: Any) -> Any:
    """With its count; what it began with is known to nobody."""
    count = obj._value  # noqa: SLF001 - it has no other name
    if not count:
        raise Refused(
            "its count is 0, and whether it is held or began so cannot be told: use a BoundedSemaphore, which arrives "
            "free, or make it in __preloop__"
        )
    return along((renewed, (type(obj), threading.Semaphore, (count,))), obj, _SEMAPHORE)


def bounded_semaphore(obj: Any) -> Any:
    """Free, with the count that it began with."""
    args = (obj._initial_value,)  # noqa: SLF001
    return along((renewed, (type(obj), threading.BoundedSemaphore, args)), obj, _SEMAPHORE)


def barrier(obj: Any) -> Any:
    """Whole, with nobody waiting."""
    args = (obj.parties, obj._action, obj._timeout)  # noqa: SLF001
    return along((renewed, (type(obj), threading.Barrier, args)), obj, _BARRIER)


def local(obj: Any) -> Any:
    """With the values of the thread that spawns; they become those of the main thread."""
    kind: Any = type(obj)
    if kind.__init__ is not object.__init__ and _wants_arguments(kind):
        raise Refused("its __init__ takes arguments, which are not to be had: make it in __preloop__")
    return kind.__new__, (kind,), dict(vars(obj))


def items_queue(obj: Any) -> Any:
    """A copy with the items, of which each is to be done; the queue here keeps them."""
    if not obj.mutex.acquire(timeout=_MUTEX_WAIT):
        raise Refused("its lock is held; spawn when nobody holds it")
    try:
        state = {**vars(obj), "queue": copy.copy(obj.queue)}
    finally:
        obj.mutex.release()
    state["unfinished_tasks"] = len(state["queue"])
    return copyreg.__newobj__, (type(obj),), state  # type: ignore[attr-defined]


def simple_queue(obj: Any) -> Any:
    """A copy with the items; it cannot be looked into but as the collector of garbage does."""
    return filled, (_waiting(obj),), dict(vars(obj)) if hasattr(obj, "__dict__") else None


def filled(items: Iterable[Any]) -> queue.SimpleQueue[Any]:
    """A queue with these items."""
    made: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for item in items:
        made.put(item)
    return made


def _waiting(obj: queue.SimpleQueue[Any]) -> list[Any]:
    if type(obj) is not queue.SimpleQueue:
        raise Refused("it is of a class derived from SimpleQueue: use a queue.Queue")
    for _ in range(1000):
        before, size, after = _inner(obj), obj.qsize(), _inner(obj)
        if len(before) == len(after) and all(one is other for one, other in zip(before, after, strict=True)):
            return before[len(before) - size :]
    raise Refused("other threads use it without a pause; spawn when it is at rest")


def _inner(obj: queue.SimpleQueue[Any]) -> list[Any]:
    held = gc.get_referents(obj)
    if sys.version_info >= (3, 13):  # a ring of items; its class comes last
        return held[:-1]
    return list(held[0])  # a list, of which those that were taken are None


def _wants_arguments(kind: Any) -> bool:
    try:
        inspect.signature(kind.__init__).bind(None)
    except TypeError:
        return True
    return False
