"""The way from what was to travel to what cannot: attributes, keys, and in words where there is no such."""

from __future__ import annotations

import functools
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from understudy.settings import shown
from understudy.wire.travelling import names

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, bytearray, range, type(...)})
_SECONDS = 0.6
_DEEPEST = 12


Step = str | int | tuple[Any]
"""An attribute, or words; an index; a key, in a tuple of its own."""


def find(start: Any, culprit: Any) -> tuple[Step, ...] | None:
    """The shortest way, step by step; None if it isn't found, or not in a moment."""
    if start is culprit:
        return ()
    ends = monotonic() + _SECONDS
    # What is looked into is held on to: a number of an object that is gone may come again.
    seen = {id(start): start}
    queue: deque[tuple[Any, Any]] = deque([(start, None)])
    while queue:
        here = queue.popleft()
        for step, child in _inner(here[0]):
            if child is culprit:
                return (*_way(here), step)
            if type(child) not in _PLAIN and id(child) not in seen:
                seen[id(child)] = child
                queue.append((child, (here, step)))
        if monotonic() > ends:
            return None
    return None


def narrow(start: Any, travels: Callable[[Any], bool]) -> tuple[tuple[Step, ...], Any]:
    """From the start to the innermost object that does not travel, found by trying; as far as a moment takes."""
    ends = monotonic() + _SECONDS
    steps: tuple[Step, ...] = ()
    here, seen = start, {id(start)}
    for _ in range(_DEEPEST):
        for step, child in _inner(here):
            if monotonic() > ends:
                return steps, here
            if type(child) not in _PLAIN and id(child) not in seen and not travels(child):
                steps, here = (*steps, step), child
                seen.add(id(child))
                break
        else:
            break
    return steps, here


def told(root: str, steps: tuple[Step, ...]) -> str:
    """Steps as text: `self.cfg['k'][0]`, `self.work: the variable 'db' of its closure, at .pool[0]`."""
    text, said, in_words = root, False, False
    for each in steps:
        step = each if isinstance(each, str) else f"[{shown(each[0]) if isinstance(each, tuple) else each}]"
        words = step.startswith("the ")
        text += (", " if said else ": ") + step if words else (", at " if in_words else "") + step
        said, in_words = said or words, words
    return text.lstrip(".")


def _way(here: tuple[Any, Any]) -> tuple[Step, ...]:
    steps: list[Step] = []
    while here[1] is not None:
        here, step = here[1]
        steps.append(step)
    return tuple(reversed(steps))


def _inner(obj: Any) -> list[tuple[Step, Any]]:
    try:
        return list(_children(obj))
    except Exception:  # noqa: BLE001 - what cannot be looked into is named as a whole
        return []


def _children(obj: Any) -> Iterator[tuple[Step, Any]]:
    for kind, look in _LOOKS:
        if isinstance(obj, kind):
            yield from look(obj)
            break
    else:
        if type(obj).__module__ in {"builtins", "itertools"} and hasattr(type(obj), "__next__"):
            parts = [part for group in obj.__reduce__()[1:3] if isinstance(group, tuple) for part in group]
            yield from (("the thing that it iterates over", part) for part in parts)
    if isinstance(obj, type | types.FunctionType | types.ModuleType):
        return
    yield from _attributes(obj)


def _attributes(obj: Any) -> Iterator[tuple[Step, Any]]:
    yield from ((f".{name}", value) for name, value in list(getattr(obj, "__dict__", {}).items()))
    for kind in type(obj).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            mangled = f"_{kind.__name__.lstrip('_')}{name}" if name[:2] == "__" != name[-2:] else name
            if hasattr(obj, mangled):
                yield f".{name}", getattr(obj, mangled)
    yield "the class of it", type(obj)


def _of_mapping(obj: Any) -> Iterator[tuple[Step, Any]]:
    for key, value in list(obj.items()):
        yield (key,), value
        if type(key) not in _PLAIN:
            yield f"the key {shown(key)}", key


