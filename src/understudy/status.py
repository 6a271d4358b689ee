"""Frozen values that every floor shares: what an actor is, was, and died of."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from understudy.stats import Stats


class Status(StrEnum):
    """Where an actor stands in its life.

    ``CREATED`` belongs to a free-standing Process before ``start()``; ``FINISHED``, ``CRASHED``, ``KILLED`` are final.
    """

    CREATED = "CREATED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    RESTARTING = "RESTARTING"
    FINISHED = "FINISHED"
    CRASHED = "CRASHED"
    KILLED = "KILLED"

    @property
    def ended(self) -> bool:
        """True for the three final ones."""
        return self in _ENDED

    def __str__(self) -> str:
        return self.value


_ENDED = frozenset({Status.FINISHED, Status.CRASHED, Status.KILLED})


class Role(StrEnum):
    """What a key to a gate is good for: an observer looks, a controller also acts."""

    OBSERVER = "observer"
    CONTROLLER = "controller"


class Health(StrEnum):
    """How an actor fares, as far as can be told."""

    HEALTHY = "healthy"
    UNRESPONSIVE = "unresponsive"
    ZOMBIE = "zombie"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


def health_of(status: Status) -> Health:
    """How an actor of that status fares, as long as its heartbeats come."""
    match status:
        case Status.FINISHED:
            return Health.COMPLETED
        case Status.CRASHED | Status.KILLED:
            return Health.FAILED
        case Status.RUNNING | Status.STOPPING:
            return Health.HEALTHY
        case _:
            return Health.UNKNOWN


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process used, as the operating system counted it: seconds of CPU, MiB of peak memory."""

    user_seconds: float = 0.0
    system_seconds: float = 0.0
    max_rss_mb: float = 0.0


