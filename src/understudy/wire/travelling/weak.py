"""References that hold nothing: they travel if what they point at does, by another way."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

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
        return dead, (type(obj),)
    if isinstance(obj, weakref.WeakMethod):
        return type(obj), (target,)
    callback = obj.__callback__
    return type(obj), (target,) if callback is None else (target, callback)


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


REF = Weak(_ref, _method_target, lambda obj: [getattr(obj, "__callback__", None)])
PROXY = Weak(_proxy, lambda obj: [obj.__repr__.__self__], lambda _: [])
VALUES = Weak(lambda obj: (type(obj), (dict(obj.items()),)), lambda obj: list(obj.values()), list)
KEYS = Weak(lambda obj: (type(obj), (dict(obj.items()),)), list, lambda obj: list(obj.values()))
SET = Weak(lambda obj: (type(obj), (list(obj),)), list, lambda _: [])
