"""Arguments and options that several verbs have, each written once."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any

import typer

from understudy.cli.completion import actors, systems
from understudy.cli.exits import REFUSED, Failure
from understudy.cli.where import Where

System = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The system: its name or endpoint (default: the only one that runs).",
        autocompletion=systems,
    ),
]
Connect = Annotated[
    str | None,
    typer.Option(metavar="ENDPOINT", help="A system elsewhere: tcp://HOST:PORT of its gate (or UNDERSTUDY_CONNECT)."),
]
Key = Annotated[str | None, typer.Option(metavar="FILE", help="The file of the key for --connect (or UNDERSTUDY_KEY).")]
CHOICE: dict[str, Any] = {"system": System, "connect": Connect, "key": Key}
"""Options by which a verb's system is chosen, before the verb or behind it."""
ONLY = Where()
"""The only system that runs, where no option chooses another."""
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


def placed(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb as the command line has it: where it takes a `Where`, it has the options that choose a system."""
    signature = inspect.signature(verb, eval_str=True)
    if "where" not in signature.parameters:
        return verb
    parameters: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        if one.name == "where":
            parameters += [one.replace(name=name, annotation=kind, default=None) for name, kind in CHOICE.items()]
        else:
            parameters.append(one)

    @functools.wraps(verb)
    def called(*, system: str | None, connect: str | None, key: str | None, **rest: Any) -> None:
        verb(**rest, where=Where(system, connect, key))

    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


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
