"""Child records to the parent's handlers: once each, on a thread of their own, for a handler may be slow or wait."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import traceback
from typing import Any

_LIMIT = 100_000


class LogThread:
    """Handles records in the order of their coming; beyond a limit they are dropped and counted."""

    def __init__(self, name: str) -> None:
        self._records: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"understudy-logs-{name}", daemon=True)
        self._started = False
        self.dropped = 0

    def put(self, record: dict[str, Any]) -> None:
        """Take a record; the thread begins with the first."""
        if not self._started:
            self._started = True
            self._thread.start()
        if self._records.qsize() < _LIMIT:
            self._records.put(record)
        else:
            self.dropped += 1

    def close(self, seconds: float) -> None:
        """Wait so long for what is left, no longer; what is lost is told, past the handlers, on stderr."""
        if not self._started:
            return
        self._records.put(None)
        self._thread.join(seconds)
        # In the queue the end stands where the record in hand stood.
        lost = self.dropped + (self._records.qsize() if self._thread.is_alive() else 0)
        if lost and sys.stderr is not None:
            sys.stderr.write(f"understudy: {lost} log records of actors are lost; the handlers did not keep up\n")

    def _run(self) -> None:
        while (plain := self._records.get()) is not None:
            record = logging.makeLogRecord(plain)
            try:  # around all of it: a record from outside may hold anything under any name
                logger = logging.getLogger(record.name)
                if logger.isEnabledFor(record.levelno):
                    logger.handle(record)
            except BaseException:  # noqa: BLE001 - logging's own rule: a handler's trouble is printed, also its exit
                logging.lastResort.handleError(record) if logging.lastResort else None


def defect(text: str) -> dict[str, Any]:
    """A record of our own about ourselves: the router's thread runs no handler of the user's."""
    return {
        "name": "understudy",
        "msg": text,
        "levelno": logging.ERROR,
        "levelname": "ERROR",
        "exc_text": traceback.format_exc() if sys.exc_info()[0] else None,
    }


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
