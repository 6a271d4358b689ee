"""What a shell offers when TAB is pressed: quick, and without a word where there is nothing to offer."""

from __future__ import annotations

import typer

from understudy.errors import UnderstudyError

_PATIENCE = 0.5  # seconds; whoever presses TAB goes on typing


def systems(incomplete: str) -> list[str]:
    """The names of the running systems."""
    from understudy.observe import rundir

    try:
        return [name for name in rundir.names() if name.startswith(incomplete)]
    except (UnderstudyError, OSError):
        return []


def actors(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the living actors of the chosen system; no figures are measured for it."""
    from understudy.cli.choosing import chosen
    from understudy.cli.exits import Failure
    from understudy.cli.names import natural
    from understudy.cli.where import Where

    where = Where(*(ctx.params.get(option) for option in ("system", "connect", "key")))
    try:
        with chosen(where).observer(timeout=_PATIENCE) as observer:
            names = [info.name for info in observer.snapshot()]
    except (Failure, UnderstudyError, OSError):
        return []
    return sorted((name for name in names if name.startswith(incomplete)), key=natural)


def members(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of those who may come in by the chosen keyring."""
    from understudy.wire.keyring import Keyring

    try:
        found = Keyring(ctx.params.get("keyring")).members()
    except (UnderstudyError, OSError):
        return []
    return sorted(member.name for member in found.values() if member.name.startswith(incomplete))
