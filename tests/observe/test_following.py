"""A follower, without any socket: whatever the stream loses, doubles or cuts, it ends up with what the system says."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observe.score import STANDING, Score
from understudy import Event, ProtocolError
from understudy.observe.cast import Cast
from understudy.observe.following import MISSED, Following, Mode, Picture, Step
from understudy.observe.interest import KINDS, Interest

NAMES = ("a", "ab", "b", "b/1", "c")
INTERESTS = [
    (None, None),
    (None, "state"),
    (None, ["log", "figures"]),
    ("a", None),
    (["a", "b*"], None),
    ("*b*", ["state", "log"]),
    (["c"], ["report"]),
    ([], None),
]


class Reader:
    """What an observer does with a follower, step by step, over a line that loses and doubles."""

    def __init__(self, score: Score, interest: Interest) -> None:
        self.score, self.interest = score, interest
        self.following, self.cast = Following(interest), Cast(interest)
        self.line: deque[dict[str, Any]] = deque()
        self.steps: list[Step] = []

    def send(self, message: dict[str, Any], fate: str = "arrives") -> None:
        """Onto the line, if it is of a topic that is subscribed to."""
        topic = f"{message.get('name', '')}|".encode()
        if any(topic.startswith(each) for each in self.interest.topics):
            self.line.extend([message] * {"arrives": 1, "twice": 2, "lost": 0}[fate])

    def turn(self) -> None:
        """One thing: the answer to what is wished for, else one message."""
        wish = self.following.wish
        if wish is None:
            if self.line:
                self.take(self.following.heard(self.line.popleft()))
        elif wish.verb == "snapshot":
            self.take(self.following.pictured(self.score.snapshot()))
        else:
            self.take(self.following.replayed(self.score.replay(wish.since)))

    def through(self) -> None:
        """All that is on the line, and all that is wished for then."""
        while self.line or self.following.wish:
            self.turn()

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            self.steps.append(step)
            if isinstance(step, Picture):
                self.cast.renew(step.rows, step.seq)
            else:
                self.cast.note(step)

    @property
    def events(self) -> list[Event]:
        return [step for step in self.steps if isinstance(step, Event) and step.kind != MISSED]

    @property
    def missed(self) -> list[Event]:
        return [step for step in self.steps if isinstance(step, Event) and step.kind == MISSED]

    @property
    def joined_at(self) -> int:
        return next(step.seq for step in self.steps if isinstance(step, Picture))


def living(rows: Any, interest: Interest) -> dict[str, Any]:
    """Of each living actor that is followed, what events tell."""
    return {
        row.name: (row.uid, row.status, row.incarnation, row.health, row.lives_left, row.progress, row.completed_laps)
        for row in rows
        if not row.status.ended and interest.knows(row.name)
    }


def check(reader: Reader, *, whole_journal: bool) -> None:
    """What holds of any follower that has caught up."""
    score, interest = reader.score, reader.interest
    assert living(reader.cast.actors.values(), interest) == living(score.rows.values(), interest)
    handed = [event.seq for event in reader.events]
    assert len(handed) == len(set(handed)), "an event came twice"
    if interest.whole:
        assert handed == sorted(handed)
    for name in NAMES:
        own = [event.seq for event in reader.events if event.name == name]
        assert own == sorted(own)
    assert all(interest.knows(event.name) for event in reader.events)
    if whole_journal:
        assert not reader.missed
    lost = 0
    for event in score.events:
        if event["seq"] <= reader.joined_at or event["seq"] in handed:
            continue
        if not (interest.knows(event["name"]) and interest.wants(event["kind"])):
            continue
        told = any(each.seq >= event["seq"] and event["kind"] in each.data["kinds"] for each in reader.missed)
        later = event["kind"] in STANDING and any(
            (each.uid, each.kind) == (event["uid"], event["kind"]) and each.seq > event["seq"] for each in reader.events
        )
        assert told or later, f"{event} is gone without a word"
        lost += not later
    assert sum(event.data["missed"] for event in reader.missed) >= lost


happenings = st.tuples(
    st.just("event"),
    st.sampled_from([*KINDS, "state", "state", "log"]),
    st.sampled_from(NAMES),
    st.integers(0, 11),
    st.sampled_from(["arrives", "arrives", "arrives", "lost", "twice"]),
)
ticks = st.tuples(st.just("tick"), st.sampled_from(["arrives", "arrives", "lost", "twice"]))
cuts = st.tuples(st.just("cut"), st.integers(1, 12))
turns = st.tuples(st.just("turns"), st.integers(1, 8))


def play(script: list[Any], score: Score, interest: Interest) -> Reader:
    """Run the script; then the line holds for a while."""
    reader, cut = Reader(score, interest), 0
    for act, *how in script:
        if act == "turns":
            for _ in range(how[0]):
                reader.turn()
            continue
        if act == "cut":
            cut = how[0]
            continue
        fate = "lost" if cut else how[-1]
        cut = max(0, cut - 1)
        messages = score.tick() if act == "tick" else [score.happen(*how[:3])]
        for message in messages:
            reader.send(message, fate)
    reader.through()
    for _ in range(2):
        for message in score.tick():
            reader.send(message)
        reader.through()
    return reader


@pytest.mark.requirement("A4")
@pytest.mark.fault("F51")
@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.one_of(happenings, happenings, happenings, ticks, cuts, turns), max_size=80),
    st.sampled_from(INTERESTS),
    st.integers(0, 20),
    st.integers(0, 6),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_whatever_is_lost_a_follower_converges_and_tells_what_is_gone(script, wanted, keep, logs, page, heads):
    score = Score(keep, logs, page, heads)
    check(play(script, score, Interest(*wanted)), whole_journal=False)


@pytest.mark.requirement("A4")
@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(happenings, happenings, happenings, ticks, cuts, turns), max_size=80),
    st.sampled_from(INTERESTS),
    st.integers(1, 5),
)
def test_while_the_journal_has_it_all_nothing_is_told_as_missed(script, wanted, page):
    check(play(script, Score(page=page, heads=2), Interest(*wanted)), whole_journal=True)


def joined(*names: str, interest: Interest | None = None, **options: int) -> Reader:
    """A reader of a system in which these actors run."""
    reader = Reader(Score(**options), interest or Interest(None, None))
    for name in names:
        reader.score.happen("state", name)
    reader.score.tick()
    reader.turn()
    return reader


@pytest.mark.parametrize("interest", [Interest(None, None), Interest("a", None)])
def test_who_misses_nothing_asks_for_nothing(interest):
    reader = joined("a", "b", interest=interest)
    for number in range(20):
        reader.send(reader.score.happen("state", "ab"[number % 2], number % 3))
        for message in reader.score.tick() if number % 4 == 0 else ():
            reader.send(message)
        while reader.line:
            reader.turn()
            # The first tick that is heard may be preceded by others that were not: then one look is due.
            if reader.following.wish and number > 0:
                pytest.fail(f"{reader.following.wish} was wished for at event {number}")
            reader.turn()
    assert [event.name for event in reader.events[:2]] == ["a", "b"][: 2 if interest.whole else 0] or ["a", "a"]
    check(reader, whole_journal=True)


@pytest.mark.parametrize("interest", [Interest(None, None), Interest("a", None)])
def test_a_gap_is_filled_by_a_replay_and_no_snapshot_is_taken(interest):
    reader = joined("a", interest=interest)
    first, lost, late = (reader.score.happen("progress", "a", number) for number in range(3))
    reader.send(first)
    reader.turn()
    for message in (reader.score.happen("report", "a"), reader.score.happen("health", "a", 1)):
        reader.send(message)
    reader.turn()
    assert reader.following.wish is not None
    assert (reader.following.wish.verb, reader.following.mode) == ("replay", Mode.BEHIND)
    reader.through()
    # One of the three is stood for by a later one of its kind.
    assert [event.seq for event in reader.events] == [first["seq"], late["seq"], late["seq"] + 1, late["seq"] + 2]
    assert lost["seq"] not in {event.seq for event in reader.events}
    assert sum(isinstance(step, Picture) for step in reader.steps) == 1
    assert not reader.missed


def test_a_tick_tells_of_the_last_event_of_a_name_that_got_lost():
    reader = joined("a", "b", interest=Interest("a", None))
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    reader.score.happen("report", "b")
    for message in reader.score.tick():
        reader.send(message)
    reader.turn()
    assert reader.following.wish is None, "that was somebody else's"
    lost = reader.score.happen("report", "a")
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    assert [event.seq for event in reader.events] == [lost["seq"]]


def test_a_tick_that_got_lost_may_have_told_of_something():
    reader = joined("a", "b", interest=Interest("a", None))
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    lost = reader.score.happen("report", "a")
    reader.score.tick()
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    assert [event.seq for event in reader.events] == [lost["seq"]]


@pytest.mark.parametrize(
    ("kinds", "missed", "pictures"),
    [(None, ["log", "state"], 2), ("state", ["state"], 2), ("log", ["log"], 2), ("report", [], 2)],
)
def test_what_cannot_be_replayed_is_told_once_by_number_and_kinds(kinds, missed, pictures):
    reader = joined("a", interest=Interest(None, kinds), keep=2, keep_logs=2, page=1)
    for number in range(5):
        reader.score.happen("log", "a")
        reader.score.happen("state", "a", number % 3)
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    assert [event.data["kinds"] for event in reader.missed] == ([missed] if missed else [])
    assert sum(isinstance(step, Picture) for step in reader.steps) == pictures
    for event in reader.missed:
        assert event.data["missed"] >= 3 * len(missed)
        assert str(event.data["missed"]) in (event.cause or "")
        assert all(kind in (event.cause or "") for kind in missed)
    assert len(reader.events) == 4  # what the journal had is handed on all the same
    check(reader, whole_journal=False)


def test_logs_that_are_gone_are_told_without_a_new_snapshot_for_they_show_nobody_s_state():
    reader = joined("a", keep_logs=1)
    for _ in range(3):
        reader.score.happen("log", "a")
    reader.send(reader.score.happen("state", "a"))
    reader.through()
    assert [event.data for event in reader.missed] == [{"missed": 2, "kinds": ["log"]}]
    assert sum(isinstance(step, Picture) for step in reader.steps) == 1


def test_where_there_is_no_replay_a_snapshot_has_to_do():
    reader = joined("a")
    reader.score.happen("report", "a")
    reader.send(reader.score.happen("state", "a"))
    reader.turn()
    reader.following.refused()
    reader.turn()
    assert [(event.seq, event.data["missed"]) for event in reader.missed] == [(reader.score.seq, 2)]
    check(reader, whole_journal=False)


def test_a_bye_tells_what_was_missed_for_nobody_can_be_asked_any_more():
    reader = joined("a")
    reader.score.happen("report", "a")
    reader.score.happen("state", "a", 4)
    for message in reader.score.bye()[-1:]:
        reader.send(message)
    reader.turn()
    assert reader.following.mode is Mode.OVER
    assert [event.data["missed"] for event in reader.missed] == [2]


@pytest.mark.parametrize("interest", [Interest(None, None), Interest("a", None)])
def test_a_bye_to_who_missed_nothing_is_the_end_and_nothing_else(interest):
    reader = joined("a", "b", interest=interest)
    for message in reader.score.tick():
        reader.send(message)
    reader.through()
    for name in "ab":
        reader.send(reader.score.happen("state", name, 4))
    for message in reader.score.bye():
        reader.send(message)
    reader.through()
    assert reader.following.mode is Mode.OVER
    assert not reader.missed
    assert [event.after for event in reader.events if event.name == "a"] == ["FINISHED"]
    assert reader.following.heard(reader.score.happen("state", "a")) == []


def test_who_is_answered_no_more_takes_what_still_comes_and_tells_what_is_missing():
    reader = joined("a")
    reader.send(reader.score.happen("report", "a"))
    reader.score.happen("log", "a")
    reader.send(reader.score.happen("state", "a", 1))
    reader.turn()
    reader.turn()
    assert reader.following.wish is not None
    assert reader.following.forsake() == []
    reader.send(reader.score.happen("state", "a", 4))
    reader.through()
    kinds = [step.kind for step in reader.steps if isinstance(step, Event)]
    assert kinds == ["report", MISSED, "state"]
    assert reader.missed[0].data["missed"] == 2
    assert reader.cast.actors["a"].status == "FINISHED"


def test_another_system_that_answers_in_its_place_ends_it():
    reader = joined("a")
    reader.following.doubt()
    assert reader.following.replayed({**reader.score.replay(0), "system": "score.2"}) == []
    assert reader.following.mode is Mode.OVER


def test_answers_that_nobody_waits_for_change_nothing():
    reader = joined("a")
    before = list(reader.steps)
    reader.take(reader.following.replayed(reader.score.replay(0)))
    reader.take(reader.following.pictured(reader.score.snapshot()))
    assert reader.steps == before


MALFORMED: list[Any] = [
    None, 5, "state", [], {"v": 1}, {"v": 1, "kind": "tick"}, {"v": 1, "kind": "tick", "seq": "5"},
    {"v": 1, "kind": "tick", "seq": 0, "heads": [1]}, {"v": 1, "kind": "tick", "seq": 0, "heads": {5: "a"}},
    {"v": 1, "kind": "state", "seq": 1}, {"v": 1, "kind": ["state"], "seq": 1, "name": 7},
]  # fmt: skip


@pytest.mark.parametrize("message", MALFORMED, ids=repr)
def test_what_is_no_event_is_passed_over(message):
    reader = joined("a")
    assert reader.following.heard(message) == []
    reader.send(reader.score.happen("report", "a"))
    reader.through()
    assert [event.kind for event in reader.events] == ["report"]


def test_an_event_that_says_what_this_version_does_not_know_is_handed_on_and_shows_nothing():
    reader = joined("a")
    event = reader.score.happen("state", "a")
    for odd in ({"after": "ASCENDED"}, {"kind": "aura"}, {"data": {"halo": 5}}, {"more": 1}):
        reader.send({**event, **odd, "seq": event["seq"]})
        event = {**event, "seq": event["seq"] + 1}
    while reader.line:
        reader.turn()
    assert len(reader.events) == 4
    assert reader.cast.actors["a"].status == "RUNNING"


def test_a_stream_of_another_version_is_refused_by_both_numbers():
    reader = joined("a")
    with pytest.raises(ProtocolError, match="version 2, this is 1"):
        reader.following.heard({**reader.score.happen("state", "a"), "v": 2})


@pytest.mark.parametrize(
    "answer", [None, {}, {"seq": 1}, {"seq": "1", "actors": []}, {"seq": 1, "actors": {}}], ids=repr
)
def test_an_answer_that_is_none_is_refused(answer):
    reader = Reader(Score(), Interest(None, None))
    with pytest.raises(ProtocolError, match="an answer has seq, actors"):
        reader.following.pictured(answer)
