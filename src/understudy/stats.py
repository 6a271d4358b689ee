"""What the lives of an actor came to, in figures: laps and their times, errors, restarts. They add up over lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import Any, Self

KEPT_LAPS = 1000
"""How many of the latest lap times are kept."""
KEPT_ERRORS = 100
"""How many of the latest errors are kept, each as one event."""
LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """One failure of one life: ``time`` in seconds since the epoch, ``kind`` as `Crash` has it, ``text`` one line."""

    time: float
    incarnation: int
    kind: str
    section: str
    lap: int
    text: str


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one life, or of several; ``a + b`` gives those of both, and so does ``b + a``.

    ``started_at`` is the earliest start and ``ended_at`` the latest end, in seconds since the epoch; the end is None as
    long as one of them runs. ``laps`` counts complete laps. Times of laps, in seconds, are told at the end of a life
    that can still tell, so ``timed_laps`` may be fewer; ``lap_seconds`` is their sum, ``recent`` the last 1,000, in
    their order where lives are added in theirs. ``errors`` counts failures, ``timeouts`` those among them that were
    overruns (of a section or of the start), ``error_events`` are the last 100; ``restarts`` counts the lives that took
    over from another.
    """

    started_at: float | None = None
    ended_at: float | None = None
    laps: int = 0
    timed_laps: int = 0
    lap_seconds: float = 0.0
    fastest_lap: float | None = None
    slowest_lap: float | None = None
    restarts: int = 0
    errors: int = 0
    timeouts: int = 0
    error_events: tuple[ErrorEvent, ...] = field(default=(), repr=False)
    recent: tuple[float, ...] = field(default=(), repr=False)

    @property
    def mean_lap(self) -> float | None:
        """The mean of the laps whose time is known, in seconds; None without any."""
        return self.lap_seconds / self.timed_laps if self.timed_laps else None

    def __radd__(self, other: object) -> Stats:
        return self if other == 0 else NotImplemented  # what `sum` begins with

    def __add__(self, other: object) -> Stats:
        if not isinstance(other, Stats):
            return NotImplemented
        first, second = sorted((self, other), key=lambda one: (one.started_at is None, one.started_at or 0.0))
        events = sorted((*first.error_events, *second.error_events), key=_place)
        return Stats(
            started_at=first.started_at,
            ended_at=_end(first, second),
            laps=first.laps + second.laps,
            timed_laps=first.timed_laps + second.timed_laps,
            lap_seconds=first.lap_seconds + second.lap_seconds,
            fastest_lap=min(_known(first.fastest_lap, second.fastest_lap), default=None),
            slowest_lap=max(_known(first.slowest_lap, second.slowest_lap), default=None),
            restarts=first.restarts + second.restarts,
            errors=first.errors + second.errors,
            timeouts=first.timeouts + second.timeouts,
            error_events=tuple(events[-KEPT_ERRORS:]),
            recent=(*first.recent, *second.recent)[-KEPT_LAPS:],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON and msgpack; the mean is among them."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        events = [asdict(event) for event in self.error_events]
        return {**values, "mean_lap": self.mean_lap, "error_events": events, "recent": list(self.recent)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reverse of `to_dict`; keys that it doesn't know are left out. ValueError where it is none."""
        try:
            return cls(
                **{name: _number(values.get(name)) for name in _MAYBE},
                **{name: int(_number(values.get(name, 0)) or 0) for name in _COUNTS},
                lap_seconds=float(_number(values.get("lap_seconds", 0.0)) or 0.0),
                error_events=tuple(_event(event) for event in values.get("error_events", ()))[-KEPT_ERRORS:],
                recent=tuple(float(_number(each) or 0.0) for each in values.get("recent", ()))[-KEPT_LAPS:],
            )
        except (TypeError, AttributeError, OverflowError, ValueError) as error:
            raise ValueError(f"not the figures of an actor: {error}") from error


def _place(event: ErrorEvent) -> tuple[float, int, int]:
    """Of two lives one may end as another does."""
    return event.time, event.incarnation, event.lap


_MAYBE = ("started_at", "ended_at", "fastest_lap", "slowest_lap")
_COUNTS = ("laps", "timed_laps", "restarts", "errors", "timeouts")
_EVENT = {one.name for one in fields(ErrorEvent)}


def _end(first: Stats, second: Stats) -> float | None:
    ends = [one.ended_at for one in (first, second) if one.started_at is not None]
    known = _known(*ends)
    return max(known) if known and len(known) == len(ends) else None


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _number(value: object) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
        raise ValueError(f"{value!r} is no number")
    return value


def _event(values: Mapping[str, Any]) -> ErrorEvent:
    return ErrorEvent(**{key: value for key, value in values.items() if key in _EVENT})
