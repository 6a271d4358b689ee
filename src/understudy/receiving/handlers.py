"""Which method of an actor takes a message: found by its type, called by the engine."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from understudy.call import Call
from understudy.receiving.marks import marks_of


@dataclass(frozen=True, slots=True)
class Handler:
    """What takes one message."""

    name: str
    """The method's, for error texts."""
    function: Callable[[Any], Any]
    is_async: bool

    def __call__(self, message: Any) -> Any:
        """The reply, or a coroutine of it."""
        return self.function(message)


class Handlers:
    """Which method of a process takes a message; nothing is called here."""

    def __init__(self, process: object) -> None:
        self._owner = type(process).__qualname__
        kinds, remote = marks_of(type(process))
        handlers = {name: _handler(name, getattr(process, name)) for name in set(kinds.values())}
        self._exact = {kind: handlers[name] for kind, name in kinds.items()}
        self._calls = {name: _caller(name, getattr(process, name)) for name in remote}
        self._any = _handler("__receive__", process.__receive__) if _has_receive(process) else None  # type: ignore[attr-defined]
        self.terminated = _handler("__terminated__", process.__terminated__) if _watches(process) else None  # type: ignore[attr-defined]
        """What is called with the end of one that is watched."""
        self._nearest = functools.singledispatch(_nobody if self._any is None else self._any)
        for kind, handler in self._exact.items():
            self._nearest.register(kind, handler)

    @property
    def ends_at_once(self) -> bool:
        """Whether an end may be handled amid a hook: what is async has the loop for itself."""
        return self.terminated is not None and not self.terminated.is_async

    def find(self, message: object) -> Handler | None:
        """The handler of a message, None where there is none: `refusal` says why."""
        kind = type(message)
        found = self._exact.get(kind)
        if found is not None:
            return found
        if isinstance(message, Call):
            return self._calls.get(message.name)
        if not self._exact:
            return self._any
        try:
            nearest = self._nearest.dispatch(kind)
        except RuntimeError:  # two unrelated abstract classes
            return None
        return nearest if isinstance(nearest, Handler) else None

    def refusal(self, message: object) -> Exception:
        """The error of a message that has no handler: TypeError, of a call AttributeError."""
        if isinstance(message, Call):
            near = get_close_matches(message.name, self._calls, 1)
            known = f"; it has {_listed(self._calls)}" if self._calls else ""
            hint = f"; did you mean {near[0]}()?" if near else known
            return AttributeError(f"{self._owner} has no {message.name}() that is callable remotely{hint}")
        kind = type(message)
        text = f"{self._owner} takes no {kind.__qualname__}"
        try:
            self._nearest.dispatch(kind)
        except RuntimeError as ambiguous:
            return TypeError(f"{text}: {ambiguous}")
        known = _listed({known.__qualname__ for known in self._exact})
        return TypeError(f"{text}: it has no __receive__, and handlers for {known or 'nothing'}")


def _has_receive(process: object) -> bool:
    return callable(getattr(type(process), "__receive__", None))


def _watches(process: object) -> bool:
    return callable(getattr(type(process), "__terminated__", None))


def _handler(name: str, method: Callable[..., Any]) -> Handler:
    return Handler(name, method, inspect.iscoroutinefunction(method))


def _caller(name: str, method: Callable[..., Any]) -> Handler:
    return Handler(name, lambda call: method(*call.args, **call.kwargs), inspect.iscoroutinefunction(method))


def _nobody(message: Any) -> None:
    """Stands for no handler."""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
