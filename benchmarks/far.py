"""What a network costs: events over TCP with keys, those who stall there, and a flood of strangers at the gate."""

import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.audience import line, watching
from benchmarks.harness import Figure, Job, Options
from benchmarks.ours import PRELOAD
from benchmarks.probe import cpu_seconds, family, pss_mib
from benchmarks.watching import EVERY, MS, ROUND, TOPIC, Reporter, percentile, subscribed, teller
from understudy import ActorSystem, Keyring, Remote

ACTORS = 10
DESCRIPTORS = 1_024
"""That the process of the system may open while strangers flood its gate."""


@contextmanager
def gated() -> Iterator[tuple[ActorSystem, str, str]]:
    """A system with a gate on the loopback: it, the endpoint, and the path of an observer's key."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        keys = Keyring(f"{folder}/keys")
        keys.new("wall", "observer")
        with ActorSystem(
            preload=[*PRELOAD, "benchmarks.watching"], control="tcp://127.0.0.1:0", keys=keys.directory
        ) as system:
            yield system, system.gates[0].endpoint, str(keys.key_path("wall"))
            system.stop("*")


def latency(samples: int, percent: int) -> float:
    """That percentile, in ms, of the age of events of progress when an Observer gives them."""
    with gated() as (system, gate, key):
        for _ in range(ACTORS):
            system.spawn(Reporter)
        with watching(f"follow({gate!r}, {samples}, {key!r})") as observer:
            return percentile(json.loads(line(observer)), samples, percent)


def rate(readers: int, stalled: int, events: int) -> float:
    """Events a second, from the first until the last has reached each reader; some others read none."""
    with gated() as (system, gate, key):
        tell = teller(system)
        with watching(f"count_far({gate!r}, {key!r}, {TOPIC!r}, {readers}, {stalled}, {events})") as audience:
            subscribed(system)
            began = time.monotonic()
            for _ in range(events // ROUND):
                tell(ROUND)
            return events / (float(json.loads(line(audience))) - began)


def crowd_latency(observers: int, stalled: int, samples: int, percent: int) -> float:
    """As `latency`, beside so many others, some of which read nothing."""
    with gated() as (system, gate, key):
        for _ in range(ACTORS):
            system.spawn(Reporter)
        with (
            watching(f"linger_far({gate!r}, {key!r}, {observers - 1 - stalled}, {stalled})"),
            watching(f"follow({gate!r}, {samples}, {key!r})") as observer,
        ):
            return percentile(json.loads(line(observer)), samples, percent)


def crowd_cpu(observers: int, stalled: int, seconds: float) -> float:
    """CPU time of the parent and its zygote, as % of one core, while ten actors tell their progress to so many."""
    with gated() as (system, gate, key):
        for _ in range(ACTORS):
            system.spawn(Reporter).wait_ready()
        actors = {info.pid for info in system.ps()}
        with watching(f"linger_far({gate!r}, {key!r}, {observers - stalled}, {stalled})") as crowd:
            supervisors = family() - actors - {crowd.pid}
            time.sleep(1.0)
            began, before = time.monotonic(), cpu_seconds(supervisors)
            time.sleep(seconds)
            after, elapsed = cpu_seconds(set(before)), time.monotonic() - began
    return 100 * sum(spent - before[pid] for pid, spent in after.items()) / elapsed


def crowd_growth(observers: int, stalled: int, events: int) -> float:
    """MiB that the parent grows by while so many events go to all, the queues of those that stall being full."""
    with gated() as (system, gate, key):
        tell = teller(system)
        call = f"count_far({gate!r}, {key!r}, {TOPIC!r}, {observers - stalled}, {stalled}, {events * 2})"
        with watching(call):
            subscribed(system)
            sizes = []
            for _ in range(2):
                for _ in range(events // ROUND):
                    tell(ROUND)
                sizes.append(pss_mib({os.getpid()}))
    return max(0.0, sizes[1] - sizes[0])


def served(strangers: int, samples: int) -> float:
    """Median time, in ms, from nothing to an answer for a client with a key, while strangers hold connections open.

    They open so many, say nothing, and open another for each that is closed to them.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    with gated() as (_, gate, key):
        if not strangers:
            return _served(gate, key, samples)
        with watching(f"flood({gate!r}, {strangers})"):
            return _served(gate, key, samples)


