"""A function that says whether it is there."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from understudy.callables import check_call, generates, name_of
from understudy.errors import ConfigError, WaitFailed
from understudy.services.waits import values
from understudy.services.waits.aside import Aside
from understudy.settings import shown
from understudy.waiting import Answer, Holds, Never, NotYet, Pace, Probe, Subject


@dataclass(frozen=True, slots=True, repr=False)
class Call(values.Value):
    """Holds once the function, called without arguments, returns something true.

    It is called again and again, one call after the other, each in a thread of its own: after 5 ms, then after twice as
    long each time, up to 250 ms. What it raises means no, and a timeout (seconds; None for no bound) has the last of
    that as its cause. A call that does not return cannot be ended: the wait ends at its timeout, and the thread, a
    daemon, is left behind. Raises ConfigError for what can't be called, or is a coroutine function or a generator.
    """

    function: Callable[[], Any]
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        function: Any = self.function
        if not callable(function) or inspect.iscoroutinefunction(function) or generates(function):
            raise ConfigError(f"Call.function must be a plain function that takes no arguments; got {shown(function)}")
        try:
            check_call(function, (), {})
        except TypeError as error:
            raise ConfigError(f"Call.function must be one that takes no arguments: {error}") from None
        object.__setattr__(self, "timeout", values.seconds("Call.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Call it when it is first looked at."""
        return _Asking(self.function)

    def __repr__(self) -> str:
        bound = "" if self.timeout == values.USUAL else f", timeout={self.timeout!r}"
        return f"Call({name_of(self.function)}{bound})"


class _Said(NamedTuple):
    truth: bool
    told: str
    awaits: bool


def _ask(function: Callable[[], Any]) -> _Said:
    value = function()
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        return _Said(truth=False, told=shown(value), awaits=True)
    return _Said(bool(value), shown(value), awaits=False)


class _Asking:
    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._name = name_of(function)
        self._pace = Pace()
        self._call: Aside[_Said] | None = None
        self._last = NotYet(f"{self._name}() was not called yet")

    def look(self, now: float) -> Answer:
        if self._call is None:
            if not self._pace.is_due(now):
                return NotYet(self._last.seen, within=self._pace.left(now), cause=self._last.cause)
            function = self._function
            self._call = Aside("call", lambda: _ask(function), now)
        outcome = self._call.outcome()
        if outcome is None:
            told = f"{self._name}() has not returned for {now - self._call.began:.3g} s"
            return NotYet(told, readable=(self._call.fd,))
        self._call = None
        said, error = outcome
        if said is None:
            told = f"{self._name}() raised {type(error).__name__}: {error}"
        elif said.awaits:
            told = f"{self._name}() gave {said.told}, which nobody awaits; a wait calls plain functions"
            return Never(WaitFailed(told))
        elif said.truth:
            return Holds(f"{self._name}() gave {said.told}")
        else:
            told = f"{self._name}() gave {said.told}"
        self._last = NotYet(told, within=self._pace.next(now), cause=error)
        return self._last

    def close(self) -> None:
        self._call = None  # its thread holds what it needs, and lets go of that at its end
