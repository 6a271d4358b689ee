"""Lives and death reports: what `history()` tells, and what hangs on a crash."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

from understudy.lifecycle.actor import Actor
from understudy.spawners.base import Gone
from understudy.status import Crash, DeathReport, Life, Usage
from understudy.wire.page import Page

KEPT_LIVES = 1000
_EVENTS = 12


@dataclass(slots=True)
class Record:
    """What is remembered of one actor besides its place in the registry."""

    page: Page | None = None
    lives: deque[Life] = field(default_factory=lambda: deque(maxlen=KEPT_LIVES))
    current: Life | None = None
    usage: Usage | None = None
    report: DeathReport | None = None
    measures: dict[str, object] = field(default_factory=dict)
    progress: float | None = None
    note: str | None = None
    started_at: float = field(default_factory=time.time)
    lingering: tuple[str, ...] = ()
    laps: int = 0
    """How many laps the last process completed that has ended."""

    def begin(self, incarnation: int, page: Page) -> None:
        """A process was asked for."""
        self.page = page
        self.usage = None
        self.lingering = ()
        self.progress = self.note = None
        self.current = Life(incarnation, None, time.time())

    def born(self, pid: int) -> None:
        """It exists."""
        if self.current is not None:
            self.current = replace(self.current, pid=pid)

    def gone(self, news: Gone) -> None:
        """Its process ended."""
        self.usage = news.usage
        if self.current is not None:
            self.current = replace(self.current, exit_code=news.exit_code, signal=news.signal)

    def bury(
        self, actor: Actor, incarnation: int, cause: str, crash: Crash | None, steps: list[str]
    ) -> DeathReport | None:
        """One incarnation has ended: its life, and its report if it failed."""
        life = self.current or Life(incarnation, None, time.time())
        ended_at = time.time()
        section, lap = (crash.section, crash.lap) if crash is not None else ("", 0)
        if self.page is not None and not lap:
            lap = self.page.place[1]
        report = None
        if crash is not None:
            report = DeathReport(
                name=actor.name,
                uid=actor.uid,
                incarnation=incarnation,
                cause=cause,
                exit_code=crash.exit_code,
                signal=crash.signal,
                section=section,
                lap=lap,
                runtime=max(0.0, ended_at - life.started_at),
                usage=self.usage,
                stderr=() if self.page is None else self.page.stderr(),
                stacks="\n".join(filter(None, (crash.traceback, "" if self.page is None else self.page.fault()))),
                events=tuple(steps[-_EVENTS:]),
            )
        done = replace(
            life,
            ended_at=ended_at,
            cause=cause,
            section=section,
            lap=lap,
            report=report,
        )
        self.lives.append(done)
        self.laps = 0 if self.page is None else self.page.laps
        self.current, self.page = None, None
        self.report = report or self.report
        return report

    def history(self) -> list[Life]:
        """All lives that are kept, the current one last."""
        return [*self.lives, *([self.current] if self.current is not None else [])]