def _of_sequence(obj: Any) -> Iterator[tuple[Step, Any]]:
    fields = getattr(obj, "_fields", None)
    if isinstance(obj, tuple) and fields is not None and len(fields) == len(obj):
        yield from ((f".{name}", value) for name, value in zip(fields, obj, strict=True))
    else:
        yield from enumerate(obj)


def _of_set(obj: Any) -> Iterator[tuple[Step, Any]]:
    yield from (("{...}", value) for value in list(obj))


def _of_function(obj: types.FunctionType) -> Iterator[tuple[Step, Any]]:
    """What it takes with it when it travels by value."""
    if names.importable(obj) is not None:
        return
    for name, cell in zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=False):
        try:
            yield f"the variable '{name}' of its closure", cell.cell_contents
        except ValueError:  # not filled yet, or no more
            continue
    for name in _globals_of(obj.__code__):
        if name in obj.__globals__:
            yield f"the global '{name}'", obj.__globals__[name]
    for index, value in enumerate(obj.__defaults__ or ()):
        yield f"the default number {index + 1} of its parameters", value
    for name, value in (obj.__kwdefaults__ or {}).items():
        yield f"the default of its parameter '{name}'", value
    yield from ((f".{name}", value) for name, value in vars(obj).items())


def _globals_of(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _of_class(obj: type) -> Iterator[tuple[Step, Any]]:
    if names.importable(obj) is None:
        yield from ((f"the attribute '{name}' of the class", value) for name, value in list(vars(obj).items()))
        yield from (("the base of it", base) for base in obj.__bases__)


def _of_method(obj: Any) -> Iterator[tuple[Step, Any]]:
    yield ".__self__", obj.__self__
    if hasattr(obj, "__func__"):
        yield ".__func__", obj.__func__


def _of_partial(obj: functools.partial[Any]) -> Iterator[tuple[Step, Any]]:
    yield from ((".func", obj.func), (".args", obj.args), (".keywords", obj.keywords))


def _of_exception(obj: BaseException) -> Iterator[tuple[Step, Any]]:
    inner = getattr(obj, "exceptions", ())
    yield from ((".args", obj.args), (".__cause__", obj.__cause__), (".__context__", obj.__context__))
    yield from ((f".exceptions[{index}]", one) for index, one in enumerate(inner))


def _of_array(obj: Any) -> Iterator[tuple[Step, Any]]:
    if obj.dtype.hasobject:
        yield from ((f".flat[{index}]", value) for index, value in enumerate(obj.flat))


def _named(*attributes: str) -> Callable[[Any], Iterator[tuple[Step, Any]]]:
    def look(obj: Any) -> Iterator[tuple[Step, Any]]:
        for name in attributes:
            try:
                yield f".{name}", getattr(obj, name)
            except (AttributeError, ValueError):  # an empty cell
                continue

    return look


class _Array(type):
    def __instancecheck__(cls, obj: Any) -> bool:
        return type(obj).__module__ == "numpy" and hasattr(obj, "dtype") and hasattr(obj, "flat")


class _AnyArray(metaclass=_Array):
    """A numpy array, which may be unknown here."""


_LOOKS: tuple[tuple[Any, Callable[[Any], Iterator[tuple[Step, Any]]]], ...] = (
    (dict | types.MappingProxyType | weakref.WeakKeyDictionary | weakref.WeakValueDictionary, _of_mapping),
    (list | tuple | deque, _of_sequence),
    (set | frozenset | weakref.WeakSet, _of_set),
    (types.FunctionType, _of_function),
    (type, _of_class),
    (types.MethodType | types.BuiltinMethodType | types.MethodWrapperType, _of_method),
    (functools.partial, _of_partial),
    (property, _named("fget", "fset", "fdel")),
    (staticmethod | classmethod, _named("__func__")),
    (type(functools.lru_cache(len)), _named("__wrapped__")),
    (types.CellType, _named("cell_contents")),
    (weakref.ref, lambda obj: iter([("()", obj())])),
    (BaseException, _of_exception),
    (_AnyArray, _of_array),
)
