"""How a lock is tried where a signal's handler may raise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from threading import RLock


def if_free(lock: RLock, within: float = 0.0) -> Iterator[bool]:
    """For a loop that runs once, with the lock taken, or not at all where another thread has it so many seconds later.

    To take it is one step of the interpreter then, as in `with`: what a handler raises as a call of `acquire` returns
    would leave it taken for good.
    """
    return islice(iter(partial(lock.acquire, timeout=within), 0), 1)  # 0: which False equals
