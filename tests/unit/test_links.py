"""What one thread has under way to one actor."""

from __future__ import annotations

import pytest

from understudy.mail.link import Link, Peer
from understudy.wire.letters import Packer

pytestmark = pytest.mark.requirement("A7")


@pytest.fixture
def link() -> Link:
    return Link(Peer(7, "seven"), b"m7", Packer("a system"), lambda _: b"")


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
