"""Parts of a file as memory, each an object of its own: as long as anything reads a part, that object is there.

So the parts are arrays of `ctypes`: it is known when the last view of one is gone. A memoryview would do too, but
up to 3.12.6 Python crashes when it collects one with what was made of it; an `mmap` holds a descriptor.
"""

from __future__ import annotations

import functools
import os
import weakref
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE
from typing import Any

READ, WRITE = PROT_READ, PROT_READ | PROT_WRITE


class Mapping:
    """A file's first bytes, mapped as long as the object, or a part, is there. Raises OSError."""

    def __init__(self, fd: int, size: int, protection: int) -> None:
        mapped, unmapped, _ = _calls()
        address = mapped(None, size, protection, MAP_SHARED, fd, 0)
        if address == _failed():
            raise _error("the file cannot be mapped")
        self.size = size
        self._address: int = address
        weakref.finalize(self, unmapped, address, size).atexit = False

    def part(self, offset: int, size: int) -> Any:
        """The bytes from there on, as an object that has a buffer and can be referred to weakly."""
        if not 0 <= offset <= offset + size <= self.size:
            raise ValueError(f"{size} bytes from {offset} on are not within {self.size}")
        part = _kind(size).from_address(self._address + offset)
        part.mapping = self
        return part

    def advise(self, advice: int) -> None:
        """Tell the kernel what becomes of it. Raises OSError."""
        if _calls()[2](self._address, self.size, advice):
            raise _error("the advice was refused")


@functools.lru_cache(maxsize=64)
def _kind(size: int) -> Any:
    """An array of so many bytes. Those that ctypes makes itself it would keep for good, one for each size."""
    import ctypes  # for whom lends or borrows, not for every process

    array: Any = ctypes.Array
    return type(array)("Lent", (array,), {"_type_": ctypes.c_ubyte, "_length_": size})


@functools.cache
def _calls() -> tuple[Any, Any, Any]:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    kinds = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [*kinds, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    library.munmap.argtypes = kinds[:2]
    library.madvise.argtypes = kinds
    return library.mmap, library.munmap, library.madvise


@functools.cache
def _failed() -> Any:
    import ctypes

    return ctypes.c_void_p(-1).value


def _error(what: str) -> OSError:
    import ctypes

    return OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
