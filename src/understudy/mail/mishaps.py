"""What nobody foresaw, in a thread on which the mail of many hangs: told once for each kind, then it goes on."""

from __future__ import annotations

import logging

AGAIN = 1.0
"""Seconds after which it is tried again: what caused it, such as a lack of memory, may be over."""
_log = logging.getLogger("understudy")


class Mishaps:
    """Those of one thread."""

    def __init__(self) -> None:
        self._told: set[tuple[str, type]] = set()

    def met(self, error: Exception, where: str) -> float:
        """One more; in how many seconds to go on."""
        kind = where, type(error)
        if kind not in self._told:
            self._told.add(kind)
            _log.error("%s of messages met something unforeseen, and goes on in %g s", where, AGAIN, exc_info=error)
        return AGAIN
