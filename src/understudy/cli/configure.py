"""`understudy configure`: set options of actors while they run."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.cli.completion import actors
from understudy.cli.exits import REFUSED, Failure
from understudy.cli.options import ONLY, Json
from understudy.cli.refusal import Refusal
from understudy.cli.steering import ask
from understudy.cli.values import settings
from understudy.cli.where import Where


def configure(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Name or glob of actors.", autocompletion=actors, show_default=False),
    ],
    options: Annotated[
        list[str],
        typer.Argument(
            metavar="OPTION=VALUE",
            help="num_loops, join_in, log_laps, timeouts.* and heartbeat.*, as in timeouts.loop=5.",
            show_default=False,
        ),
    ],
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Set options of running actors; they hold for what begins from then on, over restarts."""
    try:
        wanted = settings(options, "configure")
    except Refusal as refusal:
        raise Failure(REFUSED, str(refusal)) from None
    ask("configure", [name], lambda far: far.configure(name, wanted), where, json=json)
