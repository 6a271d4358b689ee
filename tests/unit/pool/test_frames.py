"""What a pool and its workers say: whole, in whatever pieces it comes, and nothing else."""

from __future__ import annotations

import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import ProtocolError
from understudy.pool.frames import DONE, MAX_ENVELOPE, SHORT, Reader, Writer, opened
from understudy.wire.sealing import seal

pytestmark = pytest.mark.requirement("B1")

KEY = b"k" * 32
BODIES = st.one_of(
    st.integers(),
    st.text(max_size=50),
    st.lists(st.integers(), max_size=5),
    st.tuples(st.integers(), st.text(max_size=5)),
    st.sampled_from([SHORT - 1, SHORT, SHORT + 1, 20 * SHORT]).map(lambda size: b"x" * size),
)


def written(*bodies):
    writer = Writer()
    content = [writer.body(seal(body, "body", KEY)) for body in bodies]
    return b"".join(bytes(buffer) for buffer in writer.message(DONE, content))


def read(data, pieces):
    reader, found, at = Reader(), [], 0
    pieces = iter(pieces)
    while at < len(data):
        room = reader.room()
        count = min(len(room), len(data) - at, next(pieces, len(data)))
        assert count > 0
        room[:count] = data[at : at + count]
        at += count
        found += reader.filled(count)
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(BODIES, max_size=3), max_size=4), st.lists(st.integers(1, 100_000), max_size=30))
def test_messages_come_whole_in_whatever_pieces(messages, pieces):
    data = b"".join(written(*bodies) for bodies in messages)
    found = read(data, pieces)
    assert [message.kind for message in found] == [DONE] * len(messages)
    for message, bodies in zip(found, messages, strict=True):
        assert [opened(body, message.parts, KEY) for body in message.content] == bodies


def test_an_array_arrives_once_and_may_be_written_to():
    sent = np.arange(100_000.0)
    (message,) = read(written(sent), [])
    (got,) = [opened(body, message.parts, KEY) for body in message.content]
    assert np.array_equal(got, sent)
    got[0] = 7
    assert any(np.shares_memory(got, np.frombuffer(part, dtype=float)) for part in message.parts)


def test_what_somebody_else_has_sealed_is_not_opened():
    (message,) = read(written({1, 2}), [])
    with pytest.raises(ProtocolError):
        opened(message.content[0], message.parts, b"another" * 4)
    form, _, frames = message.content[0]
    with pytest.raises(ProtocolError):
        opened([form, None, frames], message.parts, KEY)


@pytest.mark.parametrize("body", [None, 3, [], [0, None], [0, None, 7], [2, b"", [5]], ["x", None, [b""]]])
def test_a_body_that_is_none_is_refused(body):
    with pytest.raises(ProtocolError):
        opened(body, [], KEY)


@pytest.mark.parametrize(
    "envelope", [b"\xc1", b"\x01", msgpack.packb([1, 2]), msgpack.packb([1, 2, []]), msgpack.packb(["a", 1, [0]]),
                 msgpack.packb(["a", 1, [1 << 40]]), msgpack.packb(["a", 1, ["b"]])]
)  # fmt: skip
def test_an_envelope_that_is_none_is_refused(envelope):
    with pytest.raises(ProtocolError):
        read(struct.pack("<I", len(envelope)) + envelope, [])


@pytest.mark.parametrize("length", [0, MAX_ENVELOPE + 1])
def test_a_length_beyond_the_bounds_is_refused_before_it_is_waited_for(length):
    with pytest.raises(ProtocolError):
        read(struct.pack("<I", length) + b"x", [])


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=400), st.integers(1, 50))
def test_any_bytes_give_messages_or_a_protocol_error(data, piece):
    try:
        read(data, [piece] * 400)
    except ProtocolError:
        return
