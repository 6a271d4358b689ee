"""`understudy kill`: end actors at once."""

from __future__ import annotations

from understudy.cli.choosing import remote
from understudy.cli.options import Json, Some, System
from understudy.cli.steering import tell


def kill(names: Some, system: System = None, json: Json = False) -> None:
    """Kill actors, with all that they started: SIGKILL, no hook runs, no life follows."""
    with remote(system) as far:
        words = far.kill(names)
    tell("kill", names, words, json=json)