WAS_KILLED = "was killed"
"""How a crash tells of a kill by request or at the end of a ladder."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Why one incarnation failed, in plain values: enough to build its error anywhere.

    ``kind`` is one of ``error timeout signal exit lost startup boot unborn unknown``. ``payload`` holds the pickled
    original exception as opaque frames; nobody but the asking thread opens it.
    """

    kind: str
    incarnation: int
    section: str = ""
    lap: int = 0
    phase: str = ""
    text: str = ""
    type_name: str = ""
    traceback: str = field(default="", repr=False)
    seconds: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    payload: tuple[Any, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that msgpack carries."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "payload": [bytes(frame) for frame in self.payload]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Crash:
        """The reverse of :meth:`to_dict`."""
        return cls(**{**values, "payload": tuple(values["payload"])})

    def headline(self, name: str) -> str:
        """One line that says what happened, where, and to whom."""
        where = f"lap {self.lap}, incarnation {self.incarnation}" if self.lap else f"incarnation {self.incarnation}"
        hook = f"__{self.section}__" if self.section else ""
        match self.kind:
            case "error":
                what = f"{self.type_name}: {self.text}" if self.text else self.type_name
                return f"{what} ({hook} of {name}, {where})"
            case "timeout":
                ran = "too long" if self.seconds is None else f"{self.seconds:g} s"
                return f"{hook} of {name} ran {ran} ({where})"
            case "boot":
                what = f"{self.type_name}: {self.text}" if self.text else self.type_name
                return f"{what} (while {name} was {self.phase}, incarnation {self.incarnation})"
            case "unborn":
                return f"{name} {self.text} (incarnation {self.incarnation})"
            case "startup":
                late = f"{name} was not READY within {self.seconds:g} s"
                return f"{late}; it was {self.phase or 'ready a moment later'} (incarnation {self.incarnation})"
            case _:
                place = f"in {hook} ({where})" if hook else f"({where})"
                if self.phase:
                    place = f"while {self.phase}, before READY (incarnation {self.incarnation})"
                return f"{name} {self.text} {place}"


@dataclass(frozen=True, slots=True)
class DeathReport:
    """Everything that is known of the end of one incarnation; prints as a page.

    ``runtime`` is in seconds. ``stderr`` holds the last lines that passed through ``sys.stderr`` (with
    ``output="file"`` the last 100 that reached the file), ``stacks`` the traceback that the process told, and what the
    fault handler wrote (a crash in C) or was told of all threads before a kill, ``events`` the last steps. ``lost`` is
    how many messages it had in hand.
    """

    name: str
    uid: int
    incarnation: int
    cause: str
    exit_code: int | None = None
    signal: str | None = None
    section: str = ""
    lap: int = 0
    runtime: float = 0.0
    usage: Usage | None = None
    stderr: tuple[str, ...] = ()
    stacks: str = ""
    events: tuple[str, ...] = ()
    lost: int = 0

    def __str__(self) -> str:
        lines = [f"{self.name} (incarnation {self.incarnation}, uid {self.uid}): {self.cause}"]
        ended = self.signal or ("unknown" if self.exit_code is None else f"exit code {self.exit_code}")
        lap = f"lap {self.lap}" if self.lap else ""
        place = f"__{self.section}__, {lap or 'lap 0'}" if self.section else lap
        lines.append(f"  ended by {ended}{f' in {place}' if place else ''}, after {self.runtime:.3f} s")
        if self.lost:
            lines.append(f"  lost messages that it had in hand: {self.lost}")
        if self.usage is not None:
            used = self.usage
            lines.append(
                f"  used {used.user_seconds:.2f} s user, {used.system_seconds:.2f} s system, {used.max_rss_mb:.1f} MiB"
            )
        for title, block in (("last lines of stderr", self.stderr), ("last events", self.events)):
            if block:
                lines.append(f"  {title}:")
                lines.extend(f"    {line}" for line in block)
        if self.stacks:
            lines.append("  stacks:")
            lines.extend(f"    {line}" for line in self.stacks.splitlines())
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Life:
    """One incarnation of an actor, ended or under way; times in seconds since the epoch."""

    incarnation: int
    pid: int | None
    started_at: float
    ended_at: float | None = None
    cause: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    section: str = ""
    lap: int = 0
    report: DeathReport | None = None


@dataclass(frozen=True, slots=True)
class ActorInfo:
    """One row of ``ps``: an actor at one moment. What is not known, or cannot be had, is None.

    Times are in seconds, memory in MiB. ``cpu_percent memory_mb pss_mb threads open_files`` are of the actor and all
    that it started, as they were when last sampled; ``os_status`` is the word for its own process's state. ``stats``
    covers all its lives. ``next_restart`` is when its next life is due, or its turn is expected; ``restart_held`` says
    what holds that back besides the pause: ``queued``, ``quarantine`` or ``group``. ``parent`` is who spawned it, None
    for the system's own actors, whose ``depth`` is 1; ``children`` are the living that it spawned; ``group`` is the
    name of the group that it is in. ``paused``: it stands still, or will at its next check. ``config`` are its settings
    as they stand, groups as dicts in it; `ps` leaves them out.
    """

    name: str
    uid: int
    pid: int | None = None
    parent: str | None = None
    status: Status = Status.CREATED
    health: Health = Health.UNKNOWN
    alive: bool = False
    os_status: str | None = None
    incarnation: int = 0
    lives_left: int = 0
    lap: int = 0
    laps_left: int | None = None
    time_left: float | None = None
    section: str = ""
    paused: bool = False
    progress: float | None = None
    note: str | None = None
    next_restart: float | None = None
    restart_held: str | None = None
    exit_code: int | None = None
    is_zombie: bool = False
    cpu_percent: float | None = None
    memory_mb: float | None = None
    pss_mb: float | None = None
    threads: int | None = None
    open_files: int | None = None
    command: str | None = None
    started_at: float | None = None
    runtime: float | None = None
    heartbeat_age: float | None = None
    mailbox_depth: int | None = None
    stats: Stats | None = None
    completed_laps: int = 0
    depth: int = 1
    group: str | None = None
    children: tuple[str, ...] = ()
    config: dict[str, Any] | None = None

    @property
    def status_text(self) -> str:
        """The status, and what holds it or its next life back: ``RUNNING (paused)``, ``RESTARTING (queued)``."""
        held = ", ".join(filter(None, ("paused" if self.paused else None, self.restart_held)))
        return f"{self.status} ({held})" if held else str(self.status)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON and msgpack."""
        row = {each.name: getattr(self, each.name) for each in fields(self)}
        row["status"], row["health"] = self.status.value, self.health.value
        row["stats"], row["children"] = None if self.stats is None else self.stats.to_dict(), list(self.children)
        return row

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> ActorInfo:
        """The reverse of :meth:`to_dict`; fields of a newer version are left out."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in row.items() if key in known}
        values["status"], values["health"] = Status(row["status"]), Health(row["health"])
        if values.get("stats") is not None:
            values["stats"] = Stats.from_dict(values["stats"])
        values["children"] = tuple(values.get("children", ()))
        return cls(**values)


class ActorTable(list[ActorInfo]):
    """What ``ps()`` returns: a list of :class:`ActorInfo` that prints as a table."""

    COLUMNS = (
        "name", "pid", "status", "health", "inc", "left", "lap", "section", "progress", "cpu", "memory", "runtime",
    )  # fmt: skip

    def __str__(self) -> str:
        if not self:
            return "(no actors)"
        rows = [self.COLUMNS, *(self._cells(info) for info in self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.COLUMNS))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    __repr__ = __str__

    @staticmethod
    def _cells(info: ActorInfo) -> tuple[str, ...]:
        return (
            info.name,
            "-" if info.pid is None else str(info.pid),
            info.status_text,
            str(info.health),
            str(info.incarnation),
            str(info.lives_left),
            str(info.lap),
            info.section or "-",
            "-" if info.progress is None else f"{info.progress:.0f} %",
            "-" if info.cpu_percent is None else f"{info.cpu_percent:.0f} %",
            "-" if info.memory_mb is None else f"{info.memory_mb:.1f} MiB",
            "-" if info.runtime is None else f"{info.runtime:.1f} s",
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole system at one moment; prints as a few lines. ``system`` is its id: the name, and what makes it unique.

    ``counts`` has the number of actors of each status that occurs, the ended that are still listed among them.
    ``memory_mb`` (RSS) and ``pss_mb`` are in MiB, ``cpu_percent`` in percent of one core: sums over the living and all
    that they started, as far as these could be sampled (``sampled`` of them), without router and zygote. ``restarts``
    and ``messages`` (handled) count from the system's beginning on.
    """

    system: str
    counts: dict[Status, int]
    living: int
    unhealthy: int
    sampled: int
    memory_mb: float
    pss_mb: float
    cpu_percent: float
    restarts: int
    messages: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON and msgpack."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "counts": {status.value: number for status, number in self.counts.items()}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Summary:
        """The reverse of :meth:`to_dict`; fields of a newer version are left out."""
        known = {each.name: values[each.name] for each in fields(cls)}
        return cls(**{**known, "counts": {Status(word): number for word, number in values["counts"].items()}})

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {status}" for status, number in self.counts.items()) or "no actors yet"
        health = f", {self.unhealthy} of them not healthy" if self.unhealthy else ""
        used = f"CPU {self.cpu_percent:.0f} %, memory {self.memory_mb:.1f} MiB (PSS {self.pss_mb:.1f} MiB)"
        partly = "" if self.sampled == self.living else f", of {self.sampled}"
        return (
            f"{self.system.rpartition('.')[0] or self.system}: {counts}\n"
            f"  living: {self.living}{health}\n"
            f"  use: {used}{partly}\n"
            f"  since its beginning: {self.restarts} restarts, {self.messages} messages"
        )


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Where a system lets in those who come over a network.

    ``role`` is the highest that counts there, ``observer`` or ``controller``; ``ports`` are those of requests and of
    the streams, which a firewall has to let through.
    """

    endpoint: str
    role: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One change on the status stream.

    ``seq`` counts the system's events, ``prev`` is the seq of the previous event of the same topic (0: none), so a gap
    shows. ``before`` and ``after`` are what changed (for kind ``state`` two statuses), ``time`` is in seconds since the
    epoch.
    """

    seq: int
    prev: int
    kind: str
    name: str
    uid: int
    incarnation: int
    before: str | None = None
    after: str | None = None
    cause: str | None = None
    time: float = field(default_factory=time.time)
    data: dict[str, Any] = field(default_factory=dict)
