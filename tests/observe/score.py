"""A system as far as its stream goes, without any process: it publishes, ticks, replays and tells where all stand."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from understudy.status import ActorInfo, Health, Status, health_of

STANDING = {"laps", "progress", "figures"}
LOGS = {"log"}


class Score:
    """``keep`` and ``keep_logs`` events can be replayed, ``page`` at once; a tick has ``heads`` at most."""

    def __init__(self, keep: int = 10_000, keep_logs: int = 10_000, page: int = 1_000, heads: int = 1_000) -> None:
        self.seq = self.ticks = 0
        self.events: list[dict[str, Any]] = []
        self.rows: dict[str, ActorInfo] = {}
        self._uids = 0
        self._page, self._heads_of_tick = page, heads
        self._rings: dict[bool, deque[dict[str, Any]]] = {True: deque(maxlen=keep_logs), False: deque(maxlen=keep)}
        self._latest: dict[tuple[int, str], dict[str, Any]] = {}
        self._gone: dict[str, int] = {}
        self._heads: dict[str, int] = {}
        self._changed: dict[str, int] = {}

    def happen(self, kind: str, name: str, choice: int = 0) -> dict[str, Any]:
        """Something about an actor; what cannot be (an ended one makes progress) becomes its spawn."""
        row = self.rows.get(name)
        if row is None or row.status.ended or (kind == "state" and row.status is Status.CREATED):
            self._uids += 1
            row = ActorInfo(name, self._uids, status=Status.STARTING, incarnation=1)
            self.rows[name] = row
            return self._publish("state", row, "CREATED", "STARTING", {})
        match kind:
            case "state":
                return self._turn(row, choice)
            case "health":
                after = (Health.HEALTHY, Health.UNRESPONSIVE)[choice % 2]
                self._set(row, health=after)
                return self._publish(kind, row, None, after.value, {})
            case "progress" | "laps" | "figures":
                key = {"progress": "progress", "laps": "completed_laps", "figures": "threads"}[kind]
                self._set(row, **{key: choice})
                return self._publish(kind, row, None, None, {key: choice})
            case _:
                return self._publish(kind, row, None, None, {"message": "some"})

    def tick(self) -> list[dict[str, Any]]:
        """Heads of what has changed, in several messages where they are many."""
        pairs, self._changed = sorted(self._changed.items()), {}
        told = []
        while True:
            heads, pairs = dict(pairs[: self._heads_of_tick]), pairs[self._heads_of_tick :]
            self.ticks += 1
            told.append({"v": 1, "seq": self.seq, "kind": "tick", "number": self.ticks, "heads": heads})
            if not pairs:
                return told

    def bye(self) -> list[dict[str, Any]]:
        """The last tick, and the end."""
        last = self.tick()
        return [*last, {"v": 1, "seq": self.seq, "kind": "bye", "number": self.ticks + 1}]

    def snapshot(self) -> dict[str, Any]:
        """The value of `snapshot`."""
        rows = [row.to_dict() for row in self.rows.values() if not row.status.ended]
        return {"system": "score.1", "seq": self.seq, "actors": rows}

    def replay(self, since: int) -> dict[str, Any]:
        """The value of `replay`."""
        kept = sorted((*self._rings[True], *self._rings[False], *self._latest.values()), key=lambda event: event["seq"])
        found = [event for event in kept if event["seq"] > since]
        missing = {kind: seq for kind, seq in self._gone.items() if seq > since}
        page = found[: self._page]
        return {
            "system": "score.1",
            "seq": self.seq,
            "events": page,
            "more": len(found) > len(page),
            "missing": missing,
        }

    def _turn(self, row: ActorInfo, choice: int) -> dict[str, Any]:
        after, incarnation = {
            0: (Status.RUNNING, row.incarnation),
            1: (Status.STOPPING, row.incarnation),
            2: (Status.RESTARTING, row.incarnation),
            3: (Status.STARTING, row.incarnation + 1),
            4: (Status.FINISHED, row.incarnation),
            5: (Status.CRASHED, row.incarnation),
        }[choice % 6]
        fresh = row if incarnation == row.incarnation else ActorInfo(row.name, row.uid, incarnation=incarnation)
        lives = 7 - incarnation
        self._set(fresh, status=after, health=health_of(after), lives_left=lives)
        return self._publish("state", self.rows[row.name], row.status.value, after.value, {"lives_left": lives})

    def _set(self, row: ActorInfo, **values: Any) -> None:
        self.rows[row.name] = replace(row, **values)

    def _publish(
        self, kind: str, row: ActorInfo, before: str | None, after: str | None, data: dict[str, Any]
    ) -> dict[str, Any]:
        self.seq += 1
        event = {
            "v": 1, "seq": self.seq, "prev": self._heads.get(row.name, 0), "kind": kind, "name": row.name,
            "uid": row.uid, "incarnation": row.incarnation, "before": before, "after": after, "cause": None,
            "time": 1.0 * self.seq, "data": data,
        }  # fmt: skip
        self._heads[row.name] = self._changed[row.name] = self.seq
        self.events.append(event)
        if kind in STANDING:
            self._latest[row.uid, kind] = event
            return event
        ring = self._rings[kind in LOGS]
        if len(ring) == ring.maxlen:
            gone: dict[str, Any] = ring[0] if ring.maxlen else event
            self._gone[gone["kind"]] = gone["seq"]
        ring.append(event)
        return event
