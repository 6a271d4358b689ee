"""`understudy kill`: end actors at once."""

from __future__ import annotations

from understudy.cli.following import Ends
from understudy.cli.options import ONLY, Json, Some, Timeout, Wait, check_wait
from understudy.cli.steering import ask, ask_and_wait
from understudy.cli.where import Where


def kill(names: Some, wait: Wait = False, timeout: Timeout = None, where: Where = ONLY, json: Json = False) -> None:
    """Kill actors, with all that they started: SIGKILL, no hook runs, no life follows."""
    seconds = check_wait(timeout, wait=wait)
    if wait:
        ask_and_wait("kill", names, lambda far: far.kill(names), Ends, seconds, where, json=json)
    else:
        ask("kill", names, lambda far: far.kill(names), where, json=json)
