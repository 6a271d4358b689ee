"""`understudy stop`: ask actors to end in order."""

from __future__ import annotations

from understudy.cli.exits import FAILED, Failure
from understudy.cli.following import Ends
from understudy.cli.options import Grace, Json, Some, System, Timeout, Wait, check_wait
from understudy.cli.steering import ask, ask_and_wait, listed
from understudy.status import Status


def stop(
    names: Some,
    grace: Grace = None,
    wait: Wait = False,
    timeout: Timeout = None,
    system: System = None,
    json: Json = False,
) -> None:
    """Ask actors to stop: the section under way ends, then __onfinish__ and __result__ run.

    With --wait the exit code is 1 if one did not finish.
    """
    seconds = check_wait(timeout, wait=wait)
    if not wait:
        ask("stop", names, lambda far: far.stop(names, grace=grace), system, json=json)
        return
    finals = ask_and_wait("stop", names, lambda far: far.stop(names, grace=grace), Ends, seconds, system, json=json)
    if unfinished := [name for name, status in finals.items() if status is not Status.FINISHED]:
        raise Failure(FAILED, f"{listed(unfinished)} did not finish")
