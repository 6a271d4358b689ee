"""What the parent of 50 idle actors spends, with beats every 2 s and nobody watching."""

import time
from contextlib import closing

from benchmarks.harness import Figure, Job, Target
from benchmarks.moments import Board
from benchmarks.troupe import Make

SETTLE = 3.0  # seconds after which the births are over


def cost(make: Make, count: int, seconds: float) -> float:
    """CPU time of this process, all threads, as % of one core over `seconds` of doing nothing."""
    with Board() as board, closing(make()) as troupe:
        for _ in range(count):
            troupe.spawn_idle(board.path)
        board.take(count)
        troupe.settle()
        time.sleep(SETTLE)
        # Not os.times: its ticks of 10 ms are a tenth of what is to be measured.
        began, spent = time.monotonic(), time.process_time()
        time.sleep(seconds)
        spent, elapsed = time.process_time() - spent, time.monotonic() - began
        troupe.stop()
    return 100 * spent / elapsed


FIGURES = (
    Figure(
        name="idle",
        title="parent's idle cost, 50 actors",
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
