"""Observer: a snapshot of a running system, then every change in order, from any process of the same user."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from understudy.errors import ProtocolError, UnknownActor
from understudy.observe.client import Client
from understudy.status import ActorInfo, ActorTable, Event, Status
from understudy.wire.codec import VERSION, unpack

_MAX_EVENT = 1 << 20
_SILENCE = 5.0
"""Seconds without even a tick after which the system is asked whether it still lives."""


class Observer:
    """Follows the status stream of a running system.

    ``endpoint`` is what ``ActorSystem.endpoint`` says, or the system's name. Iterating gives each :class:`Event` once,
    in order; where events were missed, one of kind ``snapshot`` stands for them and ``actors`` is as the system has
    it. Iteration ends when the system has closed. One observer is for one thread.
    """

    def __init__(self, endpoint: str, *, timeout: float = 10.0) -> None:
        self._client = Client(endpoint, status=True, timeout=timeout)
        self._seq = 0
        self._closed = False
        self.actors: dict[str, ActorInfo] = {}
        """What is known of each actor, by name, as of the last event."""
        self.snapshot()

    def snapshot(self) -> ActorTable:
        """All living actors now; what follows in the stream follows from here. Raises WaitTimeout."""
        answer = self._client.ask("snapshot")
        self._seq = answer["seq"]
        table = ActorTable(ActorInfo.from_dict(row) for row in answer["actors"])
        self.actors = {info.name: info for info in table}
        return table

    def next(self, timeout: float | None = None) -> Event | None:
        """The next change, or None after ``timeout`` seconds, or when the system has closed."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            left = _SILENCE if until is None else min(_SILENCE, until - time.monotonic())
            frames = self._client.tap.wait(self._client.tap.status, max(0.0, left))
            if frames is not None:
                if (event := self._follow(unpack(frames[-1], _MAX_EVENT))) is not None:
                    return event
            elif until is not None and time.monotonic() >= until:
                return None
            else:
                return self._renew(0)
        return None

    def close(self) -> None:
        """Stop following."""
        self._closed = True
        self._client.close()

    def _follow(self, event: Any) -> Event | None:
        if not isinstance(event, dict) or event.get("v") != VERSION:
            raise ProtocolError(f"the stream is of protocol version {event.get('v')!r}, this is version {VERSION}")
        seq, kind = event["seq"], event["kind"]
        if kind == "bye":
            self._closed = True
            return None
        if kind == "tick":
            return self._renew(seq - self._seq) if seq > self._seq else None
        if seq <= self._seq:
            return None
        if seq > self._seq + 1:
            return self._renew(seq - self._seq)
        self._seq = seq
        change = Event(**{key: value for key, value in event.items() if key != "v"})
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
                info = replace(info, status=Status(event.after), **event.data)
            case "progress" | "laps":
                info = replace(info, **event.data)
            case _:
                pass
        self.actors[event.name] = info

    def _renew(self, missed: int) -> Event | None:
        try:
            self.snapshot()
        except (TimeoutError, UnknownActor):
            self._closed = True
            return None
        if missed == 0:
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
