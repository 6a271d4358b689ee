"""What pools of two workers cost: tasks that do nothing, short and large ones, the first one, and one that was lost."""

import os
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks.harness import Figure, Job, Options, Target, Unit
from benchmarks.moments import Board
from benchmarks.stamps import now, stamp
from benchmarks.tasks import WORKERS, Crew, Make, length, nothing, rest, stay

MS = 1e3  # s
NS = 1e9  # a second
GB = 1e9  # bytes


def _warm(crew: Crew) -> None:
    """All its workers are up, and know the function."""
    crew.each(rest, [0.01] * 4 * WORKERS)
    crew.each(nothing, range(200))


def _rate(make: Make, tasks: int, do: Callable[[Crew, range], list[Any]]) -> float:
    with closing(make()) as crew:
        _warm(crew)
        work = range(tasks)
        began = time.perf_counter()
        done = do(crew, work)
        taken = time.perf_counter() - began
        assert done == [*work]
    return tasks / taken


def submit(make: Make, tasks: int) -> float:
    """Tasks a second, each submitted by itself, until all results are there."""
    return _rate(make, tasks, lambda crew, work: crew.each(nothing, work))


def mapped(make: Make, tasks: int, chunk: int) -> float:
    """The same by one map."""
    return _rate(make, tasks, lambda crew, work: crew.mapped(nothing, work, chunk))


def short(make: Make, tasks: int, seconds: float) -> float:
    """Milliseconds until tasks that rest so long are all done."""
    with closing(make()) as crew:
        _warm(crew)
        began = time.perf_counter()
        crew.each(rest, [seconds] * tasks)
        return (time.perf_counter() - began) * MS


def rests(tasks: int, seconds: float) -> float:
    """The rests alone, side by side, in ms."""
    began = time.perf_counter()
    for _ in range(-(-tasks // WORKERS)):
        time.sleep(seconds)
    return (time.perf_counter() - began) * MS


def first(make: Make, samples: int, before: int) -> float:
    """Median, in ms, from nothing to the first result of a pool; ``before`` so many, further ones are not counted."""
    taken = []
    for _ in range(before + samples):
        began = time.perf_counter()
        crew = make()
        crew.each(nothing, range(1))
        taken.append(time.perf_counter() - began)
        crew.close()
    return statistics.median(taken[before:]) * MS


def arrays(make: Make, nbytes: int, tasks: int) -> float:
    """GB a second of arrays of so many bytes, each a task that was submitted by itself."""
    import numpy as np

    array = np.ones(nbytes, np.uint8)
    with closing(make()) as crew:
        _warm(crew)
        crew.each(length, [array] * 2 * WORKERS)
        began = time.perf_counter()
        done = crew.each(length, [array] * tasks)
        taken = time.perf_counter() - began
        assert done == [nbytes] * tasks
    return nbytes * tasks / taken / GB


def recovery(make: Make, samples: int) -> float:
    """Median, in ms, from the SIGKILL of a worker amid a task to the next task in the one that took its place."""
    return statistics.median(_recovered(make) for _ in range(samples)) * MS


def _recovered(make: Make) -> float:
    with Board() as board, closing(make()) as crew:
        _warm(crew)
        for _ in range(WORKERS):
            crew.begin(stay, board.path)
        busy = [moment.pid for moment in board.take(WORKERS)]
        crew.begin(stamp, board.path)  # nobody has time for it
        killed_at = now()
        os.kill(busy[0], signal.SIGKILL)
        crew.recover()
        next_one = board.next()
        assert next_one.at > killed_at, "a task was begun before there was a worker for it"
        assert next_one.pid not in busy
        for pid in busy[1:]:
            _kill(pid)
        return (next_one.at - killed_at) / NS


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # a pool that was broken has ended it
        return


OURS = "benchmarks.ours:Tasks"
RAW, RESTS = "raw ROUTER/DEALER", "the rests alone"
_STANDARD = {"ProcessPoolExecutor": "Executor", "mp.Pool": "Pool"}
_MEGABYTE = 1_000_000


def _figure(
    name: str,
    title: str,
    unit: Unit,
    call: str,
    options: Options,
    quick: Options,
    targets: tuple[Target, ...] = (),
    floors: tuple[Job, ...] = (),
) -> Figure:
    def job(label: str, troupe: str) -> Job:
        return Job(label, f"benchmarks.pools:{call}", troupe, options, quick)

    return Figure(
        name=name,
        title=title,
        unit=unit,
        ours=job("understudy", OURS),
        floors=(*floors, job(RAW, "benchmarks.floors.pools:Raw")),
        targets=targets,
        peers=tuple(job(label, f"benchmarks.executors:{kind}") for label, kind in _STANDARD.items()),
    )


_LEAST = (Target("at least", 60_000),)

FIGURES = (
    _figure(
        "pool-submit", "10,000 tasks that do nothing, by submit", "tasks/s", "submit",
        {"tasks": 10_000}, {"tasks": 3_000}, _LEAST,
    ),
    _figure(
        "pool-map-1", "the same by map(chunksize=1)", "tasks/s", "mapped",
        {"tasks": 10_000, "chunk": 1}, {"tasks": 3_000}, _LEAST,
    ),
    _figure(
        "pool-map", "100,000 by plain map", "tasks/s", "mapped",
        {"tasks": 100_000, "chunk": 0}, {}, (Target("at least", 1_000_000),),
    ),
    _figure(
        "pool-short", "200 tasks of 5 ms", "ms", "short",
        {"tasks": 200, "seconds": 0.005}, {"tasks": 100}, (),
        (Job(RESTS, "benchmarks.pools:rests", "", {"tasks": 200, "seconds": 0.005}, {"tasks": 100}),),
    ),
    _figure(
        "pool-first", "a fresh pool to its first result", "ms", "first",
        {"samples": 20, "before": 2}, {"samples": 5},
    ),
    _figure(
        "pool-cold", "the first pool of a program to its first result", "ms", "first", {"samples": 1, "before": 0}, {},
    ),
    _figure(
        "pool-array", "1,000 tasks of a 1 MB array each", "GB/s", "arrays",
        {"nbytes": _MEGABYTE, "tasks": 1_000}, {"tasks": 300},
    ),
    _figure(
        "pool-recovery", "SIGKILL of a worker to the next task", "ms", "recovery", {"samples": 5}, {"samples": 2},
    ),
)  # fmt: skip
