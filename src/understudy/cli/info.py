"""`understudy info`: everything about one actor."""

from __future__ import annotations

import time

from understudy.cli.choosing import PATIENCE, chosen, lasting
from understudy.cli.exits import REFUSED, Failure
from understudy.cli.options import ONLY, Json, One
from understudy.cli.portrait import portrait
from understudy.cli.voice import Voice, as_json
from understudy.cli.where import Where
from understudy.globs import is_glob


def info(name: One, where: Where = ONLY, json: Json = False) -> None:
    """Tell everything about one actor: figures, statistics over its lives, and its last steps."""
    if is_glob(name):
        raise Failure(REFUSED, f"{name!r} is a glob; info is about one actor, ps about many")
    place = chosen(where)
    with lasting(place), place.remote(timeout=PATIENCE) as far:
        found, story = far.info(name), place.told(lambda: far.story(name))
    if json:
        as_json({**found.to_dict(), "story": story})
        return
    voice = Voice()
    for line in portrait(found, story or [], time.time()):
        voice.line(line)
