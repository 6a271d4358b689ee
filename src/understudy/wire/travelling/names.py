"""What is known by its name in a module that the child can import."""

from __future__ import annotations

import importlib
import struct
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle

from understudy.wire.travelling import hung
from understudy.wire.travelling.findable import found_again

spawned_at_import: set[str] = set()
"""Modules that spawned while they were imported: importing them in a child would spawn again."""


def by_value(module: types.ModuleType) -> bool:
    """Whether a child could not, or should not, import the module."""
    if module.__name__ in spawned_at_import:
        return True
    spec = getattr(module, "__spec__", None)
    if spec is None:
        # __main__ and what never was in sys.modules: cloudpickle knows them. What a program put there itself: not.
        made_by_hand = type(module) is types.ModuleType and not hasattr(module, "__file__")
        return made_by_hand and module.__name__ != "__main__" and sys.modules.get(module.__name__) is module
    if getattr(spec, "_initializing", False):
        return True
    # A test module is rewritten by pytest and drags pytest into every child.
    if type(getattr(module, "__loader__", None)).__name__ == "AssertionRewritingHook":
        return True
    return module.__name__ != "__main__" and not found_again(module, spec)


def importable(obj: Any) -> tuple[str, str] | None:
    """Module and qualified name of a class or function, if a child can import it."""
    name, path = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(name, str) or not isinstance(path, str) or _trusted(name) is None:
        return None
    try:
        return (name, path) if named(name, path) is obj else None
    except AttributeError:
        return None


def constant(obj: Any) -> tuple[str, str] | None:
    """Module and name of a global that is this very object: of its class's module, or of any for a plain object()."""
    kind = type(obj)
    if kind not in _constants:
        _constants[kind] = dict(_constants_of(kind))
    return _constants[kind].get(id(obj))


def look_anew() -> None:
    """Before a pickle: modules may have got other globals since the last."""
    _constants.clear()


_constants: dict[type, dict[int, tuple[str, str]]] = {}


def _constants_of(kind: type) -> Iterator[tuple[int, tuple[str, str]]]:
    for name in list(sys.modules) if kind.__module__ in _EVERYWHERE else [kind.__module__]:
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType):
            found = [(key, value) for key, value in list(vars(module).items()) if type(value) is kind]
            if found and _trusted(name) is not None:
                yield from ((id(value), (name, key)) for key, value in found)


_EVERYWHERE = frozenset({"builtins", "_contextvars"})
"""Where classes come from of which any module may hold an object."""


def named(module: str, path: str) -> Any:
    """What is called so in that module."""
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _trusted(name: Any) -> types.ModuleType | None:
    module = sys.modules.get(name)
    # By whatever name: `multiprocessing` calls it __mp_main__ as well.
    if not isinstance(module, types.ModuleType) or module is sys.modules.get("__main__"):
        return None
    registered = cloudpickle.list_registry_pickle_by_value()
    above: str = name
    while above:  # to import a module is to import its packages
        package = sys.modules.get(above)
        if above in registered or (isinstance(package, types.ModuleType) and by_value(package)):
            return None
        above = above.rpartition(".")[0]
    return module


def reducer(kind: type) -> Callable[[Any], Any] | None:
    """For a class whose objects pickle as they come: those without any state may be somebody's sentinel."""
    slots = hung.slots(kind)
    if not _made_of_attributes(kind, len(slots)):
        return None
    if not kind.__dictoffset__:
        return None if slots else _sentinel
    if slots:
        return lambda obj: NotImplemented if any(hung.is_set(obj, name) for name in slots) else _sentinel_or_more(obj)
    return _sentinel_or_more


def _made_of_attributes(kind: type, slots: int) -> bool:
    """Whether its objects hold nothing but a dict and slots: no contents of a base that is written in C."""
    inside = slots + (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)  # below 0 it lies before the object
    return not kind.__itemsize__ and kind.__basicsize__ == object.__basicsize__ + inside * _POINTER


_POINTER = struct.calcsize("P")


def _sentinel(obj: Any) -> Any:
    found = constant(obj)
    if found is None:
        return NotImplemented
    kind = type(obj)
    return (named, found) if importable(kind) is None else (one_of, (*found, kind))


def _sentinel_or_more(obj: Any) -> Any:
    return NotImplemented if vars(obj) else _sentinel(obj)


def one_of(module: str, name: str, kind: Any) -> Any:
    """The global, if it is of that class: a module may set it later, or have set it to something else by then."""
    found = getattr(importlib.import_module(module), name, None)
    return found if type(found) is kind else kind.__new__(kind)
