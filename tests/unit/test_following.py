"""How one sender follows an actor from life to life, over a socket that only writes down what it is given."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
import pytest

from understudy.mail.crowd import Crowd
from understudy.mail.link import Link, Peer
from understudy.mail.office import Myself, Office
from understudy.mail.sender import Sender
from understudy.wire.letters import Packer, Seal
from understudy.wire.messages import Fate

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]
SYSTEM, WHO = "system", 7


class Struck(Exception):
    """What a signal's handler raises."""


class Outlet:
    """What was sent on each route: kind and seq."""

    def __init__(self) -> None:
        self.sent: dict[bytes, list[tuple[str, int]]] = {}
        self.came: deque[list[bytes]] = deque()
        self.late: list[list[bytes]] = []
        self.strikes_at = -1
        """Before how many more sends something strikes."""

    def connect(self, uid: int, incarnation: int) -> bytes:
        route = b"m%d.%d" % (uid, incarnation)
        self.sent[route] = []
        return route

    def disconnect(self, uid: int, incarnation: int) -> None: ...

    def send(self, route: bytes, frames: Sequence[bytes]) -> None:
        self.strikes_at -= 1
        if self.strikes_at == 0:
            raise Struck
        parts = msgpack.unpackb(frames[0])
        count = len(parts[8]) if parts[1] == "tells" else 1
        self.sent[route] += [(parts[1], parts[7] + at) for at in range(count)]

    def send_one(self, route: bytes, frame: bytes) -> None:
        self.send(route, [frame])

    def take(self) -> list[bytes] | None:
        return self.came.popleft() if self.came else None

    def wait(self, seconds: float | None, wake_fd: int) -> bool:
        """What ZeroMQ has not read yet comes by then."""
        self.came.extend(self.late)
        self.late.clear()
        return bool(self.came)

    def close(self, linger: float) -> None: ...


class Scene:
    """A sender that has told one actor a few messages, none of which was begun."""

    def __init__(self) -> None:
        self.outlet = Outlet()
        self.office = Office(Myself(SYSTEM, 0, 0, ""), b"key", self.exchange, self.meet, print)
        self.stands("ready", deaths=0)
        self.sender = self.office.hire(Sender)
        self.link = self.sender.link(self.office.peer(WHO, "who"))

    def exchange(self) -> Any:
        scene = self

        class Exchange:
            def outlet(self, _: bytes) -> Outlet:
                return scene.outlet

            def close(self) -> None: ...

        return Exchange()

    def meet(self, _: Any) -> None:
        self.stands("ready", deaths=0)

    def stands(self, state: Any, deaths: int, size: int = 1000, on_full: Any = "block") -> None:
        self.office.fate(Fate(WHO, "who", deaths + 1, deaths, state, size, on_full, "always"))

    def says(self, life: int, credit: int, begun: int) -> None:
        """The mailbox of that life."""
        head = Packer(SYSTEM).answer("credit", WHO, life, credit, begun, None)
        self.outlet.came.append([self.link.route, head])

    def tell(self, message: Any) -> None:
        self.sender.tell(self.link, message, urgent=False)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    with scene.sender.held():  # as by its thread: the flusher's does nothing meanwhile
        yield scene
    scene.stands("ended", deaths=9)
    scene.office.close()


def test_what_is_no_message_never_goes_before_those_that_are_sent_anew(scene):
    for number in range(3):
        scene.tell(number)
    for at in range(1, 5):
        scene.stands("waiting", deaths=at)
        scene.outlet.strikes_at = at
        with pytest.raises(Struck):
            scene.sender.follow(scene.link)
        scene.sender.expected[1] = WHO, print
        scene.sender.borrower.given_back.append((WHO, 5))
        scene.sender.cancel(scene.link, 1)
        scene.sender.give_back()
        Crowd(scene.sender).loads([scene.link.peer])
        scene.sender.heed_deaths()
        found = scene.outlet.sent[scene.link.route]
        assert [letter for letter in found if letter[0] != "sync"] == [("tell", 1), ("tell", 2), ("tell", 3)]
        assert found[-1] == ("sync", 3)
        assert found.index(("sync", 3)) == 3


