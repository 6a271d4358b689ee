"""Dead letters: so many are kept, and so many bytes of messages; a message is opened by who asks for it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from understudy.deadletters import DeadLetter
from understudy.errors import ProtocolError
from understudy.router.letters import Body, Letters
from understudy.wire.codec import pack
from understudy.wire.keys import tag
from understudy.wire.pickling import dump_frames

KEY = b"k" * 32
TOLD = DeadLetter(12.5, "receiver", 7, "sender", "tell", "it has ended", "dict {'a': 1}")


def letter(number: int, size: int | None = None) -> tuple[DeadLetter, Body | None]:
    body = None if size is None else Body(KEY, None, [pack(bytes(size))])
    return replace(TOLD, uid=number, _open=body), body


def opened(letters: Letters) -> list[int]:
    """Of whom the message is kept still."""
    found = []
    for one in letters.kept():
        try:
            found.append(one.uid) if one.message is not None else None
        except LookupError:
            continue
    return found


def test_so_many_are_kept_and_all_are_counted():
    letters = Letters(most=3, size=1000)
    for number in range(5):
        letters.add(*letter(number, 10))
    letters.add(replace(TOLD, uid=5, count=40), None)
    assert [one.uid for one in letters.kept()] == [3, 4, 5]
    assert len(letters) == 3
    assert letters.total == 45


def test_of_the_oldest_the_message_goes_first_and_what_is_told_of_it_stays():
    letters = Letters(most=100, size=100)
    for number in range(4):
        letters.add(*letter(number, 40))
    letters.add(*letter(4))
    assert [one.uid for one in letters.kept()] == [0, 1, 2, 3, 4]
    assert opened(letters) == [2, 3]
    with pytest.raises(LookupError, match="later ones took its place"):
        letters.kept()[0].message  # noqa: B018 - it raises
    with pytest.raises(LookupError, match="is not kept; dict"):
        letters.kept()[4].message  # noqa: B018


def test_the_room_of_what_went_is_free_for_others():
    letters = Letters(most=2, size=100)
    for number in range(20):
        letters.add(*letter(number, 40))
        assert opened(letters) == [one for one in (number - 1, number) if one >= 0]
    for number in range(20):
        letters.add(*letter(number))
    letters.add(*letter(20, 90))
    assert opened(letters) == [20]


def test_what_is_drained_is_told_no_more_and_keeps_its_message():
    letters = Letters(most=100, size=100)
    letters.add(*letter(1, 60))
    (taken,) = letters.drain()
    assert letters.drain() == letters.kept() == []
    letters.add(*letter(2, 60))
    letters.add(*letter(3, 60))
    assert taken.message == bytes(60)
    assert opened(letters) == [3]
    assert letters.total == 3


@pytest.mark.parametrize("message", [None, {"a": [1, 2.5, "text \udcff"]}, {1: b"bytes"}, "text"])
def test_plain_values_come_back(message: Any):
    assert Body(KEY, None, [pack(message)])() == message


def test_a_pickle_is_opened_anew_each_time_and_only_under_its_tag():
    frames = dump_frames({"a": {1, 2}}, "message")
    body = Body(KEY, tag(KEY, frames), frames)
    assert body() == {"a": {1, 2}}
    assert body() is not body()
    for claimed in (bytes(16), tag(b"x" * 32, frames)):
        with pytest.raises(ProtocolError, match="is not opened"):
            Body(KEY, claimed, frames)()


def test_a_dead_letter_travels_without_its_message_and_without_the_key():
    frames = dump_frames("a message", "message")
    whole = replace(TOLD, count=3, _open=Body(KEY, tag(KEY, frames), frames))
    assert whole.message == "a message"
    packed = pickle.dumps(whole)
    assert KEY not in packed
    arrived = pickle.loads(packed)
    assert arrived == whole
    assert arrived.count == 3
    with pytest.raises(LookupError):
        arrived.message  # noqa: B018
