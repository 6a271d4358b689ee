"""Lives, windows and backoff: how often an actor may come back, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace

from understudy.config import ProcessConfig

QUARANTINE_FROM = 5
"""Deaths before READY in a row from which on an actor is in quarantine."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an actor has used: the times of its crashes, and how many restarts in a row found no healthy run."""

    crashes: tuple[float, ...] = ()
    streak: int = 0
    stillbirths: int = 0
    """Processes in a row, up to the last, that died before they were READY."""


def lives_left(config: ProcessConfig, budget: Budget, now: float) -> int:
    """How many restarts are still possible at ``now`` (0 with ``lives=1``)."""
    if config.restart.policy == "never":
        return 0
    return max(0, config.lives - 1 - len(_counted(config, budget.crashes, now)))


def charge(config: ProcessConfig, budget: Budget, now: float, healthy_for: float | None) -> Budget:
    """The budget after a crash at ``now``; ``healthy_for`` seconds had passed since READY (None: never READY)."""
    rested = healthy_for is not None and healthy_for >= config.restart.backoff.reset
    crashes = (*_counted(config, budget.crashes, now), now)
    return replace(budget, crashes=crashes, streak=0 if rested else budget.streak)


def stillborn(budget: Budget) -> Budget:
    """The budget after a process that was born, and died before it was READY."""
    return replace(budget, stillbirths=budget.stillbirths + 1)


def is_quarantined(budget: Budget) -> bool:
    """Whether it died before READY so often in a row that no more is to be expected of it than of a probe."""
    return budget.stillbirths >= QUARANTINE_FROM


def delay(config: ProcessConfig, budget: Budget, chance: float, *, before_ready: bool) -> tuple[float, Budget]:
    """Seconds until the next restart, and the budget that counts it; ``chance`` in 0..1 is the jitter's."""
    backoff = config.restart.backoff
    # The first restart is at once; a process that never came up may be hit by the same wall again at once.
    step = budget.streak if before_ready else budget.streak - 1
    after = replace(budget, streak=budget.streak + 1)
    if step < 0 or backoff.base == 0:
        return 0.0, after
    try:
        seconds = backoff.cap if is_quarantined(budget) else min(backoff.cap, backoff.base * backoff.factor**step)
    except OverflowError:
        seconds = backoff.cap
    return seconds * (1 + backoff.jitter * (2 * chance - 1)), after


def _counted(config: ProcessConfig, crashes: tuple[float, ...], now: float) -> tuple[float, ...]:
    window = config.restart.window
    return crashes if window is None else tuple(at for at in crashes if now - at < window)
