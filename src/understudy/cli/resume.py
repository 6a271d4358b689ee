"""`understudy resume`: let paused actors go on."""

from __future__ import annotations

from understudy.cli.options import Json, Some, System
from understudy.cli.steering import ask


def resume(names: Some, system: System = None, json: Json = False) -> None:
    """Let paused actors go on, however often they were paused."""
    ask("resume", names, lambda far: far.resume(names), system, json=json)
