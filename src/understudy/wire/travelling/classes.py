"""Classes and functions by value, as cloudpickle takes them, with what it leaves behind.

That is slots, qualified names, all of an enum, variables that several functions close over, and names of files.
"""

from __future__ import annotations

import abc
import enum
import types
from typing import Any

import cloudpickle

_FILENAME = 10
"""Where the name of its file stands among what a code object is made of."""


def whole(cls: type, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """The reduction of a class by value that rebuilds it as it was."""
    make, args, (attributes, slots), items, pairs, setter = reduced
    if issubclass(cls, enum.Enum):
        bases, name, qualname, _, *rest = args
        attributes = {key: value for key, value in attributes.items() if key not in cls.__members__}
        members = {key: member._value_ for key, member in cls.__members__.items()}
        own = {member.name: _own(member) for member in cls}
        return make, (bases, name, qualname, members, *rest), (setter, (attributes, slots), own), items, pairs, furnish
    meta, name, bases, options, *rest = args
    options = {**options, "__qualname__": cls.__qualname__}
    if "__slots__" in vars(cls) and all(isinstance(base, type) for base in bases):  # a NamedTuple's has its own
        declared = cls.__dict__["__slots__"]
        options["__slots__"] = declared if isinstance(declared, str) else tuple(declared)
        attributes = {key: value for key, value in attributes.items() if not _is_slot_of(cls, value)}
    quiet = _quiet(cls)
    if quiet is not None:
        return quietly, (make, quiet, meta, name, bases, options, *rest), (attributes, slots), items, pairs, setter
    return make, (meta, name, bases, options, *rest), (attributes, slots), items, pairs, setter


class _Quiet:
    """The first base of a class while it is made anew: its bases were told of it when it was made first."""

    def __init_subclass__(cls) -> None:
        pass


class _QuietSlots:
    """The same, in front of a base that has no `__dict__`."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        pass


class _QuietAbstract(abc.ABC):  # noqa: B024 - nothing is abstract in it, and nothing has to be
    """The same, in front of an abstract base."""

    def __init_subclass__(cls) -> None:  # noqa: B027 - its emptiness is the point
        pass


def _quiet(cls: type) -> type | None:
    """Which of these may stand in front of the bases of a class, where there is something to keep quiet."""
    told = (base for base in cls.__mro__[1:-1] if base.__module__ not in {"understudy.process", "typing"})
    if not any("__init_subclass__" in vars(base) for base in told):
        return None
    layout = _layout(cls.__base__)
    return next((one for one in (_Quiet, _QuietSlots, _QuietAbstract) if _layout(one) == layout), None)


def _layout(kind: Any) -> tuple[Any, ...]:
    """What has to be the same for Python to let one base be replaced by another."""
    sizes = ("__basicsize__", "__itemsize__", "__dictoffset__", "__weakrefoffset__")
    here = tuple(getattr(kind, name) for name in sizes)
    while kind is not object and here == tuple(getattr(kind.__base__, name) for name in sizes):
        kind = kind.__base__
    return kind.__base__, *here


def quietly(make: Any, quiet: type, meta: type, name: str, bases: tuple[Any, ...], *rest: Any) -> type:
    """A class, without a call of its bases' `__init_subclass__`: what that wanted to be told is not known."""
    made: type = make(meta, name, (quiet, *bases), *rest)
    if quiet in made.__bases__:  # else it was here already
        made.__bases__ = tuple(base for base in made.__bases__ if base is not quiet)
    return made


def function_whole(function: types.FunctionType, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """The reduction of a function by value, over its own cells: other functions may share them."""
    if function.__closure__ is None:
        return reduced
    make, (*args, _), (attributes, parts), *rest = reduced
    return make, (*args, function.__closure__), (attributes, {**parts, "__closure__": None}), *rest


def code(obj: types.CodeType) -> tuple[Any, ...]:
    """With the name of its file, which cloudpickle leaves out from 3.1.3 on: tracebacks and debuggers look for it."""
    make, arguments, *rest = cloudpickle.Pickler.dispatch_table[types.CodeType](obj)
    return make, (*arguments[:_FILENAME], obj.co_filename, *arguments[_FILENAME + 1 :]), *rest


def cell(obj: types.CellType) -> tuple[Any, ...]:
    """Made first and filled later: what is in it may well close over it."""
    try:
        return types.CellType, (), (obj.cell_contents,), None, None, fill
    except ValueError:  # not filled yet, or no more
        return types.CellType, ()


def fill(obj: types.CellType, contents: tuple[Any]) -> None:
    """Put it in."""
    (obj.cell_contents,) = contents


def furnish(cls: Any, state: tuple[Any, Any, dict[str, dict[str, Any]]]) -> None:
    """Give an enum its methods, and its members what their `__init__` had given them."""
    setter, inner, own = state
    setter(cls, inner)
    for name, attributes in own.items():
        vars(cls.__members__[name]).update(attributes)


def _own(member: enum.Enum) -> dict[str, Any]:
    return {key: value for key, value in vars(member).items() if not (key.startswith("_") and key.endswith("_"))}


def _is_slot_of(cls: type, value: Any) -> bool:
    return isinstance(value, types.MemberDescriptorType) and value.__objclass__ is cls
