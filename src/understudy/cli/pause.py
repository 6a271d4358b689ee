"""`understudy pause`: let actors stand still."""

from __future__ import annotations

from understudy.cli.options import ONLY, Json, Some
from understudy.cli.steering import ask
from understudy.cli.where import Where


def pause(names: Some, where: Where = ONLY, json: Json = False) -> None:
    """Let actors stand still at their next check, between sections, laps and messages, until they are resumed."""
    ask("pause", names, lambda far: far.pause(names), where, json=json)
