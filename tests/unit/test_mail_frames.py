"""Any frames at all at both ends of the mail give a letter, an answer, or one more that was dropped."""

from __future__ import annotations

import functools
import random
import tracemalloc
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import Mock

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages import forger
from tests.messages.forger import Forger, Frames
from understudy.engine.entries import Batch, Single
from understudy.engine.mailbox import Mailbox
from understudy.errors import ProtocolError
from understudy.mail.counter import Counter
from understudy.mail.link import Link, Peer
from understudy.wire import codec, letters
from understudy.wire.keys import new_key
from understudy.wire.page import SIZE as SIZE_OF_PAGE
from understudy.wire.page import Page
from understudy.wire.sealing import Verified, verified

KEY = new_key()
SYSTEM, UID, OTHER = "a-system", 7, 8
SIZE = 100
LETTERS, ANSWERS = 100_000, 30_000


class Wire:
    """A socket on which what was put comes, and what is said is kept; it says of nothing that it cannot be sent."""

    def __init__(self) -> None:
        self.coming: list[Frames] = []
        self.said: list[list[Any]] = []

    def take(self) -> Frames | None:
        return self.coming.pop(0) if self.coming else None

    def hush(self) -> None: ...

    def send(self, to: bytes, frames: Sequence[Any]) -> None:
        self.said.append([to, *frames])

    def send_one(self, to: bytes, frame: bytes) -> None:
        self.said.append([to, frame])


class Box:
    """A mailbox without a process."""

    def __init__(self) -> None:
        self.wire, self.page = Wire(), Page(bytearray(SIZE_OF_PAGE))
        birth: Any = SimpleNamespace(system=SYSTEM, uid=UID, incarnation=1, name="it", key=KEY)
        wire: Any = self.wire
        nobody: Any = Mock()  # it lends nothing, and nobody waits for it
        self.mailbox = Mailbox(wire, birth, SIZE, self.page, nobody, nobody)

    def takes(self, frames: Frames, ident: bytes = b"stranger") -> Iterator[Batch | Single]:
        """Take in one letter, and handle what came of it."""
        self.wire.coming.append([ident, *frames])
        self.mailbox.take_in()
        while self.mailbox.entries:
            entry = self.mailbox.entries[0]
            assert self.mailbox.next_body() is not None
            yield entry


def rejected(box: Box, entry: Batch | Single) -> bool:
    """Whether it would not be opened; what would be, is what was sealed."""
    if isinstance(entry, Batch):
        return False
    try:
        found = verified(entry.seal.sealed(entry.frames), KEY)
    except ProtocolError:
        box.mailbox.reject(entry)
        return True
    assert found.form != forger.PICKLED or bytes(found.frames[0]) in PICKLES
    return False


PICKLES = {
    one[-1][0] if isinstance(one[-1], list) else one[1]
    for one in Forger(SYSTEM, UID).letters(KEY) + Forger(SYSTEM, UID).answers(KEY, 1)
    if len(one) > 1
}


def counted(box: Box) -> int:
    return box.page.dropped


def letters_of_all_kinds(chance: random.Random, right: list[Frames]) -> Frames:
    return forger.nonsense(chance) if chance.random() < 0.05 else forger.mutated(chance, chance.choice(right))


@pytest.mark.fault("F52")
@pytest.mark.fault("F53")
def test_a_hundred_thousand_mutated_letters_are_taken_in_or_dropped_and_nothing_else():
    chance, right, box = random.Random(53), Forger(SYSTEM, UID).letters(KEY), Box()  # noqa: S311 - the same each time
    taken = refused = 0
    for _ in range(LETTERS):
        ident = chance.choice([b"one", b"two", chance.randbytes(5)])
        for entry in box.takes(letters_of_all_kinds(chance, right), ident):
            taken += 1
            refused += rejected(box, entry)
        for frame in box.wire.said:
            msgpack.unpackb(frame[1])
        box.wire.said.clear()
    assert not box.mailbox.held
    assert LETTERS / 4 < counted(box) < LETTERS
    assert LETTERS / 100 < refused < taken < LETTERS * 2
    assert sum(len(one.loans) for one in box.mailbox._connections.values()) < LETTERS
    assert len(box.mailbox._connections) <= 10_000


