"""`understudy stop`: ask actors to end in order."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.cli.choosing import chosen, lasting, remote
from understudy.cli.exits import FAILED, LATE, REFUSED, Failure
from understudy.cli.following import Ends, Halt, follow
from understudy.cli.options import Grace, Json, Some, System, Timeout, check_timeout
from understudy.cli.steering import tell
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote
from understudy.status import Status

_SHOWN = 5


def stop(
    names: Some,
    grace: Grace = None,
    drain: Annotated[bool, typer.Option("--drain", help="Handle the messages that have arrived first.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until they have ended; the exit code is 1 if one did not finish.")
    ] = False,
    timeout: Timeout = None,
    system: System = None,
    json: Json = False,
) -> None:
    """Ask actors to stop: the section under way ends, then __onfinish__ and __result__ run."""
    if timeout is not None and not wait:
        raise Failure(REFUSED, "--timeout is for --wait")
    if not wait:
        with remote(system) as far:
            words = far.stop(names, grace=grace, drain=drain)
        tell("stop", names, words, json=json)
        return
    seconds = check_timeout(timeout)
    place = chosen(system)
    with lasting(place), Observer(place.endpoint, kinds="state") as observer, Remote(place.endpoint) as far:
        ends = Ends(observer, far)
        words = far.stop(names, grace=grace, drain=drain)
        ends.expect(words)
        halt = follow(observer, ends.are_told, seconds, ends.note)
    tell("stop", names, words, ends.finals, json=json)
    if halt is Halt.LATE:
        raise Failure(LATE, f"{_listed(ends.missing())} did not end within {seconds:g} s")
    if halt is Halt.CLOSED:
        raise Failure(FAILED, f"the system closed before it told how {_listed(ends.missing())} ended")
    if unfinished := [name for name, status in ends.finals.items() if status is not Status.FINISHED]:
        raise Failure(FAILED, f"{_listed(unfinished)} did not finish")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
