"""What one answer about output is made of: the files of actors, read in turn, within one budget."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from understudy.globs import Globs
from understudy.router.folders import STREAMS
from understudy.router.shelf import Entry
from understudy.router.tailing import Mark, Share, latest, since
from understudy.wire.codec import pack

_TEXT_HEAD = 4
"""Bytes that the length of a text takes beyond that of an empty one."""
_PART = 4
FileMarks = dict[str, Mark]
"""How far the files of one directory were read, by stream."""
Marks = dict[str, FileMarks]
Row = dict[str, Any]


@dataclass(slots=True)
class Budget:
    """What an answer may still hold: rows, and bytes as they are packed."""

    rows: int
    size: int

    @property
    def is_spent(self) -> bool:
        """Whether that was all."""
        return self.rows <= 0 or self.size <= 0

    def part(self, parts: int) -> Budget:
        """One of so many equal parts, of which none is nothing."""
        return Budget(max(1, self.rows // parts), max(1, self.size // parts))

    def charge(self, row: Row) -> None:
        """For one row."""
        self.rows -= 1
        self.size -= len(pack(row))

    def newest(self, rows: Sequence[Row]) -> list[Row]:
        """The last of these, as far as it goes; in their order."""
        found: list[Row] = []
        for each in reversed(rows):
            if self.is_spent:
                break
            self.charge(each)
            found.append(each)
        return found[::-1]

    def less(self, part: Budget, left: Budget) -> None:
        """For what was spent of a part."""
        self.rows -= part.rows - left.rows
        self.size -= part.size - left.size


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one actor."""

    key: str
    directory: str
    name: str
    uid: int
    incarnation: int
    ended: bool

    def read(self, stream: str, mark: Mark | None, share: Share, *, tail: bool) -> Mark | None:
        """Take what is new in one of them, or the last of it; gives how far that is."""
        path = os.path.join(self.directory, stream)
        if mark is None and tail:
            return latest(path, share, whole=self.ended)
        return since(path, mark, share, whole=self.ended)

    def row(self, stream: str, text: str) -> Row:
        """One line."""
        return row(self.name, self.uid, self.incarnation, stream, text)


def gathered(
    sources: Sequence[Source],
    known: Mapping[str, FileMarks],
    budget: Budget,
    lines: int,
    turn: int,
    *,
    evenly: bool,
    tails: bool,
) -> tuple[list[Row], Marks, int]:
    """What the files hold beyond the marks, as far as the budget goes; how far that is, and whose turn is next.

    ``evenly`` is for a first answer, for what does not fit will not come; in others each stream may take a part of what
    is left, and what was not reached begins the next answer. ``tails``: of files without a mark the last lines only.
    """
    reached = {source.key: dict(known.get(source.key, {})) for source in sources}
    rows: dict[str, list[Row]] = {source.key: [] for source in sources}
    begin = turn % len(sources) if sources else 0
    places = [(number % len(sources), stream) for number in range(begin, begin + len(sources)) for stream in STREAMS]
    for done, (number, stream) in enumerate(places):
        if budget.is_spent and not evenly:
            return _in_order(sources, rows), reached, number
        source, left = sources[number], len(places) - done
        part = budget.part(left if evenly else min(_PART, left)) if not budget.is_spent else Budget(0, 0)
        share = Share(min(lines, part.rows), part.size, len(pack(source.row(stream, ""))) + _TEXT_HEAD)
        part.rows = share.lines
        mark = source.read(stream, reached[source.key].get(stream), share, tail=tails)
        if mark is not None:
            reached[source.key][stream] = mark
        rows[source.key] += [source.row(stream, text) for text in share.taken]
        budget.less(part, Budget(share.lines, share.size))
    return _in_order(sources, rows), reached, begin + 1


def last_records(entries: Sequence[Entry], globs: Globs, each: int, left: Budget) -> list[Row]:
    """The last ones, so many of each actor, as far as the budget goes; in their order."""
    counted: Counter[int] = Counter()
    found: list[Row] = []
    for entry in reversed(entries):
        if left.is_spent:
            break
        if counted[entry.uid] < each and globs.mean(entry.name):
            counted[entry.uid] += 1
            found.append(_record(entry))
            left.charge(found[-1])
    return found[::-1]


def records_since(entries: Sequence[Entry], globs: Globs, number: int, left: Budget) -> tuple[list[Row], int]:
    """Those after that number, as far as the budget goes; and the number of the last that was looked at."""
    found: list[Row] = []
    first = entries[0].number if entries else 0
    for entry in islice(entries, max(0, number + 1 - first), None):
        if left.is_spent:
            break
        number = entry.number
        if globs.mean(entry.name):
            found.append(_record(entry))
            left.charge(found[-1])
    return found, number


def _record(e: Entry) -> Row:
    return row(e.name, e.uid, e.incarnation, "log", e.text, e.time, e.level)


def row(
    name: str, uid: int, incarnation: int, stream: str, text: str, time: float | None = None, level: int | None = None
) -> Row:
    """One entry of an answer."""
    return {
        "name": name,
        "uid": uid,
        "incarnation": incarnation,
        "stream": stream,
        "time": time,
        "text": text,
        "level": level,
    }


def _in_order(sources: Sequence[Source], rows: Mapping[str, list[Row]]) -> list[Row]:
    return [one for source in sources for one in rows[source.key]]
