"""Replies to clients that read, that read late, that never read, and that are gone."""

from __future__ import annotations

import pytest

from understudy.router import replies as module
from understudy.router.replies import BACKLOG, Replies
from understudy.router.timers import Timers
from understudy.wire.sockets import Sent


class Wire:
    """In the place of the sockets: each client takes so many, -1 stands for one that is gone."""

    def __init__(self) -> None:
        self.room: dict[bytes, int] = {}
        self.sent: list[tuple[bytes, bytes]] = []

    def reply(self, frames):
        client, body = frames[0], frames[-1]
        room = self.room.setdefault(client, 1000)
        if room <= 0:
            return Sent.NOBODY if room < 0 else Sent.FULL
        self.room[client] -= 1
        self.sent.append((client, body))
        return Sent.YES


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to, and what was due in it."""

    class Clock:
        now, timers = 100.0, Timers()

        def pass_(self, seconds):
            due, until = 0, self.now + seconds
            while (at := self.timers.next()) is not None and at <= until:
                self.now = max(self.now, at)
                for act in self.timers.due(self.now):
                    due += 1
                    act()
            self.now = until
            return due

    made = Clock()
    monkeypatch.setattr(module, "monotonic", lambda: made.now)
    return made


@pytest.fixture
def replies(wire, clock):
    return Replies(wire, clock.timers)


def test_who_reads_is_answered_at_once(replies, wire, clock):
    replies.send([b"a", b""], b"1")
    assert wire.sent == [(b"a", b"1")]
    assert clock.timers.next() is None


def test_who_reads_late_gets_all_in_their_order_and_holds_up_nobody(replies, wire, clock):
    wire.room[b"a"] = 1
    for body in (b"1", b"2", b"3", b"4"):
        replies.send([b"a", b""], body)
        replies.send([b"b", b""], body)
    assert [body for client, body in wire.sent if client == b"b"] == [b"1", b"2", b"3", b"4"]
    clock.pass_(3)
    wire.room[b"a"] = 2
    clock.pass_(1)
    wire.room[b"a"] = 1000
    replies.send([b"a", b""], b"5")
    clock.pass_(1)
    assert [body for client, body in wire.sent if client == b"a"] == [b"1", b"2", b"3", b"4", b"5"]
    assert clock.timers.next() is None
    assert replies.dropped == 0


def test_who_never_reads_costs_so_many_bytes_and_is_tried_the_more_seldom(replies, wire, clock):
    wire.room[b"a"] = 0
    for _ in range(100):
        replies.send([b"a", b""], bytes(BACKLOG // 10))
    (backlog,) = replies._backlogs.values()
    assert len(backlog.replies) == 10
    assert replies.dropped == 90
    clock.pass_(10)
    assert clock.pass_(100) == 100


def test_who_is_gone_is_forgotten(replies, wire, clock):
    wire.room[b"a"] = 0
    replies.send([b"a", b""], b"1")
    replies.send([b"a", b""], b"2")
    wire.room[b"a"] = -1
    clock.pass_(1)
    assert (replies._backlogs, wire.sent, clock.timers.next()) == ({}, [], None)
    replies.send([b"a", b""], b"3")
    assert replies._backlogs == {}
