"""Who is told of which end: each watch once to each life, until one has handled it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from understudy.lifecycle.watches import Watches


def test_an_end_is_told_to_each_that_watches_in_their_order_and_once_to_a_life():
    watches = Watches()
    for watcher in (3, 1, 2):
        watches.begin(watcher, 9)
    assert watches.is_watched(9)
    assert watches.ended(9, "over") == [3, 1, 2]
    assert not watches.is_watched(9)
    assert [one.end for one in watches.due(1, 1)] == ["over"]
    assert watches.due(1, 1) == []
    assert [one.end for one in watches.due(1, 2)] == ["over"]


def test_what_is_handled_is_told_no_more_and_a_late_word_of_an_earlier_watch_counts_for_nothing():
    watches = Watches()
    first = watches.begin(1, 9).number
    watches.ended(9, "over")
    assert watches.drop(1, [9]) >= first
    second = watches.begin(1, 9).number
    assert second > first
    watches.ended(9, "over")
    watches.handled(1, 9, first)
    assert [one.number for one in watches.due(1, 1)] == [second]
    watches.handled(1, 9, second)
    assert watches.due(1, 2) == []


def test_to_watch_twice_is_the_same_watch_also_when_its_end_is_on_its_way():
    watches = Watches()
    one = watches.begin(1, 9)
    assert watches.begin(1, 9) is one
    watches.ended(9, "over")
    assert watches.begin(1, 9) is one
    assert watches.due(1, 1) == [one]


UIDS = st.integers(1, 3)


class Watched(RuleBasedStateMachine):
    """What is kept is what stands, and nothing else."""

    def __init__(self):
        super().__init__()
        self.watches = Watches()
        self.standing: dict[tuple[int, int], bool] = {}
        """Whether its end has come."""
        self.told: set[tuple[int, int]] = set()
        self.ended: set[int] = set()

    def over(self, pair):
        self.standing.pop(pair, None)
        self.told.discard(pair)

    @rule(watcher=UIDS, watched=UIDS)
    def begin(self, watcher, watched):
        self.watches.begin(watcher, watched)
        self.standing.setdefault((watcher, watched), False)
        if watched in self.ended:
            self.end(watched)

    @rule(watched=UIDS)
    def end(self, watched):
        self.ended.add(watched)
        want = [one[0] for one, over in self.standing.items() if one[1] == watched and not over]
        assert self.watches.ended(watched, "over") == want
        self.standing.update({(one, watched): True for one in want})

    @rule(watcher=UIDS, watched=UIDS)
    def drop(self, watcher, watched):
        self.watches.drop(watcher, [watched])
        self.over((watcher, watched))

    @rule(watcher=UIDS)
    def tell(self, watcher):
        due = {(watcher, one.watched) for one in self.watches.due(watcher, 1)}
        ends = {one for one, over in self.standing.items() if one[0] == watcher and over}
        assert due == ends - self.told
        self.told |= due

    @rule(watcher=UIDS, watched=UIDS)
    def handle(self, watcher, watched):
        if (watcher, watched) in self.standing:
            self.watches.handled(watcher, watched, self.watches.begin(watcher, watched).number)
            self.over((watcher, watched))
        self.watches.handled(watcher, watched, 0)

    @rule(watcher=UIDS)
    def forget(self, watcher):
        self.watches.forget(watcher)
        for one in [one for one in self.standing if one[0] == watcher]:
            self.over(one)

    @invariant()
    def whom_nobody_waits_for_is_known(self):
        for uid in (1, 2, 3):
            waits = any(one[1] == uid and not over for one, over in self.standing.items())
            assert self.watches.is_watched(uid) == waits


test_what_is_kept_is_what_stands = Watched.TestCase
