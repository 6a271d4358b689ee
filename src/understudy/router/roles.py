"""What a role may do and see. What is not named here is neither done nor shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.observe.interest import WITHHELD
from understudy.status import Role

ROW = frozenset({
    "name", "uid", "pid", "parent", "status", "health", "alive", "os_status", "incarnation", "lives_left", "lap",
    "laps_left", "time_left", "section", "paused", "progress", "note", "next_restart", "restart_held", "exit_code",
    "is_zombie", "cpu_percent", "memory_mb", "pss_mb", "threads", "open_files", "started_at", "runtime",
    "heartbeat_age", "mailbox_depth", "stats", "completed_laps", "depth", "group", "children",
})  # fmt: skip
"""Of a row, what an observer sees; the others are nil."""
STATS = frozenset({
    "started_at", "ended_at", "laps", "timed_laps", "lap_seconds", "fastest_lap", "slowest_lap", "restarts", "errors",
    "timeouts", "error_events", "recent", "mean_lap",
})  # fmt: skip
ERROR_EVENT = frozenset({"time", "incarnation", "kind", "section", "lap", "text"})
EVENT = frozenset(
    {"v", "seq", "prev", "kind", "name", "uid", "incarnation", "before", "after", "cause", "time", "data"}
)
KINDS = frozenset({"state", "laps", "progress", "health", "figures", "restart", "held", "group", "pause", "report"})
"""Of the stream's kinds, those that an observer sees."""
_WHOLE = frozenset({"note"})  # a text that is for all who watch


def in_force(gate: Role, key: Role) -> Role:
    """The role of a key at a gate: that for observers gives nobody more, whatever the key."""
    return Role.OBSERVER if gate is Role.OBSERVER else key


def served(gate: Role) -> tuple[Role, ...]:
    """The roles that are in force at a gate."""
    return (Role.OBSERVER,) if gate is Role.OBSERVER else (Role.OBSERVER, Role.CONTROLLER)


def may(role: Role, least: Role) -> bool:
    """Whether a role is enough for a verb that needs that one at least."""
    return role is Role.CONTROLLER or least is Role.OBSERVER


def shown(role: Role, verb: str, value: Any) -> Any:
    """What a role sees of the answer to a verb."""
    if role is Role.CONTROLLER:
        return value
    if verb == "snapshot":
        return {**value, "actors": [row(one) for one in value["actors"]]}
    if verb == "ps":
        return [row(one) for one in value]
    if verb == "info":
        return row(value)
    if verb == "replay":
        return {**value, "events": [event(one) for one in value["events"]]}
    return value


def row(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an observer sees it: no command, no settings, and of errors the first line."""
    seen = {key: value if key in ROW else None for key, value in whole.items()}
    if (measured := seen.get("stats")) is not None:
        stats = {key: value for key, value in measured.items() if key in STATS}
        seen["stats"] = {**stats, "error_events": [_failure(one) for one in stats.get("error_events", ())]}
    return seen


def event(whole: Mapping[str, Any]) -> dict[str, Any]:
    """An event as an observer sees it: texts by their first line, and of what is not for it only that it was."""
    seen = {key: value for key, value in whole.items() if key in EVENT}
    if whole["kind"] not in KINDS:
        return {**seen, "kind": WITHHELD, "before": None, "after": None, "cause": None, "data": {}}
    data = {key: value if key in _WHOLE else first_line(value) for key, value in whole["data"].items()}
    return {**seen, "cause": first_line(whole["cause"]), "data": data}


def first_line(value: Any) -> Any:
    """Of a text its first line; other plain values as they are, and of what holds several nothing."""
    if isinstance(value, str):
        return next(iter(value.splitlines()), "")
    return value if isinstance(value, int | float | None) else None


def _failure(whole: Mapping[str, Any]) -> dict[str, Any]:
    return {key: first_line(value) for key, value in whole.items() if key in ERROR_EVENT}
