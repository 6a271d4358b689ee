"""`understudy shutdown`: close a system."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.cli.choosing import chosen, lasting, patience
from understudy.cli.exits import LATE, Failure
from understudy.cli.following import Halt, deadline_of, follow
from understudy.cli.options import ONLY, Json, Timeout, Wait, check_wait
from understudy.cli.steering import tell
from understudy.cli.where import Where
from understudy.status import Event, Status


def shutdown(
    force: Annotated[bool, typer.Option("--force", help="Kill the actors in place of asking them to stop.")] = False,
    wait: Wait = False,
    timeout: Timeout = None,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Close a system: all its actors are asked to stop, then it takes no more; its program goes on, or ends."""
    seconds = check_wait(timeout, wait=wait)
    deadline, limit = deadline_of(seconds), patience(seconds)
    place = chosen(where)
    with lasting(place), place.remote(timeout=limit) as far:
        if not wait:
            tell("shutdown", (), far.shutdown(force=force), json=json)
            return
        with place.observer(kinds="state", timeout=limit) as observer:
            observer.snapshot()  # what follows it in the stream is told
            words = far.shutdown(force=force)
            finals: dict[str, Status | None] = {}

            def note(event: Event) -> None:
                if event.name in words and event.after is not None and Status(event.after).ended:
                    finals[event.name] = Status(event.after)

            halt = follow(observer, lambda: False, deadline, note)
    tell("shutdown", (), words, finals, json=json)
    if halt is Halt.LATE:
        raise Failure(LATE, f"{place.name} did not close within {seconds:g} s")
