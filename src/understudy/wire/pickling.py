"""Objects to pickles and back: cloudpickle, with classes by value where a child could not import them.

What cannot travel raises SerializationError in the caller, naming the attribute path, the type and what to do.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cloudpickle

from understudy.errors import SerializationError, UnderstudyError
from understudy.settings import shown

PROTOCOL = 5
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_MAX_DEPTH = 12
_MAX_BUFFERS = 1024

spawned_at_import: set[str] = set()
"""Modules that spawned while they were imported: importing them in a child would spawn again."""

_by_value_lock = threading.RLock()


def dumps(obj: Any, root: str, *beside: Any) -> bytes:
    """One pickle of the object, or of a tuple of it and what stands ``beside`` it.

    ``root`` is how an error's path begins. Raises SerializationError.
    """
    stream = io.BytesIO()
    _dump((obj, *beside) if beside else obj, stream, None, lambda: _locate(obj, root))
    return stream.getvalue()


def dump_frames(obj: Any, root: str) -> list[Any]:
    """A pickle and its out-of-band buffers. Raises SerializationError."""
    if type(obj) in _PLAIN:
        return [pickle.dumps(obj, PROTOCOL)]
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []

    def keep_within(buffer: pickle.PickleBuffer) -> bool:
        """Whether it goes into the pickle itself: a message has so many frames, and each is one piece of memory."""
        if len(buffers) >= _MAX_BUFFERS or not memoryview(buffer).contiguous:
            return True
        buffers.append(buffer)
        return False

    _dump(obj, stream, keep_within, lambda: _locate(obj, root))
    return [stream.getvalue(), *(buffer.raw() for buffer in buffers)]


def loads(frames: Sequence[Any]) -> Any:
    """The object out of its frames; raises what unpickling raises. Only for frames whose tag is right."""
    return pickle.loads(frames[0], buffers=frames[1:])  # noqa: S301 - the tag was verified by the caller


def by_value(module: types.ModuleType) -> bool:
    """Whether a child could not, or should not, import the module."""
    if module.__name__ in spawned_at_import:
        return True
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return False  # __main__ and hand-made modules: cloudpickle knows them
    if getattr(spec, "_initializing", False):
        return True
    # A test module is rewritten by pytest and drags pytest into every child.
    return type(getattr(module, "__loader__", None)).__name__ == "AssertionRewritingHook"


def _dump(obj: Any, stream: io.BytesIO, buffer_callback: Any, locate: Callable[[], tuple[str, Any]]) -> None:
    with _by_value_lock:
        pickler = _Pickler(stream, buffer_callback)
        try:
            pickler.dump(obj)
        except UnderstudyError:
            raise
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # a user's __reduce__ may even exit
            path, culprit = locate()
            kind = type(culprit)
            raise SerializationError(
                f"{path}: {kind.__module__}.{kind.__qualname__} cannot travel to another process "
                f"({type(error).__name__}: {_first_line(error)}); make it in the child, in __preloop__ for instance, "
                "or leave it out of the state"
            ) from error
        finally:
            pickler.forget()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle, that learns on the way which modules go by value, and keeps exceptions whole."""

    def __init__(self, stream: io.BytesIO, buffer_callback: Any) -> None:
        super().__init__(stream, protocol=PROTOCOL, buffer_callback=buffer_callback)
        self._registered: list[types.ModuleType] = []
        self._seen: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Ask about modules of classes and functions, and about exceptions; the rest is cloudpickle's."""
        if isinstance(obj, type | types.FunctionType):
            self._consider(obj.__module__)
        elif isinstance(obj, BaseException) and _left_to_us(type(obj)):
            return _reduce_exception(obj)
        return super().reducer_override(obj)

    def forget(self) -> None:
        """Leave cloudpickle's list of modules as it was."""
        for module in self._registered:
            cloudpickle.unregister_pickle_by_value(module)
        self._registered.clear()

    def _consider(self, name: str | None) -> None:
        if name is None or name in self._seen:
            return
        self._seen.add(name)
        self._consider(name.rpartition(".")[0] or None)  # to import a module is to import its packages
        module = sys.modules.get(name)
        if module is None or name in cloudpickle.list_registry_pickle_by_value() or not by_value(module):
            return
        cloudpickle.register_pickle_by_value(module)
        self._registered.append(module)