def test_tells_that_are_sent_anew_are_taken_in_once():
    box, packer = Box(), letters.Packer(SYSTEM)

    def tells(first: int, *bodies: int) -> Frames:
        head = packer.heading(letters.TELLS, UID, 1, 1, "")
        return [head + b"".join(map(packer.pack, (first, list(bodies))))]

    assert len(list(box.takes(tells(1, 10, 20)))) == 2
    assert len(list(box.takes(tells(1, 10, 20)))) == 0
    assert len(list(box.takes(tells(3, 30)))) == 1
    assert counted(box) == 0


class Desk:
    """A sender's accounts without a process: it has asked 7 something, and 8."""

    def __init__(self) -> None:
        self.wire, self.dropped, self.given = Wire(), 0, dict[int, Any]()
        office: Any = SimpleNamespace(
            exchange=SimpleNamespace(outlet=lambda _: self.wire),
            name_of_sender=bytes,
            system=SYSTEM,
            key=KEY,
            drop=self._drop,
            flusher=Mock(),
        )
        self.counter = Counter(office)
        packer = letters.Packer(SYSTEM)
        for uid in (UID, OTHER):
            heading = functools.partial(packer.heading, uid=uid, sender=0, incarnation=0, name="")
            self.counter.links[uid] = Link(Peer(uid, "it"), 1, b"m%d" % uid, packer, heading)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.counter._bell = None

    def asks(self, number: int, uid: int = UID) -> None:
        self.counter.expected[number] = uid, lambda said: self.given.update({number: said})

    def hears(self, frames: Frames, route: bytes = b"m7") -> int:
        """How many were dropped of this one."""
        before = self.dropped
        self.wire.coming.append([route, *frames])
        self.counter._read()
        return self.dropped - before

    def _drop(self) -> None:
        self.dropped += 1


@pytest.mark.fault("F52")
@pytest.mark.fault("F53")
def test_thousands_of_mutated_answers_are_given_or_dropped_and_nothing_else():
    chance, right = random.Random(35), Forger(SYSTEM, UID).answers(KEY, 1)  # noqa: S311 - the same each time
    given = 0
    with Desk() as desk:
        for _ in range(ANSWERS):
            desk.asks(1)
            desk.asks(2, OTHER)
            desk.hears(letters_of_all_kinds(chance, right))
            for said, enclosed in desk.given.values():
                given += 1
                if isinstance(enclosed, Verified) and enclosed.form == forger.PICKLED:
                    assert bytes(enclosed.frames[0]) in PICKLES
                assert said.uid == UID
            assert 2 not in desk.given
            desk.given.clear()
            desk.counter.expected.clear()
    assert ANSWERS / 4 < desk.dropped < ANSWERS
    assert given > ANSWERS / 50


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=12,
)
kinds = st.sampled_from(
    ["tells", "tell", "ask", "sync", "cancel", "back", "bye", "reply", "failed", "refused", "credit"]
)
seals = st.tuples(
    st.integers(-1, 3) | anything, st.none() | st.binary(max_size=9), st.none() | st.binary(max_size=17), anything
).map(list)
contents = anything | st.tuples(seals, st.lists(anything, max_size=2)).map(lambda parts: parts[0] + parts[1])
blobs = st.lists(st.binary(max_size=30), max_size=3)
counts = st.integers(0, (1 << 64) - 1)


@given(kinds, counts, counts, st.text(max_size=150), counts, contents, blobs)
def test_a_letter_that_is_well_formed_outside_may_hold_anything(
    kind: str, sender: int, incarnation: int, name: str, seq: int, content: Any, frames: list[bytes]
):
    head = msgpack.packb(
        [1, kind, SYSTEM, UID, sender, incarnation, name, seq, content], unicode_errors="surrogatepass"
    )
    box = Box()
    for entry in box.takes([head, *frames]):
        rejected(box, entry)
    box.mailbox.tell_credit()
    for said in box.wire.said:
        letters.decode_outbound(said[1], SYSTEM)


