"""Observer: a snapshot of a running system, then every change in order, from any process of the same user."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Self

from understudy.errors import ProtocolError, UnknownActor
from understudy.observe import rundir
from understudy.observe.client import Client
from understudy.settings import check_timeout
from understudy.status import ActorInfo, ActorTable, Event, Health, Status, health_of
from understudy.wire.codec import VERSION, unpack

_MAX_EVENT = 1 << 20
_SILENCE = 5.0
"""Seconds without even a tick after which the system is asked whether it still lives."""
_KEPT = 1000
_FIELDS = frozenset(each.name for each in fields(Event))
_HEALTHS = frozenset(Health)


class Observer:
    """Follows the status stream of a running system.

    ``endpoint`` is what ``ActorSystem.endpoint`` says, or the system's name. Iterating gives each :class:`Event` once,
    in order; where events were missed, one of kind ``snapshot`` stands for them and ``actors`` is as the system has
    it. Iteration ends when the system has closed; a paused one is waited for. One observer is for one thread.
    """

    def __init__(self, endpoint: str, *, timeout: float | None = 10.0) -> None:
        self._client = Client(endpoint, status=True, timeout=timeout)
        self._seq = 0
        self._heard_at = time.monotonic()
        self._closed = False
        self._ended: deque[str] = deque()
        self.actors: dict[str, ActorInfo] = {}
        """What is known of each actor, by name, as of the last event; of the ended, the last thousand."""
        self.snapshot()

    def snapshot(self) -> ActorTable:
        """All living actors now; what follows in the stream follows from here. Raises WaitTimeout."""
        return self._snapshot(None)

    def next(self, timeout: float | None = None) -> Event | None:
        """The next change, or None after ``timeout`` seconds, or when the system has closed."""
        seconds = check_timeout(timeout)
        until = float("inf") if seconds is None else time.monotonic() + seconds
        while not self._closed:
            now = time.monotonic()
            frames = self._client.tap.wait(
                self._client.tap.status, max(0.0, min(self._heard_at + _SILENCE, until) - now)
            )
            if frames is not None:
                self._heard_at = time.monotonic()
                event = self._follow(unpack(frames[-1], _MAX_EVENT))
            elif time.monotonic() < self._heard_at + _SILENCE:
                return None
            else:
                event = self._renew(None if seconds is None else max(0.1, until - now))
            if event is not None:
                return event
        return None

    def close(self) -> None:
        """Stop following."""
        self._closed = True
        self._client.close()

    def _snapshot(self, timeout: float | None) -> ActorTable:
        answer = self._client.ask("snapshot", timeout=timeout)
        self._seq = answer["seq"]
        self._heard_at = time.monotonic()
        table = ActorTable(ActorInfo.from_dict(row) for row in answer["actors"])
        self.actors = {info.name: info for info in table}
        self._ended.clear()
        return table

    def _follow(self, event: Any) -> Event | None:
        if not isinstance(event, dict):
            return None
        if event.get("v") != VERSION:
            raise ProtocolError(f"the stream is of protocol version {event.get('v')!r}, this is version {VERSION}")
        seq, kind = event["seq"], event["kind"]
        if kind == "bye":
            self._closed = True
            return None
        if seq <= self._seq:
            return None
        if kind == "tick" or seq > self._seq + 1:
            return self._renew(None)
        self._seq = seq
        change = Event(**{key: value for key, value in event.items() if key in _FIELDS})
        self._note(change)
        return change

    def _note(self, event: Event) -> None:
        info = self.actors.get(event.name)
        if info is None or info.uid != event.uid:
            info = ActorInfo(name=event.name, uid=event.uid, started_at=event.time)
        if info.incarnation != event.incarnation:  # what the former life had reached is not this one's
            fresh = ActorInfo(info.name, info.uid, incarnation=event.incarnation)
            info = replace(fresh, status=info.status, lives_left=info.lives_left, started_at=info.started_at)
        match event.kind:
            case "state" if event.after is not None:
                status = Status(event.after)
                info = replace(info, status=status, health=health_of(status), **event.data)
            case "health" if event.after in _HEALTHS:
                info = replace(info, health=Health(event.after))
            case "progress" | "laps":
                info = replace(info, **event.data)
            case _:
                pass
        self.actors[event.name] = info
        if event.kind == "state" and info.status.ended:
            self._forget_beyond(event.name)

    def _forget_beyond(self, name: str) -> None:
        self._ended.append(name)
        if len(self._ended) > _KEPT:
            oldest = self._ended.popleft()
            if oldest not in self._ended and self.actors[oldest].status.ended:
                del self.actors[oldest]

    def _renew(self, timeout: float | None) -> Event | None:
        """Take a new snapshot, after a gap or a silence; an event for what it stands for, if that is anything."""
        before = self._seq
        try:
            self._snapshot(timeout)
        except (TimeoutError, UnknownActor):
            self._heard_at = time.monotonic()
            self._closed = not rundir.is_served(self._client.directory)
            return None
        missed = self._seq - before
        if missed <= 0:
            return None
        return Event(self._seq, 0, "snapshot", "", 0, 0, cause=f"{missed} events were missed", data={"missed": missed})

    def __iter__(self) -> Iterator[Event]:
        while not self._closed:
            event = self.next()
            if event is not None:
                yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
