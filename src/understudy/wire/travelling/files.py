"""Open files: opened again where they stood, never truncated, and only if the name still leads to the same file."""

from __future__ import annotations

import gc
import io
import os
import stat
import sys
from typing import Any

from understudy.wire.travelling.hung import along
from understudy.wire.travelling.refusal import Refused

_WRAPPER = frozenset({"file", "name", "delete", "_closer"})
_DIRECTORY = frozenset({"name", "_delete", "_finalizer", "_ignore_cleanup_errors"})
_STREAMS = ("stdin", "stdout", "stderr")


def text(obj: Any) -> Any:
    """A TextIOWrapper over what can be reopened: encoding, errors, newlines and position kept."""
    if where := _standard(obj):
        return standard, where
    buffer = _open(obj)
    under = buffer.raw if type(buffer) in _BUFFERED else buffer
    if type(under) not in {io.FileIO, io.BytesIO}:
        raise Refused(f"it reads or writes a {type(under).__name__}: open it in __preloop__")
    _check(obj)
    try:
        cookie = obj.tell() if obj.seekable() else None  # which flushes what is written
    except OSError as error:
        raise Refused(
            f"its position cannot be had ({error}): read it by readline(), not by iterating, or open it in __preloop__"
        ) from None
    options = (obj.encoding, obj.errors, _newline(obj), obj.line_buffering, obj.write_through)
    return reopened_text, (type(obj), buffer, *options), (cookie, dict(vars(obj))), None, None, stand_at


def buffered(obj: Any) -> Any:
    """A BufferedReader, BufferedWriter or BufferedRandom, at its position."""
    if where := _standard(obj):
        return standard, where
    _open(obj)
    if type(obj.raw) is not io.FileIO:
        raise Refused(f"it reads or writes a {type(obj.raw).__name__}: open it in __preloop__")
    _check(obj)
    if obj.writable():
        obj.flush()
    position = obj.tell() if obj.seekable() else None
    return type(obj), (obj.raw,), (position, dict(vars(obj))), None, None, stand_at


def raw(obj: Any) -> Any:
    """A FileIO: opened again by its name, at its position."""
    if where := _standard(obj):
        return standard, where
    _open(obj)
    told = _check(obj)
    position = obj.tell() if obj.seekable() else 0
    own = {name: value for name, value in vars(obj).items() if name != "name"}
    replaceable = obj.mode.startswith("ab") or (position == 0 and obj.mode == "rb")
    identity = None if replaceable or told is None else (told.st_dev, told.st_ino)
    return reopened, (type(obj), obj.name, obj.mode, identity), (position, own), None, None, stand_at


def temporary(obj: Any) -> Any:
    """The wrapper of a NamedTemporaryFile: the same file; to delete it stays the caller's business."""
    taken = {name for name in vars(obj) if hasattr(obj.file, name)}  # methods of the file, kept when first asked for
    return along((rewrapped, (type(obj), obj.file, obj.name)), obj, _WRAPPER | taken)


def temporary_directory(obj: Any) -> Any:
    """The same directory; to delete it stays the caller's business."""
    return along((directory, (type(obj), obj.name)), obj, _DIRECTORY)


def tee(obj: Any) -> Any:
    """What an actor has for a standard stream."""
    where = _standard(obj)
    if where is None:
        raise Refused("it is a standard stream no more")
    return standard, where


# --- in the child


def standard(name: str, *inner: str) -> Any:
    """A standard stream of this process, or what lies under it."""
    stream = getattr(sys, name)
    for step in inner:
        stream = getattr(stream, step)
    return stream


