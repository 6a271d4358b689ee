"""An actor that has nothing of OpenTelemetry unless somebody brings it along."""

from __future__ import annotations

import importlib.abc
import sys
import time

from understudy import Process


class Slow(importlib.abc.MetaPathFinder):
    """Holds the import of OpenTelemetry up for longer than a handler of these has."""

    def find_spec(self, fullname, path, target=None):
        if fullname == "opentelemetry":
            time.sleep(1.5)


class Apart(Process):
    """Tells what of it is there; asks others on behalf of who asks it."""

    def __init__(self, way: str = "as it is"):
        self.way = way
        if way == "slow":
            self.config.timeouts.receive = 1.0

    def __preloop__(self):
        if self.way == "blocked":
            sys.modules["opentelemetry"] = None  # type: ignore[assignment]  # so Python is told that there is none
        elif self.way == "slow":
            sys.meta_path.insert(0, Slow())

    def __receive__(self, message):
        if message == "modules":
            return [name for name in sys.modules if name.startswith("opentelemetry.")]
        ref, subject = message
        return ref.ask(subject, 30)
