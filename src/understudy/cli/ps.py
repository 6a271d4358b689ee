"""`understudy ps`: the actors of a system."""

from __future__ import annotations

from typing import Annotated

import typer

from understudy.cli.choosing import remote
from understudy.cli.names import natural, picked, tell_unmatched
from understudy.cli.options import ONLY, Json, Names
from understudy.cli.rows import COLUMNS
from understudy.cli.voice import Voice, as_json
from understudy.cli.where import Where


def ps(
    names: Names = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="The ended ones, too.")] = False,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """List the actors of a running system, with their figures."""
    patterns = names or []
    with remote(where) as far:
        infos = picked(far.ps(all=all_ or bool(patterns)), patterns, ended=all_)
    infos.sort(key=lambda info: (natural(info.name), info.uid))
    tell_unmatched("ps", patterns, [info.name for info in infos], "" if all_ else "--all lists the ended, too")
    if json:
        as_json([info.to_dict() for info in infos])
    elif infos:
        Voice().table(COLUMNS, infos)
    else:
        print("(no actors)")
