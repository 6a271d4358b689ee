"""Objects to pickles and back: cloudpickle, with the kinds of `travelling`; by value what a child could not import.

What cannot travel raises SerializationError in the caller, naming the attribute path, the type and what to do.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import sys
import threading
import types
from collections.abc import Callable, Container, Sequence
from typing import Any, cast

import cloudpickle

from understudy import runtime
from understudy.errors import SerializationError, UnderstudyError
from understudy.wire.travelling import classes, exceptions, names, paths, weak
from understudy.wire.travelling.refusal import MAKE_IT_THERE, SAY_IT_PLAINLY, Refusal, Refused
from understudy.wire.travelling.sources import Sources, Told
from understudy.wire.travelling.table import Reducer, entry, is_users

PROTOCOL = 5
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_MAX_BUFFERS = 1024
LONG = 65536
"""Bytes from which plain bytes leave as they are, beside their pickle."""
_BULK_FRAMES = 2

_by_value_lock = threading.RLock()
_nothing = object()


def dumps(obj: Any, root: str, *beside: Any) -> bytes:
    """One pickle of the state of an actor, or of a tuple of it and what stands ``beside`` it.

    ``root`` is how an error's path begins. Raises SerializationError.
    """
    stream = io.BytesIO()
    make = functools.partial(_Pickler, exception=exceptions.exception_with_story)
    pickler = make(stream)
    _dump(Told((obj, *beside) if beside else obj, pickler.sources), obj, root, pickler, make)
    return stream.getvalue()


def dump_frames(obj: Any, root: str) -> list[Any]:
    """A pickle and its out-of-band buffers, of what a child sends home. Raises SerializationError."""
    kind = type(obj)
    if kind in _BULK and len(obj) > LONG:
        return [_BULK[kind], obj]
    if kind in _PLAIN:
        return [pickle.dumps(obj, PROTOCOL)]
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []

    def keep_within(buffer: pickle.PickleBuffer) -> bool:
        """Whether it goes into the pickle itself: a message has so many frames, and each is one piece of memory."""
        if len(buffers) >= _MAX_BUFFERS or not memoryview(buffer).contiguous:
            return True
        buffers.append(buffer)
        return False

    try:
        _dump(obj, obj, root, _Pickler(stream, keep_within), _Pickler, advice=SAY_IT_PLAINLY)
        return [stream.getvalue(), *map(_raw, buffers)]
    finally:
        buffers.clear()  # see _raw: a traceback would hold them


def loads(frames: Sequence[Any], lent: Container[int] = ()) -> Any:
    """The object out of its frames; raises what unpickling raises. Only for frames whose tag is right.

    What was writable is again: a frame itself is not, so its buffers are copied, one after the other, but for those at
    the places ``lent``, which are used where they are.
    """
    if len(frames) == _BULK_FRAMES:
        for kind, whole in _BULK.items():
            if whole == frames[0]:
                return kind(frames[1])  # as the pickle says, without a copy for its sake
    buffers = (frames[place] if place in lent else bytearray(frames[place]) for place in range(1, len(frames)))
    return pickle.loads(frames[0], buffers=buffers)  # noqa: S301 - the tag was verified by the caller


def _raw(buffer: pickle.PickleBuffer) -> memoryview:
    """Its bytes. Of a memoryview they are no export: up to 3.12.6, Python crashes when it collects the two together."""
    raw = buffer.raw()
    exporter = raw.obj
    with contextlib.suppress(TypeError, ValueError):  # no contiguous one, or of a format that is not Python's
        return exporter.cast("B") if type(exporter) is memoryview else raw
    return raw


# --- one pickle


def _dump(
    whole_: Any, obj: Any, root: str, pickler: _Pickler, make: Callable[[Any], _Pickler], advice: str | None = None
) -> None:
    with _by_value_lock:
        names.look_anew()
        before = getattr(runtime.packing, "outermost", None)
        runtime.packing.outermost = obj if before is None else before
        try:
            pickler.dump(whole_)
            if pickler.weak:
                _check_weak(whole_, pickler, make(_Sink()))
        except (KeyboardInterrupt, MemoryError, runtime.Interruption):
            raise
        except (Refused, SerializationError) as error:
            culprit = pickler.last
            steps = paths.find(obj, culprit)
            if steps is None:  # it is made by a reduction: the nearest that there is
                steps, _ = paths.narrow(obj, _trying(make))
            said = str(error) if isinstance(error, SerializationError) else advice or str(error)
            raise _refusal(root, steps, culprit, said) from error.__cause__
        except UnderstudyError:
            raise
        except BaseException as error:  # a user's __reduce__ may even exit
            steps, culprit = _blame(obj, pickler.last, make)
            why = f" ({type(error).__name__}: {_first_line(error)})"
            raise _refusal(root, steps, culprit, (advice or _advice(type(culprit))) + why) from error
        finally:
            runtime.packing.outermost = before
            pickler.forget()


def _refusal(root: str, steps: tuple[paths.Step, ...], culprit: Any, advice: str) -> SerializationError:
    kind = type(culprit)
    where = paths.told(root, steps) or "the state"
    return SerializationError(f"{where}: {kind.__module__}.{kind.__qualname__} cannot travel; {advice}")


def _advice(kind: type) -> str:
    if is_users(kind):
        return "what was said of it by travels() does not work"
    found = entry(kind)
    return found.advice if isinstance(found, Refusal) else MAKE_IT_THERE


def _blame(obj: Any, last: Any, make: Callable[[Any], _Pickler]) -> tuple[tuple[paths.Step, ...], Any]:
    """What fails to pickle: most often the object in hand when it failed; else it is found by trying."""
    travels = _trying(make)
    steps = None if last is _nothing else paths.find(obj, last)
    return (steps, last) if steps is not None and not travels(last) else paths.narrow(obj, travels)


def _trying(make: Callable[[Any], _Pickler]) -> Callable[[Any], bool]:
    def travels(one: Any) -> bool:
        pickler = make(_Sink())
        try:
            pickler.dump(one)
        except (KeyboardInterrupt, MemoryError, runtime.Interruption):
            raise
        except BaseException:  # noqa: BLE001 - whatever it raises, it does not travel
            return False
        finally:
            pickler.forget()
        return True

    return travels


def _check_weak(whole_: Any, pickler: _Pickler, strong: _Pickler) -> None:
    """Refuse weak references to what would be gone at the other end, because nothing there holds it."""
    strong.held = set()
    try:
        strong.dump(whole_)
    finally:
        strong.forget()
    for reference, target in pickler.weak:
        if isinstance(target, type) or id(target) in strong.held or names.importable(target) is not None:
            continue
        pickler.last = reference
        raise Refused(weak.NOT_HELD)


class _Sink:
    """A file of which only the writing matters."""

    def write(self, data: Any) -> int:
        """Write it nowhere."""
        return len(data)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle, that asks the table first, and learns on the way which modules go by value."""

    def __init__(self, stream: Any, buffer_callback: Any = None, exception: Reducer = exceptions.exception) -> None:
        super().__init__(stream, protocol=PROTOCOL, buffer_callback=buffer_callback)
        self.last: Any = _nothing
        self.weak: list[tuple[Any, Any]] = []
        self.sources = Sources()
        self.held: set[int] | None = None  # in a pickle that follows no weak reference: the objects that it met
        self._exception = exception
        self._reducers: dict[type, Reducer | None] = {}
        self._registered: list[types.ModuleType] = []
        self._seen: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Called for each object but the plainest; NotImplemented leaves it to cloudpickle."""
        self.last = obj
        kind = type(obj)
        try:
            reducer = self._reducers[kind]
        except KeyError:
            reducer = self._reducers[kind] = self._reducer(kind)
        if self.held is not None:
            self.held.add(id(obj))
        return NotImplemented if reducer is None else reducer(obj)

    def forget(self) -> None:
        """Leave cloudpickle's list of modules as it was, and hold nothing of what was pickled: there may be much."""
        for module in self._registered:
            cloudpickle.unregister_pickle_by_value(module)
        self._registered.clear()
        self._reducers.clear()  # among them methods of its own
        self.clear_memo()

    def _reducer(self, kind: type) -> Reducer | None:
        if kind is type or issubclass(kind, type):
            return self._class
        if kind is types.FunctionType:
            return self._function
        found = entry(kind)
        if found is None:
            return None
        if issubclass(kind, types.ModuleType):
            return self._module
        if isinstance(found, weak.Weak):
            return functools.partial(self._weakly, found)
        return self._exception if found is exceptions.exception else found

    def _class(self, obj: type) -> Any:
        self._consider(obj.__module__)
        reduced = super().reducer_override(obj)
        return classes.whole(obj, reduced) if isinstance(reduced, tuple) and len(reduced) > 2 else reduced  # noqa: PLR2004

    def _function(self, obj: types.FunctionType) -> Any:
        self._consider(obj.__module__)
        reduced = super().reducer_override(obj)
        if not isinstance(reduced, tuple):
            return reduced
        self.sources.note(obj)
        return classes.function_whole(obj, reduced)

    def _module(self, obj: types.ModuleType) -> Any:
        self._consider(obj.__name__)
        return cast("Reducer", entry(type(obj)))(obj)

    def _weakly(self, found: weak.Weak, obj: Any) -> Any:
        if self.held is not None:
            return list, (found.held(obj),)
        self.weak.extend((obj, target) for target in found.targets(obj))
        return found.reduce(obj)

    def _consider(self, name: str | None) -> None:
        if name is None or name in self._seen:
            return
        self._seen.add(name)
        self._consider(name.rpartition(".")[0] or None)  # to import a module is to import its packages
        module = sys.modules.get(name)
        if module is None or name in cloudpickle.list_registry_pickle_by_value() or not names.by_value(module):
            return
        cloudpickle.register_pickle_by_value(module)
        self._registered.append(module)


def _first_line(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may do anything
        return "its text cannot be had"
    return (text.splitlines() or [""])[0][:200]


# --- plain bytes


class _Bulk:
    """Plain bytes whose pickle only says what is to be made of the buffer beside it."""

    def __init__(self, kind: type[bytes | bytearray]) -> None:
        self._kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return self._kind, (pickle.PickleBuffer(self._kind()),)

    def whole(self) -> bytes:
        """The same for all bytes of the kind."""
        return pickle.dumps(self, PROTOCOL, buffer_callback=lambda _: None)


_BULK: dict[type[Any], bytes] = {kind: _Bulk(kind).whole() for kind in (bytes, bytearray)}
