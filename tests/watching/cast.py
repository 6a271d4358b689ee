"""Who watches, and who ends; in a module of its own, for actors import it in their processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from tests.stage import hold, note
from understudy import Process


class Watcher(Process):
    """Does what it is asked to, and notes the ends that it is told; between two gates, if these are given."""

    def __init__(self, said, lives=1, gates=None, **mailbox):
        self.said, self.gates = said, gates
        self.config.lives = lives
        self.config.restart.backoff.base = 0
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __receive__(self, act):
        return act(self) if callable(act) else note(self.said, act)

    def __terminated__(self, info):
        if self.gates is not None and not os.path.exists(self.gates):
            note(self.said, f"life {self.incarnation} begins")
            hold(self.gates)
        note(self.said, f"{info.name} {info.status} {info.exit_code}")


class Together(Watcher):
    """The same, with several in hand."""

    async def __receive__(self, act):
        return super().__receive__(act)

    async def __terminated__(self, info):
        note(self.said, f"begins with {info.name}")
        await asyncio.to_thread(hold, self.gates)
        note(self.said, f"{info.name} {info.status} {info.exit_code}")


class Only(Process):
    """Watches, and does nothing else."""

    def __init__(self, said, refs):
        self.said, self.refs = said, refs

    def __preloop__(self):
        self.watch(self.refs)

    def __terminated__(self, info):
        note(self.said, f"{info.name} {info.status} {info.exit_code}")
        if len(self.refs) == 1:
            self.stop()


class Laps(Process):
    """Watches from its laps; its hooks take its messages themselves, where they are to."""

    def __init__(self, said, ref, way):
        self.said, self.ref, self.waits = said, ref, way == "waits"

    def __preloop__(self):
        if self.current_lap == 1:
            self.watch(self.ref)

    def __loop__(self):
        if self.waits:
            note(self.said, f"got {self.receive()}")
        else:
            note(self.said, "lap")
            time.sleep(0.02)

    def __terminated__(self, info):
        note(self.said, f"{info.name} {info.status} {info.exit_code}")


class Heedless(Process):
    """Has no hook for ends."""

    def __receive__(self, act):
        return act(self)


class Mortal(Process):
    """Ends as it is told to; says something before, if it is given whom to."""

    def __init__(self, lives=1, to=None):
        self.to = to
        self.config.lives = lives
        self.config.restart.backoff.base = 0

    def __receive__(self, way):
        match way:
            case "finishes":
                self.stop()
            case "crashes":
                raise ValueError("no luck")
            case "exits":
                os._exit(7)
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kills itself":
                self.kill()
            case ["says", count]:
                for number in range(count):
                    self.to.tell(f"word {number}")
                self.stop()
