"""Lives and death reports: what `history()` tells, and what hangs on a crash."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from understudy.lifecycle.actor import Actor
from understudy.spawners.base import Gone
from understudy.spawners.figures import Figures
from understudy.spawners.oom import Witness
from understudy.stats import LONGEST_TEXT, ErrorEvent, Stats
from understudy.status import WAS_KILLED, Crash, DeathReport, Life, Usage
from understudy.wire.page import Page

KEPT_LIVES = 1000
_EVENTS = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one process and its family, and when, by the monotonic clock."""

    at: float
    incarnation: int
    pid: int
    figures: Figures
    cpu_percent: float | None
    cpu_seconds: float | None = None
    """Of that life, as far as it was seen: it never falls, though who ends takes along what it had used."""


@dataclass(slots=True)
class Record:
    """What is remembered of one actor besides its place in the registry."""

    page: Page | None = None
    lives: deque[Life] = field(default_factory=lambda: deque(maxlen=KEPT_LIVES))
    current: Life | None = None
    usage: Usage | None = None
    witness: Witness | None = None
    """Of OOM kills where the current process lives."""
    report: DeathReport | None = None
    timers: dict[str, object] | None = None
    """What the last process that told them measured."""
    past: tuple[int, Stats] = (0, Stats())
    """The last life that has ended, and the figures of all that have: one value, for other threads read it."""
    begun: bytes = b""
    """How far the mailbox of the last life that ended was with each sender."""
    told: Stats | None = None
    """What the current process told of its laps."""
    restarted: bool = False
    """Whether the current life took over from another."""
    sample: Sample | None = None
    """The latest figures of its processes."""
    sampling: threading.RLock = field(default_factory=threading.RLock)
    """One thread samples, and others that ask for the same actor wait; reentrant for signal handlers."""
    progress: float | None = None
    note: str | None = None
    started_at: float = field(default_factory=time.time)
    stacks: str = ""
    """What was told of the stacks of the current process before it was ended."""
    last_lines: tuple[str, ...] | None = None
    """The last ones of the current process in its own stderr file, read when it has ended."""
    reading: bool = False
    """Whether they are being read."""
    lingering: tuple[str, ...] = ()
    laps: int = 0
    """How many laps the last process completed that has ended."""

    def begin(self, incarnation: int, page: Page, *, rites: bool) -> None:
        """A process was asked for, to live or to hold last ``rites``."""
        self.page = page
        page.restore_ledger(self.begun)
        self.told = None
        self.restarted = incarnation > 1 and not rites
        self.usage = self.witness = None
        self.lingering = ()
        self.stacks = ""
        self.last_lines, self.reading = None, False
        self.progress = self.note = None
        self.current = Life(incarnation, None, time.time())

    def born(self, pid: int) -> None:
        """It exists."""
        self.witness = Witness(pid)
        if self.current is not None:
            self.current = replace(self.current, pid=pid)

    def gone(self, news: Gone) -> None:
        """Its process ended."""
        self.usage = news.usage
        if self.page is not None:
            self.begun = self.page.copied_ledger()
        if self.current is not None:
            self.current = replace(self.current, exit_code=news.exit_code, signal=news.signal)

    def starved(self) -> bool:
        """Whether the kernel killed for lack of memory where its process lived."""
        return self.witness is not None and self.witness.saw()

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
                stderr=self._stderr() if self.last_lines is None else self.last_lines,
                lost=0 if self.page is None else self.page.in_hand,
                stacks="\n".join(filter(None, (crash.traceback, self.stacks or self._fault()))),
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
        figures = replace(self._figures(life, self.page), ended_at=ended_at)
        self.past = incarnation, self.past[1] + replace(figures, **_failure(actor, incarnation, ended_at, crash))
        self.laps = 0 if self.page is None else self.page.laps
        self.current, self.page = None, None
        self.report = report or self.report
        return report

    def _stderr(self) -> tuple[str, ...]:
        return () if self.page is None else self.page.stderr()

    def _fault(self) -> str:
        return "" if self.page is None else self.page.fault()

    def sample_of(self, actor: Actor) -> Sample | None:
        """The latest figures, if they are of the process that the actor has now."""
        sample = self.sample
        same = sample is not None and (sample.incarnation, sample.pid) == (actor.incarnation, actor.pid)
        return sample if same else None

    def stats(self) -> Stats:
        """The figures of all lives, the current one among them."""
        page, current = self.page, self.current  # before what they end up in
        buried, past = self.past
        return past if current is None or buried >= current.incarnation else past + self._figures(current, page)

    def _figures(self, life: Life, page: Page | None) -> Stats:
        """Of one life: what it told, and its laps as its page has them, which it may not have lived to tell."""
        laps = 0 if page is None else page.laps
        return replace(self.told or Stats(), started_at=life.started_at, laps=laps, restarts=int(self.restarted))

    def history(self) -> list[Life]:
        """All lives that are kept, the current one last."""
        return [*self.lives, *([self.current] if self.current is not None else [])]


def _failure(actor: Actor, incarnation: int, at: float, crash: Crash | None) -> dict[str, Any]:
    """What a crash adds to the figures of its life; a kill that was asked for is none."""
    if crash is None or crash.text == WAS_KILLED:
        return {}
    text = crash.headline(actor.name)[:LONGEST_TEXT]
    event = ErrorEvent(at, incarnation, crash.kind, crash.section, crash.lap, text)
    return {"errors": 1, "timeouts": int(crash.kind in {"timeout", "startup"}), "error_events": (event,)}
