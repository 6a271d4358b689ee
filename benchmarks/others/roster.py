"""Which package does which figure. Where one has no means of its own for a job, it has no entry for it."""

from collections.abc import Container
from dataclasses import dataclass, replace

from benchmarks.harness import Figure

VENV = ".venv-peers"
"""Their environment, a folder below the root of the project."""

LIMIT = 600.0
"""Seconds that one of them may take in one round: being slow is what is measured, and not yet a failure."""

MESSAGES = ("tell", "tell-lone", "ask-p50", "ask-p99", "chain", "ring", "fan-out-1", "fan-out-10")
CROWDS = (
    *(f"ask-{askers}" for askers in (1, 4, 16, 64)),
    *("array-100MB", "array-back"),
    *(f"size-{size}" for size in ("100B", "1kB", "10kB", "100kB", "1MB", "10MB", "100MB")),
)
TASKS = tuple(f"pool-{which}" for which in ("submit", "map-1", "map", "short", "first", "cold", "array", "recovery"))


@dataclass(frozen=True)
class Entry:
    """A troupe, by its dotted name in this package, and the figures it takes part in."""

    label: str
    troupe: str
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Peer:
    """A package: its name in the index, the versions its troupes are written for, and the troupes."""

    name: str
    versions: str
    entries: tuple[Entry, ...]

    @property
    def requirement(self) -> str:
        """What is installed."""
        return self.name + self.versions


PEERS = (
    Peer(
        "suitkaise",
        ">=0.4.14,<0.5",
        (
            # A process that was killed stays dead: its lives are for exceptions.
            Entry("suitkaise", "suitkaise:Suitkaise", ("spawn", "hundred", "stop-1", "stop-50", "memory", "idle")),
        ),
    ),
    Peer(
        "thespian",
        ">=4.0,<5",
        (
            Entry("thespian", "thespian:Thespian", ("spawn", "hundred", "stop-1", "stop-50", "memory", "idle")),
            Entry("thespian", "thespian_post:Post", ("tell", "tell-lone", "ask-p50", "ask-p99")),
            Entry("thespian, TCP base", "thespian:Tcp", ("replace",)),
        ),
    ),
    Peer(
        "circus",
        ">=0.19,<0.20",
        (
            Entry("circus", "circus:Circus", ("spawn", "hundred", "stop-1", "stop-50", "memory", "idle", "ps-cold")),
            Entry("circus, checks every 50 ms", "circus:Watchful", ("replace",)),
        ),
    ),
    Peer(
        "supervisor",
        ">=4.3,<5",
        (
            Entry(
                "supervisord",
                "supervisord:Supervisord",
                ("spawn", "hundred", "replace", "stop-1", "stop-50", "memory", "idle", "ps-cold"),
            ),
        ),
    ),
    Peer(
        "pebble",
        ">=5.2,<6",
        (
            Entry("pebble", "pebble:Pebble", ("spawn", "hundred", "stop-1", "stop-50", "memory", "idle")),
            Entry("pebble, pool", "pebble:Pool", ("replace",)),
            Entry("pebble", "pebble:Tasks", TASKS),
        ),
    ),
    Peer(
        "loky",
        ">=3.5,<4",
        (
            Entry("loky", "loky:Loky", ("spawn", "hundred", "memory", "idle")),
            Entry("loky, reusable", "loky:Reusable", ("replace",)),
            Entry("loky, killed", "loky:Loky", ("stop-1", "stop-50")),
            Entry("loky", "loky:Tasks", TASKS),
        ),
    ),
    Peer(
        "ray",
        ">=2.40,<3",
        (
            Entry("ray", "ray:Ray", ("spawn", "hundred", "replace", "stop-1", "stop-50", "memory", "idle")),
            Entry("ray", "ray_post:Post", (*MESSAGES, *CROWDS)),
            Entry("ray", "ray_tasks:Tasks", TASKS),
        ),
    ),
    # Which worker does a task is settled when it is applied: one that is begun may stand behind one that does not end.
    Peer("mpire", ">=2.10,<3", (Entry("mpire", "mpire:Tasks", TASKS[:-1]),)),
    Peer("redis", ">=5,<8", (Entry("redis streams", "redis_streams:Post", ("tell-reliable",)),)),
    Peer("xoscar", ">=0.9,<1", (Entry("xoscar", "xoscar_post:Post", (*MESSAGES, *CROWDS)),)),
)


def joined(figure: Figure, missing: Container[str]) -> Figure:
    """The figure with all peers that do it and are there: our job with our options, done by them."""
    return replace(
        figure,
        guests=tuple(
            replace(figure.ours, label=entry.label, troupe=f"benchmarks.others.{entry.troupe}", venv=VENV, limit=LIMIT)
            for peer in PEERS
            if peer.name not in missing
            for entry in peer.entries
            if figure.name in entry.figures
        ),
    )
