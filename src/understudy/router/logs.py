"""Child records to the parent's handlers: once each, on a thread of their own, for a handler may be slow or wait."""

from __future__ import annotations

import logging
import queue
import sys
import traceback
from typing import Any

from understudy.observe.publisher import LONGEST_TEXT
from understudy.router.threads import LateThread

EACH = 8 << 20
"""Bytes of one actor's records that may wait for the handlers."""
ALL = 32 << 20
"""Bytes of all actors' records together, but for the modest."""
MODEST = 64 << 10
"""Bytes that may wait of each actor, however much waits of the others."""
_OWN = 512
_ACCOUNTS = 1000


class _Account:
    """Bytes of one actor's records. The router's thread adds to the one, the log thread to the other: no lock."""

    __slots__ = ("handled", "taken")

    def __init__(self) -> None:
        self.taken = self.handled = 0

    @property
    def waiting(self) -> int:
        return self.taken - self.handled


class LogThread:
    """Handles records in the order of their coming; what an actor has beyond its share is dropped and counted."""

    def __init__(self, name: str) -> None:
        self._records: queue.SimpleQueue[tuple[dict[str, Any], _Account, int] | None] = queue.SimpleQueue()
        self._accounts: dict[int, _Account] = {}
        self._total = _Account()
        self._thread = LateThread(self._run, f"understudy-logs-{name}")
        self.dropped = 0

    @property
    def strained(self) -> bool:
        """Whether so much waits that an actor may have had its share."""
        return self._total.waiting >= EACH

    def has_room(self, uid: int) -> bool:
        """Whether a record of that actor would be taken."""
        account = self._accounts.get(uid)
        if account is None or account.waiting < MODEST:
            return True
        return account.waiting < EACH and self._total.waiting < ALL

    def put(self, record: dict[str, Any], *, uid: int = 0, size: int = _OWN) -> None:
        """Take a record of ``size`` bytes by that actor, or by ourselves; the thread begins with the first."""
        if not self.has_room(uid) or not self._thread.begin():
            self.dropped += 1
            return
        account = self._accounts.get(uid)
        if account is None:
            if len(self._accounts) >= _ACCOUNTS:
                self._accounts = {uid: one for uid, one in self._accounts.items() if one.waiting}
            account = self._accounts[uid] = _Account()
        account.taken += size
        self._total.taken += size
        self._records.put((record, account, size))

    def close(self, seconds: float) -> None:
        """Wait so long for what is left, no longer; what is lost is told, past the handlers, on stderr."""
        if not self._thread.started:
            return
        self._records.put(None)
        self._thread.join(seconds)
        # In the queue the end stands where the record in hand stood.
        lost = self.dropped + (self._records.qsize() if self._thread.is_alive else 0)
        if lost and sys.stderr is not None:
            sys.stderr.write(f"understudy: {lost} log records of actors are lost; the handlers did not keep up\n")

    def _run(self) -> None:
        while (entry := self._records.get()) is not None:
            plain, account, size = entry
            account.handled += size
            self._total.handled += size
            record = logging.makeLogRecord(plain)
            try:  # around all of it: a record from outside may hold anything under any name
                logger = logging.getLogger(record.name)
                if logger.isEnabledFor(record.levelno):
                    logger.handle(record)
            except BaseException:  # noqa: BLE001 - logging's own rule: a handler's trouble is printed, also its exit
                logging.lastResort.handleError(record) if logging.lastResort else None


def told(record: dict[str, Any]) -> dict[str, Any] | None:
    """What the status stream says of a record: nothing of one below WARNING, or of none at all."""
    level, texts = record.get("levelno"), [record.get(key) for key in ("levelname", "name", "msg")]
    if type(level) is not int or level < logging.WARNING or not all(isinstance(text, str) for text in texts):
        return None
    trace = record.get("exc_text")
    return {
        "level": level,
        **dict(zip(("level_name", "logger", "message"), texts, strict=True)),
        # The end of a traceback says what was raised.
        "traceback": trace[-LONGEST_TEXT:] if isinstance(trace, str) else None,
    }


def defect(text: str, error: BaseException | None = None) -> dict[str, Any]:
    """A record of our own about ourselves, with that error or the one in hand; the thread runs no handler of a user."""
    error = error or sys.exception()
    return {
        "name": "understudy",
        "msg": text,
        "levelno": logging.ERROR,
        "levelname": "ERROR",
        "exc_text": None if error is None else "".join(traceback.format_exception(error)).rstrip("\n"),
    }


def warning(text: str) -> dict[str, Any]:
    """A record of our own about the whole system."""
    return {"name": "understudy", "msg": text, "levelno": logging.WARNING, "levelname": "WARNING"}


def about(name: str, incarnation: int, text: str, *, level: int = logging.WARNING, trace: str = "") -> dict[str, Any]:
    """A record of our own about an actor; ``trace`` is printed below it, as a traceback is."""
    return {
        "name": "understudy.actor." + name.replace("/", "."),
        "msg": text,
        "levelno": level,
        "levelname": logging.getLevelName(level),
        "actor": name,
        "incarnation": incarnation,
        "exc_text": trace.rstrip() or None,
    }
