"""Waits for others that may go in a circle."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from understudy.errors import AskCycle

if TYPE_CHECKING:
    from understudy.mail.office import Office


class Watch:
    """One wait: after a moment it is told, and it may turn out to be part of a circle."""

    def __init__(self, office: Office, ask: int, uid: int, tell_at: float | None) -> None:
        self._office, self._ask, self._uid, self._tell_at = office, ask, uid, tell_at

    def check(self) -> None:
        """Before each look: tells the wait when it is time; raises AskCycle."""
        if self._tell_at is not None and monotonic() >= self._tell_at:
            self._tell_at = None
            self._office.tell_blocked(self._ask, self._uid)
        names = self._office.cycle_of(self._ask)
        if names is not None:
            raise AskCycle("a circle of actors that wait for each other: " + " -> ".join([*names, names[0]]))

    def patience(self, until: float | None) -> float | None:
        """Seconds until the next look is due, None for never."""
        due = [at for at in (until, self._tell_at) if at is not None]
        return max(0.0, min(due) - monotonic()) if due else None
