"""Lines of code that a child could not read from a file: cells, prompts, doctests, archives.

They go along with the functions that are made of them, for the tracebacks that the child writes.
"""

from __future__ import annotations

import linecache
import os
import types
from typing import Any


class Sources:
    """Where the functions of one pickle come from. It is pickled last, as the lines that no file holds."""

    def __init__(self) -> None:
        self._globals: dict[str, dict[str, Any]] = {}

    def note(self, function: types.FunctionType) -> None:
        """This one goes by value."""
        self._globals.setdefault(function.__code__.co_filename, function.__globals__)

    def __reduce__(self) -> tuple[Any, ...]:
        found = {name: _lines(name, known) for name, known in self._globals.items() if not os.path.exists(name)}
        return remember, ({name: lines for name, lines in found.items() if lines},)


class Told:
    """Something with its sources behind it; opened, it is that something again."""

    def __init__(self, something: Any, sources: Sources) -> None:
        self._parts = something, sources

    def __reduce__(self) -> tuple[Any, ...]:
        return first, self._parts


def first(something: Any, _: None) -> Any:
    """What was told of."""
    return something


def remember(files: dict[str, list[str]]) -> None:
    """Let tracebacks of this process show them."""
    for name, lines in files.items():
        # Without a time of change: nothing is looked up on the disk, nor forgotten.
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


def _lines(name: str, known: dict[str, Any]) -> list[str]:
    """As a traceback here would find them, asking the module's loader too."""
    try:
        return linecache.getlines(name, known)
    except Exception:  # noqa: BLE001 - a user's loader may raise anything, and a traceback does without
        return []
