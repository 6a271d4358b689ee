"""Results of many calls, in order or as they come: with as many under way at once as are looked ahead, no more."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic
from typing import Any

from understudy.pool.slots import Slot, letting_go
from understudy.pool.task import TaskFuture

Start = Callable[[list[tuple[Any, ...]]], TaskFuture]
"""Begins the calls of these rows as one task."""
SLICES = 4
"""Tasks for each worker that `map` makes of what it is given, where it may choose."""


def slice_of(count: int, workers: int) -> int:
    """How many of so many calls are one task, where nobody says."""
    return max(1, -(-count // (workers * SLICES)))


def in_order(slots: Iterable[Slot], timeout: float | None) -> Iterator[Any]:
    """The results of all that are under way; those that are not asked for any more are cancelled."""
    until = None if timeout is None else monotonic() + timeout
    left = deque(slots)

    def results() -> Iterator[Any]:
        try:
            while left:
                yield from left.popleft().take(until)
        finally:
            for slot in left:
                slot.cancel()

    return results()


def look_ahead(start: Start, rows: Iterable[tuple[Any, ...]], chunk: int, ahead: int) -> Iterator[Any]:
    """The results in order, of rows without an end, too."""
    batches = _batches(rows, chunk)
    under_way = deque(map(start, itertools.islice(batches, ahead)))
    try:
        while under_way:
            yield from _rows(under_way.popleft())
            under_way.extend(map(start, itertools.islice(batches, 1)))
    finally:
        for future in under_way:
            future.cancel()


def as_they_come(start: Start, rows: Iterable[tuple[Any, ...]], chunk: int, ahead: int) -> Iterator[Any]:
    """The same in the order in which they are done."""
    batches = _batches(rows, chunk)
    done: SimpleQueue[TaskFuture] = SimpleQueue()
    under_way: set[TaskFuture] = set()

    def begin(count: int) -> None:
        for batch in itertools.islice(batches, count):
            future = start(batch)
            under_way.add(future)
            Future.add_done_callback(future, done.put)  # type: ignore[arg-type]  # which waits for nobody

    begin(ahead)
    try:
        while under_way:
            future = done.get()
            under_way.discard(future)
            begin(1)
            yield from _rows(future)
    finally:
        for future in under_way:
            future.cancel()


async def awaited(start: Start, rows: Any, chunk: int, ahead: int) -> AsyncIterator[Any]:
    """The results in order, for asyncio; the rows may be asynchronous as well."""
    source = _abatches(rows, chunk)
    under_way: deque[TaskFuture] = deque()
    try:
        while True:
            while len(under_way) < ahead:
                batch = await anext(source, None)
                if batch is None:
                    break
                under_way.append(start(batch))
            if not under_way:
                return
            await done_of(under_way[0])
            for row in _rows(under_way.popleft()):
                yield row
    finally:
        for future in under_way:
            future.cancel()


async def done_of(future: TaskFuture) -> None:
    """Wait in an event loop until it is done; told by the thread of the results, for this waits for nobody."""
    import asyncio

    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # that loop is closed
            loop.call_soon_threadsafe(done.set)

    Future.add_done_callback(future, tell)
    await done.wait()


def _rows(future: TaskFuture) -> Iterator[Any]:
    """What the calls of one task returned; those before one that failed, too."""
    try:
        if future.rows is None:
            yield future.result()
            return
        error = future.exception()
        yield from letting_go([*future.rows] if error is not None else future.result())
        if error is not None:
            raise error
    finally:
        future.cancel()
        error = None
        del future


def _batches(rows: Iterable[tuple[Any, ...]], chunk: int) -> Iterator[list[tuple[Any, ...]]]:
    source = iter(rows)
    while batch := [*itertools.islice(source, chunk)]:
        yield batch


async def _abatches(rows: Any, chunk: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    if not hasattr(rows, "__aiter__"):
        for batch in _batches(rows, chunk):
            yield batch
        return
    gathered: list[tuple[Any, ...]] = []
    async for row in rows:
        gathered.append(row)
        if len(gathered) == chunk:
            yield gathered
            gathered = []
    if gathered:
        yield gathered
