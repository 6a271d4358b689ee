"""Plain things that pickle leaves out, or gets wrong."""

from __future__ import annotations

import functools
import gc
import importlib
import pickle
import sys
import types
from typing import Any

from understudy.wire.travelling import hung, names
from understudy.wire.travelling.hung import along
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
    return along((type(obj), (obj.format,)), obj)


def chance(obj: Any) -> Any:
    """A random.Random goes on from where it was; Python's own reduction leaves out what is hung on it."""
    attributes, in_slots = hung.own(obj, _CHANCE)
    if not attributes and not in_slots:
        return NotImplemented
    made, args, state = obj.__reduce__()
    return made, args, (state, (attributes, in_slots)), None, None, go_on


def go_on(made: Any, state: tuple[Any, hung.State]) -> None:
    """From where it was."""
    made.__setstate__(state[0])
    hung.hang(made, state[1])


def chance_of_the_system(obj: Any) -> Any:
    """Another of its class: its chance has no state."""
    return along((hung.renewed, (type(obj), sys.modules["random"].SystemRandom, ())), obj, _CHANCE)


_CHANCE = frozenset({"gauss_next"})


def dressed(obj: Any) -> Any:
    """As it says itself, but with what is hung on it: the standard library leaves that out for some of its kinds."""
    reduced = obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    return along(reduced, obj) if len(reduced) < 3 or reduced[2] is None else reduced  # noqa: PLR2004 - a state


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
