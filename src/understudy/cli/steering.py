"""What the verbs that give orders share: the wait for what comes of them, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from understudy.cli import styles
from understudy.cli.choosing import chosen, lasting, patience
from understudy.cli.exits import FAILED, LATE, Failure
from understudy.cli.following import Goal, Halt, deadline_of, follow
from understudy.cli.names import tell_unmatched
from understudy.cli.sheet import Column
from understudy.cli.voice import Voice, as_json
from understudy.cli.where import Where
from understudy.observe.remote import Remote
from understudy.status import Status

_SHOWN = 5
SHOWN = {("restart", "ended"): "had ended, spawned anew"}
"""What people are told for an outcome, where the word alone says too little."""


class Outcome(NamedTuple):
    """What became of one wish; ``status`` is what the actor came to, where that was waited for."""

    name: str
    outcome: str
    status: str | None


_NAME: Column[Outcome] = Column("name", lambda one: one.name, 9, style=lambda one: styles.of_actor(one.name))
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
    word: Column[Outcome] = Column(
        "outcome",
        lambda one: SHOWN.get((verb, one.outcome), one.outcome),
        8,
        style=lambda one: styles.OUTCOME.get(one.outcome, ""),
    )
    if json:
        as_json([row._asdict() for row in rows])
    elif rows:
        Voice().table((_NAME, word) if finals is None else (_NAME, word, _STATUS), rows)


def ask(
    verb: str, patterns: Sequence[str], act: Callable[[Remote], Mapping[str, str]], where: Where, *, json: bool
) -> None:
    """Ask, and tell the answer."""
    place = chosen(where)
    with lasting(place), place.remote(timeout=patience(None)) as far:
        words = act(far)
    tell(verb, patterns, words, json=json)


def ask_and_wait(
    verb: str,
    patterns: Sequence[str],
    act: Callable[[Remote], Mapping[str, str]],
    goal: type[Goal],
    seconds: float | None,
    where: Where,
    *,
    json: bool,
) -> Mapping[str, Status | None]:
    """Ask, wait for what comes of it, and tell it; what each came to. Fails where not all did."""
    deadline, limit = deadline_of(seconds), patience(seconds)
    place = chosen(where)
    with (
        lasting(place),
        place.observer(kinds="state", timeout=limit) as observer,
        place.remote(timeout=limit) as far,
    ):
        aim = goal(observer, far)
        words = act(far)
        aim.expect(words)
        halt = follow(observer, aim.is_reached, deadline, aim.note)
    tell(verb, patterns, words, aim.finals, json=json)
    if halt is Halt.LATE:
        raise Failure(LATE, f"{listed(aim.missing())} did not {aim.DEED} within {seconds:g} s")
    if halt is Halt.CLOSED:
        raise Failure(FAILED, f"the system closed before {listed(aim.missing())} was seen to {aim.DEED}")
    return aim.finals


def listed(names: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
