"""Members of groups; in a module of its own, for actors import it in their processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.stage import alive, hold, note
from understudy import Process


class Member(Process):
    """Notes when its life begins, before it is READY, and when it ends.

    With a gate its first life ends when that is open, and not before.
    """

    def __init__(self, who, said, gate=None, lives=1):
        self.who, self.said, self.gate = who, Path(said), gate
        self.config.lives = lives
        self.config.heartbeat.interval = 0.2
        self.config.restart.backoff.base = 0

    def __setstate__(self, state):
        self.__dict__.update(state)
        note(self.said, f"{self.who} begins")
        self.said.with_name(f"pid-{self.who}").write_text(str(os.getpid()))

    def __onfinish__(self):
        note(self.said, f"{self.who} ends{self.with_others()}")
        if self.gate is not None and self.incarnation == 1:
            hold(self.gate)

    def __result__(self):
        return self.incarnation

    def with_others(self):
        """Who of those behind it in the alphabet still has a process."""
        others = sorted(self.said.parent.glob("pid-*"))
        living = [path.name[-1] for path in others if path.name[-1] > self.who and alive(int(path.read_text() or 0))]
        return f" before {''.join(living)}" if living else ""


class Player(Member):
    """Does whatever it is told."""

    def __receive__(self, act):
        return act(self)


class Runner(Member):
    """Does one lap, which ends when its life's turn has come."""

    def __init__(self, who, said):
        super().__init__(who, said)
        self.config.num_loops = 1

    def __loop__(self):
        hold(self.said.with_name(f"turn-{self.incarnation}"))


class Deaf(Member):
    """Hears no stop."""

    def __preloop__(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def __loop__(self):
        while True:
            try:
                signal.pause()
            except BaseException as error:
                note(self.said, type(error).__name__)


def exits(_):
    os._exit(3)


def raises(_):
    raise ValueError("no luck")


def raises_at_the_gate(self):
    hold(self.said.with_name("gate"))
    raise ValueError("no luck")


def kills_itself(_):
    os.kill(os.getpid(), signal.SIGKILL)


def freezes(_):
    os.kill(os.getpid(), signal.SIGSTOP)


def finishes(self):
    self.stop()
