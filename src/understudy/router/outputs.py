"""What actors wrote to files of their own, and what they logged, for whoever asks afterwards."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.errors import ProtocolError
from understudy.globs import Globs, is_glob
from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands, Outcome
from understudy.router.folders import STREAMS, directory_of
from understudy.router.shelf import Entry
from understudy.router.sources import (
    Budget,
    FileMarks,
    Marks,
    Row,
    Source,
    gathered,
    last_records,
    records_since,
    row,
)
from understudy.router.tailing import Mark
from understudy.router.verbs import select
from understudy.router.world import World

MOST_LINES, MOST_BYTES = 10_000, 1 << 20
"""What one answer holds at the most: entries, and bytes of these as they are packed."""
_LARGEST = 2**63
_NO_CURSOR = "must be the cursor of a former answer, as it was"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a client has read: the last record, the latest spawn that it knows of, and its place in each file."""

    record: int
    uid: int
    marks: Marks
    turn: int = 0
    """Whose files are the first to be read, for not all may fit into one answer."""

    def to_plain(self) -> dict[str, Any]:
        """As it goes to the client, and comes back."""
        files = {key: {s: [m.inode, m.at] for s, m in marks.items()} for key, marks in self.marks.items()}
        return {"record": self.record, "uid": self.uid, "files": files, "turn": self.turn}

    @classmethod
    def from_plain(cls, plain: Any) -> Cursor:
        """The reverse; raises ProtocolError for what was no answer of ours."""
        match plain:
            case {"record": int(record), "uid": int(uid), "files": dict(files)} if record >= 0:
                turn = plain.get("turn", 0)
                if isinstance(turn, int) and 0 <= turn < _LARGEST:
                    return cls(record, uid, {str(key): _marks(found) for key, found in files.items()}, turn)
        raise ProtocolError(_NO_CURSOR)


@dataclass(frozen=True, slots=True)
class _Request:
    """What the thread that answers is given: whom it is about, and all that is to be looked through, as it stood."""

    globs: Globs
    lines: int
    after: Cursor | None
    named: list[Actor]
    living: list[Actor]
    listed: list[Actor]
    entries: list[Entry]
    head: int
    latest: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What it found, and what may be added."""

    meant: list[Actor]
    rows: list[Row]
    cursor: Cursor
    left: Budget


class Outputs:
    """What actors wrote and logged; only the router's thread calls, and another one looks: it may take its time."""

    def __init__(self, world: World, files: Errands) -> None:
        self._world, self._files = world, files

    def tell(self, names: Sequence[str], lines: int, after: Cursor | None, then: Callable[[Outcome], None]) -> None:
        """Give the last ``lines`` of each stream of the actors meant or, with a cursor, what came since.

        Raises UnknownActor for a name that nobody bears or bore.
        """
        named = select(self._world, tuple(name for name in names if not is_glob(name)))
        registry, shelf = self._world.registry, self._world.shelf
        latest = next(reversed(registry.actors), 0)
        request = _Request(
            Globs(names), lines, after, named, registry.living(), registry.listed(), shelf.entries(), shelf.head, latest
        )

        def answer(outcome: Outcome) -> None:
            if outcome.error is not None:
                then(outcome)
                return
            found: _Found = outcome.value
            kept = self._kept_lines(found, lines) if after is None else []
            then(Outcome({"entries": kept + found.rows, "cursor": found.cursor.to_plain()}))

        if not self._files.run(lambda: self._look(request), answer):
            # Too much waits already: nothing yet, and nothing is lost.
            then(Outcome({"entries": [], "cursor": (after or Cursor(0, 0, {})).to_plain()}))

    def _look(self, request: _Request) -> _Found:
        after, left = request.after, Budget(MOST_LINES, MOST_BYTES)
        matched = (actor for actor in request.living if request.globs.mean(actor.name))
        meant = list({actor.uid: actor for actor in (*request.named, *matched)}.values())
        sources = self._sources(meant)
        if after is not None:
            sources = self._of_former(request, after, sources) | sources
        silent = after is None and any(directory_of(self._world, actor) is None for actor in meant)
        part = left.part(1 + bool(sources) + silent)
        before = Budget(part.rows, part.size)
        if after is None:
            records, number = last_records(request.entries, request.globs, request.lines, part), request.head
        else:
            records, number = records_since(request.entries, request.globs, after.record, part)
        left.less(before, part)
        kept = left.part(2) if silent and sources else Budget(left.rows if silent else 0, left.size if silent else 0)
        left.rows, left.size = left.rows - kept.rows, left.size - kept.size
        known, turn = ({}, 0) if after is None else (after.marks, after.turn)
        rows, reached, turn = gathered(
            list(sources.values()),
            known,
            left,
            request.lines,
            turn,
            evenly=after is None,
            tails=after is None or self._world.output_dir is not None,
        )
        # What is known of those that are forgotten here is of no use to anybody.
        cursor = Cursor(number, request.latest, reached, turn % _LARGEST)
        return _Found(meant, rows + records, cursor, kept)

    def _sources(self, actors: Iterable[Actor]) -> dict[str, Source]:
        found = {}
        for actor in actors:
            directory = directory_of(self._world, actor)
            if directory is not None:
                key = str(actor.uid) if self._world.output_dir is None else actor.name
                found[key] = Source(key, directory, actor.name, actor.uid, actor.incarnation, actor.status.ended)
        return found

    def _of_former(self, request: _Request, after: Cursor, others: Container[str]) -> dict[str, Source]:
        """Those that have ended, but of which there may be more: that the client knows of, or that began since."""
        meant = self._sources(actor for actor in request.listed if request.globs.mean(actor.name))
        return {
            key: source
            for key, source in meant.items()
            if key not in others and (key in after.marks or source.uid > after.uid)
        }

    def _kept_lines(self, found: _Found, lines: int) -> list[Row]:
        """The last ones of the stderr of actors that have no file of their own."""
        rows: list[Row] = []
        for actor in found.meant:
            record = self._world.records.get(actor.uid)  # it may be forgotten by now
            if found.left.is_spent or record is None or directory_of(self._world, actor) is not None:
                continue
            kept = (
                record.page.stderr(lines) if record.page is not None else record.report.stderr if record.report else ()
            )
            rows += found.left.newest(
                [row(actor.name, actor.uid, actor.incarnation, "stderr", line) for line in kept[-lines:]]
            )
        return rows


def _marks(plain: Any) -> FileMarks:
    match plain:
        case dict():
            return {stream: _mark(plain[stream]) for stream in STREAMS if stream in plain}
    raise ProtocolError(_NO_CURSOR)


def _mark(plain: Any) -> Mark:
    match plain:
        case [int(inode), int(at)] if 0 <= at < _LARGEST:
            return Mark(inode, at)
    raise ProtocolError(_NO_CURSOR)


def a_cursor(value: Any) -> Cursor | None:
    """The check of a field that holds one, or nothing."""
    return None if value is None else Cursor.from_plain(value)
