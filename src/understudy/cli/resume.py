"""`understudy resume`: let paused actors go on."""

from __future__ import annotations

from understudy.cli.options import ONLY, Json, Some
from understudy.cli.steering import ask
from understudy.cli.where import Where


def resume(names: Some, where: Where = ONLY, json: Json = False) -> None:
    """Let paused actors go on, however often they were paused."""
    ask("resume", names, lambda far: far.resume(names), where, json=json)
