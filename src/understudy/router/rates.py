"""How often somebody may ask: so many times at once, and so many in a second."""

from __future__ import annotations

PER_SECOND, AT_ONCE = 100.0, 120.0


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

    def forget(self, now: float) -> None:
        """Drop the accounts that are full by now."""
        full = self._at_once / self._per_second
        self._accounts = {who: account for who, account in self._accounts.items() if now - account[1] < full}
