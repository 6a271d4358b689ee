"""Pieces of memory: views as copies, maps of files as maps of the same files."""

from __future__ import annotations

import os
import sys
from typing import Any

from understudy.wire.travelling.hung import along
from understudy.wire.travelling.refusal import Refused


def view(obj: memoryview) -> Any:
    """A writable copy of the same shape."""
    args: tuple[Any, ...] = (bytearray(obj.tobytes()), obj.format, obj.shape)
    try:
        view_of(*args)
    except (TypeError, ValueError):
        raise Refused(f"a view of the form {obj.format!r} cannot be made anew: keep what it shows") from None
    return view_of, args


def view_of(data: bytearray, form: str, shape: tuple[int, ...]) -> memoryview:
    """A view of that form over the bytes."""
    made = memoryview(data)
    if 0 in shape:
        return made.cast(form)  # type: ignore[call-overload,no-any-return]
    return made.cast("B").cast(form, shape)  # type: ignore[call-overload,no-any-return]


def mapped(obj: Any) -> Any:
    """A map of a file: the same part of it, with the same access, at the same position."""
    address = _address(obj)
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            span, rights, offset, _, inode, *rest = line.rstrip("\n").split(maxsplit=5)
            start, end = (int(part, 16) for part in span.split("-"))
            if start <= address < end:
                break
        else:
            raise Refused("it is closed: leave it out of the state")
    path = rest[0] if rest else ""
    if inode == "0" or path.endswith(" (deleted)") or not path.startswith("/"):
        raise Refused("it maps no file that has a name: map one, or make it in __preloop__")
    if rights[3] != "s" and "w" in rights:
        raise Refused("what is written to it is this process's own: map the file in __preloop__")
    told = os.stat(path)
    if told.st_ino != int(inode):
        raise Refused(f"its file is no longer to be found as {path!r}: map it in __preloop__")
    at = int(offset, 16) + address - start
    return along((map_of, (type(obj), path, told.st_ino, len(obj), at, "w" in rights, obj.tell())), obj)


def map_of(kind: Any, path: str, inode: int, length: int, offset: int, writable: bool, position: int) -> Any:  # noqa: FBT001
    """A map of that part of the file."""
    import mmap

    fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_ino != inode:
            raise FileNotFoundError(f"{path!r} is another file now than the one that was mapped at the spawn")
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        made = kind(fd, length, access=access, offset=offset)
    finally:
        os.close(fd)
    made.seek(position)
    return made


def _address(obj: Any) -> int:
    import ctypes

    class Buffer(ctypes.Structure):
        _fields_ = (
            ("buf", ctypes.c_void_p),
            ("obj", ctypes.py_object),
            ("len", ctypes.c_ssize_t),
            ("rest", ctypes.c_char * 256),
        )

    buffer, api = Buffer(), ctypes.pythonapi
    try:
        api.PyObject_GetBuffer(ctypes.py_object(obj), ctypes.byref(buffer), 0)
    except ValueError:
        raise Refused("it is closed: leave it out of the state") from None
    try:
        return int(buffer.buf or 0)
    finally:
        api.PyBuffer_Release(ctypes.byref(buffer))


def memmap(obj: Any) -> Any:
    """A numpy.memmap of a file: the same part of it; what is only a copy in memory travels as one."""
    numpy: Any = sys.modules["numpy"]
    if obj._mmap is None or obj.mode == "c":  # noqa: SLF001 - numpy tells by nothing else that it maps no more
        return numpy.array, (numpy.asarray(obj),)
    order = "C" if obj.flags.c_contiguous else "F" if obj.flags.f_contiguous else None
    if order is None:
        raise Refused("it is a view with gaps of a mapped file: keep the whole, and take the view in a hook")
    if obj.filename is None or not os.path.exists(obj.filename):
        raise Refused("its file has no name any more: map it in __preloop__")
    import mmap

    start = obj.offset - obj.offset % mmap.ALLOCATIONGRANULARITY
    base = numpy.frombuffer(obj._mmap, dtype=numpy.uint8).__array_interface__["data"][0]  # noqa: SLF001
    offset = start + obj.__array_interface__["data"][0] - base
    mode = "r" if obj.mode == "r" else "r+"
    reduced = memmap_of, (type(obj), str(obj.filename), obj.dtype, mode, offset, obj.shape, order)
    return along(reduced, obj, {"_mmap", "offset", "mode", "filename"})


def memmap_of(kind: Any, *args: Any) -> Any:
    """The array over that part of the file."""
    return kind(*args)
