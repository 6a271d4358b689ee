"""Measured sections: `Timer` for a user's own code, `@timethis()` for the hooks of a lap and its end.

All times are in seconds, by the performance counter.
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
from collections import deque
from contextvars import ContextVar
from numbers import Real
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Never

_F = TypeVar("_F", bound="Callable[..., Any]")

KEPT = 10_000
"""How many of the latest times a timer keeps for its percentiles."""

_WHOLE = 100  # percent

HOOKS = {"__preloop__": "preloop", "__loop__": "loop", "__postloop__": "postloop", "__onfinish__": "onfinish"}
"""The hooks that can be timed, and the slot of `Timers` that each goes to."""

_LAP = ("preloop", "loop", "postloop")

# What has begun and not ended, outermost first. One variable for all timers: a context keeps every variable ever set.
_open: ContextVar[tuple[tuple[Timer, float], ...]] = ContextVar("understudy_open_timers", default=())


class Timer:
    """Measures blocks of code: ``with timer: ...``, or takes times measured elsewhere by `add_time`.

    One timer may be used by many threads and asyncio tasks at once, and within itself: each block counts by itself. A
    block that raises counts too. Number, total, fastest and slowest are exact; `percentile` knows the last 10,000
    times.
    """

    __slots__ = ("_fastest", "_lock", "_most_recent", "_num_times", "_recent", "_slowest", "_total")

    def __init__(self) -> None:
        self._num_times = 0
        self._total = 0.0
        self._most_recent: float | None = None
        self._fastest = math.inf
        self._slowest = -math.inf
        self._recent: deque[float] = deque(maxlen=KEPT)
        self._lock = threading.RLock()  # reentrant: a signal handler or finalizer may time something amid an add

    def __enter__(self) -> Self:
        _open.set((*_open.get(), (self, perf_counter())))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        ended = perf_counter()
        running = _open.get()
        place = len(running) - 1
        while place >= 0 and running[place][0] is not self:  # blocks of suspended generators may end out of order
            place -= 1
        if place < 0:
            raise RuntimeError("this Timer was not entered in this thread or task")
        _open.set(running[:place] + running[place + 1 :])
        self.add_time(ended - running[place][1])

    def add_time(self, seconds: float) -> None:
        """Count a time measured elsewhere. TypeError for no number, ValueError for a negative, NaN or infinity."""
        if type(seconds) is not float or not 0.0 <= seconds < math.inf:
            seconds = _seconds(seconds)
        with self._lock:  # comparisons, not min() and max(): a signal's exception may arise in any call
            self._total += seconds
            self._most_recent = seconds
            if seconds < self._fastest:  # noqa: PLR1730
                self._fastest = seconds
            if seconds > self._slowest:  # noqa: PLR1730
                self._slowest = seconds
            self._num_times += 1  # after what readers look up where it is not 0
            self._recent.append(seconds)

    @property
    def num_times(self) -> int:
        """How many times were counted."""
        return self._num_times

    @property
    def total(self) -> float:
        """The sum of all times; 0.0 without any."""
        return self._total

    @property
    def most_recent(self) -> float | None:
        """The time counted last; None without any."""
        return self._most_recent

    @property
    def mean(self) -> float | None:
        """The total by the number; None without any."""
        with self._lock:
            return self._total / self._num_times if self._num_times else None

    @property
    def fastest(self) -> float | None:
        """The shortest time of all; None without any."""
        return self._fastest if self._num_times else None

    @property
    def slowest(self) -> float | None:
        """The longest time of all; None without any."""
        return self._slowest if self._num_times else None

    def percentile(self, p: float) -> float | None:
        """The time that ``p`` percent of the last 10,000 don't exceed, interpolated between neighbours.

        None without any time; TypeError for no number, ValueError for one outside 0..100.
        """
        percent = _number(p, "a percentile")
        if not 0 <= percent <= _WHOLE:
            raise ValueError(f"a percentile must be a number from 0 to 100; got {p!r}")
        with self._lock:
            times = sorted(self._recent)
        if not times:
            return None
        place = (len(times) - 1) * percent / _WHOLE
        below = math.floor(place)
        above = min(below + 1, len(times) - 1)
        return times[below] + (times[above] - times[below]) * (place - below)

    def state(self) -> dict[str, Any]:
        """All that the timer knows, as plain values that msgpack carries; blocks still open are not in it."""
        with self._lock:
            return {
                "num_times": self._num_times,
                "total": self._total,
                "most_recent": self._most_recent,
                "fastest": self.fastest,
                "slowest": self.slowest,
                "recent": list(self._recent),
            }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The timer that told this `state`. ValueError where it is none."""
        timer = cls()
        timer.__setstate__(state)
        return timer

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Timer.__init__(self)
        try:
            times = [_seconds(each) for each in state["recent"]]
            number, total = int(state["num_times"]), _seconds(state["total"])
            if number < len(times):
                raise ValueError(f"{len(times)} of {number} times")
            if number:
                self._fastest, self._slowest = _seconds(state["fastest"]), _seconds(state["slowest"])
                self._most_recent = _seconds(state["most_recent"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the state of a Timer: {error!r}") from error
        self._num_times, self._total = number, total
        self._recent.extend(times)

    def __repr__(self) -> str:
        if not self._num_times:
            return "Timer(no times yet)"
        return f"Timer({self.num_times} times, mean {self.mean:.3g} s, {self.fastest:.3g} to {self.slowest:.3g} s)"


class Timers:
    """The timers of one actor: a `Timer` or None for each hook, and ``full_loop`` for whole laps."""

    def __init__(self) -> None:
        self.preloop: Timer | None = None
        self.loop: Timer | None = None
        self.postloop: Timer | None = None
        self.onfinish: Timer | None = None
        self.full_loop = Timer()
        self._counted = dict.fromkeys(_LAP, 0)  # times of each section at the end of the last lap
        self._inside: set[str] = set()  # sections that run now

    def used(self, names: Iterable[str]) -> Self:
        """Give each of these slots (``"preloop"``, ``"loop"``, …) a Timer where it has none; returns itself.

        Raises ValueError for what is no slot of a hook.
        """
        for name in names:
            self.slot(name)
        return self

    def slot(self, name: str) -> Timer:
        """The timer of this slot, made where there is none; ValueError for what is no slot of a hook."""
        if name not in HOOKS.values():
            raise ValueError(f"no hook is timed as {name!r}; slots are {', '.join(HOOKS.values())}")
        timer: Timer | None = getattr(self, name)
        if timer is None:
            timer = Timer()
            setattr(self, name, timer)
        return timer

    def begin(self, name: str) -> bool:
        """Note that this section runs; False where it runs already, called by a subclass's."""
        if name in self._inside:
            return False
        self._inside.add(name)
        return True

    def end(self, name: str, seconds: float) -> None:
        """Count the time of a section that began."""
        self._inside.discard(name)
        timer: Timer = getattr(self, name) or self.slot(name)
        timer.add_time(seconds)

    def finish_lap(self) -> None:
        """Add to ``full_loop`` the sum of the latest times of those sections that were timed in this lap, if any."""
        lap, ran = 0.0, False
        for name in _LAP:
            timer: Timer | None = getattr(self, name)
            if timer is None or timer.num_times == self._counted[name]:
                continue
            self._counted[name] = timer.num_times
            lap += timer.most_recent or 0.0
            ran = True
        if ran:
            self.full_loop.add_time(lap)

    def state(self) -> dict[str, Any]:
        """The state of each timer by its slot, None for a slot not in use; plain values that msgpack carries."""
        timers = {name: getattr(self, name) for name in (*HOOKS.values(), "full_loop")}
        return {name: timer and timer.state() for name, timer in timers.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The timers that told this `state`. ValueError where it is none."""
        timers = cls()
        timers.__setstate__(state)
        return timers

    def __getstate__(self) -> dict[str, Any]:
        return self.state()

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Timers.__init__(self)
        try:
            for name in (*HOOKS.values(), "full_loop"):
                if state[name] is not None:
                    setattr(self, name, Timer.from_state(state[name]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the state of an actor's timers: {error!r}") from error
        for name in _LAP:
            timer: Timer | None = getattr(self, name)
            self._counted[name] = timer.num_times if timer else 0

    def __repr__(self) -> str:
        timers = ((name, getattr(self, name)) for name in (*HOOKS.values(), "full_loop"))
        return f"Timers({', '.join(f'{name}={timer!r}' for name, timer in timers if timer is not None)})"


class HoldsTimers(Protocol):
    """What the wrapper of a timed hook needs of an actor's runtime state."""

    timers: Timers | None


def timers_of(actor: object) -> Timers:
    """The timers in an actor's one private attribute, made where there are none. TypeError for what is no actor."""
    try:
        runtime: HoldsTimers = actor.__dict__["_understudy"]
    except (AttributeError, KeyError):
        raise TypeError(f"@timethis() times the hooks of a Process; {type(actor).__name__} is none") from None
    if runtime.timers is None:
        runtime.timers = Timers()
    return runtime.timers


def timethis(*misplaced: Never) -> Callable[[_F], _F]:
    """Time a hook: ``@timethis()`` above ``__preloop__``, ``__loop__``, ``__postloop__`` or ``__onfinish__``.

    The times go to the slot of that name in ``self.timers``. A timed hook that calls its base class's timed hook counts
    once, as the whole. Raises TypeError at that line without the parentheses, on a function of another name, on a
    static or class method, and on a generator.
    """
    if misplaced:
        raise TypeError("timethis takes no arguments and needs its parentheses: write @timethis()")
    return _timed


def timed_hooks(cls: type) -> tuple[str, ...]:
    """The slots of those hooks of a class that are timed, in the order of a life."""
    return tuple(
        slot for hook, slot in HOOKS.items() if getattr(getattr(cls, hook, None), "__understudy_timed__", False)
    )


def _timed(function: _F) -> _F:
    name = getattr(function, "__name__", repr(function))
    slot = HOOKS.get(name)
    if slot is None:
        raise TypeError(f"@timethis() times {', '.join(HOOKS)}; {name} is none of them")
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise TypeError(f"@timethis() times methods; {name} is a {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@timethis() cannot time {name}: a generator runs only when something iterates over it")
    wrapper = _timed_async(function, slot) if inspect.iscoroutinefunction(function) else _timed_sync(function, slot)
    wrapper.__dict__["__understudy_timed__"] = True
    return cast("_F", wrapper)


def _timed_sync(function: Callable[..., Any], slot: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        timers = timers_of(self)
        if not timers.begin(slot):
            return function(self, *args, **kwargs)
        started = perf_counter()
        try:
            return function(self, *args, **kwargs)
        finally:
            timers.end(slot, perf_counter() - started)

    return timed


def _timed_async(function: Callable[..., Any], slot: str) -> Callable[..., Any]:
    @functools.wraps(function)
    async def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        timers = timers_of(self)
        if not timers.begin(slot):
            return await function(self, *args, **kwargs)
        started = perf_counter()
        try:
            return await function(self, *args, **kwargs)
        finally:
            timers.end(slot, perf_counter() - started)

    return timed


def _seconds(value: object) -> float:
    seconds = _number(value, "a time")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"a time must be a finite number of seconds and not negative; got {value!r}")
    return seconds


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what} must be a number; got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} cannot be that large") from None
