"""A thread that waits for an actor: when that is told to the router, and what may be wrong with it."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

from understudy.errors import AskCycle

if TYPE_CHECKING:
    from understudy.mail.office import Office

_SILENT = 10.0
"""Seconds after which a wait for one that has no handlers, and never said anything, is worth a warning."""
_log = logging.getLogger("understudy")


class Watch:
    """One wait: after a moment it is told, and it may turn out to be part of a circle."""

    def __init__(self, office: Office, ask: int, uid: int, tell_at: float | None) -> None:
        self._office, self._ask, self._uid, self._tell_at = office, ask, uid, tell_at
        self._warn_at: float | None = monotonic() + _SILENT

    def check(self) -> None:
        """Before each look: tells the wait when it is time; raises AskCycle."""
        if self._tell_at is not None and monotonic() >= self._tell_at:
            self._tell_at = None
            self._office.tell_blocked(self._ask, self._uid)
        if self._warn_at is not None and monotonic() >= self._warn_at:
            self._warn_at = None
            self._warn()
        names = self._office.cycle_of(self._ask)
        if names is not None:
            raise AskCycle("a circle of actors that wait for each other: " + " -> ".join([*names, names[0]]))

    def patience(self, until: float | None) -> float | None:
        """Seconds until the next look is due, None for never."""
        due = [at for at in (until, self._tell_at, self._warn_at) if at is not None]
        return max(0.0, min(due) - monotonic()) if due else None

    def _warn(self) -> None:
        peer = self._office.known(self._uid)
        if peer is not None and peer.is_silent and not peer.is_warned_of:
            peer.is_warned_of = True
            _log.warning(
                "%s has said nothing for %g s to who waits for it: it has no handlers, and takes messages only where a "
                "hook of it calls self.receive()",
                peer.name,
                _SILENT,
            )
