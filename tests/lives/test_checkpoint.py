"""`self.checkpoint()`: the state that a later life begins from, when it is safe, and what is refused."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from tests.stage import note, noted, notes, until
from understudy import Process, SerializationError, StartError, Status, TooLarge, WrongProcess

pytestmark = pytest.mark.requirement("A8")

LONG = 30


class Counts(Process):
    """Counts over lives; dies without a word at five."""

    def __init__(self, revive="checkpoint", lives=2, ballast=0):
        self.n, self.ballast = 0, bytes(ballast)
        self.config.lives = lives
        self.config.restart.revive = revive

    def __loop__(self):
        self.n += 1
        if self.n % 2 == 0:
            self.checkpoint()
        if self.n == 4 and self.incarnation == 1 and self.ballast:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.n == 5 and self.incarnation == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.n == 8:
            self.stop()

    def __result__(self):
        return self.n, self.completed_laps, self.incarnation


@pytest.mark.parametrize(("revive", "laps"), [("checkpoint", 4), ("original", 8)])
def test_the_next_life_begins_from_it_where_that_is_configured(system, host, revive, laps):
    assert system.spawn(Counts, revive, host=host).result(LONG) == (8, laps, 2)


def test_it_is_safe_when_the_call_returns_however_large_it_is(system):
    assert system.spawn(Counts, ballast=24 << 20).result(LONG) == (8, 4, 2)


class Waits(Process):
    def __init__(self, told):
        self.told, self.word = told, "original"
        self.config.restart.revive = "checkpoint"

    def __preloop__(self):
        note(self.told, f"{self.word} {self.config.timeouts.loop:g}")

    def __loop__(self):
        self.word = "checkpoint"
        self.checkpoint()
        note(self.told, "kept")
        self.sleep(600)

    def __onfinish__(self):
        self.word = "at the end"
        self.checkpoint()

    def __result__(self):
        return self.word


def test_a_restart_revives_it_and_one_of_the_ended_begins_from_the_original(system, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Waits, told, name="waits")
    until(lambda: notes(told) == ["original 300", "kept"], LONG)
    ref.configure({"timeouts.loop": 7})
    ref.restart()
    until(lambda: len(notes(told)) == 4, LONG)
    assert notes(told)[2:] == ["at the end 7", "kept"]
    ref.stop()
    assert ref.result(LONG) == "at the end"
    ref.restart()
    until(lambda: len(notes(told)) == 6, LONG)
    assert notes(told)[4:] == ["original 7", "kept"]


class Rites(Process):
    def __init__(self):
        self.word = "original"
        self.config.restart.revive = "checkpoint"

    def __loop__(self):
        self.word = "checkpoint"
        self.checkpoint()
        os.kill(os.getpid(), signal.SIGKILL)

    def __error__(self):
        return self.word


def test_last_rites_have_the_original(system):
    assert system.spawn(Rites).result(LONG) == "original"


class Refused(Process):
    def __init__(self, told):
        self.told, self.word = told, "original"
        self.held: Any = None
        self.config.lives = 2
        self.config.restart.revive = "checkpoint"
        self.config.limits.checkpoint = 1 << 20

    def __loop__(self):
        if self.incarnation == 2:
            self.stop()
            return
        self.word = "kept"
        self.checkpoint()
        self.word = "not kept"
        self.held = {"gate": (n for n in range(3))}
        self.tries(SerializationError)
        self.held = bytes(2 << 20)
        self.tries(TooLarge)
        self.held = None
        thread = threading.Thread(target=self.tries, args=(WrongProcess,))
        thread.start()
        thread.join()
        os._exit(3)

    def tries(self, kind):
        try:
            self.checkpoint()
        except kind as error:
            note(self.told, str(error).splitlines()[0])

    def __result__(self):
        return self.word


def test_what_cannot_be_kept_is_refused_in_the_hook_and_the_last_one_stands(system, tmp_path):
    told = tmp_path / "told"
    assert system.spawn(Refused, told).result(LONG) == "kept"
    noted(told)
    first, second, third = notes(told)
    assert "self.held['gate']" in first
    assert "limits.checkpoint allows 1048576" in second
    assert "is for the hooks" in third


def test_outside_hooks_there_is_nothing_to_keep():
    with pytest.raises(WrongProcess):
        Counts().checkpoint()


class Stuck(Process):
    """What it keeps does not open."""

    def __init__(self):
        self.config.lives = 3
        self.config.restart.revive = "checkpoint"
        self.opens = True

    def __setstate__(self, state):
        self.__dict__.update(state)
        if not self.opens:
            raise LookupError("it does not open")

    def __loop__(self):
        self.opens = False
        self.checkpoint()
        os._exit(3)


def test_one_that_does_not_open_ends_its_actor_as_an_original_does(system):
    ref = system.spawn(Stuck)
    assert ref.wait(LONG) is Status.CRASHED
    assert "it does not open" in str(ref.exception())
    assert isinstance(ref.exception(), StartError)
