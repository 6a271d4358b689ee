"""What the tests of the command line share."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from understudy import ActorSystem
from understudy.cli.app import main


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one line of JSON."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)


ACTORS = '''
import os
import signal
from understudy import Process
from tests.stage import hold, note


class Counter(Process):
    """Counts its laps."""

    def __init__(self, upto=3, word="laps", gate=None):
        self.word, self.gate = word, gate
        self.config.num_loops = upto

    def __loop__(self):
        if self.gate:
            hold(self.gate)
        print("at work", flush=True)

    def __result__(self):
        return {"word": self.word, "laps": self.completed_laps, "kind": type(self.word).__name__}


class Fragile(Process):
    """Fails in its first life."""

    def __init__(self):
        self.config.lives = 2

    def __loop__(self):
        if self.incarnation == 1:
            raise ConnectionError("the line is dead")
        self.stop()

    def __result__(self):
        return f"done in life {self.incarnation}"


class Hopeless(Process):
    def __loop__(self):
        raise ConnectionError("the line is dead")


class Patient(Process):
    """Runs until it is told."""

    def __init__(self, told, gate=None):
        self.told, self.gate = told, gate
        self.config.stop.command = 300

    def __loop__(self):
        note(self.told, f"up {os.getpid()}")
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "onfinish")
        if self.gate:
            hold(self.gate)

    def __result__(self):
        return "in order"


class Debugged(Process):
    def __init__(self):
        self.config.num_loops = 2
        self.config.timeouts.loop = 0.5
        self.config.heartbeat.interval = 0.2
        self.config.heartbeat.kill = "always"

    def __loop__(self):
        self.x = 41
        if self.current_lap == 2:
            breakpoint()
            self.x += 1

    def __result__(self):
        return f"x is {self.x}"


class Opaque(Process):
    def __loop__(self):
        self.stop()

    def __result__(self):
        return {1, 2}


class Sour(Process):
    def __init__(self):
        raise LookupError("no such folder")

    def __loop__(self):
        pass


def add(a, b=2):
    return a + b


def flood():
    for number in range(100_000):
        print(number, flush=True)
'''


@pytest.fixture
def actors(tmp_path: Path) -> Path:
    """A directory with a module of actors, `actors`."""
    (tmp_path / "actors.py").write_text(ACTORS)
    return tmp_path


@pytest.fixture
def apart(monkeypatch):
    """A runtime directory in which no systems but the test's run; short, for a socket's path is."""
    with tempfile.TemporaryDirectory(prefix="u", dir="/tmp") as place:
        monkeypatch.setenv("XDG_RUNTIME_DIR", place)
        yield Path(place)


@pytest.fixture
def theatre(apart):
    """A system of that name, the only one there."""
    with ActorSystem("theatre") as system:
        yield system
        system.shutdown(force=True)


@pytest.fixture
def say(capsys):
    """The command line in this process: exit code, standard output, standard error."""

    def run(*words: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        assert isinstance(ended.value.code, int)
        told = capsys.readouterr()
        return Said(ended.value.code, told.out, told.err)

    return run
