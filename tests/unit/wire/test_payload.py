"""Messages as msgpack: whatever is opened is the same in value and in type, all the way down, or it was refused."""

from __future__ import annotations

import enum
import gc
import math
import struct
import threading
from collections import OrderedDict, UserDict, defaultdict
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import ProtocolError
from understudy.wire import payload
from understudy.wire.payload import opened, plain


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Ratio(float):
    pass


class Raw(bytes):
    pass


class Rows(list[Any]):
    pass


class Table(dict[str, Any]):
    pass


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


TRAPS: list[Any] = [
    bytearray(b"ab"),
    bytearray(),
    memoryview(b"ab"),
    memoryview(bytearray(b"abcd"))[::2],
    (),
    (1, 2),
    Point(1, 2),
    {1, 2},
    frozenset({3}),
    Colour.RED,
    Level.LOW,
    Word.YES,
    Text("ab"),
    Number(7),
    Ratio(0.5),
    Raw(b"ab"),
    Rows([1]),
    Table(a=1),
    OrderedDict(a=1),
    defaultdict(list, a=1),
    UserDict(a=1),
    1j,
    range(3),
    2**64,
    -(2**63) - 1,
    msgpack.ExtType(5, b"ab"),
    msgpack.ExtType(True, Raw(b"ab")),  # noqa: FBT003 - a code that is a truth
    msgpack.Timestamp(1, 2),
    object(),
    len,
    int,
    Ellipsis,
]
HASHABLE_TRAPS = [
    trap
    for trap in TRAPS
    if type(trap) not in {bytearray, set, Rows, Table, OrderedDict, defaultdict, UserDict}
    and not (type(trap) is memoryview and not trap.readonly)
]

numbers = st.integers(-(2**63), 2**64 - 1)
texts = st.text(st.characters(codec=None)) | st.sampled_from(["\ud800", "\udfff\ud800", "\ud800\udc00", "é\udcff", ""])
leaves = st.none() | st.booleans() | numbers | st.floats() | texts | st.binary()
honest = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(leaves, inner), max_leaves=30)
trapped = st.recursive(
    leaves | st.integers() | st.sampled_from(range(len(TRAPS))).map(TRAPS.__getitem__),
    lambda inner: st.lists(inner) | st.dictionaries(leaves | st.sampled_from(HASHABLE_TRAPS), inner),
    max_leaves=30,
)


def kind_of(trap: Any) -> str:
    return type(trap).__name__


def same(one: Any, other: Any) -> bool:
    """Equal in value and in exact types; of floats, in their bits."""
    if type(one) is not type(other):
        return False
    if type(one) is float:
        return struct.pack("d", one) == struct.pack("d", other)
    if type(one) is list:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is dict:
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    return type(one) in {type(None), bool, int, str, bytes} and one == other


def nested(depth: int) -> Any:
    value: Any = 0
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


@given(honest)
def test_what_msgpack_can_carry_arrives_as_it_was(value: Any):
    packed = plain(value)
    assert packed is not None
    assert same(opened(packed), value)
    assert same(opened(memoryview(packed)), value)


@given(trapped)
def test_whatever_is_packed_arrives_as_it_was(value: Any):
    packed = plain(value)
    assert packed is None or same(opened(packed), value)


@pytest.mark.parametrize("trap", TRAPS, ids=kind_of)
def test_what_msgpack_would_change_or_refuse_is_left_to_pickle(trap: Any):
    for holder in (trap, [trap], {"a": trap}, {"a": [1, {"b": [trap]}]}, ["x"] * 5000 + [trap], [[trap]] * 3):
        assert plain(holder) is None
    assert plain([1, 2]) == b"\x92\x01\x02"  # and the next message is not disturbed


@pytest.mark.parametrize("trap", HASHABLE_TRAPS, ids=kind_of)
def test_keys_are_looked_at_like_values(trap: Any):
    assert plain({trap: 1}) is None
    assert plain({"a": [{trap: 1}]}) is None
    assert plain({number: {trap: 1} for number in range(3000)}) is None


