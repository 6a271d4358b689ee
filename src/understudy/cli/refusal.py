"""What cannot be run, and why."""

from __future__ import annotations

import traceback
from types import TracebackType


class Refusal(Exception):
    """Nothing was run. The text is one line; ``details`` are the user's own traceback, where there is one."""

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        self.details = details


def of_users_code(what: str, error: BaseException) -> Refusal:
    """For an error that the user's own code raised, with the traceback from that code on."""
    trace = _behind(error.__traceback__)
    return Refusal(
        f"{what}: {type(error).__name__}: {error}",
        "" if trace is None else "".join(traceback.format_exception(type(error), error, trace)),
    )


def _behind(trace: TracebackType | None) -> TracebackType | None:
    """Without our frames and those of the import system."""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] not in {"understudy", "importlib"}:
            return trace
        trace = trace.tb_next
    return None
