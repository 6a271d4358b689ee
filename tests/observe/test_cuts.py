"""Lines that are cut, systems that fall silent, end or are others now: an observer makes good what it missed."""

from __future__ import annotations

import os
import random
import threading
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest

from tests.observe.relay import Relay
from tests.observe.score import Score
from tests.observe.scripted import Refusal, Scripted
from tests.reaching import ipc_only
from tests.stage import until
from understudy import ActorSystem, Event, Observer, Process, Remote, Status, SystemClosed, UnknownActor
from understudy.observe import client, feed


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Falling(Process):
    def __init__(self):
        self.config.lives = 2
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __loop__(self):
        if self.incarnation == 1:
            raise RuntimeError("no luck")
        self.progress(1, 4)


def known(infos):
    return {
        info.name: (info.uid, info.status, info.health, info.pid, info.incarnation, info.lives_left)
        for info in infos
        if not info.status.ended
    }


def converges(observer, system, names=lambda _: True, seconds=30):
    """Follow until the observer knows what the registry does; the events on the way."""
    events, deadline = [], monotonic() + seconds

    def ours():
        return {name: row for name, row in known(system.ps()).items() if names(name)}

    while known(observer.actors.values()) != ours():
        assert monotonic() < deadline, (known(observer.actors.values()), ours())
        if (event := observer.next(0.1)) is not None:
            events.append(event)
    return events


def come(observer):
    """The next event, which has to come."""
    event = observer.next(20)
    assert event is not None
    return event


def storm(system, over, pause):
    """Actors that come, fall and go, until it is over."""
    number = 0
    while not over.is_set():
        number += 1
        ref = system.spawn(Falling if number % 3 else Idle, name=f"storm-{number}")
        if number % 6 == 0:
            ref.kill()
        over.wait(pause)


WATCHING: tuple[dict[str, Any], ...] = ({}, {"names": "storm-*[05]"}, {"kinds": ["report", "restart"]})


def ride_out(cut_for, rounds, pause, chance):
    """Join at random, be cut off for so long, again and again; then all have to agree with the registry."""
    with ActorSystem() as system, Relay(system.endpoint) as relay, ExitStack() as last:
        over = threading.Event()
        storming = threading.Thread(target=storm, args=(system, over, pause))
        storming.start()
        observers: list[tuple[Observer, dict[str, Any], list[Event]]] = []
        try:
            for _ in range(rounds):
                over.wait(chance.random())
                for options in WATCHING:
                    observer = last.enter_context(Observer(relay.endpoint, timeout=30, **options))
                    observers.append((observer, options, []))
                for observer, _, events in observers:
                    for _ in range(20):
                        if (event := observer.next(0.01)) is not None:
                            events.append(event)
                relay.cut()
                over.wait(cut_for)
                relay.mend()
        finally:
            over.set()
            storming.join()
        until(lambda: {info.status for info in system.ps()} <= {Status.RUNNING}, 60, "the end of the storm")
        for observer, options, before in observers:
            followed = (lambda name: name[-1] in "05") if "names" in options else (lambda _: True)
            events = before + converges(observer, system, followed)
            own = [event for event in events if event.kind != "snapshot"]
            seqs = [event.seq for event in own]
            assert len(seqs) == len(set(seqs))
            if "names" not in options:
                assert seqs == sorted(seqs)
            for name in {event.name for event in own}:
                assert followed(name)
                of_name = [event.seq for event in own if event.name == name]
                assert of_name == sorted(of_name)
            assert not [event for event in events if event.kind == "snapshot"], "the journal had it all"


@ipc_only
@pytest.mark.fault("F51")
@pytest.mark.requirement("A4")
def test_observers_that_join_late_and_are_cut_off_agree_with_the_registry_in_the_end():
    ride_out(0.3, 2, 0.03, random.Random(51))  # noqa: S311 - the same moments each time


@ipc_only
@pytest.mark.soak
@pytest.mark.fault("F51")
@pytest.mark.timeout(600)
def test_observers_that_join_at_random_and_are_cut_for_ten_seconds_agree_in_the_end():
    ride_out(10, 5, 0.1, random.Random())  # noqa: S311 - other moments each time


