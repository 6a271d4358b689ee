"""Everything about one actor, as lines of styled pieces. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

from understudy.cli import formats, styles
from understudy.cli.sheet import Line
from understudy.config import ProcessConfig, options
from understudy.stats import Stats
from understudy.status import ActorInfo

_WIDTH = 14
_TITLE = "bold underline"
_HELD = {
    "queued": "queued: more restarts are due than a second may have",
    "quarantine": "in quarantine: it died before READY, again and again, and is tried now and then",
    "group": "by its group, which begins anew, each member in its turn",
}


def portrait(info: ActorInfo, story: Iterable[str], now: float) -> Iterator[Line]:
    """The actor, its figures, its statistics, its last steps; ``now`` in seconds since the epoch."""
    yield [
        (info.name, "bold"),
        ("  ", ""),
        (str(info.status), styles.STATUS.get(info.status, "")),
        ("  ", ""),
        (str(info.health), styles.HEALTH.get(info.health, "dim")),
    ]
    yield from _pairs(_facts(info, now))
    if info.stats is not None:
        yield [("", "")]
        yield [("over all lives", _TITLE)]
        yield from _pairs(_statistics(info.stats))
    steps = list(story)
    if steps:
        yield [("", "")]
        yield [("story", _TITLE)]
        yield from ([(f"  {formats.shown(step)}", "")] for step in steps)


def _facts(info: ActorInfo, now: float) -> Iterator[tuple[str, str]]:
    known = [
        ("command", formats.first_line(info.command) or formats.UNKNOWN),
        ("uid", str(info.uid)),
        ("pid", _pid(info)),
        ("parent", info.parent),
        ("children", ", ".join(info.children) or None),
        ("life", f"{info.incarnation}, {info.lives_left} left"),
        ("next life", info.next_restart is not None and f"in {formats.span(info.next_restart)}"),
        ("paused", info.paused and "by request: it stands still from its next check on"),
        ("held back", _HELD.get(info.restart_held or "", info.restart_held)),
        ("exit code", info.exit_code is not None and str(info.exit_code)),
        ("spawned", info.started_at and f"{_moment(info.started_at)}, {formats.span(now - info.started_at)} ago"),
        ("last life" if info.status.ended else "this life", info.runtime is not None and _length(info)),
        ("settings", _settings(info)),
        ("lap", _lap(info)),
        ("section", info.section),
        ("time left", info.time_left is not None and formats.span(info.time_left)),
        ("progress", _progress(info)),
        ("heartbeat", info.heartbeat_age is not None and f"{formats.span(info.heartbeat_age)} ago"),
        ("cpu", info.cpu_percent is not None and formats.percent(info.cpu_percent)),
        ("memory", _memory(info)),
        ("threads", info.threads is not None and str(info.threads)),
        ("open files", info.open_files is not None and str(info.open_files)),
    ]
    return ((title, str(text)) for title, text in known if text)


def _settings(info: ActorInfo) -> str:
    """Those that differ from the defaults."""
    found: Any = ProcessConfig.from_dict(info.config or {})
    values = {option: reduce(getattr, option.path.split("."), found) for option in options()}
    return ", ".join(f"{option.path}={value}" for option, value in values.items() if value != option.default)


def _length(info: ActorInfo) -> str:
    return f"{formats.span(info.runtime)} long" if info.status.ended else f"for {formats.span(info.runtime)}"


def _pid(info: ActorInfo) -> str:
    state = f" ({info.os_status})" if info.os_status else ""
    return formats.UNKNOWN if info.pid is None else f"{info.pid}{state}"


def _progress(info: ActorInfo) -> str:
    share = None if info.progress is None else formats.percent(info.progress)
    return "  ".join(filter(None, [share, formats.shown(info.note or "")]))


def _memory(info: ActorInfo) -> str | None:
    if info.memory_mb is None:
        return None
    pss = "" if info.pss_mb is None else f", PSS {formats.mib(info.pss_mb)}"
    return f"{formats.mib(info.memory_mb)}{pss}"


def _lap(info: ActorInfo) -> str:
    left = "" if info.laps_left is None else f", {formats.number(info.laps_left)} left"
    return f"{formats.number(info.lap)}, {formats.number(info.completed_laps)} complete{left}"


def _statistics(stats: Stats) -> Iterator[tuple[str, str]]:
    yield "laps", formats.number(stats.laps)
    if stats.timed_laps:
        yield (
            "a lap",
            (
                f"mean {formats.brief(stats.mean_lap)}, fastest {formats.brief(stats.fastest_lap)}, "
                f"slowest {formats.brief(stats.slowest_lap)} ({formats.number(stats.timed_laps)} timed)"
            ),
        )
    yield "restarts", formats.number(stats.restarts)
    yield "errors", f"{formats.number(stats.errors)}, {formats.number(stats.timeouts)} of them timeouts"
    for event in stats.error_events[-5:]:
        yield "", f"{_moment(event.time)}  life {event.incarnation}: {formats.first_line(event.text)}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[Line]:
    for title, text in pairs:
        first, *rest = text.split("\n")
        yield [(f"  {title.ljust(_WIDTH)}", "dim"), (first, "")]
        yield from ([(" " * (_WIDTH + 2) + line, "")] for line in rest)
