"""Functions that are sent to each worker once: those of which it is sure that they are what they were.

What a child imports is. A function that travels by value may refer to what changes from one submit to the next, and
goes along with each task then.
"""

from __future__ import annotations

import itertools
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from understudy.callables import generates, name_of
from understudy.errors import NotAnActor
from understudy.settings import shown
from understudy.wire.sealing import Sealed, seal
from understudy.wire.travelling.names import importable

MOST = 256
"""Functions that are remembered."""
LARGE = 64 << 10
"""Bytes from which one is not, for what it refers to."""
_LASTING = (
    bool, bytes, complex, float, int, str, type(None), types.BuiltinFunctionType, types.ModuleType,
)  # fmt: skip


_ABSENT = object()


@dataclass(slots=True)
class Captured:
    """What a function, and those that it refers to, refer to: where that is, and what was found there."""

    functions: list[tuple[types.FunctionType, Any, Any]] = field(default_factory=list)
    names: list[tuple[dict[str, Any], str, Any]] = field(default_factory=list)
    cells: list[tuple[types.CellType, Any]] = field(default_factory=list)

    def stands(self) -> bool:
        """Whether it still is what is found there."""
        for function, code, defaults in self.functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            if function.__kwdefaults__ or function.__dict__:
                return False
        for known, name, found in self.names:
            if known.get(name, _ABSENT) is not found:
                return False
        try:
            for cell, found in self.cells:
                if cell.cell_contents is not found:
                    return False
        except ValueError:  # it is empty by now
            return False
        return True


@dataclass(slots=True, eq=False)
class Function:
    """One function as it is sent, under its number."""

    number: int
    call: Any
    sealed: Sealed
    captured: Captured
    is_gone: bool = False
    """Whether it is not remembered any more: it goes along with what still refers to it."""


class Functions:
    """Those that one pool has sent."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[int, Function] = {}
        self._numbers = itertools.count(1)
        self.gone: deque[int] = deque()
        """The numbers of those that were forgotten, for whoever tells the workers."""

    def find(self, function: Any) -> Function | None:
        """As it is sent; None for one that goes along with each task. Raises NotAnActor, SerializationError."""
        known = self._known.get(id(function))
        if known is not None and known.call is function and known.captured.stands():
            return known
        _check(function)
        captured = Captured()
        if not (importable(function) or _gather(function, captured, set())):
            return None
        sealed = seal(function, "the function", self._key)
        if known is not None:
            self._forget(id(function))
        if sum(len(frame) for frame in sealed.frames) > LARGE:
            return None
        made = Function(next(self._numbers), function, sealed, captured)
        if len(self._known) >= MOST:
            self._forget(next(iter([*self._known])))
        self._known[id(function)] = made
        return made

    def _forget(self, place: int) -> None:
        old = self._known.pop(place, None)
        if old is not None:
            old.is_gone = True
            self.gone.append(old.number)


def _check(function: Any) -> None:
    """Raise NotAnActor for what no worker could call."""
    if not callable(function):
        raise NotAnActor(f"{shown(function)} is no function: a pool calls what it is given")
    if generates(function):
        raise NotAnActor(f"{name_of(function)} is a generator function: calling it would run nothing of it")


def _gather(function: Any, captured: Captured, met: set[int]) -> bool:
    """Note what a function refers to; whether all of that lasts."""
    if id(function) in met:
        return True
    met.add(id(function))
    if type(function) is not types.FunctionType or function.__dict__ or function.__kwdefaults__:
        return False
    captured.functions.append((function, function.__code__, function.__defaults__))
    found = [*(function.__defaults__ or ())]
    try:
        cells = [(cell, cell.cell_contents) for cell in function.__closure__ or ()]
    except ValueError:  # one that is empty yet
        return False
    captured.cells.extend(cells)
    known = function.__globals__
    # Many are names of attributes; and one that is no global yet may be one later.
    names = [(known, name, known.get(name, _ABSENT)) for name in {*_names(function.__code__)}]
    captured.names.extend(names)
    found += [value for _, value in cells] + [value for _, _, value in names if value is not _ABSENT]
    return all(_lasts(value) or _gather(value, captured, met) for value in found)


def _lasts(found: Any) -> bool:
    """Whether it cannot change; of a class that travels by value the attributes may."""
    if isinstance(found, type):
        return importable(found) is not None
    if type(found) is types.BuiltinFunctionType and not isinstance(found.__self__, types.ModuleType | None):
        return False  # a method of something that may change
    return type(found) in _LASTING or importable(found) is not None


def _names(code: types.CodeType) -> Iterator[str]:
    """Those that a function uses, and those within it."""
    yield from code.co_names
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _names(one)
