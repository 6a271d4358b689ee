"""Arguments and options that several verbs have, each written once."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from understudy.cli.completion import actors, systems
from understudy.cli.exits import REFUSED, Failure

System = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The system: its name or endpoint (default: the only one that runs).",
        autocompletion=systems,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAMES", help="Names and globs of actors (default: all).", autocompletion=actors),
]
Some = Annotated[
    list[str],
    typer.Argument(metavar="NAMES", help="Names and globs of actors.", autocompletion=actors, show_default=False),
]
One = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of an actor.", autocompletion=actors, show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; its fields stand in docs/guides/operations.md.")]
Grace = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Kill what has not ended by then, with SIGTERM at one half and three quarters of it "
        "(default: each actor's own ladder).",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Wait no longer than this; the exit code is 124 then."),
]

Wait = Annotated[bool, typer.Option("--wait", help="Wait for what comes of it, and tell it by actor.")]


def check_wait(timeout: float | None, *, wait: bool) -> float | None:
    """The timeout, if it is one and there is something to wait for."""
    if timeout is not None and not wait:
        raise Failure(REFUSED, "--timeout is for --wait")
    return check_timeout(timeout)


def check_timeout(timeout: float | None) -> float | None:
    """The timeout, if it is one."""
    if timeout is not None and not 0 <= timeout < math.inf:
        raise Failure(REFUSED, f"--timeout {timeout:g}: it is a number of seconds from 0 on")
    return timeout
