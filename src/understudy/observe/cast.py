"""Where each actor stands, as far as an observer has heard: a table that events change. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from understudy.observe.interest import Interest
from understudy.status import ActorInfo, Event, Health, Status, health_of

KEPT = 1_000
"""Of the ended, so many are remembered."""
_FIELDS = frozenset(each.name for each in fields(ActorInfo)) - {"name", "uid", "incarnation", "status", "health"}
_NO_FIGURES: dict[str, Any] = dict.fromkeys(
    ("os_status", "cpu_percent", "memory_mb", "pss_mb", "threads", "open_files")
)
_OVER_ALL_LIVES = ("status", "lives_left", "started_at", "paused", "parent", "depth", "group", "children")
_STATUSES, _HEALTHS = frozenset(Status), frozenset(Health)


class Cast:
    """The actors by name, each as of the last event about it."""

    def __init__(self, interest: Interest) -> None:
        self.actors: dict[str, ActorInfo] = {}
        self._interest = interest
        self.seq: int | None = None
        """Up to which event the last whole picture holds: what is older says nothing new."""
        self._ended: deque[str] = deque()

    def renew(self, rows: Iterable[ActorInfo], seq: int) -> None:
        """A whole picture, true for that event."""
        self.actors = {row.name: row for row in rows}
        self._ended.clear()
        self.seq = seq

    def note(self, event: Event) -> None:
        """One event, later than those before it."""
        if event.seq <= (self.seq or 0) or not self._interest.shows(event.kind):
            return
        info = self.actors.get(event.name)
        if info is None or info.uid != event.uid:
            info = ActorInfo(name=event.name, uid=event.uid, started_at=event.time)
        if info.incarnation != event.incarnation:  # what the former life had reached is not this one's
            fresh = ActorInfo(info.name, info.uid, incarnation=event.incarnation)
            kept = {name: getattr(info, name) for name in _OVER_ALL_LIVES}
            info = replace(fresh, **kept)
        self.actors[event.name] = info = _changed(info, event)
        if event.kind == "state" and info.parent is not None:
            self._tell_parent(info, info.parent)
        if event.kind == "state" and info.status.ended:
            self._forget_beyond(event.name)

    def _tell_parent(self, info: ActorInfo, name: str) -> None:
        """Whom it has is told by its children's events."""
        parent = self.actors.get(name)
        if parent is not None and (info.name in parent.children) == info.status.ended:
            others = tuple(child for child in parent.children if child != info.name)
            self.actors[name] = replace(parent, children=others if info.status.ended else (*others, info.name))

    def _forget_beyond(self, name: str) -> None:
        self._ended.append(name)
        if len(self._ended) > KEPT:
            oldest = self._ended.popleft()
            if oldest not in self._ended and self.actors[oldest].status.ended:
                del self.actors[oldest]


def _changed(info: ActorInfo, event: Event) -> ActorInfo:
    told: dict[str, Any] = {key: value for key, value in event.data.items() if key in _FIELDS}
    match event.kind:
        case "state" if event.after in _STATUSES:
            status = Status(event.after)
            if status.ended or status is Status.RESTARTING:
                # What was measured of a process is no figure of one that is gone.
                info = replace(info, section="", heartbeat_age=None, next_restart=None, **_NO_FIGURES)
            return replace(info, status=status, health=health_of(status), **told)
        case "health":
            return replace(info, health=Health(event.after)) if event.after in _HEALTHS else info
        case "laps" | "progress" | "figures" | "held" | "pause":
            return replace(info, **told)
        case _:
            return info
