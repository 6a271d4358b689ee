"""What those spend who watch over 50 idle actors, with beats every 2 s and nobody looking."""

import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Target
from benchmarks.moments import Board
from benchmarks.probe import cpu_seconds, family
from benchmarks.troupe import Make

SETTLE = 3.0  # seconds after which the births are over


def cost(make: Make, count: int, seconds: float) -> float:
    """CPU time of the family without its actors, as % of one core over `seconds` of doing nothing."""
    with Board() as board, closing(make()) as troupe:
        troupe.spawn_idle(board.path, count)
        actors = {moment.pid for moment in board.take(count)}
        troupe.settle()
        time.sleep(SETTLE)
        supervisors = family() - actors  # a zygote or a daemon counts as the parent does
        began, before = time.monotonic(), cpu_seconds(supervisors)
        time.sleep(seconds)
        after, elapsed = cpu_seconds(set(before)), time.monotonic() - began
        troupe.stop()
    return 100 * sum(spent - before[pid] for pid, spent in after.items()) / elapsed


FIGURES = (
    Figure(
        name="idle",
        title="idle cost of those who watch over 50 actors",
        unit="%",
        ours=Job(
            "understudy",
            "benchmarks.idle:cost",
            "benchmarks.ours:Understudy",
            options={"count": 50, "seconds": 20.0},
            quick={"seconds": 6.0},
        ),
        floors=(
            Job(
                "raw PULL",
                "benchmarks.floors.idle:polling",
                options={"count": 50, "every": 2.0, "seconds": 20.0},
                quick={"seconds": 6.0},
            ),
        ),
        targets=(Target("at most", 0.5),),
    ),
)