@given(kinds, counts, counts, contents, blobs)
def test_an_answer_that_is_well_formed_outside_may_hold_anything(
    kind: str, incarnation: int, credit: int, content: Any, frames: list[bytes]
):
    head = msgpack.packb([1, kind, SYSTEM, UID, incarnation, credit, content], unicode_errors="surrogatepass")
    with Desk() as desk:
        desk.asks(1)
        desk.asks(2, OTHER)
        desk.hears([head, *frames])
        assert 2 not in desk.given


# --- one by one


def sizes(seq: int, many: int) -> Frames:
    return Forger(SYSTEM, UID).to("tells", [0] * many, seq=seq)


@pytest.mark.fault("F52")
@pytest.mark.parametrize(
    "frames",
    [
        sizes((1 << 64) - 1, 2),
        Forger(SYSTEM, UID).to("sync", [], seq=(1 << 64) - 1),
        [msgpack.packb([1, "tell", SYSTEM, UID, 0, 0, "n" * 129, 1, [0, b"\xc0", None, [], False]])],
        *(
            Forger(SYSTEM, UID).to("tell", [2, None, bytes(16), loans, False, False], [b"a pickle"])
            for loans in forger.ODD_LOANS
        ),
        [*Forger(SYSTEM, UID).to("bye", None), *[b""] * codec.MAX_FRAMES],
        [],
    ],
    ids=["seq", "sync", "name", *[f"loans-{number}" for number in range(len(forger.ODD_LOANS))], "frames", "nothing"],
)
def test_what_would_be_kept_or_told_again_is_within_bounds_or_dropped(frames: Frames):
    box = Box()
    assert not list(box.takes(frames))
    assert counted(box) == 1
    assert not box.mailbox._connections


def test_numbers_up_to_the_bound_are_told_again():
    box = Box()
    assert len(list(box.takes(sizes((1 << 62) - 1, SIZE)))) == SIZE
    box.mailbox.tell_credit()
    assert letters.decode_outbound(box.wire.said[-1][1], SYSTEM).credit == (1 << 62) - 2 + SIZE


@pytest.mark.fault("F53")
def test_of_loans_that_nobody_has_lent_none_is_remembered():
    box, forged = Box(), Forger(SYSTEM, UID)
    for number in range(1, 200):
        loan = [number, 1 << 22, 3, 5, 4096, 1 << 20]
        one = forger.Sealed(forger.PICKLED, None, bytes(16), [loan], [b"a pickle"])
        for make in (forged.tell(one), forged.ask(one, 1)):
            (entry,) = box.takes(make)
            assert rejected(box, entry)
        # Also of those that nobody opens, for the ask was taken back.
        box.wire.coming.extend([[b"stranger", *forged.ask(one, 2)], [b"stranger", *forged.to("cancel", 2)]])
        box.mailbox.take_in()
    assert not box.mailbox.entries
    assert not box.mailbox._connections[b"stranger"].loans
    assert counted(box) == 3 * 199


@pytest.mark.fault("F52")
def test_who_waits_has_a_turn_however_much_comes_that_is_no_letter():
    box, right = Box(), Forger(SYSTEM, UID)
    for junk in ([b"junk"], right.to("sync", []), right.to("back", [1])):
        box.wire.coming = [[b"stranger", *junk] for _ in range(5000)]
        box.mailbox.take_in()
        assert box.mailbox.behind
        assert len(box.wire.coming) == 4000
    box.wire.coming = [[b"stranger", *right.tell(forger.plain(1))]]
    box.mailbox.take_in()
    assert not box.mailbox.behind
    assert len(box.mailbox.entries) == 1


LIES = {
    "arrays": b"\xdd\x01\x00\x00\x00" * 1000,
    "maps": (b"\xdf\x01\x00\x00\x00\xa1a") * 1000,
    "an array": b"\xdd\x00\xff\xff\xff",
    "binary": b"\xc6\x7f\xff\xff\xff",
}