def reopened(kind: type[io.FileIO], name: Any, mode: str, identity: tuple[int, int] | None) -> io.FileIO:
    """The file of that name as it is, never truncated; only the same one, where a position depends on it."""
    never = os.O_TRUNC | os.O_EXCL | (0 if mode.startswith("a") else os.O_CREAT)

    def opener(path: Any, flags: int) -> int:
        return os.open(path, flags & ~never | os.O_CLOEXEC, 0o666)

    made = kind(name, mode.replace("b", ""), opener=opener)
    told = os.fstat(made.fileno())
    if identity is not None and identity != (told.st_dev, told.st_ino):
        made.close()
        raise FileNotFoundError(f"{name!r} is another file now than the one that was open when the actor was spawned")
    return made


def reopened_text(kind: Any, buffer: Any, encoding: str, errors: str, newline: Any, lines: Any, through: Any) -> Any:
    """Text over a file that was opened again."""
    made = kind.__new__(kind)
    io.TextIOWrapper.__init__(made, buffer, encoding, errors, newline, lines, write_through=through)
    return made


def stand_at(file: Any, state: tuple[int | None, dict[str, Any]]) -> None:
    """Where it stood, and what hung on it."""
    position, own = state
    if position and file.seekable():
        file.seek(position)
    vars(file).update(own)


def rewrapped(kind: Any, file: Any, name: str) -> Any:
    """A temporary file's wrapper that deletes nothing."""
    return kind(file, name, delete=False)


def directory(kind: Any, name: str) -> Any:
    """A temporary directory's object that deletes nothing by itself."""
    made = kind.__new__(kind)
    made.name = name
    made._ignore_cleanup_errors = False  # noqa: SLF001 - its __init__ would make another directory
    made._delete = False  # noqa: SLF001
    made._finalizer = _Nothing()  # noqa: SLF001
    return made


class _Nothing:
    """In place of a finalizer."""

    def detach(self) -> None:
        """There is none."""


# --- what can be told of a file

_BUFFERED = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)


def _standard(obj: Any) -> tuple[str, ...] | None:
    for name in (*_STREAMS, *(f"__{name}__" for name in _STREAMS)):
        stream = getattr(sys, name, None)
        if stream is None:
            continue
        if obj is stream:
            return (name,)
        buffer = getattr(stream, "buffer", None)
        if obj is buffer:
            return name, "buffer"
        if buffer is not None and obj is getattr(buffer, "raw", None):
            return name, "buffer", "raw"
    return None


def _open(obj: Any) -> Any:
    """What lies under it, if it is open."""
    try:
        if not obj.closed:
            return getattr(obj, "buffer", obj)
    except ValueError:  # detached
        pass
    raise Refused("it is closed: leave it out of the state")


def _check(obj: Any) -> os.stat_result | None:
    """Raise unless the name leads to the very file that is open."""
    try:
        told = os.fstat(obj.fileno())
    except (OSError, io.UnsupportedOperation):
        return None  # in memory
    name = obj.name
    if stat.S_ISFIFO(told.st_mode) or stat.S_ISSOCK(told.st_mode):
        raise Refused("it is a pipe: make it in the child, in __preloop__ for instance")
    if obj.isatty():
        raise Refused("it is a terminal: open it in __preloop__")
    if isinstance(name, int):
        raise Refused("it has no name to open it again by: use a file with a name, or open it in __preloop__")
    try:
        named = os.stat(name)
    except OSError:
        named = None
    if named is None or not os.path.samestat(told, named):
        raise Refused(f"its file is no longer to be found as {name!r}: open it in __preloop__")
    return told


def _newline(obj: Any) -> str | None:
    """What it was opened with, which only the collector of garbage can see."""
    if _seen(io.TextIOWrapper(io.BytesIO(), newline="\r")) != "\r":
        raise Refused("how it treats line ends cannot be told on this Python: open it in __preloop__")
    return _seen(obj)


def _seen(obj: Any) -> str | None:
    held = gc.get_referents(obj)
    texts = [one for one in held if isinstance(one, str)]
    decoded = any(isinstance(one, tuple) for one in held)  # the snapshot of the decoder comes with decoded text
    # Encoding first and errors last; between them the line end, if any was named, and the decoded text.
    return texts[1] if len(texts) - 2 - decoded == 1 else None
