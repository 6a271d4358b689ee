"""An actor that has nothing of OpenTelemetry unless somebody brings it along."""

from __future__ import annotations

import sys

from understudy import Process


class Apart(Process):
    """Tells what of it is there; asks others on behalf of who asks it."""

    def __init__(self, *, blocked: bool = False):
        self.blocked = blocked

    def __preloop__(self):
        if self.blocked:
            sys.modules["opentelemetry"] = None  # type: ignore[assignment]  # so Python is told that there is none

    def __receive__(self, message):
        if message == "modules":
            return [name for name in sys.modules if name.startswith("opentelemetry.")]
        ref, subject = message
        return ref.ask(subject, 30)
