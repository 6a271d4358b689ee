"""Who waits for whom: a cycle is told when all of it waited at one moment, and only then, whatever overtakes what."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.lifecycle.waits import MOST, Ask, Finding, Waits

ACTORS = range(1, 4)


def every_cycle(waiting: dict[int, int]) -> set[tuple[int, ...]]:
    """All that go in a circle, found by trying every order of every choice of actors."""
    found = set()
    for length in range(1, len(ACTORS) + 1):
        for order in permutations(ACTORS, length):
            goes_on = all(waiting.get(one) == other for one, other in zip(order, (*order[1:], order[0]), strict=True))
            if goes_on and order[0] == min(order):
                found.add(order)
    return found


@dataclass
class Stage:
    """Actors that ask one another, their words on the way to the router, and its questions on the way back."""

    waits: Waits = field(default_factory=Waits)
    pending: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: {actor: [] for actor in ACTORS})
    """Number and target of the asks of each, each made amid the one before it."""
    words: dict[int, deque[tuple[str, int, int]]] = field(default_factory=lambda: {actor: deque() for actor in ACTORS})
    questions: dict[int, deque[int]] = field(default_factory=lambda: {actor: deque() for actor in ACTORS})
    numbers: int = 0
    spans: dict[Ask, list[float]] = field(default_factory=dict)
    """From when until when each waited, in moments."""
    moment: float = 0
    told: list[tuple[Ask, ...]] = field(default_factory=list)

    def ask(self, actor: int, target: int) -> None:
        self.numbers += 1
        self.pending[actor].append((self.numbers, target))
        self.words[actor].append(("blocked", self.numbers, target))
        self.moment += 1
        self.spans[Ask(actor, self.numbers)] = [self.moment, math.inf]

    def end(self, actor: int) -> None:
        """It is answered, has failed or is given up: all look the same to the router."""
        if self.pending[actor]:
            number, _ = self.pending[actor].pop()
            self.words[actor].append(("unblocked", number, 0))
            self.over(actor, number)

    def die(self, actor: int) -> None:
        """Its words are read before its death is."""
        while self.words[actor]:
            self.read(actor)
        for number, _ in self.pending[actor]:
            self.over(actor, number)
        self.pending[actor].clear()
        self.questions[actor].clear()
        self.waits.forget(actor)

    def answer(self, actor: int) -> None:
        """It is asked whether it still waits."""
        if self.questions[actor]:
            number = self.questions[actor].popleft()
            for pending, target in self.pending[actor]:
                if pending == number:
                    self.words[actor].append(("blocked", number, target))

    def read(self, actor: int) -> None:
        """The router hears its next word."""
        if not self.words[actor]:
            return
        word, number, target = self.words[actor].popleft()
        ask = Ask(actor, number)
        finding = self.waits.block(ask, target) if word == "blocked" else self.waits.unblock(ask)
        for doubted in finding.doubtful:
            self.questions[doubted.asker].append(doubted.number)
        if finding.cycle:
            spans = [self.spans[ask] for ask in finding.cycle]
            assert max(begun for begun, _ in spans) < min(ended for _, ended in spans), "they never waited at once"
            self.told.append(finding.cycle)

    def over(self, actor: int, number: int) -> None:
        self.moment += 1
        self.spans[Ask(actor, number)][1] = self.moment

    def cycles(self) -> list[tuple[Ask, ...]]:
        """Those that there are now, in truth, of what the main threads wait for."""
        foremost = {actor: asks[-1] for actor, asks in self.pending.items() if asks}
        orders = every_cycle({actor: target for actor, (_, target) in foremost.items()})
        return [tuple(Ask(actor, foremost[actor][0]) for actor in order) for order in orders]

    def settle(self) -> None:
        """Until nothing is on its way."""
        while any(self.words.values()) or any(self.questions.values()):
            for actor in ACTORS:
                self.answer(actor)
                self.read(actor)


actors = st.sampled_from(ACTORS)
steps = st.one_of(
    st.tuples(st.just("ask"), actors, actors),
    st.tuples(st.sampled_from(["answer", "read"]), actors),
    st.tuples(st.sampled_from(["end", "answer", "read", "die"]), actors),
)


@pytest.mark.requirement("A7")
@settings(max_examples=300)
@given(st.lists(steps, min_size=10, max_size=60))
def test_every_cycle_of_asks_is_told_and_nothing_that_never_was_one(play: list[tuple[str, ...]]):
    stage = Stage()
    for verb, *arguments in play:
        getattr(stage, verb)(*arguments)
    stage.settle()
    told = [cycle[0] for cycle in stage.told]  # of each the first is to end, and the others by that
    assert len(set(told)) == len(told), "told twice"
    for cycle in stage.cycles():
        assert set(cycle) & set(told), "nobody would ever end it"


@given(st.permutations(ACTORS), st.integers(1, len(ACTORS)))
def test_a_cycle_names_its_asks_in_their_order(order: list[int], length: int):
    stage, ring = Stage(), order[:length]
    for asker, target in zip(ring, [*ring[1:], ring[0]], strict=True):
        stage.ask(asker, target)
    stage.settle()
    ((first, *_),) = stage.told
    turned = ring[ring.index(first.asker) :] + ring[: ring.index(first.asker)]
    assert [ask.asker for ask in stage.told[0]] == turned


def test_an_answer_that_is_on_its_way_makes_no_cycle():
    waits = Waits()
    assert waits.block(Ask(1, 1), 2) == Finding()
    # 2 has answered, and asks 1: that 1 waits no more is not read yet.
    assert waits.block(Ask(2, 1), 1) == Finding(doubtful=(Ask(2, 1), Ask(1, 1)))
    assert waits.block(Ask(2, 1), 1) == Finding(), "one of the two has not said so"
    assert waits.unblock(Ask(1, 1)) == Finding()
    assert waits.block(Ask(1, 2), 2) == Finding(doubtful=(Ask(1, 2), Ask(2, 1))), "a new ask, and a new doubt"
    assert waits.block(Ask(2, 1), 1) == Finding()
    assert waits.block(Ask(1, 2), 2).cycle == (Ask(1, 2), Ask(2, 1))


def test_an_answer_to_an_earlier_question_says_nothing_of_a_later_cycle():
    waits = Waits()
    waits.block(Ask(1, 1), 2)
    assert waits.block(Ask(2, 1), 1).doubtful == (Ask(2, 1), Ask(1, 1))
    waits.unblock(Ask(2, 1))
    assert waits.block(Ask(2, 2), 1).doubtful == (Ask(2, 2), Ask(1, 1)), "asked once more"
    assert waits.block(Ask(2, 2), 1) == Finding()
    assert waits.block(Ask(1, 1), 2) == Finding(), "the answer to the first question"
    assert waits.block(Ask(1, 1), 2).cycle == (Ask(1, 1), Ask(2, 2))


def test_a_word_that_its_own_end_has_overtaken_brings_no_ask_back():
    waits = Waits()
    waits.block(Ask(1, 1), 2)
    waits.unblock(Ask(1, 1))
    assert waits.block(Ask(1, 1), 2) == Finding()
    assert waits.block(Ask(2, 1), 1) == Finding()


def test_what_one_process_says_is_bounded():
    waits = Waits()
    for number in range(1, MOST + 1):
        waits.block(Ask(1, number), 2)
    assert waits.block(Ask(1, MOST + 1), 1) == Finding(), "no place is left for it, though it waits for itself"
    waits.forget(1)
    assert waits.block(Ask(1, MOST + 1), 1).doubtful == (Ask(1, MOST + 1),)
