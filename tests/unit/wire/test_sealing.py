"""Messages to what travels and back: the forms, what is lent of them, and what is refused unopened."""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wire.peers import KEY, Peer, array, digest
from understudy.call import Call
from understudy.errors import ProtocolError, SerializationError, TooLarge
from understudy.wire import keys, sealing
from understudy.wire.bulk import BULK, Borrower, Lender, Loan
from understudy.wire.codec import pack, unpack
from understudy.wire.payload import plain
from understudy.wire.sealing import (
    CALLED,
    INLINE,
    PACKED,
    PICKLED,
    SMALL,
    Sealed,
    decline,
    seal,
    unseal,
    verified,
    withdraw,
)  # fmt: skip
from understudy.wire.stock import Stock

SIZE = BULK + 77
pytestmark = pytest.mark.requirement("A7")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def lender() -> Iterator[Lender]:
    lender = Lender()
    yield lender
    lender.close()


def over(sealed: Sealed) -> Sealed:
    """As it comes out of an envelope and its frames at the other end."""
    form, tag, loans = unpack(pack([sealed.form, sealed.tag, sealed.loans]), 1 << 20)
    return Sealed(form, tag, [bytes(frame) for frame in sealed.frames], loans)


def carried(message: Any, lender: Lender | None = None, borrower: Borrower | None = None) -> Any:
    return unseal(over(seal(message, "message", KEY, lender)), KEY, borrower or Borrower())


class Opened:
    """Where it is opened, there is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class Columns:
    """As Arrow's tables do, it gives its buffers away and is rebuilt on those that it gets."""

    def __init__(self, *columns: Any) -> None:
        self.columns = [memoryview(column) for column in columns]

    def __reduce_ex__(self, _: Any) -> Any:
        return Columns, tuple(pickle.PickleBuffer(column) for column in self.columns)