@ipc_only
@pytest.mark.requirement("A4")
@pytest.mark.fault("F51")
def test_what_happened_during_a_cut_comes_event_by_event_when_it_is_over(system):
    with Relay(system.endpoint) as relay, Observer(relay.endpoint) as observer:
        until(lambda: system._calls.make(system._world.hub.watched), what="the subscription")
        system.spawn(os.getpid, name="before").wait(20)
        observer.wait_for("before", status="FINISHED", timeout=20)
        relay.cut()
        for number in range(5):
            system.spawn(os.getpid, name=f"unseen-{number}").wait(20)
        assert observer.next(0.2) is None
        relay.mend()
        system.spawn(os.getpid, name="after")
        afters: dict[str, list[Any]] = {}
        while afters.get("after", [""])[-1] != "FINISHED":
            event = come(observer)
            if event.kind == "state":
                afters.setdefault(event.name, []).append(event.after)
    assert list(afters) == [*(f"unseen-{number}" for number in range(5)), "after"]
    assert all(statuses == ["STARTING", "RUNNING", "STOPPING", "FINISHED"] for statuses in afters.values())


@pytest.mark.requirement("A4")
def test_a_request_whose_reply_is_lost_is_sent_again_under_the_same_key(scripted, monkeypatch):
    monkeypatch.setattr(client, "_AGAIN", 0.05)
    scripted.answers |= {"restart": lambda _: {"a": "asked"}, "ps": lambda _: []}
    scripted.deaf |= {"restart": 2, "ps": 1}
    with Remote(scripted.endpoint, timeout=20) as remote:
        assert remote.restart("a") == {"a": "asked"}
        assert remote.ps() == []
        assert remote.restart("a") == {"a": "asked"}
    restarts = [(request["id"], request["request"]) for request in scripted.asked("restart")]
    assert restarts[0] == restarts[1] == restarts[2] != restarts[-1]
    assert all(1 <= len(key) <= 64 for _, key in restarts)
    assert restarts[-1][1] != restarts[0][1], "another wish has another key"
    assert all("request" not in request for request in scripted.asked("ps"))


@pytest.mark.requirement("A4")
def test_a_snapshot_or_a_replay_that_is_not_answered_is_asked_for_again(scripted, monkeypatch):
    monkeypatch.setattr(client, "_AGAIN", 0.05)
    scripted.deaf |= {"snapshot": 1, "replay": 1}
    with Observer(scripted.endpoint, timeout=20) as observer:
        scripted.subscribed()
        scripted.score.happen("report", "a")
        scripted.publish(scripted.score.happen("state", "a"))
        assert [come(observer).seq for _ in range(2)] == [1, 2]
    assert len(scripted.asked("snapshot")) == 2
    assert len(scripted.asked("replay")) == 2


@pytest.mark.requirement("A4")
def test_a_gap_that_cannot_be_replayed_is_told_by_one_event_and_healed_by_a_snapshot():
    scripted = Scripted(Score(keep=2))
    try:
        with Observer(scripted.endpoint) as observer:
            scripted.subscribed()
            for choice in range(4):
                scripted.score.happen("state", "a", choice)
            scripted.publish(*scripted.score.tick())
            events = [come(observer) for _ in range(3)]
            assert [(event.seq, event.kind) for event in events] == [(2, "snapshot"), (3, "state"), (4, "state")]
            assert events[0].data == {"missed": 2, "kinds": ["state"]}
            assert observer.actors["a"] == observer.snapshot()[0]
    finally:
        scripted.close()


def test_where_replays_are_refused_a_snapshot_stands_for_all_that_was_missed(scripted):
    def refuse(_):
        raise Refusal("ProtocolError")

    scripted.answers["replay"] = refuse
    with Observer(scripted.endpoint) as observer:
        scripted.subscribed()
        for _ in range(3):
            scripted.score.happen("state", "a")
        scripted.publish(*scripted.score.tick())
        assert (come(observer).data["missed"], observer.actors["a"].status) == (3, Status.RUNNING)


