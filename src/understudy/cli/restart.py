"""`understudy restart`: begin anew from the original state."""

from __future__ import annotations

from understudy.cli.exits import FAILED, Failure
from understudy.cli.following import Begins
from understudy.cli.options import ONLY, Grace, Json, Some, Timeout, Wait, check_wait
from understudy.cli.steering import ask, ask_and_wait, listed
from understudy.cli.where import Where
from understudy.status import Status


def restart(
    names: Some,
    grace: Grace = None,
    wait: Wait = False,
    timeout: Timeout = None,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Stop actors and begin anew from their original state, with all their lives; an ended one is spawned anew.

    With --wait the exit code is 1 if one does not run again.
    """
    seconds = check_wait(timeout, wait=wait)
    if not wait:
        ask("restart", names, lambda far: far.restart(names, grace=grace), where, json=json)
        return
    finals = ask_and_wait(
        "restart", names, lambda far: far.restart(names, grace=grace), Begins, seconds, where, json=json
    )
    if ended := [name for name, status in finals.items() if status is not Status.RUNNING]:
        raise Failure(FAILED, f"{listed(ended)} did not run again")
