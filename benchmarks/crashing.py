"""What those spend who watch over 100 actors that crash at their start, again and again."""

import time

from benchmarks.actors import Doomed
from benchmarks.harness import Figure, Job, Target
from benchmarks.ours import PRELOAD
from benchmarks.probe import cpu_seconds, family
from understudy import ActorSystem

STORM = 2.0  # seconds after which the births are over, and most actors have crashed


def cost(count: int, seconds: float, base: float) -> float:
    """CPU time of parent and zygote, as % of one core over `seconds`; pauses begin with `base`."""
    with ActorSystem(preload=PRELOAD) as system:
        supervisors = family()
        system.spawn(Doomed, base, replicas=count)
        time.sleep(STORM)
        began, before = time.monotonic(), cpu_seconds(supervisors)
        restarts = system.summary().restarts
        time.sleep(seconds)
        after, elapsed = cpu_seconds(supervisors), time.monotonic() - began
        restarts = system.summary().restarts - restarts
        system.shutdown(force=True)
    if not restarts:
        raise RuntimeError("nothing was restarted")
    return 100 * sum(after[pid] - before[pid] for pid in before) / elapsed


def crash_on(rate: float, seconds: float) -> float:
    """The same of forks at an even pace by a raw zygote, whose children end at once."""
    from benchmarks.floors.zygote import RawZygote
    from benchmarks.moments import Board

    zygote = RawZygote()
    with Board() as board:
        supervisors = family()
        began, before = time.monotonic(), cpu_seconds(supervisors)
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            zygote.spawn_brief(board.path)
            board.next()
            zygote.wait()
        after, elapsed = cpu_seconds(supervisors), time.monotonic() - began
        zygote.close()
    return 100 * sum(after[pid] - before[pid] for pid in before) / elapsed


FIGURES = (
    Figure(
        name="crashing",
        title="cost of 100 actors that crash at start, pauses as by default",
        unit="%",
        ours=Job(
            "understudy",
            "benchmarks.crashing:cost",
            options={"count": 100, "seconds": 30.0, "base": 0.1},
            quick={"seconds": 10.0},
        ),
        floors=(
            Job(
                "raw zygote, 20 forks/s",
                "benchmarks.crashing:crash_on",
                options={"rate": 20.0, "seconds": 20.0},
                quick={"seconds": 5.0},
            ),
        ),
        targets=(Target("at most", 30.0),),
    ),
    Figure(
        name="crashing-on",
        title="the same without pauses, by 100 restarts a second",
        unit="%",
        ours=Job(
            "understudy",
            "benchmarks.crashing:cost",
            options={"count": 100, "seconds": 20.0, "base": 0.0},
            quick={"seconds": 6.0},
        ),
        floors=(
            Job(
                "raw zygote, 100 forks/s",
                "benchmarks.crashing:crash_on",
                options={"rate": 100.0, "seconds": 20.0},
                quick={"seconds": 5.0},
            ),
        ),
        targets=(Target("at most", 60.0),),
    ),
)
