"""References that hold nothing: they travel if what they point at does, by another way."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from understudy.wire.travelling.hung import along, own, renewed
from understudy.wire.travelling.refusal import Refused


@dataclass(frozen=True, slots=True)
class Weak:
    """An entry of the table: how it travels, what it points at, and what it holds besides."""

    reduce: Callable[[Any], Any]
    targets: Callable[[Any], Iterable[Any]]
    held: Callable[[Any], list[Any]]


NOT_HELD = "what it points at is held by nothing else in the state, so it would be gone: put that into the state too"


def _ref(obj: Any) -> Any:
    target = obj()
    if target is None:
        return along((dead, (type(obj),)), obj)
    if isinstance(obj, weakref.WeakMethod):
        return along((type(obj), (target,)), obj)
    return along((ref_to, (type(obj), target, obj.__callback__)), obj)


def ref_to(kind: Any, target: Any, callback: Any) -> Any:
    """A reference of that class; what its __init__ asks for besides is among its attributes."""
    return weakref.ref.__new__(kind, target, callback)


def _proxy(obj: Any) -> Any:
    try:
        return weakref.proxy, (obj.__repr__.__self__,)  # it is asked in the name of its target
    except ReferenceError:
        raise Refused("what it points at is gone: leave it out of the state") from None


def dead(kind: Any) -> Any:
    """A reference whose target is gone."""
    if issubclass(kind, weakref.WeakMethod):
        return kind(_Gone().method)
    return kind(_Gone())


class _Gone:
    def method(self) -> None:
        """Hold nobody."""


def _method_target(obj: Any) -> list[Any]:
    found = obj()
    if found is None:
        return []
    return [found.__self__] if isinstance(obj, weakref.WeakMethod) else [found]


def _keyed(base: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """How a mapping with weak references goes, and what is hung on it."""
    theirs = frozenset(vars(base()))

    def reduce(obj: Any) -> Any:
        items = list(obj) if base is weakref.WeakSet else dict(obj.items())
        return along((renewed, (type(obj), base, (items,))), obj, theirs)

    return reduce, lambda obj: own(obj, theirs)


_values, _on_values = _keyed(weakref.WeakValueDictionary)
_keys, _on_keys = _keyed(weakref.WeakKeyDictionary)
_set, _on_set = _keyed(weakref.WeakSet)

REF = Weak(_ref, _method_target, lambda obj: [getattr(obj, "__callback__", None), own(obj)])
PROXY = Weak(_proxy, lambda obj: [obj.__repr__.__self__], lambda _: [])
VALUES = Weak(_values, lambda obj: list(obj.values()), lambda obj: [*obj, _on_values(obj)])
KEYS = Weak(_keys, list, lambda obj: [*obj.values(), _on_keys(obj)])
SET = Weak(_set, list, lambda obj: [_on_set(obj)])
