"""What the topics at a stream cost is counted for each key, and given back when nobody has them any more."""

from __future__ import annotations

import pytest

from understudy.wire.topics import MOST_NEW, OWN, ROOM, Topics

LARGE = b"x" * (1_000 - OWN - 8)


def came(number):
    return b"\x01%08d" % number + LARGE


def left(number):
    return b"\x00" + came(number)[1:]


@pytest.fixture
def topics():
    return Topics()


def test_each_key_has_its_room_and_no_other_has_less_for_it(topics):
    assert all(topics.hear(came(number), "eve", 0.0) for number in range(ROOM // 1_000))
    assert not topics.hear(came(999_999), "eve", 0.0)
    assert topics.hear(came(1_000_000), "wall", 0.0)


def test_what_nobody_has_any_more_costs_nobody_anything(topics):
    for number in range(2 * ROOM // 1_000):
        topics.hear(came(number), "eve", 0.0)
    assert not topics.hear(came(999_999), "eve", 0.0)
    for number in range(2 * ROOM // 1_000):
        assert topics.hear(left(number), "", 0.0)  # as when the connection was cut off
    assert topics.hear(came(1), "eve", 0.0)
    assert topics.hear(b"\x00never there", "", 0.0)


def test_a_topic_that_is_told_twice_counts_once(topics):
    for _ in range(2 * ROOM // 1_000):
        assert topics.hear(came(1), "eve", 0.0)


def test_who_comes_and_leaves_without_end_has_too_much_in_a_second(topics):
    for number in range(MOST_NEW):
        assert topics.hear(came(number), "eve", 5.0)
        assert topics.hear(left(number), "eve", 5.0)
    assert not topics.hear(came(1), "eve", 5.5)
    assert topics.hear(came(1), "eve", 6.0)


def test_what_is_no_subscription_is_for_nobody(topics):
    assert not topics.hear(b"", "eve", 0.0)
    assert not topics.hear(b"\x02word", "eve", 0.0)
