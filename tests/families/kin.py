"""Who spawns, and who is spawned; in a module of its own, for actors import it in their processes."""

from __future__ import annotations

import os

from tests.stage import hold, note
from understudy import Process


class Boss(Process):
    """Does in its own process whatever it is told or asked to; what it returns is the answer."""

    def __init__(self, lives=1):
        self.config.lives = lives

    def __receive__(self, act):
        return act(self)


class Kid(Process):
    """Lives until it is stopped, and notes that it was; with a gate not before that is open."""

    def __init__(self, said=None, gate=None):
        self.said, self.gate = said, gate

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        if self.gate is not None:
            hold(self.gate)
        if self.said is not None:
            note(self.said, f"{self.name} went")


class Brief(Process):
    """Ends by itself as soon as its gate is open, in that way."""

    def __init__(self, gate, way):
        self.gate, self.way = gate, way

    def __loop__(self):
        hold(self.gate)
        if self.way == "crashes":
            raise ValueError("no luck")
        if self.way == "is killed from outside":
            os.kill(os.getpid(), 9)
        if self.way == "kills itself":
            self.kill()
        self.config.num_loops = 1


class Founder(Process):
    """Spawns a child of the same name in each of its lives, and ends a life when it is told to."""

    def __init__(self, said, gate=None):
        self.said, self.gate = said, gate
        self.config.lives = 3
        self.config.restart.backoff.base = 0

    def __preloop__(self):
        if self.current_lap == 1:
            self.kid = self.spawn(Kid, self.said, self.gate, name="kid")
            note(self.said, f"life {self.incarnation}: uid {self.kid.uid}")

    def __receive__(self, act):
        return act(self)
