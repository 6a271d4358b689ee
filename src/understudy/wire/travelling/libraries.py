"""Shared libraries: loaded again, with what was said of their functions."""

from __future__ import annotations

import operator
import sys
from typing import Any

from understudy.wire.travelling import hung

_THEIRS = frozenset({"_name", "_handle", "_FuncPtr"})


def library(obj: Any) -> Any:
    """A CDLL: the library of its name, its functions with their types, and whether it keeps errno."""
    ctypes: Any = sys.modules["ctypes"]
    pointer = obj._FuncPtr  # noqa: SLF001 - ctypes has no other name for what is asked here
    functions = {name: one for name, one in vars(obj).items() if isinstance(one, pointer)}
    attributes, in_slots = hung.own(obj, _THEIRS | functions.keys())
    said = {name: (one.__name__, _settings(one, ctypes)) for name, one in functions.items()}
    keeps_errno = bool(pointer._flags_ & ctypes._FUNCFLAG_USE_ERRNO)  # noqa: SLF001
    args = (type(obj), obj._name, keeps_errno)  # noqa: SLF001
    return loaded, args, (said, (attributes, in_slots)), None, None, equip


def _settings(function: Any, ctypes: Any) -> dict[str, Any]:
    found = {"restype": _Told.of(function.restype, ctypes)}
    if function.argtypes is not None:
        found["argtypes"] = tuple(_Told.of(one, ctypes) for one in function.argtypes)
    if function.errcheck is not None:
        found["errcheck"] = function.errcheck
    return found


class _Told:
    """A type of C that ctypes makes once for all who ask: asked for again, for another would not be taken for it."""

    def __init__(self, made: Any, *args: Any) -> None:
        self._made, self._args = made, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self._made, self._args

    @classmethod
    def of(cls, kind: Any, ctypes: Any) -> Any:
        inner: Any = getattr(kind, "_type_", None)
        if not isinstance(inner, type):
            return kind
        told = cls.of(inner, ctypes)
        if issubclass(kind, ctypes._Pointer) and ctypes.POINTER(inner) is kind:  # noqa: SLF001
            return cls(ctypes.POINTER, told)
        if issubclass(kind, ctypes.Array) and inner * kind._length_ is kind:
            return cls(operator.mul, told, kind._length_)
        return kind


# --- in the child


def loaded(kind: Any, name: str | None, keeps_errno: bool) -> Any:  # noqa: FBT001
    """The library of that name."""
    import ctypes

    made = kind.__new__(kind)
    ctypes.CDLL.__init__(made, name, use_errno=keeps_errno)
    return made


def equip(made: Any, state: tuple[dict[str, tuple[str, dict[str, Any]]], hung.State]) -> None:
    """Its functions take and give what they did."""
    said, own = state
    hung.hang(made, own)
    for attribute, (name, settings) in said.items():
        function = made[name]
        for setting, value in settings.items():
            setattr(function, setting, value)
        setattr(made, attribute, function)