class Unsound:
    """It cannot be opened."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __setstate__(self, state: Any) -> None:
        raise ZeroDivisionError("I cannot be opened")


class Handle:
    def __reduce__(self) -> Any:
        raise TypeError("a handle stays where it is")


# --- the forms


def test_small_plain_messages_are_msgpack_without_a_tag():
    assert seal({"a": 1}, "message", KEY) == (INLINE, None, (b"\x81\xa1a\x01",), ())
    assert carried({"a": [1, None, "x"]}) == {"a": [1, None, "x"]}


def test_msgpack_has_a_frame_of_its_own_from_4_kib_on():
    for length, form in ((SMALL - 4, INLINE), (SMALL - 3, PACKED)):
        sealed = seal("x" * length, "message", KEY)
        assert (sealed.form, sealed.tag, len(sealed.frames), sealed.loans) == (form, None, 1, ())
        assert len(sealed.frames[0]) == length + 3
        assert unseal(over(sealed), KEY, Borrower()) == "x" * length


def test_a_call_with_short_plain_arguments_is_msgpack_and_any_other_a_pickle():
    plain_one = Call("add", (1, None, "text"), {"by": [2.5]})
    assert seal(plain_one, "message", KEY)[:2] == (CALLED, None)
    assert carried(plain_one) == plain_one
    for call in (Call("add", ((1, 2),), {}), Call("add", (), {"by": {1}}), Call("add", ("x" * SMALL,), {})):
        assert seal(call, "message", KEY).form == PICKLED
        assert carried(call) == call


@pytest.mark.parametrize("parts", [None, "add", ["add", []], ["add", [], {1: 2}], [1, [], {}], ["add", {}, {}]])
def test_what_is_no_call_is_refused_where_a_call_is_said_to_come(parts: Any):
    with pytest.raises(ProtocolError, match="is no call"):
        unseal(Sealed(CALLED, None, [pack(parts)], ()), KEY, Borrower())


@pytest.mark.parametrize("message", [(1, 2), {1}, bytearray(b"x"), 2**70, {"a": (1,)}, Path("a")], ids=repr)
def test_all_else_is_a_pickle_with_a_tag(message: Any):
    sealed = seal(message, "message", KEY)
    assert sealed.form == PICKLED
    assert keys.verify(KEY, sealed.frames, sealed.tag)
    assert unseal(over(sealed), KEY, Borrower()) == message
    assert type(carried(message)) is type(message)


@pytest.mark.parametrize("kind", [bytes, bytearray])
@pytest.mark.parametrize("length", [0, 5, SMALL, 65536, 65537, BULK, SIZE])
def test_bytes_of_any_length_arrive_as_themselves(lender: Lender, kind: Any, length: int):
    message = kind(array(1, length).tobytes())
    for one in (None, lender):
        borrower = Borrower()
        sealed = seal(message, "message", KEY, one)
        assert bool(sealed.loans) == (one is not None and length >= BULK)
        found = unseal(over(sealed), KEY, borrower)
        assert type(found) is kind
        assert found == message
        assert len(borrower.given_back) == len(sealed.loans)


def test_what_is_large_is_lent_and_the_rest_are_frames(lender: Lender):
    message = {"one": array(2, 100), "two": array(3, SIZE), "three": array(4, 200), "four": array(5, BULK)}
    borrower = Borrower()
    sealed = seal(message, "message", KEY, lender)
    assert [loan is not None for loan in sealed.loans] == [False, True, False, True]
    assert [len(frame) for frame in sealed.frames[1:]] == [100, 200]
    found = unseal(over(sealed), KEY, borrower, "them")
    assert all((found[name] == message[name]).all() for name in message)
    assert [found[name].flags.writeable for name in message] == [True, False, True, False]
    numbers = [loan.number for loan in sealed.loans if loan]
    del found["two"]
    assert list(borrower.given_back) == [("them", numbers[0])]
    found.clear()
    assert list(borrower.given_back) == [("them", number) for number in numbers]
    for _, number in borrower.given_back:
        lender.returned(number)
    assert lender.out == 0


def test_a_part_that_is_too_large_for_a_frame_is_refused_and_what_was_lent_beside_it_is_back(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sealing, "MAX_PART", 1 << 16)
    small, lent = np.zeros(1 << 17, np.uint8), np.zeros(BULK, np.uint8)
    for message in (["x" * (1 << 17)], {"small": small, "lent": lent}, {1} | set(range(40_000))):
        with pytest.raises(TooLarge, match="up to 65,536 can"):
            seal(message, "message", KEY, lender)
    assert lender.out == 0
    assert seal(lent, "message", KEY, lender).frames, "what is lent is no frame"


def test_beyond_what_can_be_lent_buffers_are_frames():
    lender = Lender(Stock(limit=3 * BULK))
    message = tuple(array(seed, SIZE) for seed in range(3))
    sealed = seal(message, "message", KEY, lender)
    assert [loan is not None for loan in sealed.loans] == [True, True, False]
    assert all((one == other).all() for one, other in zip(unseal(over(sealed), KEY, Borrower()), message, strict=True))
    sealed = seal(message, "message", KEY, lender)
    assert (len(sealed.frames), sealed.loans) == (4, ())
    lender.close()


def test_large_msgpack_is_lent_and_given_back_once_it_is_open(lender: Lender):
    borrower, message = Borrower(), {"text": "é" * BULK, "rows": [1, 2, 3]}
    sealed = seal(message, "message", KEY, lender)
    assert (sealed.form, sealed.frames, len(sealed.loans)) == (PACKED, [], 1)
    assert unseal(over(sealed), KEY, borrower) == message
    assert len(borrower.given_back) == 1


def test_whoever_gives_its_buffers_away_is_rebuilt_on_the_lent_ones(lender: Lender):
    borrower = Borrower()
    columns = Columns(array(6, SIZE), bytes(array(7, SIZE)), np.arange(300_000.0), bytearray(b"small"))
    found = unseal(over(seal({"table": columns}, "message", KEY, lender)), KEY, borrower)["table"]
    assert [bytes(column) for column in found.columns] == [bytes(column) for column in columns.columns]
    assert [column.readonly for column in found.columns] == [True, True, True, False]
    assert not borrower.given_back
    del found
    assert len(borrower.given_back) == 3


def test_arrays_of_any_shape_arrive(lender: Lender):
    square = array(8, 4 * BULK).view("u4").reshape(1024, 1024)
    message = (square, np.asfortranarray(square), square[::2], square.T, square.astype("f8"), square[:0])
    for one in (None, lender):
        found = carried(message, one)
        assert all(
            (left == right).all() and left.dtype == right.dtype for left, right in zip(found, message, strict=True)
        )


def test_messages_go_to_another_process_and_come_from_there(peer: Peer, lender: Lender):
    message = {"arrays": (array(9, SIZE), array(10, 10))}
    sealed = over(seal(message, "message", KEY, lender))
    assert peer.ask("unseal", sealed, "a") == [(digest(array(9, SIZE)), False), (digest(array(10, 10)), True)]
    assert len(peer.ask("drop", "a")) == 1
    found = unseal(over(Sealed(*peer.ask("seal", 11, SIZE, 10))), KEY, Borrower())["arrays"]
    assert [digest(one) for one in found] == [digest(array(11, SIZE)), digest(array(12, 10))]


# --- what does not travel


def test_what_cannot_travel_is_named_and_nothing_of_it_is_lent(lender: Lender):
    with pytest.raises(SerializationError, match=r"message\['rows'\]\[1\].*Handle"):
        seal({"data": array(12, SIZE), "rows": [1, Handle()]}, "message", KEY, lender)
    assert lender.out == 0
    assert carried({"data": array(12, 5)}, lender)["data"].shape == (5,)


def test_what_is_not_sent_after_all_is_withdrawn(lender: Lender, monkeypatch: pytest.MonkeyPatch):
    message = (array(13, SIZE), array(14, SIZE))
    sealed = seal(message, "message", KEY, lender)
    assert lender.out == 2
    withdraw(sealed, lender)
    assert lender.out == 0
    lend = lender.lend
    lent: list[Loan | None] = []

    def interrupted(buffer: Any) -> Loan | None:
        if lent:
            raise KeyboardInterrupt
        lent.append(lend(buffer))
        return lent[0]

    monkeypatch.setattr(lender, "lend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        seal(message, "message", KEY, lender)
    assert len(lent) == 1
    assert lender.out == 0


def test_what_is_not_opened_is_declined(lender: Lender):
    borrower = Borrower()
    sealed = over(seal((array(15, SIZE), array(16, 9)), "message", KEY, lender))
    decline(verified(sealed, KEY), borrower, "them")
    assert list(borrower.given_back) == [("them", sealed.loans[0][0])]  # type: ignore[index]
    with pytest.raises(ProtocolError):
        decline(verified(sealed._replace(tag=bytes(16)), KEY), borrower)
    decline(verified(over(seal({"a": 1}, "message", KEY, lender)), KEY), borrower)
    assert len(borrower.given_back) == 1


def test_what_fails_to_open_raises_what_it_raised_and_its_loans_come_back(lender: Lender):
    borrower = Borrower()
    sealed = over(seal(Unsound(array(17, SIZE)), "message", KEY, lender))
    with pytest.raises(ZeroDivisionError, match="I cannot be opened"):
        unseal(sealed, KEY, borrower, "them")
    gc.collect()
    assert [whose for whose, _ in borrower.given_back] == ["them"]


def test_a_message_of_which_a_part_is_gone_gives_back_the_others(lender: Lender):
    borrower, other = Borrower(), Lender(Stock(limit=BULK * 2))
    mine, gone = lender.lend(array(18, SIZE)), other.lend(array(19, SIZE))
    assert mine is not None
    assert gone is not None
    sealed = seal((array(18, SIZE), array(19, SIZE)), "message", KEY, lender)
    lender.returned(sealed.loans[1].number)  # type: ignore[union-attr]
    with pytest.raises(ProtocolError, match="not there"):
        unseal(over(sealed), KEY, borrower)
    assert {number for _, number in borrower.given_back} == {loan.number for loan in sealed.loans if loan}
    other.close()


# --- what is refused


def flipped(data: bytes) -> Iterator[bytes]:
    """Each bit of it the other way."""
    for bit in range(len(data) * 8):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        yield bytes(other)


def other_loans(loans: list[Any]) -> Iterator[Any]:
    """Loans that do not go with the message, or are none."""
    yield from (None, 7, {}, [None] * 5000, [*loans, None], [None, *loans], [*loans, [1] * 6], [[1] * 5], [["1"] * 6])
    if loans:
        yield from (loans[1:], loans[::-1], ())
    for place, loan in enumerate(loans):
        for field in range(6 if loan else 0):
            for number in (-1, 0, 2**63, 2**64, None, True, 1.5, loan[field] + 1):
                yield [*loans[:place], [*loan[:field], number, *loan[field + 1 :]], *loans[place + 1 :]]


def tampered(sealed: Sealed) -> Iterator[Sealed]:
    """Each field changed in each way that a stranger could think of."""
    odd: Any
    for odd in (INLINE, PACKED, PICKLED, 3, -1, True, None, "0", 2.0, [2]):
        yield sealed._replace(form=odd)
    for odd in (None, b"", bytes(16), "tag", 7, [sealed.tag], *flipped(sealed.tag or b"")):
        yield sealed._replace(tag=odd)
    for odd in other_loans([*sealed.loans]):
        yield sealed._replace(loans=odd)
    yield sealed._replace(frames=[*sealed.frames, b"more"])
    yield sealed._replace(frames=sealed.frames[:-1])
    if sealed.form == PICKLED:
        yield sealed._replace(frames=[*sealed.frames[:-1], sealed.frames[-1] + b"x"])
        for pickled in flipped(sealed.frames[0]):
            yield sealed._replace(frames=[pickled, *sealed.frames[1:]])


@pytest.mark.fault("F53")
def test_what_was_changed_on_its_way_is_never_opened(tmp_path: Path, lender: Lender):
    canary = tmp_path / "canary"
    arrays = array(20, SIZE), array(21, 20), array(22, BULK)
    for message in (Opened(canary), (Opened(canary), *arrays), {"a": "x" * BULK}):
        borrower, sealed = Borrower(), over(seal(message, "message", KEY, lender))
        tried = 0
        for other in tampered(sealed):
            if other == sealed and type(other.form) is int:
                continue
            with pytest.raises(ProtocolError):
                unseal(other, KEY, borrower)
            tried += 1
        assert tried > 150
        with pytest.raises(ProtocolError):
            unseal(sealed, keys.new_key(), borrower)
        assert not canary.exists()
        assert not borrower.given_back
        assert not borrower._memories  # nor was anything that it names looked for
    unseal(over(seal(Opened(canary), "message", KEY)), KEY, Borrower())
    assert canary.exists()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=12,
)
some_loans = st.none() | st.lists(st.integers(-1, 5) | st.integers(), min_size=6, max_size=6)


@given(
    st.integers(-1, 3) | anything,
    st.none() | st.binary(min_size=16, max_size=16) | anything,
    st.lists(st.binary(max_size=40), max_size=4),
    st.just([]) | st.lists(some_loans, max_size=4) | anything,
)
def test_any_fields_give_a_value_or_a_protocol_error(form: Any, tag: Any, frames: list[bytes], lent: Any):
    sealed = Sealed(form, tag, frames, lent)
    try:
        unseal(sealed, KEY, Borrower())
    except ProtocolError:
        return
    assert form in {INLINE, PACKED}
    assert tag is None
    assert len(frames) == 1


@given(st.lists(some_loans, min_size=1, max_size=3).filter(any))
def test_loans_of_our_own_system_that_lead_nowhere_give_a_protocol_error(lent: list[Any]):
    pickled = pickle.dumps([pickle.PickleBuffer(b"") for _ in lent], 5, buffer_callback=lambda _: None)
    frames = [pickled, *(b"" for loan in lent if loan is None)]
    told = b"".join(
        [PICKLED.to_bytes(8, "little")]
        + [min(max(n, 0), 2**63 - 1).to_bytes(8, "little") for loan in lent for n in loan or (0,) * 6]
    )
    lent = [loan and [min(max(n, 0), 2**63 - 1) for n in loan] for loan in lent]
    borrower = Borrower()
    with pytest.raises(ProtocolError, match=r"cannot be had|not there|no such"):
        unseal(Sealed(PICKLED, keys.tag(KEY, frames, told), frames, lent), KEY, borrower)
    assert len(borrower.given_back) == sum(loan is not None for loan in lent)


def test_plain_messages_need_no_key():
    packed = plain({"a": 1})
    assert unseal(Sealed(INLINE, None, [packed], []), keys.new_key(), Borrower()) == {"a": 1}
