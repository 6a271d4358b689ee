"""What `stop`, `kill` and `restart` share: how the outcomes are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from understudy.cli import styles
from understudy.cli.names import tell_unmatched
from understudy.cli.sheet import Column
from understudy.cli.voice import Voice, as_json
from understudy.status import Status


class Outcome(NamedTuple):
    """What became of one wish; ``status`` is what the actor ended in, where that was waited for."""

    name: str
    outcome: str
    status: str | None


_NAME: Column[Outcome] = Column("name", lambda one: one.name, 9, style=lambda one: styles.of_actor(one.name))
_WORD: Column[Outcome] = Column(
    "outcome", lambda one: one.outcome, 8, style=lambda one: styles.OUTCOME.get(one.outcome, "")
)
_STATUS: Column[Outcome] = Column(
    "status", lambda one: one.status or "-", 7, style=lambda one: styles.of_status(one.status)
)


def tell(
    verb: str,
    patterns: Sequence[str],
    words: Mapping[str, str],
    finals: Mapping[str, Status | None] | None = None,
    *,
    json: bool,
) -> None:
    """A row for each actor; a note for each glob without a match."""
    tell_unmatched(verb, patterns, words)
    final = finals or {}
    rows = [Outcome(name, word, None if (end := final.get(name)) is None else str(end)) for name, word in words.items()]
    if json:
        as_json([row._asdict() for row in rows])
    elif rows:
        Voice().table((_NAME, _WORD) if finals is None else (_NAME, _WORD, _STATUS), rows)
