"""The arguments of a decision that a pure function cannot fetch."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.lifecycle.actor import Hold


@dataclass(frozen=True, slots=True)
class Moment:
    """The monotonic clock, chance in 0..1, and why a restart that is due now may not begin, if it may not."""

    now: float
    chance: float = 0.5
    hold: Hold | None = None