@pytest.mark.fault("F52")
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("size", [1 << 12, 1 << 14, 1 << 20, letters.MAX_HEAD])
def test_no_more_room_is_made_than_for_what_is_there(lie: bytes, size: int):
    frame = lie.ljust(size, b"\xc1")
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            letters.decode_inbound(frame, SYSTEM, UID)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < max(1 << 28, 2 * size)
    with pytest.raises(ProtocolError):
        letters.decode_inbound(b"\x00" * (letters.MAX_HEAD + 1), SYSTEM, UID)


@pytest.mark.parametrize(
    "value",
    [
        [0] * 20_000,
        ["text \udcff", b"bytes", 1.5, None, True, -1, 1 << 63] * 3000,
        [{"a": [{}, []], 5: {b"k": [1]}}] * 3000,
        {number: str(number) for number in range(5000)},
        "x" * 70_000,
        b"x" * 70_000,
        [forger.deep(900), "x" * 20_000],
        [msgpack.ExtType(5, b"x" * 300), msgpack.Timestamp(1, 2)] * 200,
    ],
    ids=["numbers", "all kinds", "nested", "map", "text", "bytes", "deep", "extensions"],
)
def test_a_letter_that_holds_what_it_announces_is_read_whatever_its_length(value: Any):
    packed = msgpack.packb(value, unicode_errors="surrogatepass")
    assert len(packed) > codec._SHORT
    head = Forger(SYSTEM, UID).to("tells", [0], seq=1)[0]
    said = letters.decode_inbound(head[:-1] + packed, SYSTEM, UID)
    assert said.content == [value]
    with pytest.raises(ProtocolError):
        letters.decode_inbound(head[:-1] + packed[:-1], SYSTEM, UID)


# --- who may answer


@pytest.fixture
def desk(nothing_is_left_behind: None) -> Iterator[Desk]:
    with Desk() as made:
        yield made


@pytest.mark.fault("F53")
def test_only_who_was_asked_gives_the_answer(desk: Desk):
    it, other = Forger(SYSTEM, UID), Forger(SYSTEM, OTHER)
    desk.asks(1)
    right = forger.plain("right")
    assert desk.hears(other.reply(forger.plain("forged"), 1), b"m8") == 1, "of whom something else was asked"
    assert desk.hears(other.reply(forger.plain("forged"), 1), b"m7") == 1, "in whose name somebody else speaks"
    assert desk.hears(it.reply(forger.plain("forged"), 1), b"m9") == 1, "whom nobody has spoken to"
    assert desk.hears(other.back("refused", [1, "it ended"]), b"m8") == 1
    assert desk.hears(other.failed(None, 1), b"m8") == 1
    assert desk.hears(it.reply(right, 5)) == 0, "it may be late"
    assert not desk.given
    assert desk.hears(it.reply(right, 1)) == 0
    assert desk.given[1][1] == verified(letters.Seal(0, right.inline, None, []).sealed(()), KEY)


@pytest.mark.fault("F53")
def test_an_answer_that_nobody_of_the_system_has_sealed_leaves_the_ask_open(desk: Desk):
    it, stranger = Forger(SYSTEM, UID), new_key()
    desk.asks(1)
    good = forger.sealed(KEY, {1}, b"a buffer")
    error = forger.sealed(KEY, ValueError("a text"))
    forged = [
        *(it.reply(good._replace(tag=tag), 1) for tag in (None, b"", bytes(16), forger.tag(stranger, good.frames))),
        it.reply(good._replace(frames=[good.frames[0], b"longer than it"]), 1),
        it.reply(good._replace(frames=good.frames[:1]), 1),
        it.reply(good._replace(form=forger.PACKED), 1),
        *(it.failed(error._replace(tag=tag), 1) for tag in (None, b"", bytes(16), forger.tag(stranger, error.frames))),
        it.failed(error._replace(frames=[]), 1),
        it.reply(good, 1, credit=9)[:1],
    ]
    for frames in forged:
        assert desk.hears(frames) == 1
    assert not desk.given
    assert desk.counter.links[UID].credit == 0
    assert desk.hears(it.failed(error, 1)) == 0
    assert desk.given[1][1] == tuple(error.frames)
