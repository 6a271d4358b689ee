"""The parent's side of the status stream: numbers every event, links those of one topic, and ticks."""

from __future__ import annotations

import time
from typing import Any

from understudy.wire.codec import VERSION, pack
from understudy.wire.sockets import Hub

TICK = 1.0
"""Seconds between ticks, which tell a follower what it may have missed."""


class Publisher:
    """Publishes; never waits for anybody."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.seq = 0
        self._heads: dict[str, int] = {}
        self._changed: dict[str, int] = {}

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
        """One event about one actor."""
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
            "cause": cause,
            "time": time.time(),
            "data": data or {},
        }
        self._heads[name] = self._changed[name] = self.seq
        self._hub.publish(topic(name), pack(event))

    def tick(self) -> None:
        """Tell the head of the stream, and of each topic that changed since the last tick."""
        changed, self._changed = self._changed, {}
        self._hub.publish(topic(""), pack({"v": VERSION, "seq": self.seq, "kind": "tick", "heads": changed}))

    def forget(self, name: str) -> None:
        """Nobody bears that name any more; what bears it next begins at 0."""
        self._heads.pop(name, None)


def topic(name: str) -> bytes:
    """The topic of an actor's events; the bar ends it, so that no name is the prefix of another."""
    return f"{name}|".encode()
