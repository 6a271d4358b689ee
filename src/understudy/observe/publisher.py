"""The parent's side of the status stream: numbers every event, links those of one topic, keeps the last, and ticks."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any, Protocol

from understudy.observe.journal import Journal
from understudy.wire.codec import VERSION, pack
from understudy.wire.sockets import Hub

TICK = 1.0
"""Seconds between ticks, which tell a follower what it may have missed."""
LONGEST_TEXT = 2_000
"""Characters of each text in an event: what waits for a follower that does not read is bounded by its number alone."""
HEADS = 1_000
"""Heads in one tick; where more have changed, several follow one another."""


class Sink(Protocol):
    """Another way to those who watch; raises nothing."""

    def publish(self, about: bytes, event: dict[str, Any], body: bytes) -> None:
        """One event, and as it is packed for who may see all of it."""

    def announce(self, about: bytes, body: bytes) -> None:
        """What is about no actor, and for all."""

    def watched(self) -> bool:
        """Whether anybody watches there."""

    def wants_figures(self) -> bool:
        """Whether anybody asks for figures there."""


class Publisher:
    """Publishes; never waits for anybody."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.sinks: list[Sink] = []
        self.seq = 0
        self.repeated = 0
        """Events that were asked for again: so many had not reached those who follow."""
        self.journal = Journal()
        self._heads: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._announced = 0

    def publish(
        self,
        kind: str,
        name: str,
        uid: int,
        incarnation: int,
        before: str | None,
        after: str | None,
        cause: str | None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """One event about one actor; its texts are cut where they are too long."""
        self.seq += 1
        event = {
            "v": VERSION,
            "seq": self.seq,
            "prev": self._heads.get(name, 0),
            "kind": kind,
            "name": name,
            "uid": uid,
            "incarnation": incarnation,
            "before": before,
            "after": after,
            "cause": _cut(cause),
            "time": time.time(),
            "data": {key: _cut(value) for key, value in (data or {}).items()},
        }
        self._heads[name] = self._changed[name] = self.seq
        body = pack(event)
        self.journal.add(self.seq, kind, uid, body)
        self._hub.publish(topic(name), body)
        for sink in self.sinks:
            sink.publish(topic(name), event, body)

    def watched(self) -> bool:
        """Whether anybody follows the status stream, as far as was heard of it."""
        return self._hub.watched() or any(sink.watched() for sink in self.sinks)

    def wants_figures(self) -> bool:
        """Whether anybody who follows it asks for figures."""
        return self._hub.audience.wants_figures or any(sink.wants_figures() for sink in self.sinks)

    def tick(self) -> None:
        """Tell the head of the stream, and of each topic that changed since the last tick."""
        changed, self._changed = iter(self._changed.items()), {}
        heads = dict(islice(changed, HEADS))
        while True:
            self._announce("tick", heads=heads)
            if not (heads := dict(islice(changed, HEADS))):
                return

    def bye(self) -> None:
        """Say that nothing follows."""
        self.tick()  # who follows some names could not tell otherwise whether it has heard the last of them
        self._announce("bye")

    def _announce(self, kind: str, **more: Any) -> None:
        """What is about no actor; numbered, for what a lost one told is known to nobody."""
        self._announced += 1
        message = {"v": VERSION, "seq": self.seq, "kind": kind, "number": self._announced, **more}
        body = pack(message)
        self._hub.publish(topic(""), body)
        for sink in self.sinks:
            sink.announce(topic(""), body)

    def forget(self, uid: int, name: str | None) -> None:
        """That actor is listed no more; ``name``, if nobody else bears it, begins at 0 when somebody does."""
        self.journal.forget(uid)
        if name is not None:
            self._heads.pop(name, None)


def topic(name: str) -> bytes:
    """The topic of an actor's events; the bar ends it, so that no name is the prefix of another."""
    return f"{name}|".encode()


def _cut(value: Any) -> Any:
    return value[:LONGEST_TEXT] if isinstance(value, str) else value
