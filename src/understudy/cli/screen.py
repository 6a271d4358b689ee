"""The live line of a terminal, below whatever the actor prints, and out of a debugger's way.

What actors write goes through a terminal of ours to the one in front of the user, so that the line can be taken away
before and drawn anew behind it. While a debugger holds the user's terminal nothing is drawn.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import sys
import termios
import threading
import tty
from collections import deque
from time import monotonic
from typing import Any

from rich.console import Console
from rich.text import Text

from understudy.cli.styles import STATUS
from understudy.ref import ActorRef
from understudy.status import ActorInfo
from understudy.terminal import Terminal

_TICK = 0.1
_WINDOW = 1.0
_DRAIN = 1.0
_CLEAR = b"\r\x1b[2K"


def wanted() -> bool:
    """Whether there is a terminal that can show a live line."""
    console = Console()
    return os.isatty(1) and console.is_terminal and not console.is_dumb_terminal


class Screen:
    """From `open` to `close` standard output, and standard error where it is a terminal too, pass through here."""

    def __init__(self, lock: Terminal | None) -> None:
        self._saved: dict[int, int] = {}
        self._master = -1
        self._bell = (-1, -1)
        self._lock = lock
        self.debugged = False
        """Whether somebody sat at a debugger's prompt a moment ago."""
        self._thread = threading.Thread(target=self._relay, name="understudy-screen", daemon=True)
        self._pace = Pace()
        self._ref: ActorRef[Any] | None = None
        self._drawn = False
        self._line_is_free = True
        self._size: tuple[int, int] | None = None

    def open(self) -> None:
        """Before there is a system: its zygote inherits what the standard streams are then."""
        _flush()
        self._master, inner = pty.openpty()
        tty.setraw(inner)
        self._bell = os.pipe()
        for fd in (1, 2):
            if os.isatty(fd):
                self._saved[fd] = os.dup(fd)
                os.dup2(inner, fd)
        os.close(inner)
        self._out = self._saved[1]
        self._console = Console(file=open(os.dup(self._out), "w", encoding="utf-8"))  # noqa: SIM115 - closed in close
        self._thread.start()

    def follow(self, ref: ActorRef[Any]) -> None:
        """Show that actor."""
        self._ref = ref

    def close(self) -> None:
        """Show what is left of the output, take the line away, give the standard streams back."""
        _flush()
        for fd, saved in self._saved.items():
            os.dup2(saved, fd)
        os.write(self._bell[1], b"c")
        self._thread.join()
        for fd in (*self._saved.values(), self._master, *self._bell):
            os.close(fd)
        self._console.file.close()

    # --- in the thread

    def _relay(self) -> None:
        end: float | None = None
        while end is None or monotonic() < end:
            watched = [self._master] if end is not None else [self._bell[0], self._master]
            readable, _, _ = select.select(watched, [], [], _TICK)
            if self._bell[0] in readable:
                end = monotonic() + _DRAIN
            elif self._master in readable:
                try:
                    self._show(os.read(self._master, 65536))
                except OSError:  # EIO: nobody has the other side any more, and all is read
                    break
            else:
                self._draw()
        self._show(b"")

    def _show(self, data: bytes) -> None:
        clear = _CLEAR if self._drawn and self._has_turn() else b""
        if clear or data:
            _write_all(self._out, clear + data)
        self._drawn = False
        if data:
            self._line_is_free = data.endswith((b"\n", b"\r"))
        self._end_turn()

    def _draw(self) -> None:
        self._keep_size()
        self.debugged = not self._has_turn()
        if self.debugged:
            self._drawn, self._line_is_free = False, True  # as whoever types leaves it
            return
        if self._ref is None or not self._line_is_free:
            self._end_turn()
            return
        text = line(self._ref.info(), self._pace)
        text.truncate(max(1, self._console.width - 1), overflow="ellipsis")
        with self._console.capture() as drawn:
            self._console.print(text, end="")
        _write_all(self._out, _CLEAR + drawn.get().encode())
        self._drawn = True
        self._end_turn()

    def _has_turn(self) -> bool:
        return self._lock is None or self._lock.try_hold()

    def _end_turn(self) -> None:
        if self._lock is not None:
            self._lock.let_go()

    def _keep_size(self) -> None:
        """The actor's terminal is as large as the user's."""
        try:
            size = termios.tcgetwinsize(self._out)
        except termios.error:  # it hung up: the main thread gets SIGHUP
            return
        if size != self._size:
            self._size = size
            termios.tcsetwinsize(self._master, size)


class Pace:
    """Laps a second, over about the last second."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._incarnation = 0

    def at(self, now: float, incarnation: int, laps: int) -> float | None:
        """With the figures of this moment; None while there is nothing to compare them with."""
        if incarnation != self._incarnation:
            self._incarnation = incarnation
            self._seen.clear()
        self._seen.append((now, laps))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:  # noqa: PLR2004 - two make a difference
            self._seen.popleft()
        then, before = self._seen[0]
        return (laps - before) / (now - then) if now > then else None


def line(info: ActorInfo, pace: Pace) -> Text:
    """One actor in one line."""
    rate = pace.at(monotonic(), info.incarnation, info.completed_laps)
    parts = [f"lap {info.lap:,}"]
    if rate is not None:
        parts.append(f"{rate:,.0f} laps/s" if rate >= 10 else f"{rate:.1f} laps/s")  # noqa: PLR2004 - a digit less
    if info.memory_mb is not None:
        parts.append(f"{info.memory_mb:,.1f} MiB")
    parts.append(f"life {info.incarnation}, {info.lives_left} left")
    if info.progress is not None:
        parts.append(f"{info.progress:.0f} %")
    if info.note:
        parts.append(info.note.splitlines()[0])
    if info.next_restart is not None:
        parts.append(f"next in {info.next_restart:.1f} s")
    if info.paused:
        parts.append("paused")
    if info.restart_held is not None:
        parts.append(info.restart_held)
    text = Text(no_wrap=True)
    text.append(info.name, style="bold").append(" ").append(str(info.status), style=STATUS.get(info.status, "bold"))
    return text.append("  " + "  ".join(parts))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except OSError:  # the terminal is gone: SIGHUP says so to the main thread
            return


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # nobody reads any more
            stream.flush()
