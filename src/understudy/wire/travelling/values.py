"""Plain things that pickle leaves out, or gets wrong."""

from __future__ import annotations

import functools
import gc
import importlib
import sys
import types
from typing import Any

from understudy.wire.travelling import names
from understudy.wire.travelling.refusal import Refused


def cached(obj: Any) -> Any:
    """A function with an lru_cache: its parameters kept, its cache empty."""
    if where := names.importable(obj):
        return names.named, where
    options = obj.cache_parameters()
    return cached_again, (obj.__wrapped__, options["maxsize"], options["typed"]), dict(vars(obj))


def cached_again(function: Any, maxsize: int | None, typed: bool) -> Any:  # noqa: FBT001
    """The function with an empty cache."""
    return functools.lru_cache(maxsize, typed)(function)


def proxied(obj: Any) -> Any:
    """A read-only view of a mapping: of the same one, if that travels too."""
    (inner,) = gc.get_referents(obj)
    return types.MappingProxyType, (inner,)


def struct(obj: Any) -> Any:
    """By its format."""
    return type(obj), (obj.format,)


def by_class(obj: Any) -> Any:
    """Another of its class, which has no state."""
    return type(obj), ()


def library(obj: Any) -> Any:
    """A shared library: loaded again."""
    return type(obj), (obj._name,)  # noqa: SLF001 - ctypes has no other name for it


def module(obj: types.ModuleType) -> Any:
    """By name if it was imported; the rest is cloudpickle's, by value."""
    if obj.__name__ == "__main__":
        raise Refused("it is the program itself, which is not run in the child: name what you need of it")
    if type(obj) is not types.ModuleType and sys.modules.get(obj.__name__) is obj:
        return importlib.import_module, (obj.__name__,)
    return NotImplemented


def variable(obj: Any) -> Any:
    """A context variable: by its name in a module."""
    found = names.constant(obj)
    if found is None:
        raise Refused("it is no global of a module that the child can import: make it there")
    return names.named, found


def environment(obj: Any) -> Any:
    """The process's own, which the child has too."""
    found = names.constant(obj)
    return NotImplemented if found is None else (names.named, found)


def finalizer(obj: Any) -> Any:
    """Done with, it is the same everywhere; else it is the caller's to run."""
    if obj.alive:
        raise Refused("it would run in the caller: make it in the child, in __preloop__ for instance")
    return NotImplemented
