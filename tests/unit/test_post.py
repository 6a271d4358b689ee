"""Who is told how actors stand: whoever met them, from then on, once its way is open; and never who is gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.lifecycle.scene import DONE, EXIT_0, RESULT, SIGSEGV, START, boom, spec
from understudy.globs import LONGEST_NAME
from understudy.lifecycle.events import Alarm, Errored, Event, Expired, Forked, Ready, Restart, Resulted, Stop
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.registry import Registry
from understudy.router import post as post_
from understudy.router.post import PARENT, Post, fate_of
from understudy.wire.codec import MAX_ENVELOPE, decode
from understudy.wire.messages import ORDERS, Cycle, Fate, Sought, Still


class Scene:
    """A registry, the post, and what was sent to whom in the place of a socket."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.post = Post("system", self, self.registry)  # type: ignore[arg-type]  # in the place of the sockets
        self.sent: list[tuple[str, Any]] = []
        self.office: list[Fate] = []
        self.post.office = self.office.append

    def send_orders(self, to: bytes, envelope: bytes) -> None:
        assert len(envelope) <= MAX_ENVELOPE
        who, word = decode([envelope], ORDERS)
        assert to == f"system|{who.uid}|{who.incarnation}|".encode()
        self.sent.append((f"{self.registry.actors[who.uid].name}#{who.incarnation}", word))

    def spawn(self, name: str, *, is_open: bool = True, **config: Any) -> int:
        actor, _ = self.registry.admit(spec(config), name, Moment(START))
        self.happens(actor.uid, Forked(7))
        if is_open:
            self.post.opened(actor.uid, 1)
        self.happens(actor.uid, Ready())
        return actor.uid

    def happens(self, uid: int, *events: Event) -> None:
        for event in events:
            self.registry.apply(uid, event, Moment(START))
            self.post.changed(uid)

    def told(self) -> list[tuple[str, Any]]:
        told, self.sent = self.sent, []
        return told

    def states(self) -> list[tuple[str, str, int, int]]:
        return [(to, one.state, one.incarnation, one.deaths) for to, one in self.told()]


@pytest.fixture
def scene() -> Scene:
    return Scene()


LIVES = {"lives": 3}
DIES_AND_LIVES = (SIGSEGV, Expired(Alarm.BACKOFF), Forked(8), Ready())


def test_who_meets_an_actor_hears_how_it_stands_and_each_time_that_changes(scene):
    asker, other = scene.spawn("asker"), scene.spawn("other", **LIVES)
    scene.post.meet(asker, other)
    assert scene.told() == [("asker#1", Fate(other, "other", 1, 0, "ready", 1000, "block", "perhaps"))]
    scene.happens(other, *DIES_AND_LIVES)
    assert scene.states() == [("asker#1", "waiting", 1, 1), ("asker#1", "waiting", 2, 1), ("asker#1", "ready", 2, 1)]
    scene.happens(other, Stop(), DONE, Resulted(RESULT), EXIT_0)
    assert scene.states() == [("asker#1", "stopping", 2, 1), ("asker#1", "ended", 2, 2)]


def test_what_a_mailbox_holds_is_told_and_that_of_another_target_too(scene):
    asker, other = scene.spawn("asker"), scene.spawn("other", **{"mailbox.size": 5, "mailbox.on_full": "raise"})
    scene.post.meet(asker, other)
    assert scene.told()[0][1] == Fate(other, "other", 1, 0, "ready", 5, "raise", "perhaps")
    scene.happens(other, Restart((), spec({"mailbox.size": 7})), EXIT_0)
    assert scene.told() == [
        ("asker#1", Fate(other, "other", 1, 0, "leaving", 5, "raise", "perhaps")),
        ("asker#1", Fate(other, "other", 2, 1, "waiting", 7, "block", "perhaps")),
    ]


