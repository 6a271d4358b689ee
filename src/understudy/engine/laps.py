"""The loop over the three sections of a lap; what it adds to the user's code is counted in nanoseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from understudy.config import ProcessConfig
from understudy.engine.halt import AFTER_LAP, AFTER_SECTION, NO, Halt
from understudy.engine.sections import Sections, timeout_of
from understudy.stats import KEPT_LAPS, Stats
from understudy.wire.page import DEADLINE, LAP_STEP, LAPS, NEVER, PLACE, Page, lap_of, place_of

_BATCH = 1024


class LapTimes:
    """The durations of laps: summed up a thousand at a time, for adding them one by one would cost as much as a lap."""

    def __init__(self) -> None:
        self.fresh: list[float] = []
        self.recent: deque[float] = deque(maxlen=KEPT_LAPS)
        self.count = 0
        self.total = 0.0
        self.fastest = NEVER
        self.slowest = 0.0

    def fold(self) -> None:
        """Take the fresh ones into the sums."""
        fresh = self.fresh
        if fresh:
            self.count += len(fresh)
            self.total += sum(fresh)
            self.fastest = min(self.fastest, min(fresh))  # noqa: PLW3301 - over a list
            self.slowest = max(self.slowest, max(fresh))  # noqa: PLW3301
            self.recent.extend(fresh)
            fresh.clear()

    @property
    def last(self) -> float | None:
        """The last complete lap, in seconds."""
        if self.fresh:
            return self.fresh[-1]
        return self.recent[-1] if self.recent else None

    def stats(self, started_at: float) -> Stats:
        """All of it, as of a life that began at that time of day."""
        self.fold()
        known = self.count > 0
        return Stats(
            started_at=started_at,
            laps=self.count,
            timed_laps=self.count,
            lap_seconds=self.total,
            fastest_lap=self.fastest if known else None,
            slowest_lap=self.slowest if known else None,
            recent=tuple(self.recent),
        )


def noting(hook: Callable[[], Any], name: str, spent: dict[str, float]) -> Callable[[], Any]:
    """The hook, which notes under its name how many seconds it took."""

    def noted() -> None:
        began = monotonic()
        hook()
        spent[name] = monotonic() - began

    return noted


def run(  # noqa: C901 - spelled out, for each call would be dear
    page: Page,
    halt: Halt,
    config: ProcessConfig,
    hooks: dict[str, Callable[[], Any] | None],
    times: LapTimes,
    after_lap: Callable[[int], None] | None,
    begun: Sequence[Callable[[], bool]],
    done: int,
) -> None:
    """Run laps, after so many, until there is a reason not to; raises what a hook raises, or an interruption.

    It ends, too, where settings have changed: the next ones are for who runs laps by these. As soon as ``begun`` has
    something to be done after each section, which tells whether a stop is to end the laps there, the lap under way is
    the last one; `run_between` does the others.

    Every name that a lap reads is a local, and laps are counted by their places in the page: each lookup that is saved
    is a tenth of what a lap may cost.
    """
    words, reals, clock, keep = page.words, page.reals, monotonic, times.fresh.append
    place_at, deadline_at, after_section = PLACE, DEADLINE, AFTER_SECTION
    preloop, loop, postloop = hooks["preloop"], hooks["loop"], hooks["postloop"]
    if loop is None:
        raise TypeError("there is no __loop__")  # hooks_of refused it in the caller
    timeouts = config.timeouts
    limits = (timeouts.preloop, timeouts.loop, timeouts.postloop)
    preloop_s, loop_s, postloop_s = (NEVER if seconds is None else seconds for seconds in limits)
    left = NEVER if config.num_loops is None else config.num_loops - done
    now = clock()
    while left > 0:
        batch = int(min(left, _BATCH))
        # `place` is that of the lap's first section, and the two others follow it.
        for place in range(place_of(done + 1, "preloop"), place_of(done + batch + 1, "preloop"), LAP_STEP):
            if halt.heed or begun:
                if begun or halt.hold() or halt.renewed:
                    page.words[LAPS] = lap_of(place) - 1  # not `words`: a copy that a hook forked has others by now
                    return
                now = clock()
            start = now
            if preloop is not None:
                reals[deadline_at] = now + preloop_s
                words[place_at] = place
                preloop()
                if (halt.heed and halt.hold() == after_section) or (begun and begun[0]()):
                    return
                now = clock()
            reals[deadline_at] = now + loop_s
            words[place_at] = place + 1
            loop()
            if postloop is not None:
                if (halt.heed and halt.hold() == after_section) or (begun and begun[0]()):
                    return
                now = clock()
                reals[deadline_at] = now + postloop_s
                words[place_at] = place + 2
                postloop()
            # With its last section done the lap is complete, whatever was wished meanwhile.
            now = clock()
            keep(now - start)
            if after_lap is not None:
                after_lap(lap_of(place))
                now = clock()
        done, left = done + batch, left - batch
        page.words[LAPS] = done
        times.fold()


def serve(
    sections: Sections,
    halt: Halt,
    config: ProcessConfig,
    hooks: dict[str, Callable[[], Any] | None],
    serve_on: Callable[[int], None],
) -> None:
    """One lap without a loop: messages until a stop stands; what is to be done before and after them, around it."""
    lap = 1
    sections.close(lap)
    preloop, postloop = hooks["preloop"], hooks["postloop"]
    if halt.hold():
        return
    if preloop is not None:
        sections.step("preloop", preloop, timeout_of(config.timeouts, "preloop"))
    if halt.hold() != AFTER_SECTION:
        serve_on(lap)
    if postloop is not None and halt.level == AFTER_LAP:
        sections.step("postloop", postloop, timeout_of(config.timeouts, "postloop"))


def run_between(
    sections: Sections,
    halt: Halt,
    config: ProcessConfig,
    hooks: dict[str, Callable[[], Any] | None],
    times: LapTimes,
    after_lap: Callable[[int], None] | None,
    serve_now: Callable[[int], object],
    lap: int = 0,
) -> None:
    """As `run`, from the lap after that one on; and before each section what is to be done there."""
    steps = [(name, hook) for name in ("preloop", "loop", "postloop") if (hook := hooks[name]) is not None]
    left = NEVER if config.num_loops is None else config.num_loops
    while lap < left:
        lap += 1
        sections.close(lap)
        serve_now(lap)
        if halt.hold() != NO or halt.renewed:
            sections.page.words[LAPS] = lap - 1
            return
        start = monotonic()
        for number, (name, hook) in enumerate(steps):
            if number:
                serve_now(lap)
            if halt.hold() == AFTER_SECTION:
                return
            sections.step(name, hook, timeout_of(config.timeouts, name))
        times.fresh.append(monotonic() - start)
        if len(times.fresh) >= _BATCH:
            times.fold()
        if after_lap is not None:
            after_lap(lap)
        sections.page.words[LAPS] = lap
