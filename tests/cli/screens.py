"""The command line, behind pipes and on terminals of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stage import ROOT, until

COMMAND = Path(sys.executable).with_name("understudy")
ONTO_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))  # becomes the terminal of this session
os.execv(sys.argv[1], sys.argv[1:])
"""


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`understudy` with pipes for its streams, to its end."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(),
        timeout=40,
        check=False,
    )


class Screen:
    """The other side of a program's terminal."""

    def __init__(self, side: int, process: subprocess.Popen[bytes]) -> None:
        self.side, self.process, self.text = side, process, ""

    def type(self, text: str) -> None:
        os.write(self.side, text.encode())

    def read(self) -> str:
        """Whatever has been shown; at the end of the program the kernel says EIO."""
        while True:
            try:
                self.text += os.read(self.side, 4096).decode(errors="replace")
            except OSError:
                return self.text

    def shows(self, word: str, seconds: float = 30, times: int = 1) -> None:
        until(lambda: self.read().count(word) >= times, seconds, f"{word!r} in {self.text!r}")

    def hang_up(self) -> None:
        os.close(self.side)
        self.side = -1

    def end(self, seconds: float = 30) -> int:
        until(lambda: self.read() is None or self.process.poll() is not None, seconds, "the end of the program")
        self.read()
        return self.process.returncode


@contextmanager
def screen(*words: object, cwd: Path) -> Iterator[Screen]:
    """A command, or a program, that has a terminal; killed in the end if it still runs."""
    side, other = pty.openpty()
    os.set_blocking(side, False)
    with subprocess.Popen(
        [sys.executable, "-c", ONTO_TERMINAL, *map(str, words)],
        stdin=other,
        stdout=other,
        stderr=other,
        cwd=cwd,
        env=environment(),
        start_new_session=True,
    ) as process:
        os.close(other)
        shown = Screen(side, process)
        try:
            yield shown
        finally:
            process.kill()
            if shown.side >= 0:
                os.close(side)
