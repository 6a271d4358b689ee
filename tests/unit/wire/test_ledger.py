"""How far a mailbox is with each sender, over its lives."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.ledger import (
    AHEAD,
    HANDS,
    NOWHERE,
    SLOTS,
    WORDS,
    Ledger,
    accounts,
    copied,
    first_number,
    is_of,
    name_of,
    number_of,
    restore,
)

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]


def memory() -> memoryview:
    return memoryview(bytearray(8 * WORDS)).cast("q")


numbers = itertools.count(first_number())


def named(uid: int) -> bytes:
    return name_of(uid, next(numbers))


def heir(ledger: Ledger) -> Ledger:
    """That of the next life."""
    words = memory()
    restore(words, copied(ledger.words))
    return Ledger(words)


NAMES = [named(uid) for uid in (0, 1, 1, 7, (1 << 24) + 7)]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, 4), st.integers(0, 9)),
        st.tuples(st.just("begin"), st.integers(0, 4), st.integers(1, 3)),
        st.tuples(st.just("ahead"), st.integers(0, 4), st.integers(2, 9)),
        st.tuples(st.just("forget"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("die"), st.just(0), st.just(0)),
    )
)


@given(steps)
def test_each_life_goes_on_where_the_one_before_was(steps: list[tuple[str, int, int]]):
    ledger, model = Ledger(memory()), dict[int, list[Any]]()
    for step, which, number in steps:
        name = NAMES[which]
        match step:
            case "open":
                ledger.spot(name, number)
                model.setdefault(which, [number, set()])
            case "begin" if which in model:
                model[which][0] += number
                ledger.words[ledger.spot(name, 0)] = model[which][0]
            case "ahead" if which in model:
                model[which][1].add(model[which][0] + number)
                ledger.begin_ahead(ledger.spot(name, 0), model[which][0] + number)
            case "forget":
                ledger.forget(name)
                model.pop(which, None)
            case "die":
                ledger = heir(ledger)
        for known, (begun, ahead) in model.items():
            assert number_of(NAMES[known]) in ledger.spots
            spot = ledger.spot(NAMES[known], 99)
            assert (ledger.words[spot], ledger.ahead(spot)) == (begun, {seq for seq in ahead if seq > begun})
    found = {number: (begun, set(ahead)) for number, begun, *ahead in accounts(copied(ledger.words))}
    assert len(found) == len(model)
    assert sorted(found.values(), key=repr) == sorted(
        ((begun, {seq for seq in ahead if seq > begun}) for begun, ahead in model.values()), key=repr
    )


def test_who_comes_again_in_no_later_life_makes_room_and_beyond_that_nobody_is_remembered():
    ledger = Ledger(memory())
    names = [named(1) for _ in range(SLOTS)]
    spots = {ledger.spot(name, 5) for name in names}
    assert len(spots) == SLOTS
    assert NOWHERE not in spots
    assert ledger.spot(named(1), 5) == NOWHERE
    ledger = heir(ledger)
    assert ledger.words[ledger.spot(names[0], 0)] == 5
    ledger.begin_ahead(ledger.spot(names[1], 0), 9)
    ledger.forget(names[1])
    new = ledger.spot(named(1), 7)
    assert ledger.words[new] == 7
    assert not ledger.ahead(new), "what it has is of nobody before"
    assert [ledger.spot(named(1), 1) for _ in range(9)].count(NOWHERE) == 0
    assert number_of(names[0]) in ledger.spots
    assert number_of(names[5]) not in ledger.spots


def test_a_sender_without_a_name_is_remembered_by_no_life():
    ledger = Ledger(memory())
    assert {ledger.spot(name, 3) for name in (b"", b"\0five", b"more than eight")} == {NOWHERE}
    assert copied(ledger.words) == b""
    assert accounts(b"") == []


def test_the_list_of_what_was_begun_ahead_keeps_what_still_counts():
    ledger = Ledger(memory())
    one, other = ledger.spot(named(1), 0), ledger.spot(named(2), 0)
    for seq in range(2, AHEAD + 2):
        ledger.begin_ahead(one if seq % 2 else other, seq)
    ledger.words[one] = AHEAD
    ledger.begin_ahead(one, AHEAD + 9)
    assert ledger.ahead(one) == {AHEAD + 1, AHEAD + 9}
    assert ledger.ahead(other) == set(range(2, AHEAD + 2, 2))
    while not ledger.words[other]:
        ledger.begin_ahead(other, AHEAD + 100)
    assert ledger.words[other] == AHEAD + 100, "too many: those before it are for no next life"


@pytest.mark.parametrize("used", [-1, 1, SLOTS, 1 << 62])
def test_whatever_a_dying_process_wrote_there_is_copied_and_opened(used: int):
    words = memoryview(bytearray(random.Random(used).randbytes(8 * WORDS))).cast("q")  # noqa: S311 - the same each time
    words[0], words[1] = used, 1 << 40
    words[-2] = 5  # in the list: a spot that is one
    found = heir(Ledger(memory()))
    restore(found.words, copied(words))
    found = Ledger(found.words)
    spot = found.spot(named(1), 3)
    for seq in range(AHEAD + 5):
        found.begin_ahead(spot, seq + 10)
    assert len(accounts(copied(words))) <= SLOTS


def test_a_name_says_whose_sender_it_is():
    for uid in (0, 1, 300, (1 << 24) - 1):
        number = int.from_bytes(named(uid), "little", signed=True)
        assert is_of(number, uid)
        assert not is_of(number, uid + 1)


def test_how_often_who_had_it_in_hand_died_is_known_until_it_is_handled():
    ledger = Ledger(memory())
    name = named(1)
    spot = ledger.spot(name, 0)
    for deaths in range(4):
        assert ledger.deaths(spot, 5) == deaths
        ledger.take_in_hand(spot, 5)
        ledger.take_in_hand(spot, 6)
        ledger.let_go(spot, 6)
        ledger = heir(ledger)
        assert ledger.deaths(spot, 6) == 0
    ledger = heir(ledger)
    assert ledger.deaths(spot, 5) == 4, "a life that never had it in hand is not counted"
    ledger.let_go(spot, 5)
    assert heir(ledger).deaths(spot, 5) == 0
    ledger.take_in_hand(spot, 7)
    ledger.forget(name)
    assert heir(ledger).deaths(ledger.spot(named(2), 0), 7) == 0, "the slot is another's now"


def test_beyond_so_many_in_hand_deaths_are_not_counted():
    ledger = Ledger(memory())
    spot = ledger.spot(named(1), 0)
    for seq in range(1, HANDS + 3):
        ledger.take_in_hand(spot, seq)
    ledger = heir(ledger)
    assert [ledger.deaths(spot, seq) for seq in range(1, HANDS + 3)] == [1] * HANDS + [0, 0]
    ledger.let_go(spot, 1)
    ledger.take_in_hand(spot, HANDS + 2)
    assert heir(ledger).deaths(spot, HANDS + 2) == 1


def test_through_where_reliable_ones_are_done_is_known_to_the_next_life():
    ledger = Ledger(memory())
    spot = ledger.spot(named(1), 3)
    assert ledger.done(spot) == 3
    ledger.set_done(spot, 9)
    ledger.words[spot] = 20
    assert heir(ledger).done(spot) == 9
    ledger.set_done(NOWHERE, 5)
    assert ledger.done(NOWHERE) == 0
