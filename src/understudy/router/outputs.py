"""What actors wrote to files of their own, and what they logged, for whoever asks afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.errors import ProtocolError
from understudy.globs import Globs
from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands, Outcome
from understudy.router.folders import directory_of
from understudy.router.shelf import Entry
from understudy.router.tailing import Mark, Share, last, since
from understudy.router.verbs import select
from understudy.router.world import World

MOST_LINES, MOST_BYTES = 10_000, 1 << 20
"""What one answer holds at the most, of files and of records each."""
_LEAST_BYTES = 1 << 14
_LARGEST = 2**63
_NO_CURSOR = "must be the cursor of a former answer, as it was"
_STREAMS = ("stdout", "stderr")
FileMarks = dict[str, Mark]
"""How far the files of one directory were read, by stream."""
Marks = dict[str, FileMarks]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a client has read: the last record, the latest spawn that it knows of, and its place in each file."""

    record: int
    uid: int
    marks: Marks

    def to_plain(self) -> dict[str, Any]:
        """As it goes to the client, and comes back."""
        files = {key: {s: [m.inode, m.at] for s, m in marks.items()} for key, marks in self.marks.items()}
        return {"record": self.record, "uid": self.uid, "files": files}

    @classmethod
    def from_plain(cls, plain: Any) -> Cursor:
        """The reverse; raises ProtocolError for what was no answer of ours."""
        match plain:
            case {"record": int(record), "uid": int(uid), "files": dict(files)} if record >= 0:
                return cls(record, uid, {str(key): _marks(found) for key, found in files.items()})
        raise ProtocolError(_NO_CURSOR)


@dataclass(frozen=True, slots=True)
class _Source:
    """The files of one actor."""

    key: str
    directory: str
    name: str
    uid: int
    incarnation: int
    ended: bool

    def read(self, known: FileMarks, lines: int, size: int, *, first: bool) -> tuple[list[Row], FileMarks]:
        """What is new in both, or the last of it; and how far that is."""
        rows: list[Row] = []
        reached = dict(known)
        for stream in _STREAMS:
            path, share, mark = os.path.join(self.directory, stream), Share(lines, size), reached.get(stream)
            if mark is None and first:
                mark = last(path, share, whole=self.ended)
            else:
                mark = since(path, mark, share, whole=self.ended)
            if mark is not None:
                reached[stream] = mark
            rows += [_row(self.name, self.uid, self.incarnation, stream, line) for line in share.taken]
        return rows, reached


class Outputs:
    """What actors wrote and logged; only the router's thread calls."""

    def __init__(self, world: World, files: Errands) -> None:
        self._world, self._files = world, files

    def tell(
        self, names: Sequence[str], lines: int, after: Cursor | None, then: Callable[[dict[str, Any]], None]
    ) -> None:
        """Give the last ``lines`` of each stream of the actors meant or, with a cursor, what came since.

        Raises UnknownActor for a name that nobody bears or bore.
        """
        meant = select(self._world, tuple(names))
        known = {} if after is None else after.marks
        living = {source.key: source for actor in meant if (source := self._source(actor)) is not None}
        sources = living | ({} if after is None else self._of_former(names, after, living.keys()))
        rows = [] if after is not None else [row for actor in meant for row in self._kept_lines(actor, lines)]
        each = max(_LEAST_BYTES, MOST_BYTES // max(1, 2 * len(sources)))
        most = lines if after is not None else max(1, min(lines, MOST_LINES // max(1, 2 * len(sources))))
        first = after is None or self._world.output_dir is not None
        latest = next(reversed(self._world.registry.actors), 0)

        def read() -> tuple[list[Row], Marks]:
            found, reached = [], {}
            for source in sources.values():
                some, reached[source.key] = source.read(known.get(source.key, {}), most, each, first=first)
                found += some
            return found, reached

        def answer(outcome: Outcome) -> None:
            found: list[Row] = []
            reached: Marks = {}
            if outcome.value is not None:  # else it could not be had, which was told
                found, reached = outcome.value
            records, number = self._records(names, lines, after)
            # What is known of those that are forgotten here is of no use to anybody.
            cursor = Cursor(number, latest, {key: known[key] for key in known if key in sources} | reached)
            then({"entries": rows + found + records, "cursor": cursor.to_plain()})

        if not (sources and self._files.run(read, answer)):
            answer(Outcome())

    def _source(self, actor: Actor) -> _Source | None:
        directory = directory_of(self._world, actor)
        if directory is None:
            return None
        key = str(actor.uid) if self._world.output_dir is None else actor.name
        return _Source(key, directory, actor.name, actor.uid, actor.incarnation, actor.status.ended)

    def _of_former(self, names: Sequence[str], after: Cursor, others: Container[str]) -> dict[str, _Source]:
        """Those that have ended, but of which there may be more: that the client knows of, or that began since."""
        globs = Globs(names)
        meant = [actor for actor in self._world.registry.listed() if globs.mean(actor.name)]
        found = {source.key: source for actor in meant if (source := self._source(actor)) is not None}
        return {
            key: source
            for key, source in found.items()
            if key not in others and (key in after.marks or source.uid > after.uid)
        }

    def _kept_lines(self, actor: Actor, lines: int) -> list[Row]:
        """The last ones of the stderr of an actor that has no file of its own."""
        if directory_of(self._world, actor) is not None:
            return []
        record = self._world.records[actor.uid]
        kept = record.page.stderr(lines) if record.page is not None else record.report.stderr if record.report else ()
        return [_row(actor.name, actor.uid, actor.incarnation, "stderr", line) for line in kept[-lines:]]

    def _records(self, names: Sequence[str], lines: int, after: Cursor | None) -> tuple[list[Row], int]:
        shelf, globs = self._world.shelf, Globs(names)

        def wanted(entry: Entry) -> bool:
            return globs.mean(entry.name)

        if after is None:
            entries, number = shelf.last(wanted, lines, MOST_LINES, MOST_BYTES), shelf.head
        else:
            entries, number = shelf.since(after.record, wanted, MOST_LINES, MOST_BYTES)
        return [_row(e.name, e.uid, e.incarnation, "log", e.text, e.time, e.level) for e in entries], number


def _row(
    name: str, uid: int, incarnation: int, stream: str, text: str, time: float | None = None, level: int | None = None
) -> Row:
    return {
        "name": name,
        "uid": uid,
        "incarnation": incarnation,
        "stream": stream,
        "time": time,
        "text": text,
        "level": level,
    }


def _marks(plain: Any) -> FileMarks:
    match plain:
        case dict():
            return {stream: _mark(plain[stream]) for stream in _STREAMS if stream in plain}
    raise ProtocolError(_NO_CURSOR)


def _mark(plain: Any) -> Mark:
    match plain:
        case [int(inode), int(at)] if 0 <= at < _LARGEST:
            return Mark(inode, at)
    raise ProtocolError(_NO_CURSOR)


def a_cursor(value: Any) -> Cursor | None:
    """The check of a field that holds one, or nothing."""
    return None if value is None else Cursor.from_plain(value)
