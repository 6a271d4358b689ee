"""How often somebody may ask: so many times at once, and so many in a second."""

from __future__ import annotations

PER_SECOND, AT_ONCE = 100.0, 120.0
SECONDS, REPLY = 0.0025, 256 << 10
"""Of the router's time, and bytes of a reply: so much is one request, more counts as several."""


class Rates:
    """One account for each key; it fills while nothing is asked."""

    def __init__(self, per_second: float = PER_SECOND, at_once: float = AT_ONCE) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._accounts: dict[str, tuple[float, float]] = {}

    def allow(self, who: str, now: float) -> bool:
        """Whether one more is allowed; it counts if it is."""
        left, at = self._accounts.get(who, (self._at_once, now))
        left = min(self._at_once, left + max(0.0, now - at) * self._per_second)
        allowed = left >= 1.0
        self._accounts[who] = (left - 1.0 if allowed else left, now)
        return allowed

    def charge(self, who: str, much: float) -> None:
        """What was asked cost as much as so many more; where that is more than is left, it is waited for."""
        left, at = self._accounts.get(who, (self._at_once, 0.0))
        self._accounts[who] = (left - max(0.0, much), at)

    def forget(self, now: float) -> None:
        """Drop the accounts that are full by now."""
        full, each = self._at_once, self._per_second
        self._accounts = {
            who: (left, at) for who, (left, at) in self._accounts.items() if left + (now - at) * each < full
        }
