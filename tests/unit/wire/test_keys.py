"""The tag over a pickle and its buffers' lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.keys import KEY_BYTES, TAG_BYTES, new_key, tag, verify

KEY = bytes(range(KEY_BYTES))
FRAMES = [b"a pickle", b"first buffer", b"", b"third"]
frames = st.lists(st.binary(max_size=60), min_size=1, max_size=5)
keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)


def test_keys_are_fresh_and_long():
    found = {new_key() for _ in range(100)}
    assert len(found) == 100
    assert {len(key) for key in found} == {KEY_BYTES}


@given(keys, frames)
def test_a_tag_proves_what_it_was_made_for(key: bytes, frames: list[bytes]):
    made = tag(key, frames)
    assert len(made) == TAG_BYTES
    assert verify(key, frames, made)
    assert verify(key, tuple(memoryview(frame) for frame in frames), made)


@given(keys, frames, st.data())
def test_any_flipped_bit_of_the_pickle_is_noticed(key: bytes, frames: list[bytes], data: st.DataObject):
    made, pickle = tag(key, frames), bytearray(frames[0] or b"\0")
    bit = data.draw(st.integers(0, len(pickle) * 8 - 1))
    pickle[bit // 8] ^= 1 << bit % 8
    assert not verify(key, [bytes(pickle), *frames[1:]], made)


def test_each_flipped_bit_of_pickle_tag_and_key_is_noticed():
    made = tag(KEY, FRAMES)
    for part, check in (
        (FRAMES[0], lambda changed: verify(KEY, [changed, *FRAMES[1:]], made)),
        (made, lambda changed: verify(KEY, FRAMES, changed)),
        (KEY, lambda changed: verify(changed, FRAMES, made)),
    ):
        for bit in range(len(part) * 8):
            changed = bytearray(part)
            changed[bit // 8] ^= 1 << bit % 8
            assert not check(bytes(changed)), f"bit {bit} of {part!r}"


@pytest.mark.parametrize(
    "changed",
    [
        [b"a pickle", b"first buffer", b"", b"thir"],
        [b"a pickle", b"first buffer!", b"", b"third"],
        [b"a pickle", b"first buffe", b"r", b"third"],
        [b"a pickle", b"first buffer", b""],
        [b"a pickle", b"first buffer", b"", b"third", b""],
        [b"a pickle", b"", b"first buffer", b"third"],
        [b"a pickle"],
        [b"first buffer", b"a pickle", b"", b"third"],
        [b"", b"first buffer", b"", b"third"],
    ],
)
def test_a_buffer_of_another_length_or_place_is_noticed(changed: list[bytes]):
    assert not verify(KEY, changed, tag(KEY, FRAMES))


def test_a_pickle_cannot_pass_for_another_with_a_buffer():
    length = (3).to_bytes(8, "little")
    assert not verify(KEY, [length + b"a pickle"], tag(KEY, [b"a pickle", b"buf"]))
    assert not verify(KEY, [b"a pickle", b"buf"], tag(KEY, [length + b"a pickle"]))


def test_what_a_buffer_holds_is_data_and_not_covered():
    assert verify(KEY, [b"a pickle", b"FIRST BUFFER", b"", b"third"], tag(KEY, FRAMES))


@pytest.mark.parametrize("claimed", [None, b"", tag(KEY, FRAMES)[:-1], tag(KEY, FRAMES) + b"\0", b"\0" * TAG_BYTES])
def test_a_missing_or_misshapen_tag_proves_nothing(claimed: bytes | None):
    assert not verify(KEY, FRAMES, claimed)


def test_no_frames_are_proven_by_no_tag():
    assert not verify(KEY, [], b"\0" * TAG_BYTES)
    assert not verify(KEY, [], None)


@given(frames, frames)
def test_other_frames_have_another_tag(one: list[bytes], other: list[bytes]):
    same = one[0] == other[0] and [len(frame) for frame in one[1:]] == [len(frame) for frame in other[1:]]
    assert (tag(KEY, one) == tag(KEY, other)) == same


def test_the_length_of_a_buffer_is_in_bytes_whatever_its_items():
    wide = memoryview(bytearray(16)).cast("q")
    assert tag(KEY, [b"p", wide]) == tag(KEY, [b"p", bytes(16)])


@given(keys, frames, st.binary(min_size=1, max_size=60))
def test_what_is_said_of_lent_buffers_is_covered(key: bytes, frames: list[bytes], lent: bytes):
    made = tag(key, frames, lent)
    assert verify(key, frames, made, lent)
    assert not verify(key, frames, made)
    assert not verify(key, frames, made, lent + b"\0")
    assert not verify(key, frames, tag(key, frames), lent)
    assert not verify(key, [len(lent).to_bytes(8, "little") + lent + frames[0], *frames[1:]], made)
