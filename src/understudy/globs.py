"""Names and globs of actors: which names several of them mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

LONGEST_NAME = 128
"""Characters of an actor's name."""
_KNOWN = 10_000
"""Verdicts that are kept."""
_WILD = re.compile(r"[*?\[]")
_STARS = re.compile(r"\*+")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")


def is_glob(text: str) -> bool:
    """Whether the text is a pattern rather than a name."""
    return _WILD.search(text) is not None


def stem(glob: str) -> str:
    """What all names that fit begin with."""
    return _WILD.split(glob, maxsplit=1)[0]


class Globs:
    """Says of a name whether any of the names and globs means it; ``*`` crosses ``/``, as `fnmatchcase` has it.

    A verdict is found once for each name: who asks about ten thousand records asks about few actors. The patterns are
    made ready with the first name that needs them.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        unique = frozenset(wanted)
        self._globs = frozenset(filter(is_glob, unique))
        self._names = unique - self._globs
        self._fits: re.Pattern[str] | None = None
        self._known: dict[str, bool] = {}

    def mean(self, name: str) -> bool:
        """Whether that name is meant."""
        if name in self._names:
            return True
        if not self._globs:
            return False
        verdict = self._known.get(name)
        if verdict is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            verdict = self._known[name] = self._ready().match(name) is not None
        return verdict

    def _ready(self) -> re.Pattern[str]:
        if self._fits is None:
            able = [translate(_shortened(one)) for one in self._globs if _fewest(one) <= LONGEST_NAME]
            self._fits = re.compile("|".join(able) or "(?!)")
        return self._fits


def _shortened(glob: str) -> str:
    """The same with one star for each run of them; before the last bracket, they may be in a class."""
    head, bracket, tail = glob.rpartition("]")
    return head + bracket + _STARS.sub("*", tail)


def _fewest(glob: str) -> int:
    """So many characters, or more, has each name that fits: what fits no name need not be compiled, which is dear."""
    head, bracket, tail = glob.rpartition("]")
    least = _CLASS.sub("?", head + bracket) + tail
    return len(least) - least.count("*")
