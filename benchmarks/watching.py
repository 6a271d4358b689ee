"""What it costs to be watched: how late events are, how many there can be, and who pays for those that do not read."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from benchmarks.audience import line, watching
from benchmarks.harness import Figure, Job, Options, Target
from benchmarks.idle import SETTLE
from benchmarks.moments import Board
from benchmarks.ours import PRELOAD, Understudy
from benchmarks.probe import cpu_seconds, family, pss_mib
from understudy import ActorSystem, Process

MS = 1e3  # s
EVERY = 0.05  # seconds; an actor tells its progress no more often
TOPIC = "flood|"
ROUND = 50  # events in one go, between which the router does what else there is


class Reporter(Process):
    """Tells its progress as often as that goes out."""

    def __loop__(self) -> None:
        self.progress(self.current_lap % 100, note="so far")
        self.sleep(EVERY)


def latency(actors: int, samples: int, percent: int) -> float:
    """That percentile, in ms, of the age of events of progress when an Observer in another process gives them."""
    with ActorSystem(preload=[*PRELOAD, "benchmarks.watching"]) as system:
        for _ in range(actors):
            system.spawn(Reporter)
        with watching(f"follow({system.endpoint!r}, {samples})") as observer:
            ages = json.loads(line(observer))
        system.stop("*")
    return percentile(ages, samples, percent)


def percentile(ages: list[float], samples: int, percent: int) -> float:
    """Of that many, in ms."""
    if len(ages) < samples:
        raise RuntimeError(f"{len(ages)} of {samples} events came")
    return statistics.quantiles(ages, n=100)[percent - 1] * MS


def rate(readers: int, stalled: int, events: int) -> float:
    """Events a second, from the first until the last has reached each reader; some others read none."""
    with ActorSystem(preload=PRELOAD) as system:
        tell = teller(system)
        with watching(f"count('{system.endpoint}/status', {TOPIC!r}, {readers}, {stalled}, {events})") as audience:
            subscribed(system)
            began = time.monotonic()
            for _ in range(events // ROUND):
                tell(ROUND)
            ended = float(json.loads(line(audience)))
    return events / (ended - began)


def growth(events: int, stalled: int) -> float:
    """MiB that the parent grows by while observers that read nothing miss so many events, their queues being full."""
    with ActorSystem(preload=PRELOAD) as system:
        tell = teller(system)
        with watching(f"count('{system.endpoint}/status', {TOPIC!r}, 1, {stalled}, {events * 2})"):
            subscribed(system)
            sizes = []
            for _ in range(2):
                for _ in range(events // ROUND):
                    tell(ROUND)
                sizes.append(pss_mib({os.getpid()}))
    return max(0.0, sizes[1] - sizes[0])


def teller(system: ActorSystem) -> Callable[[int], None]:
    """Publishes so many events in the router's thread. No verb does: nothing that happens comes at such a pace."""
    publish = partial(system._world.publisher.publish, "progress", TOPIC.rstrip("|"), 0, 1)  # noqa: SLF001
    data = {"progress": 50.0, "note": "so far", "lap": 1, "section": "loop", "completed_laps": 0}

    def several(number: int) -> None:
        for _ in range(number):
            publish(None, None, None, dict(data))

    return lambda number: system._calls.make(lambda: several(number))  # noqa: SLF001


def subscribed(system: ActorSystem) -> None:
    """The parent knows of somebody who listens; what it publishes from then on reaches them."""
    deadline = time.monotonic() + 20
    while not system._calls.make(system._world.publisher.watched):  # noqa: SLF001
        if time.monotonic() > deadline:
            raise RuntimeError("nobody has subscribed")
        time.sleep(0.01)
    time.sleep(0.5)  # all others of the same process


def watched(count: int, observers: int, seconds: float) -> float:
    """CPU time of the parent and its zygote with so many idle actors and Observers, as % of one core."""
    with ExitStack() as stack:
        board, troupe = stack.enter_context(Board()), stack.enter_context(closing(Understudy()))
        troupe.spawn_idle(board.path, count)
        others = {moment.pid for moment in board.take(count)}
        watchers: list[subprocess.Popen[str]] = []
        if observers:
            look = f"look({troupe.system.endpoint!r}, {observers})"
            watchers.append(stack.enter_context(watching(look)))
        time.sleep(SETTLE)
        supervisors = family() - others - {one.pid for one in watchers}
        began, before = time.monotonic(), cpu_seconds(supervisors)
        time.sleep(seconds)
        after, elapsed = cpu_seconds(set(before)), time.monotonic() - began
        troupe.stop()
    return 100 * sum(spent - before[pid] for pid, spent in after.items()) / elapsed


_AGES: Options = {"samples": 600}
_FEWER: Options = {"samples": 200}


def _latency(percent: int) -> Figure:
    ours: dict[str, Any] = {"actors": 10, "percent": percent}
    floor: dict[str, Any] = {"pace": 10 / EVERY, "percent": percent}
    return Figure(
        name=f"event-p{percent}",
        title=f"an event, from the parent to an observer, p{percent}",
        unit="ms",
        ours=Job("understudy", "benchmarks.watching:latency", options={**ours, **_AGES}, quick=_FEWER),
        floors=(Job("raw PUB/SUB", "benchmarks.floors.watching:latency", options={**floor, **_AGES}, quick=_FEWER),),
        targets=(),
    )


def _rate(readers: int) -> Figure:
    options: Options = {"readers": readers, "stalled": 1, "events": 5000}
    quick: Options = {"events": 2000}
    return Figure(
        name=f"events-{readers}",
        title=f"events to {readers} observer{'s' * (readers > 1)}, beside one that reads none",
        unit="events/s",
        ours=Job("understudy", "benchmarks.watching:rate", options=options, quick=quick),
        floors=(Job("raw PUB/SUB", "benchmarks.floors.watching:rate", options=options, quick=quick),),
        targets=(),
    )


def _idle(observers: int) -> Figure:
    options: Options = {"count": 50, "observers": observers, "seconds": 10.0}
    quick: Options = {"seconds": 4.0}
    return Figure(
        name=f"watched-{observers}",
        title=f"cost of 50 idle actors with {observers} observers",
        unit="%",
        ours=Job("understudy", "benchmarks.watching:watched", options=options, quick=quick),
        floors=(
            Job(
                "raw PULL and PUB", "benchmarks.floors.watching:watched", options={**options, "every": 2.0}, quick=quick
            ),
        ),
        targets=(),
    )


_GROWTH: Options = {"events": 60_000, "stalled": 1}
_LESS: Options = {"events": 30_000}

FIGURES = (
    _latency(50),
    _latency(99),
    _rate(1),
    _rate(10),
    _rate(50),
    Figure(
        name="stalled",
        title="parent's growth over 60,000 events that one observer misses",
        unit="MiB",
        ours=Job("understudy", "benchmarks.watching:growth", options=_GROWTH, quick=_LESS),
        floors=(Job("raw PUB/SUB", "benchmarks.floors.watching:growth", options=_GROWTH, quick=_LESS),),
        targets=(Target("at most", 2.0),),
    ),
    _idle(0),
    _idle(10),
)
