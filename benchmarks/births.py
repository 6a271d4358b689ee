"""From the asking to the first line of user code: one, a hundred, a replacement."""

import os
import signal
import statistics
import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.moments import Board
from benchmarks.stamps import now
from benchmarks.troupe import Make

MS = 1e6  # ns
PAUSE = 0.02  # seconds in which the last one's end is over, for all contestants alike


def spawn_one(make: Make, samples: int) -> float:
    """Median of `samples` single births, in ms. The very first one is not counted: it warms up."""
    taken = []
    with Board() as board, closing(make()) as troupe:
        for _ in range(samples + 1):
            time.sleep(PAUSE)
            asked = now()
            troupe.spawn_brief(board.path)
            taken.append(board.next().at - asked)
            troupe.wait()
    return statistics.median(taken[1:]) / MS


def all_up(make: Make, count: int, samples: int) -> float:
    """Median time from the first spawn to the last of `count` in user code, in ms, after one single warm-up."""
    taken = []
    with Board() as board, closing(make()) as troupe:
        troupe.spawn_brief(board.path)
        board.next()
        troupe.wait()
        for _ in range(samples):
            time.sleep(PAUSE)
            asked = now()
            troupe.spawn_idle(board.path, count)
            taken.append(max(moment.at for moment in board.take(count)) - asked)
            troupe.settle()
            troupe.stop()
    return statistics.median(taken) / MS


def replaced(make: Make, samples: int) -> float:
    """Median time from SIGKILL to the first replacement's user code, in ms, after one warm-up."""
    taken = []
    with Board() as board, closing(make()) as troupe:
        for _ in range(samples + 1):
            troupe.spawn_idle(board.path)
            first = board.next()
            troupe.settle()
            time.sleep(PAUSE)
            killed = now()
            os.kill(first.pid, signal.SIGKILL)
            troupe.replace(board.path)
            second = board.next()
            if second.pid == first.pid:
                raise RuntimeError("no replacement: the same process stamped twice")
            taken.append(second.at - killed)
            troupe.settle()
            troupe.stop()
    return statistics.median(taken[1:]) / MS


def _figure(name: str, title: str, call: str, options: Options, quick: Options) -> Figure:
    def job(label: str, troupe: str) -> Job:
        return Job(label, f"benchmarks.births:{call}", troupe, options, quick)

    return Figure(
        name=name,
        title=title,
        unit="ms",
        ours=job("understudy", "benchmarks.ours:Understudy"),
        floors=(job("raw zygote", "benchmarks.floors.zygote:RawZygote"),),
        peers=(job("forkserver", "benchmarks.peers:Forkserver"), job("spawn", "benchmarks.peers:Spawn")),
        targets=(Target("at most", 1.5, "raw zygote"),),
    )


_LEARNED: Options = {"samples": 30}
_LEARNED_QUICK: Options = {"samples": 15}

FIGURES = (
    _figure("spawn", "spawn to user code", "spawn_one", {"samples": 30}, {"samples": 15}),
    Figure(
        name="spawn-learned",
        title="the same, module unknown at first, from the 2nd",
        unit="ms",
        ours=Job("understudy", "benchmarks.births:spawn_one", "benchmarks.ours:Strangers", _LEARNED, _LEARNED_QUICK),
        floors=(
            Job(
                "raw zygote",
                "benchmarks.births:spawn_one",
                "benchmarks.floors.zygote:RawZygote",
                _LEARNED,
                _LEARNED_QUICK,
            ),
        ),
        targets=(Target("at most", 1.5, "raw zygote"),),
    ),
    _figure("hundred", "100 actors up", "all_up", {"count": 100, "samples": 3}, {"count": 100, "samples": 1}),
    _figure("replace", "SIGKILL to the replacement's user code", "replaced", {"samples": 20}, {"samples": 8}),
)
