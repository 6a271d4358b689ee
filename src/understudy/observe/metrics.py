"""The metrics of one system, as Prometheus reads them: names, help, and where each value comes from.

This module needs prometheus-client, which is an extra; nothing else imports it but what serves metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from understudy.stats import Stats
from understudy.status import ActorInfo, Health, Status

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """A living actor: what `ps` says of it, and the CPU seconds of its present life, which never fall."""

    info: ActorInfo
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One system at one moment; counts are since its beginning."""

    living: Mapping[Status, int]
    spawned: int
    ended: Mapping[Status, int]
    restarts: Mapping[str, int]
    events: int
    events_missed: int
    frames_dropped: int
    frames_stale: int
    records_lost: int
    dead_letters: int
    held: Mapping[str, int]
    """Actors by what holds their next life back."""
    actors: Sequence[Row]


LIVING = tuple(status for status in Status if not status.ended and status is not Status.CREATED)
HELD = ("queued", "quarantine", "group")
Value = float | None  # None: not known, and left out

COUNTERS: tuple[tuple[str, str, Callable[[Reading], int]], ...] = (
    ("spawned", "Actors that were spawned.", lambda one: one.spawned),
    ("events", "Events of the status stream.", lambda one: one.events),
    (
        "events_missed",
        "Events that followers of the stream had missed, and asked for again.",
        lambda one: one.events_missed,
    ),
    ("frames_dropped", "Frames that were malformed, untagged or altered.", lambda one: one.frames_dropped),
    ("frames_stale", "Frames and facts of lives that are over.", lambda one: one.frames_stale),
    ("log_records_lost", "Log records that the handlers did not keep up with.", lambda one: one.records_lost),
    ("dead_letters", "Messages that nobody handled.", lambda one: one.dead_letters),
)
"""Of the whole system, without labels: name, help, value. Each is told as ``understudy_NAME_total``."""

SHARES: tuple[tuple[str, str, str, tuple[str, ...], Callable[[Reading], Mapping[str, int]]], ...] = (
    (
        "ended",
        "Actors that have ended, by how.",
        "status",
        tuple(status.value for status in Status if status.ended),
        lambda one: {status.value: count for status, count in one.ended.items()},
    ),
    (
        "restarts",
        "Lives that took over from another: after a crash, as asked, by the policy always, or with a group.",
        "cause",
        ("crash", "asked", "always", "group"),
        lambda one: one.restarts,
    ),
)
"""Counters of the whole system with one label, whose values are all known: name, help, label, its values, counts."""

ACTOR_COUNTERS: tuple[tuple[str, str, Callable[[Row], Value]], ...] = (
    ("laps", "Laps completed, over all lives.", lambda row: _stats(row).laps),
    ("restarts", "Lives that took over from another.", lambda row: _stats(row).restarts),
    ("errors", "Lives that failed.", lambda row: _stats(row).errors),
    ("cpu_seconds", "CPU time of the present life, with all that it started.", lambda row: row.cpu_seconds),
)
"""By living actor: name, help, value. Each is told as ``understudy_actor_NAME_total``."""

ACTOR_GAUGES: tuple[tuple[str, str, Callable[[Row], Value]], ...] = (
    ("healthy", "1 if its health is healthy, else 0.", lambda row: float(row.info.health is Health.HEALTHY)),
    ("lives_left", "Restarts that are still possible.", lambda row: row.info.lives_left),
    ("memory_bytes", "Resident memory, with all that it started.", lambda row: _bytes(row.info.memory_mb)),
    ("pss_bytes", "Proportional memory: shared pages are shared out.", lambda row: _bytes(row.info.pss_mb)),
    ("threads", "Threads, with those of all that it started.", lambda row: row.info.threads),
    ("open_files", "Open descriptors, with those of all that it started.", lambda row: row.info.open_files),
    ("mailbox_depth", "Messages that it has taken in and not handled.", lambda row: row.info.mailbox_depth),
    ("heartbeat_age_seconds", "Time since it was heard.", lambda row: row.info.heartbeat_age),
)
"""By living actor: name, help, value. Each is told as ``understudy_actor_NAME``."""


class Collector:
    """Takes a reading at each scrape, in the thread that scrapes."""

    def __init__(self, read: Callable[[], Reading], about: Mapping[str, str]) -> None:
        self._read, self._about = read, dict(about)

    def collect(self) -> Iterator[Metric]:
        """All metrics of one reading."""
        yield InfoMetricFamily("understudy", "The system that is measured.", value=self._about)
        yield from families(self._read())


def families(one: Reading) -> Iterator[Metric]:
    """A reading as Prometheus' own values."""
    living = GaugeMetricFamily("understudy_actors", "Living actors by status.", labels=["status"])
    for status in LIVING:
        living.add_metric([status.value], one.living.get(status, 0))
    yield living
    held = GaugeMetricFamily(
        "understudy_actors_held",
        "Actors whose next life is held back: restarts queue, they are in quarantine, or wait for their group.",
        labels=["reason"],
    )
    for reason in HELD:
        held.add_metric([reason], one.held.get(reason, 0))
    yield held
    paused = sum(row.info.paused for row in one.actors)
    yield GaugeMetricFamily("understudy_actors_paused", "Actors that were asked to stand still.", value=paused)
    for name, text, value in COUNTERS:
        yield CounterMetricFamily(f"understudy_{name}", text, value=value(one))
    for name, text, label, words, counts in SHARES:
        share = CounterMetricFamily(f"understudy_{name}", text, labels=[label])
        for word in words:
            share.add_metric([word], counts(one).get(word, 0))
        yield share
    for name, text, of in ACTOR_COUNTERS:
        yield _by_actor(CounterMetricFamily(f"understudy_actor_{name}", text, labels=["actor"]), of, one.actors)
    for name, text, of in ACTOR_GAUGES:
        yield _by_actor(GaugeMetricFamily(f"understudy_actor_{name}", text, labels=["actor"]), of, one.actors)


def _by_actor(
    family: CounterMetricFamily | GaugeMetricFamily, of: Callable[[Row], Value], rows: Sequence[Row]
) -> Metric:
    for row in rows:
        if (value := of(row)) is not None:
            family.add_metric([row.info.name], value)
    return family


def _stats(row: Row) -> Stats:
    return row.info.stats or Stats()


def _bytes(mib: float | None) -> float | None:
    return None if mib is None else mib * _MIB