@pytest.mark.requirement("A4")
def test_a_filter_is_at_the_socket_and_what_it_keeps_out_costs_no_request(scripted):
    with Observer(scripted.endpoint, names=["web/*", "db"], kinds=["state", "figures"]) as observer:
        assert scripted.subscribed(4) == {b"web/", b"db|", b"|", b"|figures"}
        score = scripted.score
        scripted.publish(*score.tick())
        for name in ("other", "db", "dbs", "web/1", "web", "other"):
            scripted.publish(score.happen("state", name), score.happen("report", name), *score.tick())
        scripted.publish(score.happen("figures", "db", 7), *score.tick())
        seen = [come(observer) for _ in range(3)]
        assert [(event.name, event.kind) for event in seen] == [("db", "state"), ("web/1", "state"), ("db", "figures")]
        assert set(observer.actors) == {"db", "web/1"}
        assert observer.actors["db"].threads == 7
        assert not scripted.asked("replay")


@pytest.mark.parametrize(
    ("options", "topics"),
    [
        ({}, {b""}),
        ({"names": "*"}, {b""}),
        ({"names": ["a", "?b"]}, {b""}),
        ({"names": "a"}, {b"a|", b"|"}),
        ({"names": []}, {b"|"}),
        ({"names": ["a*", "a/[bc]"], "kinds": "log"}, {b"a", b"a/", b"|"}),
        ({"kinds": "figures"}, {b"", b"|figures"}),
    ],
)
def test_who_asks_for_less_subscribes_to_less(scripted, options, topics):
    with Observer(scripted.endpoint, **options):
        assert scripted.subscribed(len(topics)) == topics


@pytest.mark.requirement("A4")
def test_figures_come_only_to_who_names_them(scripted):
    with Observer(scripted.endpoint) as observer:
        scripted.subscribed()
        for kind in ("state", "figures", "report"):
            scripted.publish(scripted.score.happen(kind, "a", 5))
        assert [come(observer).kind for _ in range(2)] == ["state", "report"]
        assert observer.actors["a"].threads is None


@pytest.mark.requirement("A4")
def test_the_end_of_a_process_that_said_no_bye_is_noticed_and_what_it_had_sent_is_taken(scripted, monkeypatch):
    monkeypatch.setattr(feed, "SILENCE", 1.0)
    with Observer(scripted.endpoint) as observer:
        scripted.subscribed()
        first, _, last = (scripted.score.happen("report", "a") for _ in range(3))
        scripted.publish(first)
        assert come(observer).seq == 1
        scripted.deaf["replay"] = 1000
        scripted.publish(last)
        scripted.let_go()
        rest = list(observer)
        assert [(event.kind, event.seq, event.data.get("missed")) for event in rest] == [
            ("snapshot", 2, 1),
            ("report", 3, None),
        ]


def test_an_observer_that_asks_a_system_which_is_gone_is_not_kept_waiting(scripted, monkeypatch):
    monkeypatch.setattr(client, "_AGAIN", 0.05)
    scripted.deaf |= {"snapshot": 1000, "ps": 1000}
    scripted.let_go()
    with pytest.raises(SystemClosed), Observer(scripted.endpoint, timeout=None):
        raise AssertionError("nobody answered")
    with Remote(scripted.endpoint, timeout=None) as remote, pytest.raises(SystemClosed, match="is gone"):
        remote.ps()


@pytest.mark.requirement("A4")
def test_an_observer_ends_with_its_system_and_a_later_one_of_that_name_is_another():
    with ActorSystem("phoenix") as first:
        observer = Observer("phoenix")
        first.spawn(Idle, name="first").wait_ready(20)
        observer.wait_for("first", status="RUNNING", timeout=20)
    with ActorSystem("phoenix") as second, observer:
        second.spawn(Idle, name="second").wait_ready(20)
        assert "second" not in {event.name for event in observer}
        assert observer.actors["first"].status is Status.FINISHED
        with Observer("phoenix") as another:
            assert set(another.actors) == {"second"}
    with pytest.raises(UnknownActor):
        Observer("phoenix")
