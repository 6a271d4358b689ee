"""`understudy restart`: begin anew from the original state."""

from __future__ import annotations

from understudy.cli.choosing import remote
from understudy.cli.options import Grace, Json, Some, System
from understudy.cli.steering import tell


def restart(names: Some, grace: Grace = None, system: System = None, json: Json = False) -> None:
    """Stop actors and begin anew from their original state, with all their lives; an ended one is spawned anew."""
    with remote(system) as far:
        words = far.restart(names, grace=grace)
    tell("restart", names, words, json=json)
