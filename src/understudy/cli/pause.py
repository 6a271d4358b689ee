"""`understudy pause`: let actors stand still."""

from __future__ import annotations

from understudy.cli.options import Json, Some, System
from understudy.cli.steering import ask


def pause(names: Some, system: System = None, json: Json = False) -> None:
    """Let actors stand still at their next check, between sections, laps and messages, until they are resumed."""
    ask("pause", names, lambda far: far.pause(names), system, json=json)
