"""What one thread has under way to one actor."""

from __future__ import annotations

import pytest

from understudy.mail.flusher import Flusher
from understudy.mail.lending import Lending, Store
from understudy.mail.link import Link, Peer
from understudy.wire.letters import Packer

pytestmark = pytest.mark.requirement("A7")


@pytest.fixture
def link() -> Link:
    return Link(Peer(7, "seven"), 1, b"m7", Packer("a system"), lambda _: b"")


def test_what_was_sent_just_now_has_a_second_to_leave_when_its_sender_ends(link):
    link.seq, link.sent_at = 3, 100.0
    assert link.leaves_within(100.25) == 0.75


@pytest.mark.parametrize(("credit", "now"), [(3, 100.0), (2, 200.0)], ids=["what is handled", "what was sent long ago"])
def test_the_end_of_a_sender_waits_for_nothing_that_has_left(link, credit, now):
    link.seq, link.credit, link.sent_at = 3, credit, 100.0
    assert link.leaves_within(now) == 0.1, "the word that it ends"


def test_what_is_for_the_ended_holds_nobody_up(link):
    link.seq, link.sent_at, link.peer.state = 3, 100.0, "ended"
    assert link.leaves_within(100.0) == 0.0


def test_of_what_is_lent_only_what_was_sent_is_asked_about(link):
    link.lending = Lending(Flusher("nobody's"), Store())
    try:
        sent, waits, back = (link.lender.lend(bytes(1 << 20)) for _ in range(3))
        link.lend_out([sent, None, back])
        link.lender.returned(back.number)
        assert link.still_lent() == [sent.number], "what waits to be sent is nobody's to give back"
        assert waits.number in link.lender.numbers
    finally:
        link.lender.close()


def test_numbers_of_loans_that_are_back_are_forgotten_in_time(link):
    link.lending = Lending(Flusher("nobody's"), Store())
    try:
        for _ in range(1100):
            loan = link.lender.lend(bytes(1 << 20))
            link.lend_out([loan])
            link.lender.returned(loan.number)
        assert len(link.lent) < 200
    finally:
        link.lender.close()
