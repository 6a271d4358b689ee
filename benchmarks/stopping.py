"""From the request to stop to the end of all, actors idle."""

import statistics
import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.moments import Board
from benchmarks.stamps import now
from benchmarks.troupe import Make

MS = 1e6  # ns
SETTLE = 0.3  # seconds in which the births are over, for all contestants alike


def stop(make: Make, count: int, samples: int) -> float:
    """Median time to stop `count` idle ones, in ms, until each has ended."""
    taken = []
    with Board() as board, closing(make()) as troupe:
        for _ in range(samples):
            troupe.spawn_idle(board.path, count)
            board.take(count)
            troupe.settle()
            time.sleep(SETTLE)
            asked = now()
            troupe.stop()
            taken.append(now() - asked)
    return statistics.median(taken) / MS


def _figure(name: str, title: str, options: Options, quick: Options) -> Figure:
    def job(label: str, troupe: str) -> Job:
        return Job(label, "benchmarks.stopping:stop", troupe, options, quick)

    return Figure(
        name=name,
        title=title,
        unit="ms",
        ours=job("understudy", "benchmarks.ours:Understudy"),
        floors=(job("raw PUB/SUB", "benchmarks.floors.zygote:RawZygote"),),
        peers=(job("forkserver", "benchmarks.peers:Forkserver"), job("spawn", "benchmarks.peers:Spawn")),
        targets=(Target("at most", 2.0, "raw PUB/SUB"),),
    )


FIGURES = (
    _figure("stop-1", "stop of 1", {"count": 1, "samples": 9}, {"count": 1, "samples": 3}),
    _figure("stop-50", "stop of 50", {"count": 50, "samples": 3}, {"count": 50, "samples": 1}),
)