def test_a_flat_dict_that_hides_a_bytearray_is_found():
    message: dict[str, Any] = {"a": 1, "b": bytearray(b"x")}
    assert not gc.is_tracked(message)
    assert plain(message) is None


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 0xC4C5C6, 0xD4D5D6D7D8])
def test_numbers_at_the_edge_and_those_that_look_like_something_else(number: int):
    assert same(opened(plain({"n": number, "m": [number]})), {"n": number, "m": [number]})


def test_floats_keep_their_bits():
    odd = [math.nan, struct.unpack("<d", b"\x01\0\0\0\0\0\xf8\xff")[0], -0.0, math.inf, 5e-324]
    assert same(opened(plain(odd)), odd)


@pytest.mark.parametrize("depth", [1, 100, 300])
def test_what_is_nested_arrives(depth: int):
    assert same(opened(plain(nested(depth))), nested(depth))


def test_what_is_nested_too_deeply_is_refused_before_it_is_sent():
    packed = [plain(nested(depth)) for depth in (500, *range(505, 1100, 17), 1023, 1024, 1025, 1100)]
    assert packed[0] is not None
    assert packed[-1] is None
    assert all(opened(one) is not None for one in packed if one is not None)


def test_nesting_without_end_is_left_to_pickle():
    itself: list[Any] = []
    itself.append(itself)
    ring: dict[str, Any] = {}
    ring["a"] = [{"b": ring}]
    for message in (itself, ring, nested(100_000)):
        assert plain(message) is None


def test_what_doubles_with_each_level_is_left_to_pickle():
    message: Any = [1, 2]
    for _ in range(60):
        message = [message, message]
    assert plain(message) is None
    assert plain([[1, 2]] * 5000) is None
    shared = [1]
    assert same(opened(plain({"a": shared, "b": shared})), {"a": [1], "b": [1]})


def test_large_messages_are_looked_at_too():
    rows = [{"id": number, "name": f"row {number}", "at": number / 7, "tags": ["a", b"b"]} for number in range(5000)]
    assert same(opened(plain(rows)), rows)
    rows[4999]["tags"] = ["a", bytearray(b"b")]
    assert plain(rows) is None


def test_a_message_amid_the_packing_of_another_harms_neither(monkeypatch: pytest.MonkeyPatch):
    """As a finalizer sends one, or another thread."""

    class Interrupted:
        def __init__(self) -> None:
            self.packer = msgpack.Packer(strict_types=True)

        def pack(self, message: Any) -> Any:
            assert plain(["within"]) == b"\x91\xa6within"
            return self.packer.pack(message)

    monkeypatch.setattr(payload, "_packers", [Interrupted()])
    assert plain(["around"]) == b"\x91\xa6around"
    assert len(payload._packers) == 2


def test_threads_do_not_mix_their_messages():
    wrong: list[Any] = []

    def send(name: str) -> None:
        message = {"from": name, "text": name * 50}
        wrong.extend(found for _ in range(2000) if (found := opened(plain(message))) != message)

    threads = [threading.Thread(target=send, args=(f"thread {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_packer_that_has_grown_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(payload, "_packers", [])
    assert plain("x" * (2 << 20)) is not None
    assert payload._packers == []
    assert plain("x") is not None
    assert len(payload._packers) == 1


@given(st.binary())
def test_any_bytes_give_a_value_or_a_protocol_error(frame: bytes):
    try:
        opened(frame)
    except ProtocolError:
        return


@given(honest, st.data())
def test_any_change_gives_a_value_or_a_protocol_error(value: Any, data: st.DataObject):
    packed = bytearray(plain(value) or b"")
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    for frame in (bytes(packed), bytes(packed[:-1]), bytes(packed) + b"\0"):
        try:
            opened(frame)
        except ProtocolError:
            continue
