"""Actors of the tests of health and figures, and what they start."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.stage import note
from understudy import Process

MIB = 1 << 20
HOLD = "import sys, time; held = bytearray({mib} << 20); open({path!r}, 'w').close(); time.sleep(600)"


class Idle(Process):
    """Sleeps until it is stopped."""

    def __loop__(self) -> None:
        self.sleep(600)


class Parent(Process):
    """Starts a program of a given size, and another one that gets away: a session of its own, and no parent."""

    def __init__(self, folder: str, mib: int) -> None:
        self.folder, self.mib = folder, mib
        self.config.sampling.interval = 0.05

    def __preloop__(self) -> None:
        if self.current_lap == 1:
            kept = HOLD.format(mib=self.mib, path=f"{self.folder}/kept")
            self.child = subprocess.Popen([sys.executable, "-c", kept])
            strayed = HOLD.format(mib=self.mib, path=f"{self.folder}/strayed")
            between = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {strayed!r}])"
            subprocess.run([sys.executable, "-c", between], check=True, start_new_session=True)

    def __loop__(self) -> None:
        self.sleep(600)


class Busy(Process):
    """Uses so many seconds of CPU, says so, and rests."""

    def __init__(self, seconds: float, path: str) -> None:
        self.seconds, self.path = seconds, path

    def __loop__(self) -> None:
        until = time.process_time() + self.seconds
        while time.process_time() < until:
            pass
        note(self.path, "done")
        self.sleep(600)
