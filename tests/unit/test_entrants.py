"""Who of many connections has to go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from understudy.router.entrants import Entrants


def everybody(_who, _since):
    return True


def is_even(who, _since):
    return who % 2 == 0


def nobody(_who, _since):
    return False


def test_the_oldest_that_has_proved_nothing_makes_room_for_the_next():
    entrants: Entrants[object] = Entrants(unproved=2)
    for number in range(4):
        entrants.came(number, float(number))
    assert entrants.surplus(nobody, 100) == [0, 1]
    assert len(entrants) == 2
    assert entrants.surplus(nobody, 100) == []


def test_who_has_proved_itself_stays_however_many_come():
    entrants: Entrants[object] = Entrants(unproved=2)
    for number in range(10):
        entrants.came(number, float(number))
        assert set(entrants.surplus(is_even, 100)) <= {1, 3, 5, 7}
    assert len(entrants) == 2 + 4


def test_it_is_asked_with_the_time_of_its_coming():
    entrants: Entrants[str] = Entrants(unproved=1)
    asked = []

    def proves(who, since):
        asked.append((who, since))
        return True

    entrants.came("a", 7.5)
    entrants.came("b", 8.5)
    assert entrants.surplus(proves, 100) == []
    assert asked == [("a", 7.5)]


def test_beyond_all_that_there_may_be_the_newest_goes_and_those_that_have_proved_nothing_first():
    entrants: Entrants[object] = Entrants(unproved=2)
    for number in range(5):
        entrants.came(number, float(number))
    assert entrants.surplus(everybody, 3) == [4, 3]
    assert entrants.surplus(everybody, 1) == [2, 1]
    assert entrants.surplus(everybody, -5) == [0]
    assert entrants.surplus(everybody, 0) == []


def test_who_has_left_counts_no_more_and_who_was_never_there_does_no_harm():
    entrants: Entrants[object] = Entrants(unproved=1)
    entrants.came("a", 0.0)
    entrants.left("a")
    entrants.left("b")
    entrants.came("b", 1.0)
    entrants.came("c", 2.0)
    assert entrants.surplus(everybody, 5) == []
    entrants.left("b")
    assert len(entrants) == 1


def test_a_descriptor_that_is_used_again_is_a_newcomer():
    entrants: Entrants[object] = Entrants(unproved=1)
    for who in ("a", "b"):
        entrants.came(who, 0.0)
    assert entrants.surplus(lambda who, _: who == "a", 5) == []
    entrants.came("a", 1.0)
    assert entrants.surplus(nobody, 5) == ["b"]


def test_all_of_a_socket_that_was_closed_are_gone():
    entrants: Entrants[object] = Entrants(unproved=1)
    for who in ((1, 5), (2, 5), (1, 6)):
        entrants.came(who, 0.0)
    assert entrants.surplus(everybody, 5) == []
    entrants.all_left(lambda who: who in {(1, 5), (1, 6)})
    assert len(entrants) == 1


@given(
    st.lists(st.tuples(st.sampled_from(["came", "left"]), st.integers(0, 20))), st.integers(0, 10), st.integers(1, 5)
)
def test_however_they_come_and_go_no_more_are_there_than_may_be(moves, most, unproved):
    entrants: Entrants[int] = Entrants(unproved)
    there: set[int] = set()
    for now, (move, who) in enumerate(moves):
        if move == "came":
            entrants.came(who, float(now))
            there.add(who)
        else:
            entrants.left(who)
            there.discard(who)
        gone = entrants.surplus(lambda who, _: who % 3 == 0, most)
        assert set(gone) <= there
        there -= set(gone)
        assert len(entrants) == len(there) <= most
        assert sum(who % 3 != 0 for who in there) <= unproved