# --- exceptions: by their arguments and attributes, never by calling an __init__ that wants others


def _left_to_us(kind: type[BaseException]) -> bool:
    """Whether it does not say itself how it travels; our own errors say so, but not of their chain."""
    if kind.__reduce_ex__ is not object.__reduce_ex__:
        return False
    return kind.__reduce__ is UnderstudyError.__reduce__ or type(kind.__reduce__) is types.MethodDescriptorType


def _reduce_exception(error: BaseException) -> tuple[Any, ...]:
    reduced: Any = error.__reduce__()
    make, args, *rest = reduced
    if make is type(error):
        make, args = _rebuild_exception, (make, args)
    state = dict(rest[0] or {}) if rest else {}
    if isinstance(error, NameError | AttributeError) and error.name is not None:
        state["name"] = error.name  # which some versions of Python leave out
    links = (error.__cause__, error.__context__, error.__suppress_context__)
    return make, args, (state, links), None, None, _restore_exception


def _rebuild_exception(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    error = cls.__new__(cls, *args)
    builtin = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    builtin.__init__(error, *args)  # type: ignore[misc]
    return error


def _restore_exception(error: BaseException, kept: tuple[Any, tuple[Any, Any, bool]]) -> None:
    state, (cause, context, suppress) = kept
    if state:
        error.__setstate__(state)
    error.__cause__, error.__context__, error.__suppress_context__ = cause, context, suppress


# --- whose fault it is


def _locate(obj: Any, path: str) -> tuple[str, Any]:
    """Follow what fails to pickle from the root to the innermost object that does."""
    seen: set[int] = set()
    for _ in range(_MAX_DEPTH):
        seen.add(id(obj))
        for step, child in _looked_into(obj):
            if id(child) not in seen and not _travels(child):
                path, obj = path + step, child
                break
        else:
            break
    return path, obj


def _travels(obj: Any) -> bool:
    if obj is None or isinstance(obj, str | bytes | int | float | bool):
        return True
    pickler = _Pickler(io.BytesIO(), None)
    try:
        pickler.dump(obj)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:  # noqa: BLE001 - whatever it raises, it does not travel
        return False
    finally:
        pickler.forget()
    return True


def _looked_into(obj: Any) -> list[tuple[str, Any]]:
    try:
        return list(_children(obj))
    except Exception:  # noqa: BLE001 - what cannot be looked into is named as a whole
        return []


def _children(obj: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(obj, dict):
        for key, value in list(obj.items()):
            yield f"[{shown(key)}]", value
    elif isinstance(obj, list | tuple):
        for index, value in enumerate(obj):
            yield f"[{index}]", value
    elif isinstance(obj, set | frozenset):
        yield from (("{...}", value) for value in list(obj))
    elif isinstance(obj, types.FunctionType):
        yield from _reached(obj)
    elif isinstance(obj, types.MethodType):
        yield ".__self__", obj.__self__
    else:
        yield from ((f".{name}", value) for name, value in list(getattr(obj, "__dict__", {}).items()))
        declared = [name for kind in type(obj).__mro__ for name in vars(kind).get("__slots__", ())]
        slots = [name for name in declared if hasattr(obj, str(name))]
        yield from ((f".{name}", getattr(obj, name)) for name in slots)


def _reached(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function takes with it when it travels by value."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        yield f".<closure {name}>", cell.cell_contents
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield f".<global {name}>", function.__globals__[name]


def _first_line(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may do anything
        return "its text cannot be had"
    return (text.splitlines() or [""])[0][:200]
