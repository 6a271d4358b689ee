"""Before the first fork: what forks will write to is made to lie close together.

A fork shares all pages until it writes to one. What it allocates goes first into the holes that imports have left all
over the memory, each in a page that is copied for it. So the holes are filled: then it comes out of few pages.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import repeat

_POOL, _POOL_HEAD = 16 << 10, 48
"""Bytes of the pools out of which Python gives small objects of one size, and of what a pool begins with."""
_STEP, _SMALL = 16, 512
"""By how many bytes the sizes of small objects differ, and the largest."""
_HEAD = sys.getsizeof(b"")
_LARGE, _LEAST = 64 << 10, 24
"""The largest and smallest hole of the heap that is looked for, in bytes."""
_MOST = 1024 << 10
"""Bytes that the holes for objects of one size may have together, so that this ends whatever the allocator is."""

_BATCH = 64
_RUN = 16
"""Objects that lie one behind the other from the beginning of a pool, where it was empty; in a used one few do."""

_filling: list[object] = []
"""Kept, and never looked at."""


class _Account(ctypes.Structure):
    """What the C library says of its heap."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def pack() -> None:
    """Do so, for good; a second time for what has been imported since.

    Nothing is done where Python or the C library have other allocators than usual.
    """
    if not (sys.flags.dev_mode or os.environ.get("PYTHONMALLOC")):
        _fill_pools()
    _fill_heap()
    # Each look-up of an attribute that is not remembered lets go of the name that stood in its place: a page each.
    sys._clear_type_cache()  # noqa: SLF001 - there is no other way to it


def _fill_pools() -> None:
    """The holes in the pools from which Python gives small objects."""
    _fill(_STEP, object)
    _fill(2 * _STEP, complex)
    for size in range(3 * _STEP, _SMALL + 1, _STEP):
        _fill(size, partial(bytes, size - _HEAD))


def _fill(size: int, make: Callable[[], object]) -> None:
    """The holes for small objects of one size, until some come out of a pool that was empty."""
    run = min(_RUN, (_POOL - _POOL_HEAD) // size)
    for _ in range(_MOST // size // _BATCH):
        batch = [make() for _ in repeat(None, _BATCH)]
        places = [id(one) for one in batch]
        for at in range(_BATCH - run + 1):
            place = places[at]
            if place % _POOL == _POOL_HEAD and places[at : at + run] == [*range(place, place + run * size, size)]:
                _filling.extend(batch[:at])
                return
        _filling.extend(batch)


def _fill_heap() -> None:
    """The holes of the C library's heap, from which large objects come, and what others allocate."""
    library = ctypes.CDLL(None)
    try:
        account, brk, take, give = library.mallinfo2, library.sbrk, library.malloc, library.free
    except AttributeError:
        return
    account.restype, brk.restype, brk.argtypes = _Account, ctypes.c_size_t, [ctypes.c_ssize_t]
    take.restype, take.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
    give.restype, give.argtypes = None, [ctypes.c_size_t]
    top = brk(0) - account().keepcost  # what lies above was never given out
    size = _LARGE
    while size >= _LEAST:
        for _ in range(_MOST // size):
            block = take(size)
            if block >= top:
                give(block)
                break
            if not block:  # a limit of the address space
                return
        size = size * 3 // 4
