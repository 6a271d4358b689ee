"""Who follows the stream, as the socket tells it: counted rightly, and at a bounded cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.audience import FIGURES, LONGEST_TOPIC, MOST_TOPICS, Audience


def test_somebody_is_there_from_the_first_subscription_to_the_last_end_of_one():
    audience = Audience()
    for frame, there in ((b"\1", True), (b"\1a|", True), (b"\0", True), (b"\0a|", False), (b"\1|", True)):
        assert audience.hear(frame)
        assert audience.is_there is there


def test_figures_are_asked_for_by_their_topic_alone_which_makes_nobody_a_follower():
    audience = Audience()
    for frame, wanted in (
        (b"\1", False),
        (b"\1|", False),
        (b"\1" + FIGURES, True),
        (b"\0|", True),
        (b"\0" + FIGURES, False),
    ):
        assert audience.hear(frame)
        assert audience.wants_figures is wanted
    audience.hear(b"\0")
    audience.hear(b"\1" + FIGURES)
    assert not audience.is_there


@pytest.mark.parametrize("frame", [b"", b"\2", b"\xff" * 50, b"hello", b"\1" + bytes(LONGEST_TOPIC + 1)])
def test_what_is_no_subscription_is_told_apart_and_changes_nothing(frame):
    audience = Audience()
    assert not audience.hear(frame)
    assert not audience.is_there


def test_a_million_topics_cost_no_more_than_a_thousand_and_are_counted_all_the_same():
    audience = Audience()
    topics = [b"%d|" % number for number in range(20 * MOST_TOPICS)]
    for topic in topics:
        assert audience.hear(b"\1" + topic)
    assert len(audience._topics) == MOST_TOPICS
    assert audience.hear(b"\1" + FIGURES)
    assert audience.wants_figures
    for topic in topics[:-1]:
        audience.hear(b"\0" + topic)
    assert audience.is_there
    audience.hear(b"\0" + topics[-1])
    assert not audience.is_there


@given(st.lists(st.binary(max_size=6)))
def test_whatever_comes_it_is_heard_without_an_error(frames):
    audience = Audience()
    for frame in frames:
        audience.hear(frame)
