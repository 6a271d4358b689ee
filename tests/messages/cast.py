"""Actors that several of these tests send messages to."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.stage import hold, note
from understudy import Process


class Recorder(Process):
    """Keeps what it is told; waits in a handler where it is asked to, until a gate opens."""

    def __init__(self, **options):
        self.kept: list[Any] = []
        for path, value in options.items():
            group, _, name = path.rpartition("__")
            setattr(getattr(self.config, group) if group else self.config, name, value)

    def __receive__(self, message):
        match message:
            case "kept":
                return self.kept
            case "count":
                return len(self.kept)
            case "self":
                return [os.getpid(), self.incarnation, self.name]
            case ["hold", started, gate]:
                note(started, os.getpid())
                hold(gate)
                self.kept.append("hold")
            case ["slow", _]:
                time.sleep(0.02)
                self.kept.append(message)
            case ["die", way]:
                die(way)
            case ["raise", text]:
                raise ValueError(text)
            case _:
                self.kept.append(message)
        return message


def die(way: str) -> None:
    """End this process, or get it to raise, as it says."""
    match way:
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "os._exit":
            os._exit(7)
        case "SystemExit":
            raise SystemExit(3)
        case "crash":
            raise ValueError("crashed on purpose")
    time.sleep(60)


class Asks(Process):
    """Asks others on behalf of who asks it: ``(ref, message, timeout)``."""

    def __receive__(self, message):
        ref, subject, timeout = message
        return ref.ask(subject, timeout)
