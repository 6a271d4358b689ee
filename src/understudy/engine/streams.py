"""Log records on their way to the parent's handlers, and the last lines of stderr for the death report."""

from __future__ import annotations

import logging
from functools import cache
from time import monotonic
from typing import Any, TextIO

from understudy.config import ProcessConfig
from understudy.engine.outbox import Outbox
from understudy.wire.messages import Log
from understudy.wire.page import RING_SIZE, Page

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_SIZE = 64 * 1024
"""Bytes of one record's texts."""
_SURELY = _SIZE // 4
_TRACE, _STACK, _EXTRAS, _NAME = 24 * 1024, 8 * 1024, 8 * 1024, 512
"""Bytes of single texts where all together are too long; the message has what is left."""
_SECOND = 1.0
_PATIENCE = 0.1


class Forward(logging.Handler):
    """Sends each record to the parent, where the handlers are; so many in a second, and tells how many it left out."""

    def __init__(self) -> None:
        super().__init__()
        self._outbox: Outbox
        self._name, self._incarnation = "", 0
        self.most: int | None = ProcessConfig().limits.records
        """Records in one second; None: all."""
        self._until, self._sent, self._left_out = 0.0, 0, 0

    def open(self, outbox: Outbox, name: str, incarnation: int) -> None:
        """Whose records they are from now on, and the way that they take."""
        self._outbox, self._name, self._incarnation = outbox, name, incarnation

    def emit(self, record: logging.LogRecord) -> None:
        """Send if there is room: a log must not hold up the work."""
        try:
            if monotonic() >= self._until:
                self._begin_second()
            if self.most is not None and self._sent >= self.most:
                self._left_out += 1
                return
            self._sent += 1
            self._left_out += not self._outbox.say_nowait(Log(self._plain(record)))
        except Exception:  # noqa: BLE001 - logging's own rule: a handler reports its trouble and goes on
            self.handleError(record)

    def tell(self, text: str) -> None:
        """A warning of our own about the actor; needs no lock that the user's code may hold."""
        name = "understudy.actor." + self._name.replace("/", ".")
        record = logging.LogRecord(name, logging.WARNING, __file__, 0, text, None, None)
        self._outbox.say_nowait(Log(self._plain(record)))

    def catch_up(self) -> None:
        """Tell what was left out, if nothing has been logged since that second; a busy handler does so itself."""
        if self._left_out and self.lock is not None and self.lock.acquire(timeout=_PATIENCE):
            try:
                self._begin_second()
            finally:
                self.lock.release()

    def _begin_second(self) -> None:
        left_out, self._left_out = self._left_out, 0
        self._until, self._sent = monotonic() + _SECOND, 0
        if left_out:
            self.tell(f"{left_out} records of {self._name} were left out in the last second")

    def _plain(self, record: logging.LogRecord) -> dict[str, Any]:
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        extras = {key: value for key, value in own.items() if isinstance(value, str | int | float | bool)}
        plain = {
            "name": record.name,
            "msg": record.getMessage(),
            "levelno": record.levelno,
            "levelname": record.levelname,
            "pathname": record.pathname,
            "filename": record.filename,
            "module": record.module,
            "lineno": record.lineno,
            "funcName": record.funcName,
            "created": record.created,
            "msecs": record.msecs,
            "thread": record.thread,
            "threadName": record.threadName,
            "process": record.process,
            "processName": self._name,
            "exc_text": record.exc_text or None,
            "stack_info": record.stack_info,
            **extras,
            "actor": self._name,
            "incarnation": self._incarnation,
        }
        short = sum(len(value) for value in plain.values() if isinstance(value, str)) <= _SURELY
        return plain if short else _bounded(plain, set(extras))


def _bounded(plain: dict[str, Any], extras: set[str]) -> dict[str, Any]:
    """The record, its texts cut where they are too long together; what is cut says so."""
    sizes = {key: len(_bytes(value)) for key, value in plain.items() if isinstance(value, str)}
    if sum(sizes.values()) <= _SIZE:
        return plain
    most = {"exc_text": _TRACE, "stack_info": _STACK, "msg": _SIZE}
    kept, room = dict(plain), _EXTRAS
    for key in sizes.keys() - most.keys():
        kept[key] = _head(plain[key], _NAME)
        room -= len(_bytes(kept[key])) if key in extras else 0
        if room < 0 and key in extras:
            del kept[key]
    for key in ("exc_text", "stack_info"):
        if key in sizes:
            kept[key] = _tail(plain[key], most[key])
    others = sum(len(_bytes(value)) for key, value in kept.items() if key != "msg" and isinstance(value, str))
    return {**kept, "msg": _head(plain["msg"], _SIZE - others)}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _head(text: str, size: int) -> str:
    found = _bytes(text)
    if len(found) <= size:
        return text
    return f"{found[:size].decode('utf-8', 'ignore')}... ({len(found) - size} bytes more)"


def _tail(text: str, size: int) -> str:
    found = _bytes(text)
    if len(found) <= size:
        return text
    return f"({len(found) - size} bytes before) ...{found[-size:].decode('utf-8', 'ignore')}"


class Tee:
    """stderr, with its last lines kept in the shared page."""

    def __init__(self, stream: TextIO, page: Page) -> None:
        self._stream, self._page = stream, page

    def write(self, text: str) -> int:
        """Write, and remember."""
        self._page.write_stderr(text[-RING_SIZE:].encode("utf-8", "replace"))
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@cache
def forward() -> Forward:
    """This process's; made in the zygote, its children need only open it."""
    return Forward()


def forward_records() -> None:
    """Replace whatever handlers the root logger has by the way to the parent."""
    logging.getLogger().handlers[:] = [forward()]
