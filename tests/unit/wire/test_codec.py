"""Messages to frames and back; and whatever else comes, it is a ProtocolError and nothing else."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.frames import KINDS, SAID, any_message, identities, opaque, plain
from understudy.errors import ProtocolError
from understudy.wire import messages
from understudy.wire.codec import MAX_ENVELOPE, MAX_FRAMES, VERSION, decode, encode, pack, prepare, unpack
from understudy.wire.messages import ORDERS, REPORTS, Identity

WHO = Identity("system-1", 7, 2, 41)
BEAT = [VERSION, "beat", "system-1", 7, 2, 41]


def opened(frames: list[Any]) -> Any:
    """The message, or None for what is none; anything but a ProtocolError fails the test."""
    try:
        return decode(frames, KINDS)
    except ProtocolError as error:
        refused = str(error)
    assert len(refused) < 500, "a stranger's frame must not fill our logs"
    return None


# --- round trips


def test_every_kind_of_message_is_drawn():
    assert set(SAID) == set(KINDS)
    assert len({kind.KIND for kind in KINDS}) == len(KINDS)


@given(identities, any_message)
def test_a_message_comes_back_as_it_was_said(who: Identity, message: Any):
    assert decode(encode(who, message), KINDS) == (who, message)


@given(any_message)
def test_the_envelope_is_one_msgpack_array_in_the_order_of_the_fields(message: Any):
    envelope, *rest = encode(WHO, message)
    names = [field.name for field in fields(message) if field.name != "frames"]
    head = [VERSION, message.KIND, WHO.system, WHO.uid, WHO.incarnation, WHO.seq]
    assert unpack(envelope, MAX_ENVELOPE) == [*head, *(getattr(message, name) for name in names)]
    assert rest == list(getattr(message, "frames", ()))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_each_kind_travels_one_way_only(kind: type[Any]):
    def check(message: Any) -> None:
        here, there = (ORDERS, REPORTS) if kind in ORDERS else (REPORTS, ORDERS)
        frames = encode(WHO, message)
        assert decode(frames, here) == (WHO, message)
        with pytest.raises(ProtocolError, match="is no kind of message here"):
            decode(frames, there)

    prepare(kind)
    settings(max_examples=30)(given(SAID[kind])(check))()


def test_what_pythons_text_may_hold_travels():
    message = messages.Progress(None, "a name that is no UTF-8: \udcff")
    assert decode(encode(WHO, message)) == (WHO, message)


def test_frames_may_be_any_kind_of_buffer():
    big = memoryview(b"x" * 100_000)
    frames = encode(WHO, messages.Result({}, b"t" * 16, (bytearray(b"pickle"), big)))
    _, message = decode([memoryview(frames[0]), *frames[1:]])
    assert message.frames == (bytearray(b"pickle"), big)


# --- versions


@pytest.mark.parametrize("version", [VERSION + 1, VERSION - 1, -1, 1.0, True, None, "1", b"1", [1], {"v": 1}, 2**63])
def test_another_version_is_refused_by_an_error_that_names_both(version: object):
    with pytest.raises(ProtocolError, match=f"is version {VERSION}") as caught:
        decode([pack([version, *BEAT[1:]])])
    assert repr(version) in str(caught.value)


# --- what is no message


def test_the_frame_that_the_refusals_are_made_from_is_a_message():
    assert decode([pack(BEAT)]) == (WHO, messages.Beat())


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "1 to 4096 frames, not 0"),
        ([pack(BEAT)] * (MAX_FRAMES + 1), "1 to 4096 frames, not 4097"),
        ([b""], "not msgpack"),
        ([b"\xc1"], "not msgpack"),
        ([pack(BEAT)[:-1]], "not msgpack"),
        ([pack(BEAT) + b"\0"], "not msgpack"),
        ([pack({"v": 1})], "an envelope is an array"),
        ([pack("beat")], "an envelope is an array"),
        ([pack(None)], "an envelope is an array"),
        ([pack(BEAT[:5])], "an envelope is an array"),
        ([pack([*BEAT, 1])], "beat has 0 fields, not 1"),
        ([pack(BEAT), b"more"], "beat has one frame, not 2"),
        ([pack([*BEAT[:2], None, 7, 2, 41])], "system is text"),
        ([pack([*BEAT[:2], b"s", 7, 2, 41])], "system is text"),
        ([pack([*BEAT[:2], "s", -1, 2, 41])], "numbers from 0"),
        ([pack([*BEAT[:2], "s", True, 2, 41])], "numbers from 0"),
        ([pack([*BEAT[:2], "s", 7, 2.0, 41])], "numbers from 0"),
        ([pack([*BEAT[:2], "s", 7, 2, None])], "numbers from 0"),
        ([pack([VERSION, "hello", *BEAT[2:]])], "'hello' is no kind"),
        ([pack([VERSION, None, *BEAT[2:]])], "is no kind"),
        ([pack([VERSION, ["beat"], *BEAT[2:]])], "is no kind"),
        ([b"x" * (MAX_ENVELOPE + 1)], "over the limit"),
    ],
)
def test_what_is_no_message_is_refused_and_told_why(frames: list[bytes], words: str):
    with pytest.raises(ProtocolError, match=words):
        decode(frames)


WRONG: dict[str, tuple[Any, ...]] = {
    "pid": (None, "7", 7.0, True, [7]),
    "mailbox": (7, b"ipc", ["ipc"]),
    "imported": (None, "json", {"a": 1}, [1], ["fine", None]),
    "order": (None, "1", True),
    "stacks": (None, "1", True, 1.0),
    "paused": (None, 1, "no"),
    "settings": (None, [], "x", {7: 7}),
    "checkpoint": (None, "1", True, 1.0),
    "percent": ("50", True, [50]),
    "note": (7, b"note"),
    "record": (None, [], "x", {1: 2}, {None: 1}, {"fine": 1, b"not": 1}),
    "cause": (None, 7, b"x"),
    "stop": (None, 0, 1, "yes"),
    "section": (None, 2, "lap", "LOOP", "loop ", ["loop"], b"loop"),
    "lap": (None, 1.0, "1", False),
    "phase": (None, 3),
    "timeout": ("2.5", True, [2.5]),
    "type_name": (None, 1),
    "text": (None, b"x"),
    "traceback": (None, []),
    "measures": (None, [], "x", {7: 7}),
    "info": (None, [], "x", {7: 7}),
    "tag": ("t" * 16, 7, [b"t"]),
    "word": (None, "Raise", 1, ["raise"]),
    "lingering": (None, "thread", {"a": 1}, [1], ["fine", None], [["deep"]]),
    "number": (None, "1", True),
    "verdict": (None, "AGAIN", 1, ["rites"]),
    "acknowledged": (None, 1, "no"),
    "uid": (None, "1", True, 1.0),
    "request": (None, "1", True),
    "pattern": (None, 1, b"*", ["*"]),
    "ask": (None, "1", True),
    "reason": (None, 1, b"full"),
    "way": (None, "", "TELL", 1, ["ask"]),
    "count": (None, "1", True),
    "sender": (None, "1", True),
    "sender_name": (None, 1),
    "name": (None, 1, b"name"),
    "incarnation": (None, "1", True),
    "deaths": (None, "1", True),
    "state": (None, "", "READY", 1, ["ready"]),
    "size": (None, "1", True, 1.0),
    "on_full": (None, "", "drop", 1, ["block"]),
    "takes": (None, "", "NEVER", 1, True, ["never"]),
    "begun": (None, "x", {"a": 1}, [1], [[1, None]], [["x"]], [[[1]]]),
    "found": (None, "x", {"a": 1}, ["x"], [[1, None]], [[b"x"]], [[["deep"]]]),
    "more": (None, 0, "yes"),
    "hint": (None, 1, b"x"),
    "names": (None, "x", {"a": 1}, [1], ["fine", None]),
    "given": (1, b"name", ["name"]),
    "replicas": ("1", True, 1.0),
    "linked": (None, 1, "yes"),
    "verb": (None, "", "STOP", 1, ["stop"]),
    "who": (None, "x", {"a": 1}, [None], [["deep"]], [1.0]),
    "grace": ("2.5", True, [2.5]),
    "drain": (None, 1, "yes"),
    "value": (None, [], "x", {7: 7}),
    "error": (None, 1, b"x"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_a_field_of_a_wrong_type_or_word_is_refused_by_its_name(kind: type[Any]):
    def check(message: Any) -> None:
        envelope, *rest = encode(WHO, message)
        parts = unpack(envelope, MAX_ENVELOPE)
        for place, name in enumerate((field.name for field in fields(kind) if field.name != "frames"), start=6):
            for wrong in WRONG[name]:
                with pytest.raises(ProtocolError, match=rf"^{kind.KIND}\.{name} cannot be "):
                    decode([pack([*parts[:place], wrong, *parts[place + 1 :]]), *rest], KINDS)

    settings(max_examples=10)(given(SAID[kind])(check))()  # each tries all that is wrong in each field


# --- whatever comes


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_random_bytes_are_no_message(frames: list[bytes]):
    assert opened(frames) is None


@given(plain, opaque)
def test_random_values_are_no_message_or_one_of_ours(value: Any, rest: tuple[bytes, ...]):
    found = opened([pack(value), *rest])
    assert found is None or type(found[1]) in KINDS


@given(st.lists(plain, min_size=0, max_size=8), st.sampled_from(KINDS), opaque)
def test_random_fields_make_no_message_or_one_that_says_the_same_again(values: Any, kind: Any, rest: tuple[bytes, ...]):
    frames = [pack([VERSION, kind.KIND, "s", 1, 1, 1, *values]), *rest]
    found = opened(frames)
    assert found is None or encode(*found) == frames


@given(any_message, st.data())
def test_a_mutated_frame_is_no_message_or_another(message: Any, data: st.DataObject):
    frames = [bytearray(frame) for frame in encode(WHO, message)]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = frames[data.draw(st.integers(0, len(frames) - 1))]
        at = data.draw(st.integers(0, max(0, len(frame) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip" if frame:
                frame[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del frame[at:]
            case "insert":
                frame[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "double":
                frame.extend(frame[at:])
    found = opened([bytes(frame) for frame in frames])
    assert found is None or type(found[1]) in KINDS


def nested(depth: int, opening: bytes) -> bytes:
    """Arrays in arrays, or maps in maps, around nil."""
    return opening * depth + b"\xc0"


@pytest.mark.parametrize("depth", [10, 500, 1000, 1023, 1024, 1025, 5000, 500_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1k"], ids=["arrays", "maps"])
def test_deep_msgpack_is_no_message_wherever_it_stands(depth: int, opening: bytes):
    deep = nested(depth, opening)
    parts = [msgpack.packb(part) for part in BEAT]
    assert opened([deep]) is None
    for place in range(6):
        envelope = b"\x96" + b"".join([*parts[:place], deep, *parts[place + 1 :]])
        assert opened([envelope]) is None
    assert opened([b"\x97" + b"".join(parts) + deep]) is None
    assert opened([b"\x97" + b"".join([parts[0], msgpack.packb("bye"), *parts[2:]]) + deep]) is None


def test_a_deep_value_where_any_is_allowed_is_carried_or_refused():
    head = b"".join(msgpack.packb(part) for part in [VERSION, "log", *BEAT[2:]])
    for depth in (10, 900, 1100):
        found = opened([b"\x97" + head + b"\x81\xa1k" + nested(depth, b"\x91")])
        assert (found is not None) == (depth < 1000)


@pytest.mark.parametrize(
    "claim",
    [first + b"\xff\xff\xff\xff\x01" for first in (b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9")],
    ids=["array", "map", "text", "bytes", "extension"],
)
def test_huge_claims_of_small_frames_are_refused(claim: bytes):
    assert opened([claim]) is None
    assert opened([claim + b"\0" * 1000]) is None
    assert opened([b"\x96\x01\xa4beat\xa1s\x01\x01" + claim]) is None


def test_an_envelope_of_the_largest_size_is_read_and_one_byte_more_is_not():
    overhead = len(encode(WHO, messages.Finishing("", stop=False))[0]) + 4
    largest = messages.Finishing("x" * (MAX_ENVELOPE - overhead), stop=False)
    frames = encode(WHO, largest)
    assert len(frames[0]) == MAX_ENVELOPE
    assert decode(frames) == (WHO, largest)
    longer = encode(WHO, messages.Finishing(largest.cause + "x", stop=False))
    with pytest.raises(ProtocolError, match=f"a frame of {MAX_ENVELOPE + 1} bytes is over the limit of {MAX_ENVELOPE}"):
        decode(longer)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xd6\xff\0\0\0\0",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xc7\x03\xffabc",
        b"\xd4\x05x",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xa1\xff",
        b"\xcb\x7f\xf8\0\0\0\0\0\0",
    ],
    ids=["time", "time beyond", "no time", "extension", "array as key", "map as key", "no UTF-8", "nan"],
)
def test_odd_msgpack_is_no_message_wherever_it_stands(frame: bytes):
    parts = [msgpack.packb(part) for part in BEAT]
    assert opened([frame]) is None
    for place in range(6):
        assert opened([b"\x96" + b"".join([*parts[:place], frame, *parts[place + 1 :]])]) is None
