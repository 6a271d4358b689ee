"""Names and globs of actors, as they stand on the command line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from understudy.cli.exits import NO_ACTOR, Failure
from understudy.cli.voice import note
from understudy.globs import Globs, is_glob
from understudy.status import ActorInfo

_NUMBER = re.compile(r"(\d+)")
BY_NAME = "who has ended is meant by name alone"


def tell_unmatched(verb: str, patterns: Iterable[str], names: Collection[str], how: str = BY_NAME) -> None:
    """A note on each glob that matched none of the names, with ``how`` the ended are reached: "" where they were."""
    for one in patterns:
        if is_glob(one) and not any(map(Globs([one]).mean, names)):
            note(verb, f"no living actor matches {one!r}; {how}" if how else f"no actor matches {one!r}")


def natural(name: str) -> list[list[tuple[int, str]]]:
    """What names are sorted by: `sorter/2` before `sorter/10`, and both right behind `sorter`."""
    # Every second part is a number.
    return [
        [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(_NUMBER.split(segment))]
        for segment in name.split("/")
    ]


def latest(infos: Iterable[ActorInfo]) -> dict[str, ActorInfo]:
    """By name the living one, else the last that bore it; the rows are in the order of their spawn."""
    found: dict[str, ActorInfo] = {}
    for info in infos:
        if info.name not in found or found[info.name].status.ended:
            found[info.name] = info
    return found


def picked(infos: Sequence[ActorInfo], patterns: Sequence[str], *, ended: bool) -> list[ActorInfo]:
    """The actors that are meant: of a name the last that bore it, ended or not; of a glob the living.

    With ``ended`` all of both. Fails for a name that none bears or bore.
    """
    known = latest(infos)
    for one in patterns:
        if not is_glob(one) and one not in known:
            near = get_close_matches(one, list(known), n=3) or list(known)[:3]
            hint = f"; did you mean {', '.join(near)}?" if near else "; there are none"
            raise Failure(NO_ACTOR, f"no actor is named {one!r}{hint}")
    globs = Globs(filter(is_glob, patterns)) if patterns else Globs("*")
    found = []
    for info in infos:
        named = info.name in patterns and (ended or known[info.name] is info)
        if named or ((ended or not info.status.ended) and globs.mean(info.name)):
            found.append(info)
    return found