def test_who_is_in_its_last_rites_stops(scene):
    other = Registry()
    actor, _ = other.admit(spec({}, ("loop", "error")), "other", Moment(START))
    for event in (Forked(7), Ready(), Errored(boom())):
        other.apply(actor.uid, event, Moment(START))
    fate = fate_of(other.actors[actor.uid])
    assert (fate.state, fate.incarnation, fate.deaths) == ("stopping", 1, 0)


def test_what_is_said_before_the_way_is_open_is_said_when_it_opens(scene):
    asker, other = scene.spawn("asker", is_open=False), scene.spawn("other", **LIVES)
    scene.post.meet(asker, other)
    scene.post.meet(asker, 999)
    scene.post.seek(asker, 1, "other")
    scene.happens(other, *DIES_AND_LIVES)
    assert scene.told() == []
    scene.post.opened(asker, 1)
    assert scene.told() == [
        ("asker#1", Fate(other, "other", 2, 1, "ready", 1000, "block", "perhaps")),
        ("asker#1", Fate(999, "", 0, 0, "unknown", 0, "block", "never")),
        ("asker#1", Sought(1, [[other, "other"]], more=False, hint="")),
    ]
    scene.post.opened(asker, 1)
    assert scene.states() == [("asker#1", "ready", 2, 1)], "once more, for what is known of it may be lost"


def test_a_subscription_of_another_life_opens_nothing(scene):
    asker, other = scene.spawn("asker", is_open=False), scene.spawn("other")
    scene.post.meet(asker, other)
    scene.post.opened(asker, 2)
    scene.post.opened(999, 1)
    assert scene.told() == []


def test_whom_a_process_met_is_forgotten_with_it(scene):
    asker, other = scene.spawn("asker", **LIVES), scene.spawn("other", **LIVES)
    scene.post.meet(asker, other)
    scene.told()
    scene.happens(asker, SIGSEGV)
    scene.post.ended(asker)
    scene.happens(asker, Expired(Alarm.BACKOFF), Forked(8))
    scene.post.opened(asker, 2)
    scene.happens(asker, Ready())
    scene.happens(other, *DIES_AND_LIVES)
    assert scene.told() == []
    scene.post.meet(asker, other)
    assert scene.states() == [("asker#2", "ready", 2, 1)]
    scene.post.ended(asker)
    scene.post.ended(asker)
    assert scene.post._speakers == scene.post._told == {}, "nobody is left to tell"


def test_what_is_read_when_its_process_is_gone_is_of_no_consequence_for_the_next(scene):
    asker, other = scene.spawn("asker", **LIVES), scene.spawn("other", **LIVES)
    scene.post.blocked(other, 1, asker)
    scene.happens(asker, SIGSEGV)
    scene.post.ended(asker)
    stale = scene.registry.stale
    scene.post.meet(asker, other)
    scene.post.seek(asker, 1, "*")
    scene.post.blocked(asker, 1, other)
    scene.post.unblocked(asker, 1)
    assert scene.registry.stale == stale + 4
    scene.happens(asker, Expired(Alarm.BACKOFF), Forked(8))
    scene.post.opened(asker, 1)
    scene.post.opened(asker, 2)
    scene.happens(other, *DIES_AND_LIVES)
    assert scene.told() == []


def test_the_parents_own_office_hears_by_a_call(scene):
    other = scene.spawn("other", **LIVES)
    assert scene.post.meet(PARENT, other) == scene.office[0] == scene.post.fate(other)
    scene.happens(other, SIGSEGV)
    assert [(fate.state, fate.deaths) for fate in scene.office] == [("ready", 0), ("waiting", 1)]
    assert scene.post.meet(PARENT, 999).state == scene.office[-1].state == "unknown"
    assert scene.told() == []


