"""Functions that are sent to each worker once: those of which it is sure that they are what they were.

What a child imports is. A function that travels by value may refer to what changes from one submit to the next, and
goes along with each task then.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from understudy.callables import generates, name_of
from understudy.errors import NotAnActor
from understudy.settings import shown
from understudy.wire.sealing import Sealed, seal
from understudy.wire.travelling.names import importable

MOST = 256
"""Functions that are remembered."""
_LASTING = (
    bool, bytes, complex, float, int, str, type(None), types.BuiltinFunctionType, types.ModuleType,
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Function:
    """One function as it is sent, under its number."""

    number: int
    call: Any
    sealed: Sealed
    captured: list[tuple[Callable[[], Any], Any]] = field(default_factory=list)
    """What it refers to: how to look, and what was found when it was sealed."""

    def is_as_it_was(self) -> bool:
        """Whether it still refers to the same."""
        try:
            return all(look() is found for look, found in self.captured)
        except (NameError, ValueError):  # a cell that is empty by now
            return False


class Functions:
    """Those that one pool has sent."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[int, Function] = {}
        self._last = 0

    def find(self, function: Any) -> Function | None:
        """As it is sent; None for one that goes along with each task. Raises NotAnActor, SerializationError."""
        known = self._known.get(id(function))
        if known is not None and known.call is function and known.is_as_it_was():
            return known
        _check(function)
        captured: list[tuple[Callable[[], Any], Any]] = []
        if not (importable(function) or _gather(function, captured, set())):
            return None
        self._last += 1
        made = Function(self._last, function, seal(function, "the function", self._key), captured)
        if len(self._known) >= MOST:
            self._known.pop(next(iter(self._known)))
        self._known[id(function)] = made
        return made


def _check(function: Any) -> None:
    """Raise NotAnActor for what no worker could call."""
    if not callable(function):
        raise NotAnActor(f"{shown(function)} is no function: a pool calls what it is given")
    if generates(function):
        raise NotAnActor(f"{name_of(function)} is a generator function: calling it would run nothing of it")


def _gather(function: Any, captured: list[tuple[Callable[[], Any], Any]], met: set[int]) -> bool:
    """Note what a function refers to; whether all of that lasts."""
    if id(function) in met:
        return True
    met.add(id(function))
    if type(function) is not types.FunctionType or function.__dict__:
        return False
    captured.append((lambda: function.__code__, function.__code__))
    captured.append((lambda: function.__defaults__, function.__defaults__))
    captured.append((lambda: function.__kwdefaults__, function.__kwdefaults__))
    if function.__kwdefaults__ or not all(isinstance(one, _LASTING) for one in function.__defaults__ or ()):
        return False
    for look in _references(function):
        try:
            found = look()
        except ValueError:  # a cell that is empty yet
            return False
        captured.append((look, found))
        if not (_lasts(found) or _gather(found, captured, met)):
            return False
    return True


def _lasts(found: Any) -> bool:
    """Whether it cannot change; of a class that travels by value the attributes may."""
    if isinstance(found, type):
        return importable(found) is not None
    return isinstance(found, _LASTING) or importable(found) is not None


def _references(function: types.FunctionType) -> Iterator[Callable[[], Any]]:
    for cell in function.__closure__ or ():
        yield lambda cell=cell: cell.cell_contents  # type: ignore[misc]
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    known = function.__globals__
    for name in names:  # many are attributes; one that is no global yet may be one later
        yield lambda name=name: known.get(name)  # type: ignore[misc]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """That of a function, and of those within it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _codes(one)
