"""Where messages to a group go: the pure part."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stage import python
from understudy.errors import ConfigError
from understudy.routing import by_key, check_replicas, check_route, digest, home, in_turn, least_loaded, refuge

counts = st.integers(1, 60)
numbers = st.integers(0, 2**64 - 1)
flat = st.text(max_size=9) | st.binary(max_size=9) | st.integers()
keys = st.recursive(flat, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)

pytestmark = pytest.mark.requirement("A7")


@given(numbers, counts)
def test_one_replica_more_takes_keys_and_moves_no_other(number: int, count: int):
    assert home(number, count + 1) in {home(number, count), count}
    assert 0 <= home(number, count) < count


@pytest.mark.parametrize("count", [2, 4, 7])
def test_keys_are_shared_evenly_and_few_of_them_move(count: int):
    every = [digest(f"user-{number}") for number in range(20_000)]
    shares = Counter(home(number, count) for number in every)
    fair = len(every) / count
    assert all(0.9 * fair < shares[place] < 1.1 * fair for place in range(count)), shares
    moved = sum(home(number, count) != home(number, count + 1) for number in every)
    assert 0.9 < moved / (len(every) / (count + 1)) < 1.1


@given(keys, counts.filter(lambda count: count > 1), st.data())
def test_the_end_of_one_replica_moves_its_own_keys_only(key: object, count: int, data: st.DataObject):
    living = data.draw(st.sets(st.integers(0, count - 1), min_size=2))
    ends = data.draw(st.sampled_from(sorted(living)))
    before = by_key(key, count, living.__contains__)
    after = by_key(key, count, (living - {ends}).__contains__)
    assert before in living
    assert after in living - {ends}
    if before != ends:
        assert after == before


def test_the_keys_of_one_that_ended_are_shared_among_the_others():
    every = [digest(number) for number in range(9_000)]
    shares = Counter(refuge(number, [0, 2, 3]) for number in every)
    assert set(shares) == {0, 2, 3}
    assert all(2_700 < share < 3_300 for share in shares.values()), shares


@given(keys, keys)
def test_two_keys_are_one_only_if_they_are_equal_and_of_one_kind(one: object, other: object):
    assert (digest(one) == digest(other)) is (one == other)


def test_keys_that_run_into_each_other_are_told_apart():
    assert len({digest(key) for key in (1, "1", b"1", ("1",), ("1", ""), ("", "1"), (("1",), ""), ("t1:1",))}) == 8


def test_a_key_has_the_same_place_in_every_process(tmp_path):
    program = "from understudy.routing import digest; print(digest(('user', 7, b'x')))"
    told = {python("-X", "utf8", "-c", program, cwd=tmp_path).stdout for _ in range(2)}
    assert told == {f"{digest(('user', 7, b'x'))}\n"}


@given(st.integers(0, 1000), counts, st.data())
def test_turns_go_round_the_living(turn: int, count: int, data: st.DataObject):
    living = data.draw(st.sets(st.integers(0, count - 1)))
    place = in_turn(turn, count, living.__contains__)
    if not living:
        assert place is None
        assert by_key("a", count, living.__contains__) is None
        return
    assert place in living
    passed_over = [(turn + at) % count for at in range((place - turn) % count)]
    assert living.isdisjoint(passed_over)


@given(st.integers(0, 1000), st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=20))
def test_who_has_the_least_to_do_is_next(turn: int, loads: list[int | None]):
    place = least_loaded(turn, loads)
    living = [load for load in loads if load is not None]
    if not living:
        assert place is None
        return
    assert place is not None
    assert loads[place] == min(living)
    between = [(turn + at) % len(loads) for at in range((place - turn) % len(loads))]
    assert all(loads[other] != min(living) for other in between), "of equals the next in turn"


@pytest.mark.parametrize("route", ["", "random", "ROUND_ROBIN", None, 1, b"broadcast", ["broadcast"]])
def test_a_route_that_there_is_not_is_refused(route: object):
    with pytest.raises(ConfigError, match="it is one of 'round_robin', 'least_loaded', 'broadcast'"):
        check_route(route, None)


@pytest.mark.parametrize("route", ["broadcast", "least_loaded"])
def test_a_key_beside_a_route_is_refused(route: str):
    with pytest.raises(ConfigError, match=f"key='a' chooses the replica, and so does route='{route}'"):
        check_route(route, "a")


@pytest.mark.parametrize("key", [1.0, True, [1], ("a", None), object(), frozenset()])
def test_what_is_no_key_is_refused(key: object):
    with pytest.raises(ConfigError, match="text, bytes, a whole number, or a tuple of these"):
        digest(key)


@pytest.mark.parametrize("replicas", [0, -1, True, False, "4", 2.0, [1]])
def test_what_is_no_number_of_replicas_is_refused(replicas: object):
    with pytest.raises(ConfigError, match="replicas must be a whole number, at least 1; got"):
        check_replicas(replicas)