def _served(gate: str, key: str, samples: int) -> float:
    times = []
    for _ in range(samples):
        began = time.monotonic()
        with Remote(gate, key=key, timeout=60) as far:
            far.hello()
        times.append(time.monotonic() - began)
    return statistics.median(times) * MS


_AGES: Options = {"samples": 600}
_FEWER: Options = {"samples": 200}
_CROWD: dict[str, Any] = {"observers": 50, "stalled": 5}


def _latency(percent: int) -> Figure:
    return Figure(
        name=f"far-event-p{percent}",
        title=f"an event, over TCP with keys, p{percent}",
        unit="ms",
        ours=Job("understudy", "benchmarks.far:latency", options={"percent": percent, **_AGES}, quick=_FEWER),
        floors=(
            Job(
                "raw PUB/SUB with CURVE",
                "benchmarks.floors.far:latency",
                options={"pace": ACTORS / EVERY, "percent": percent, **_AGES},
                quick=_FEWER,
            ),
            Job(
                "ours over ipc",
                "benchmarks.watching:latency",
                options={"actors": ACTORS, "percent": percent, **_AGES},
                quick=_FEWER,
            ),
        ),
        targets=(),
    )


def _rate(readers: int) -> Figure:
    options: Options = {"readers": readers, "stalled": 1, "events": 5000}
    quick: Options = {"events": 2000}
    return Figure(
        name=f"far-events-{readers}",
        title=f"events over TCP with keys to {readers} observer{'s' * (readers > 1)}, beside one that reads none",
        unit="events/s",
        ours=Job("understudy", "benchmarks.far:rate", options=options, quick=quick),
        floors=(
            Job("raw PUB/SUB with CURVE", "benchmarks.floors.far:rate", options=options, quick=quick),
            Job("ours over ipc", "benchmarks.watching:rate", options=options, quick=quick),
        ),
        targets=(),
    )


def _crowd(name: str, title: str, unit: Any, call: str, options: Options, quick: Options) -> Figure:
    """Beside the same without the five that stall."""
    return Figure(
        name=name,
        title=title,
        unit=unit,
        ours=Job("understudy", f"benchmarks.far:{call}", options={**_CROWD, **options}, quick=quick),
        floors=(
            Job(
                "ours, none stalled", f"benchmarks.far:{call}", options={**_CROWD, **options, "stalled": 0}, quick=quick
            ),
        ),
        targets=(),
    )


FIGURES = (
    _latency(50),
    _latency(99),
    _rate(1),
    _rate(50),
    _crowd(
        "far-crowd-p99",
        "an event, one of 50 remote observers, 5 stalled, p99",
        "ms",
        "crowd_latency",
        {"percent": 99, **_AGES},
        _FEWER,
    ),
    _crowd(
        "far-crowd-cpu",
        "cost of 200 events a second to 50 remote observers, 5 stalled",
        "%",
        "crowd_cpu",
        {"seconds": 10.0},
        {"seconds": 4.0},
    ),
    _crowd(
        "far-crowd-memory",
        "parent's growth over 20,000 events to 50 remote observers, 5 stalled",
        "MiB",
        "crowd_growth",
        {"events": 20_000},
        {"events": 5_000},
    ),
    Figure(
        name="far-flood",
        title="a client served amid 5,000 half-open connections, the gate having 1,024 descriptors",
        unit="ms",
        ours=Job(
            "understudy", "benchmarks.far:served", options={"strangers": 5_000, "samples": 40}, quick={"samples": 10}
        ),
        floors=(
            Job(
                "with no flood", "benchmarks.far:served", options={"strangers": 0, "samples": 40}, quick={"samples": 10}
            ),
        ),
        targets=(),
    ),
)
