"""Ctrl-C in a terminal: everything in the foreground gets it, one clean stop follows, a second press forces."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.stage import ROOT, descendants, gone, noted, notes, until

SCRIPT = """
import asyncio, os, sys, time
from tests.stage import hold, note
from understudy import ActorSystem, Process

os.close(os.open(os.ttyname(0), os.O_RDWR))  # becomes the terminal of this session
told, gate, how = sys.argv[1:]

class Careful(Process):
    def __init__(self):
        self.config.stop.command = 300

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(told, f"onfinish {self.name}")
        if "slow" in how:
            hold(gate)
        note(told, f"over {self.name}")

def begin(system):
    refs = [system.spawn(Careful, name=name) for name in ("a", "b", "c")]
    for ref in refs:
        ref.wait_ready(20)
    print("up", flush=True)
    return refs

async def main():
    async with ActorSystem() as system:
        await begin(system)[0].aio.wait()

if "asyncio" in how:
    asyncio.run(main())
elif "early" in how:
    system = ActorSystem()
    print("up", flush=True)
    while True:
        time.sleep(0.02)  # in short bits: a signal in the instant before a sleep does not end it
else:
    with ActorSystem() as system:
        ref = begin(system)[0]
        while not ref.done():
            time.sleep(0.02)
"""


class Terminal:
    """The other side of a program's terminal."""

    def __init__(self, side, process):
        self.side, self.process, self.text = side, process, ""

    def press(self):
        os.write(self.side, b"\x03")

    def read(self):
        """Whatever has been printed; at the end of the program the kernel says EIO."""
        while True:
            try:
                self.text += os.read(self.side, 4096).decode(errors="replace")
            except BlockingIOError:
                return self.text
            except OSError:
                return self.text

    def shows(self, word, seconds=20):
        until(lambda: word in self.read(), seconds, f"{word!r} in {self.text!r}")

    def end(self, seconds=30):
        until(lambda: self.read() is None or self.process.poll() is not None, seconds, "the end of the program")
        self.read()
        return self.process.returncode


@contextmanager
def terminal(tmp_path, how):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    side, other = pty.openpty()
    os.set_blocking(side, False)
    with subprocess.Popen(
        [sys.executable, str(path), str(tmp_path / "told"), str(tmp_path / "gate"), how],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        os.close(other)
        try:
            yield Terminal(side, process)
        finally:
            process.kill()
            os.close(side)


@pytest.mark.fault("F34")
@pytest.mark.parametrize("how", ["plain", "asyncio"])
def test_one_press_stops_every_actor_once_and_shows_one_interrupt(tmp_path, how):
    told = tmp_path / "told"
    with terminal(tmp_path, how) as screen:
        screen.shows("up")
        family = descendants(screen.process.pid)
        screen.press()
        assert screen.end() == -signal.SIGINT
        gone(*family)
    assert sorted(notes(told)) == sorted(f"{what} {name}" for what in ("onfinish", "over") for name in "abc")
    assert len(re.findall("^KeyboardInterrupt", screen.text, re.MULTILINE)) == 1, screen.text


@pytest.mark.fault("F34")
@pytest.mark.parametrize("how", ["slow", "slow asyncio"])
def test_a_second_press_ends_at_once_what_the_first_left_time_to(tmp_path, how):
    told = tmp_path / "told"
    with terminal(tmp_path, how) as screen:
        screen.shows("up")
        family = descendants(screen.process.pid)
        screen.press()
        assert sorted(noted(told, 3)) == ["onfinish a", "onfinish b", "onfinish c"]
        if how == "slow":
            screen.shows("waiting for a, b, c to stop, ")
            screen.shows("Ctrl-C again kills")
        screen.press()
        assert screen.end() == -signal.SIGINT  # by the ladder it is minutes to the first rung alone
        gone(*family)
    assert len(notes(told)) == 3


@pytest.mark.fault("F34")
def test_a_press_while_the_zygote_is_still_coming_up_does_not_reach_it(tmp_path):
    with terminal(tmp_path, "early") as screen:
        screen.shows("up")
        screen.press()
        assert screen.end() == -signal.SIGINT
    assert len(re.findall("^KeyboardInterrupt", screen.text, re.MULTILINE)) == 1, screen.text
    assert "nursery" not in screen.text
