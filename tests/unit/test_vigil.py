"""The place of an end among the messages."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from understudy.engine.entries import NOBODY, Batch, Single
from understudy.engine.vigil import Vigil
from understudy.wire.letters import Seal
from understudy.wire.messages import Noted, Terminated
from understudy.wire.page import BEGUN, HANDLED, TAKEN, Page


class Box:
    """A mailbox as far as a vigil looks into it."""

    def __init__(self, size=3):
        self.entries: deque[Any] = deque()
        self.arriving: deque[Any] = deque()
        self.places, self.held, self.size, self.behind = 0, 0, size, False

    def take_in(self):
        while self.arriving and self.held < self.size:
            entry = self.arriving.popleft()
            self.held += 1
            if isinstance(entry, Single) and entry.urgent:
                self.entries.appendleft(entry)
            else:
                self.places = entry.place = self.places + 1
                self.entries.append(entry)

    def handle(self):
        self.held -= 1
        return self.entries.popleft()


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def page():
    return Page.blank()


@pytest.fixture
def said():
    return []


@pytest.fixture
def vigil(page, said):
    return Vigil(SimpleNamespace(waiter=None), SimpleNamespace(page=page), said.append)  # type: ignore[arg-type]


def batch():
    return Batch(NOBODY, 1, ["word"])


def urgent():
    return Single(NOBODY, 1, Seal(0, b"", None, ()), (), urgent=True)


def test_an_end_comes_after_all_that_had_arrived_and_before_all_that_comes_later(vigil, box, page):
    assert not vigil.is_due(box)
    box.arriving.extend([batch(), batch()])
    vigil.tell(Terminated(9, 1, {}))
    assert vigil.is_waiting
    assert not vigil.is_due(box)
    assert page.words[TAKEN] == 1
    box.arriving.append(batch())
    box.handle()
    box.take_in()
    assert not vigil.is_due(box)
    box.handle()
    assert vigil.is_due(box)
    assert vigil.take().uid == 9
    assert not vigil.is_waiting


def test_what_is_urgent_goes_before_it(vigil, box):
    vigil.tell(Terminated(9, 1, {}))
    assert vigil.is_due(box)
    box.arriving.append(urgent())
    box.take_in()
    assert not vigil.is_due(box)
    box.handle()
    assert vigil.is_due(box)


def test_where_messages_come_without_an_end_it_waits_for_as_many_as_the_mailbox_holds(vigil, box):
    box.arriving.extend(batch() for _ in range(100))
    vigil.tell(Terminated(9, 1, {}))
    handled = 0
    while not vigil.is_due(box):
        box.handle()
        handled += 1
        box.take_in()
    assert handled == 2 * box.size


def test_who_takes_messages_by_hooks_has_it_in_no_order_with_these(vigil, box):
    box.arriving.extend(batch() for _ in range(100))
    assert not vigil.has_come(box)
    vigil.tell(Terminated(9, 1, {}))
    assert vigil.has_come(box)


def test_what_is_watched_no_more_is_passed_over_up_to_the_last_watch(vigil, box, page):
    vigil.tell(Terminated(9, 1, {}))
    assert vigil.is_due(box)
    for end in (Terminated(9, 2, {}), Terminated(8, 3, {}), Terminated(9, 5, {})):
        vigil.tell(end)
    vigil.drop(9, 4)  # of these one has its place, and one not yet
    vigil.tell(Terminated(9, 6, {}))
    taken = []
    while vigil.is_due(box):
        taken.append(vigil.take().number)
    assert taken == [3, 5, 6]
    assert page.words[TAKEN] == 3


def test_one_that_is_handled_counts_as_a_message_and_is_told(vigil, box, page, said):
    vigil.tell(Terminated(9, 1, {}))
    assert vigil.is_due(box)
    vigil.handled(vigil.take())
    assert (page.words[TAKEN], page.words[BEGUN], page.words[HANDLED]) == (1, 1, 1)
    assert said == [Noted(9, 1)]
