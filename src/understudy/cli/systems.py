"""`understudy systems`: the running systems of this user."""

from __future__ import annotations

import time
from dataclasses import dataclass

from understudy.cli import formats
from understudy.cli.options import Json
from understudy.cli.sheet import Column
from understudy.cli.voice import Voice, as_json
from understudy.errors import UnderstudyError
from understudy.observe import rundir
from understudy.observe.observer import Observer

PATIENCE = 2.0  # seconds; a system that is paused is listed all the same


@dataclass(frozen=True, slots=True)
class Found:
    """A running system; ``age`` in seconds, ``actors`` is how many live, None where it does not answer."""

    name: str
    pid: int
    age: float
    actors: int | None
    endpoint: str


COLUMNS: tuple[Column[Found], ...] = (
    Column("name", lambda found: found.name, 9, style=lambda _: "bold"),
    Column("pid", lambda found: str(found.pid), 8, right=True),
    Column("age", lambda found: formats.span(found.age), 6, right=True),
    Column("actors", lambda found: formats.number(found.actors), 7, right=True),
    Column("endpoint", lambda found: found.endpoint, 1),
)


def systems(json: Json = False) -> None:
    """List the running systems of this user."""
    found = [_found(each) for each in rundir.running()]
    if json:
        as_json([{name: getattr(each, name) for name in Found.__slots__} for each in found])
    elif found:
        Voice().table(COLUMNS, found)
    else:
        print("(no systems)")


def _found(each: rundir.Running) -> Found:
    return Found(each.name, each.pid, max(0.0, time.time() - each.since), _living(each.endpoint), each.endpoint)


def _living(endpoint: str) -> int | None:
    """Counted without having anything measured."""
    try:
        with Observer(endpoint, timeout=PATIENCE) as observer:
            return len(observer.snapshot())
    except UnderstudyError:
        return None
