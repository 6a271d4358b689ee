"""What the publisher makes of events: numbered, linked, cut, kept; and what a tick tells."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from understudy.observe.publisher import HEADS, LONGEST_TEXT, Publisher


class Heard:
    """In the place of the sockets: what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, dict[str, Any]]] = []

    def publish(self, about: bytes, event: bytes) -> None:
        self.sent.append((about, msgpack.unpackb(event)))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def publisher(heard) -> Publisher:
    return Publisher(heard)


def publish(publisher: Publisher, name: str, kind: str = "state", cause: str | None = None, **data: Any) -> None:
    publisher.publish(kind, name, 1, 1, None, None, cause, data)


def test_events_are_numbered_over_all_and_linked_by_name_until_it_is_forgotten(publisher, heard):
    for name in ("a", "b", "a", "a"):
        publish(publisher, name)
    publisher.forget(1, None)
    publish(publisher, "a")
    publisher.forget(1, "a")
    publish(publisher, "a")
    assert [(topic, event["seq"], event["prev"]) for topic, event in heard.sent] == [
        (b"a|", 1, 0),
        (b"b|", 2, 0),
        (b"a|", 3, 1),
        (b"a|", 4, 3),
        (b"a|", 5, 4),
        (b"a|", 6, 0),
    ]


def test_texts_are_cut_and_all_else_is_as_it_was(publisher, heard):
    publish(publisher, "n" * 128, cause="c" * 9999, text="\N{GRINNING FACE}" * 9999, number=2**60, none=None, flag=True)
    ((_, event),) = heard.sent
    assert (event["name"], event["cause"]) == ("n" * 128, "c" * LONGEST_TEXT)
    assert event["data"] == {"text": "\N{GRINNING FACE}" * LONGEST_TEXT, "number": 2**60, "none": None, "flag": True}


def test_what_was_sent_is_kept_as_it_was_sent(publisher, heard):
    publish(publisher, "a", text="x" * 9999)
    publish(publisher, "a", "laps", lap=1)
    publish(publisher, "a", "laps", lap=2)
    kept = [msgpack.unpackb(body) for body in publisher.journal.since(0).bodies]
    assert kept == [heard.sent[0][1], heard.sent[2][1]]
    publisher.forget(1, "a")
    assert publisher.journal.since(0).missing == {"laps": 3}


def test_a_tick_tells_the_heads_that_changed_since_the_last(publisher, heard):
    for name in ("a", "b", "a"):
        publish(publisher, name)
    heard.sent.clear()
    publisher.tick()
    publish(publisher, "b")
    publisher.tick()
    publisher.tick()
    heads = [event["heads"] for _, event in heard.sent if event["kind"] == "tick"]
    assert heads == [{"a": 3, "b": 2}, {"b": 4}, {}]
    assert {topic for topic, event in heard.sent if event["kind"] == "tick"} == {b"|"}


def test_many_heads_are_told_in_several_ticks_none_of_which_is_large(publisher, heard):
    names = [f"{'n' * 120}-{number}" for number in range(2 * HEADS + 1)]
    for name in names:
        publish(publisher, name)
    heard.sent.clear()
    publisher.tick()
    ticks = [event for _, event in heard.sent]
    assert [len(tick["heads"]) for tick in ticks] == [HEADS, HEADS, 1]
    assert {tick["seq"] for tick in ticks} == {len(names)}
    assert {name: seq for tick in ticks for name, seq in tick["heads"].items()} == {
        name: seq for seq, name in enumerate(names, 1)
    }
