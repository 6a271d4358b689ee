"""Wait for a program's own word: ``READY=1``, as systemd's services say it."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.waits.base import Started


@dataclass(frozen=True, slots=True)
class Notified:
    """That the program, or something that it has started, says ``READY=1`` to the socket named in NOTIFY_SOCKET.

    It is what `sd_notify` does, and what ``Type=notify`` means to systemd. ``STATUS=…`` is told with the error of who
    waits in vain. What comes after READY is read by nobody.
    """

    def __str__(self) -> str:
        return "its READY=1"

    def missing(self, program: Started) -> str | None:
        """None when it has said so."""
        notices = program.notices
        if notices is None:
            return "it was begun without a socket to say READY=1 to"
        notices.read()
        status = f", but: {notices.status}" if notices.status else ""
        return None if notices.ready else f"it has not said READY=1{status}"
