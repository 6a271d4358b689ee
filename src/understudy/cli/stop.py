"""`understudy stop`: ask actors to end in order."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.cli.exits import FAILED, Failure
from understudy.cli.following import Ends
from understudy.cli.options import ONLY, Grace, Json, Some, Timeout, Wait, check_wait
from understudy.cli.steering import ask, ask_and_wait, listed
from understudy.cli.where import Where
from understudy.observe.remote import Remote
from understudy.status import Status


def stop(
    names: Some,
    grace: Grace = None,
    drain: Annotated[bool, typer.Option("--drain", help="Handle the messages that have arrived first.")] = False,
    wait: Wait = False,
    timeout: Timeout = None,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Ask actors to stop: the section under way ends, then __onfinish__ and __result__ run.

    With --wait the exit code is 1 if one did not finish.
    """
    seconds = check_wait(timeout, wait=wait)

    def give(far: Remote) -> dict[str, str]:
        return far.stop(names, grace=grace, drain=drain)

    if not wait:
        ask("stop", names, give, where, json=json)
        return
    finals = ask_and_wait("stop", names, give, Ends, seconds, where, json=json)
    if unfinished := [name for name, status in finals.items() if status is not Status.FINISHED]:
        raise Failure(FAILED, f"{listed(unfinished)} did not finish")
