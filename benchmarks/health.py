"""What it costs to ask an actor how it fares: a check of its health, and its row with figures from the cache."""

import os
import statistics
import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.moments import Board
from benchmarks.ours import Understudy

MS = 1e3  # s


def check(count: int, samples: int) -> float:
    """Median of `samples` health checks, in ms, by name, with `count` idle actors."""
    with Board() as board, closing(Understudy()) as troupe:
        system = troupe.system
        troupe.spawn_idle(board.path, count)
        board.take(count)
        name = system.ps()[-1].name
        taken = []
        for _ in range(samples):
            began = time.perf_counter()
            healthy = system.healthy(name)
            taken.append(time.perf_counter() - began)
            if not healthy:
                raise RuntimeError(f"{name} is not healthy: {system.info(name)}")
        troupe.stop()
    return statistics.median(taken) * MS


def row(count: int, samples: int) -> float:
    """Median of `samples` looks at one actor's row, in ms, its figures in the cache, with `count` idle actors."""
    with Board() as board, closing(Understudy()) as troupe:
        troupe.spawn_idle(board.path, count)
        board.take(count)
        ref = troupe.refs[-1]
        ref.info()
        taken = []
        for _ in range(samples):
            began = time.perf_counter()
            info = ref.info()
            taken.append(time.perf_counter() - began)
            if info.memory_mb is None:
                raise RuntimeError("a row without figures")
        troupe.stop()
    return statistics.median(taken) * MS


def stat(samples: int) -> float:
    """Median of `samples` bare reads of a process's line in the process table, in ms."""
    path = f"/proc/{os.getppid()}/stat"
    taken = []
    for _ in range(samples):
        began = time.perf_counter()
        with open(path, "rb") as file:
            text = file.read()
        taken.append(time.perf_counter() - began)
        if b")" not in text:
            raise RuntimeError(f"{path} is no line of the process table")
    return statistics.median(taken) * MS


_OURS: Options = {"count": 20, "samples": 2000}
_QUICK: Options = {"samples": 500}
_FLOOR = Job("one line of /proc", "benchmarks.health:stat", options={"samples": 2000}, quick=_QUICK)

FIGURES = (
    Figure(
        name="health-check",
        title="health of one actor",
        unit="ms",
        ours=Job("understudy", "benchmarks.health:check", options=_OURS, quick=_QUICK),
        floors=(_FLOOR,),
        targets=(Target("at most", 1.0),),
    ),
    Figure(
        name="info",
        title="one row of ps, figures from the cache",
        unit="ms",
        ours=Job("understudy", "benchmarks.health:row", options=_OURS, quick=_QUICK),
        floors=(_FLOOR,),
        targets=(Target("at most", 1.0),),
    ),
)