def test_an_actor_that_is_listed_no_more_is_unknown_and_remembered_by_nobody(scene):
    asker, other = scene.spawn("asker"), scene.spawn("other")
    scene.post.meet(asker, other)
    scene.post.meet(PARENT, other)
    scene.happens(other, SIGSEGV)
    scene.told()
    del scene.registry.actors[other]
    scene.post.forgotten(other)
    assert scene.told() == [("asker#1", Fate(other, "other", 1, 1, "unknown", 1000, "block", "perhaps"))]
    assert scene.office[-1].state == "unknown"
    assert scene.post._speakers == scene.post._told == {}
    scene.post.meet(asker, other)
    scene.post.opened(asker, 1)
    assert scene.states() == [("asker#1", "unknown", 0, 0)], "told once, not at each subscription"


def test_a_name_finds_who_bears_it_and_a_glob_all_that_live(scene):
    asker = scene.spawn("asker")
    crew = [scene.spawn(f"crew/{number}") for number in range(3)]
    scene.happens(crew[1], SIGSEGV)
    sought = []
    for request, pattern in enumerate(["crew/*", "crew/2", "crew/1", "nobody*"]):
        scene.post.seek(asker, request, pattern)
        sought += [word for _, word in scene.told()]
    assert sought == [
        Sought(0, [[crew[0], "crew/0"], [crew[2], "crew/2"]], more=False, hint=""),
        Sought(1, [[crew[2], "crew/2"]], more=False, hint=""),
        Sought(2, [[crew[1], "crew/1"]], more=False, hint=""),
        Sought(3, [], more=False, hint=""),
    ]
    scene.post.seek(asker, 4, "crew/7")
    ((_, unknown),) = scene.told()
    assert (unknown.found, unknown.more) == ([], False)
    assert unknown.hint.startswith("no actor is named 'crew/7'; did you mean crew/")
    scene.post.seek(asker, 5, "x" * 100_000)
    assert len(scene.told()[0][1].hint) == post_._LONGEST_HINT


def test_more_than_one_answer_holds_comes_in_several(scene, monkeypatch):
    monkeypatch.setattr(post_, "PAIRS", 2)
    asker = scene.spawn("asker")
    crew = [scene.spawn(f"crew/{number}") for number in range(5)]
    scene.post.seek(asker, 1, "crew/*")
    words = [word for _, word in scene.told()]
    assert [word.more for word in words] == [True, True, False]
    assert [uid for word in words for uid, _ in word.found] == crew


def test_the_longest_answer_fits_into_an_envelope(scene):
    asker = scene.spawn("asker")
    for number in range(post_.PAIRS):
        scene.registry.admit(spec(), f"{number:0{LONGEST_NAME}}", Moment(START))
    scene.post.seek(asker, 2**62, "0*")
    ((_, word),) = scene.told()
    assert len(word.found) == post_.PAIRS
    assert not word.more


@pytest.mark.requirement("A7")
def test_asks_that_wait_for_one_another_are_asked_and_then_told(scene):
    one, two, three = (scene.spawn(name) for name in ("one", "two", "three"))
    for asker, target in ((one, two), (two, three), (three, one)):
        scene.post.blocked(asker, 10 + asker, target)
    asked = scene.told()
    assert sorted(asked, key=str) == sorted(
        [(f"{name}#1", Still(10 + uid)) for name, uid in (("one", one), ("two", two), ("three", three))], key=str
    )
    for asker, target in ((two, three), (one, two), (three, one)):
        assert scene.told() == []
        scene.post.blocked(asker, 10 + asker, target)
    assert scene.told() == [("three#1", Cycle(10 + three, ["three", "one", "two"]))], "the others fail by it"


def test_the_end_of_a_process_ends_its_asks(scene):
    one, two = scene.spawn("one"), scene.spawn("two")
    scene.post.blocked(one, 1, two)
    scene.post.ended(one)
    scene.post.blocked(two, 1, one)
    assert scene.told() == []
    scene.post.unblocked(two, 1)
    scene.post.blocked(two, 2, two)
    assert scene.told() == [("two#1", Still(2))]