def test_a_batch_that_was_struck_after_it_was_kept_is_kept_and_counted_once():
    link = Link(Peer(WHO, "who"), 1, b"m7", Packer(SYSTEM), lambda _: b"")
    link.bodies.extend([b"\1", b"\2"])

    frame = link.batch()

    class Once(deque[Any]):
        def append(self, one: Any) -> None:
            super().append(one)
            raise Struck

    link.sent = Once(link.sent)
    with pytest.raises(Struck):
        link.batch_sent(frame)
    link.sent = deque(link.sent)
    assert link.not_begun(0) == 2
    link.batch_sent(link.batch())
    assert [(one.first, one.last) for one in link.sent] == [(1, 2)]
    assert (link.seq, link.not_begun(0)) == (2, 2)


def test_of_which_much_is_kept_is_asked_how_far_it_is_and_once_until_it_answers(scene):
    for _ in range(3):
        scene.tell(bytes(600_000))
    assert scene.link.is_heavy
    scene.sender.lighten()
    assert scene.sender.lighten()
    assert scene.outlet.sent[scene.link.route].count(("sync", 3)) == 1
    scene.says(1, credit=0, begun=1)
    assert scene.sender.lighten()
    assert [one.first for one in scene.link.sent] == [2, 3]
    assert scene.outlet.sent[scene.link.route].count(("sync", 3)) == 2
    scene.says(1, credit=2, begun=3)
    assert not scene.sender.lighten()
    assert (list(scene.link.sent), scene.link.weight) == ([], 0)


def test_what_is_sent_anew_has_a_second_to_leave_when_its_sender_ends(scene):
    scene.tell(1)
    now = scene.link.sent_at
    scene.link.sent_at -= 10
    scene.stands("waiting", 1)
    scene.sender.heed_deaths()
    assert scene.link.leaves_within(now) >= 1.0


def test_what_waited_for_room_goes_before_what_its_thread_has_gathered_since(scene):
    scene.stands("ready", 0, size=2, on_full="drop_oldest")
    for number in range(3):
        scene.tell(number)
    scene.link.bodies.append(b"\3")  # amid the tell of it, as the flusher may find it
    scene.says(1, credit=2, begun=2)
    scene.sender.drain()
    assert scene.outlet.sent[scene.link.route] == [("tell", 1), ("tell", 2), ("tell", 3)]
    assert list(scene.link.bodies) == [b"\3"]
    scene.link.bodies.clear()


@pytest.mark.parametrize(("state", "deaths"), [("ended", 1), ("waiting", 1)])
def test_an_answer_that_left_before_the_end_is_heard_though_the_end_is_known_earlier(scene, state, deaths):
    """The news of an end comes another way than answers do, which a thread of ZeroMQ has to read."""
    given: list[Any] = []
    with scene.sender.held():
        scene.sender.put(scene.link, 1, Seal(0, b"\xc0", None, ()), (), given.append)
        reply = Packer(SYSTEM).answer("reply", WHO, 1, 1, 1, [0, b"\xa6answer", None, [], 1])
        scene.outlet.late.append([scene.link.route, reply])
        scene.stands(state, deaths)
        if state == "ended":
            scene.sender.hear_out(WHO)
        else:
            scene.sender.follow(scene.link)
    assert [said.content.seal.inline for said, _ in given] == [b"\xa6answer"]


def test_who_rings_while_an_answer_is_waited_for_is_not_missed(scene):
    with scene.sender.held():
        scene.sender.put(scene.link, 1, Seal(0, b"\xc0", None, ()), (), print)
        scene.stands("ended", 1)
        scene.sender.ring()
        scene.sender.hear_out(WHO)
    assert select.select([scene.sender._ear.read], [], [], 0)[0]
