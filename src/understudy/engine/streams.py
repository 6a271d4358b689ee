"""Log records on their way to the parent's handlers, and the last lines of stderr for the death report."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, TextIO

from understudy.engine.outbox import Outbox
from understudy.wire.messages import Log
from understudy.wire.page import RING_SIZE, Page

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TEXT = 64 * 1024


class Forward(logging.Handler):
    """Sends each record to the parent, where the handlers are."""

    def __init__(self) -> None:
        super().__init__()
        self._outbox: Outbox
        self._name, self._incarnation = "", 0

    def open(self, outbox: Outbox, name: str, incarnation: int) -> None:
        """Whose records they are from now on, and the way that they take."""
        self._outbox, self._name, self._incarnation = outbox, name, incarnation

    def emit(self, record: logging.LogRecord) -> None:
        """Send if there is room: a log must not hold up the work."""
        try:
            self._outbox.say_nowait(Log(self._plain(record)))
        except Exception:  # noqa: BLE001 - logging's own rule: a handler reports its trouble and goes on
            self.handleError(record)

    def _plain(self, record: logging.LogRecord) -> dict[str, Any]:
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        extras = {key: value for key, value in own.items() if isinstance(value, str | int | float | bool)}
        return {
            "name": record.name,
            "msg": record.getMessage()[:_TEXT],
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
            "exc_text": (record.exc_text or "")[-_TEXT:] or None,
            "stack_info": record.stack_info,
            **extras,
            "actor": self._name,
            "incarnation": self._incarnation,
        }


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
