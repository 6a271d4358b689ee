"""The arguments of a decision that a pure function cannot fetch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from understudy.lifecycle.actor import Hold


class Sequel(Enum):
    """What follows when a member of a group dies; of anybody else its own lives decide."""

    ALONE = "alone"
    """Another life, after its pause."""
    TOGETHER = "together"
    """Another life, when its group calls for it."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Moment:
    """The monotonic clock, chance in 0..1, and why a restart that is due now may not begin, if it may not."""

    now: float
    chance: float = 0.5
    hold: Hold | None = None
    sequel: Sequel | None = None
    """Of a member of a group: what follows if it dies now."""
