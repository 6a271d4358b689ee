"""The status stream as a raw client sees it: every kind, in its order, and the recent again for who missed it."""

from __future__ import annotations

import logging
import os
import time

import pytest
import zmq

from tests.observe.raw import Raw
from tests.stage import until
from understudy import Process
from understudy.observe.journal import Journal
from understudy.router import loop
from understudy.wire import messages
from understudy.wire.codec import encode
from understudy.wire.messages import Identity


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.2

    def __loop__(self):
        self.sleep(600)


class Falling(Process):
    """Crashes in its first lives; the last one finishes."""

    def __init__(self, falls, text="no luck"):
        self.falls, self.text = falls, text
        self.config.lives = falls + 1
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0.25
        self.config.restart.backoff.jitter = 0

    def __loop__(self):
        if self.incarnation <= self.falls:
            raise RuntimeError(self.text)


class Rites(Process):
    def __loop__(self):
        os._exit(3)

    def __error__(self):
        return "held"


class Again(Process):
    def __init__(self):
        self.config.restart.policy = "always"
        self.config.num_loops = 1

    def __loop__(self):
        pass


@pytest.fixture(autouse=True)
def ticks_are_quick(monkeypatch):
    monkeypatch.setattr(loop, "TICK", 0.1)


@pytest.fixture
def raw(system):
    client = Raw(system.endpoint)
    yield client
    client.close()


def told(events):
    return [(event["kind"], event["incarnation"], event["after"]) for event in events]


@pytest.mark.requirement("A4")
def test_that_another_life_follows_is_told_once_after_the_report_and_before_the_state(system, raw):
    stream = raw.follow(b"falling|")
    system.spawn(Falling, 2, name="falling").wait(20)
    stream.state("falling", "FINISHED")
    assert told(stream.of("report", "restart", "state", name="falling")) == [
        ("state", 1, "STARTING"),
        ("state", 1, "RUNNING"),
        ("report", 1, None),
        ("restart", 1, None),
        ("state", 1, "RESTARTING"),
        ("state", 2, "STARTING"),
        ("state", 2, "RUNNING"),
        ("report", 2, None),
        ("restart", 2, None),
        ("state", 2, "RESTARTING"),
        ("state", 3, "STARTING"),
        ("state", 3, "RUNNING"),
        ("state", 3, "STOPPING"),
        ("state", 3, "FINISHED"),
    ]
    first, second = stream.of("restart")
    assert first["data"] == {"pause": 0.0, "lives_left": 1, "incarnation": 2, "asked": False}
    assert second["data"] == {"pause": 0.25, "lives_left": 0, "incarnation": 3, "asked": False}
    assert first["cause"] == stream.of("report")[0]["cause"]
    assert "RuntimeError: no luck" in first["cause"]
    assert first["before"] is None


@pytest.mark.requirement("A4")
def test_a_restart_by_request_is_told_too_and_one_of_the_ended_is_a_new_spawn(system, raw):
    stream = raw.follow()
    system.spawn(Idle, name="idle").wait_ready(20)
    assert raw.value("restart", name="idle") == {"idle": "asked"}
    stream.until(lambda event: event["kind"] == "state" and event["incarnation"] == 2 and event["after"] == "RUNNING")
    (again,) = stream.of("restart")
    assert (again["incarnation"], again["cause"]) == (1, "restarted by request")
    assert again["data"] == {"pause": 0.0, "lives_left": 0, "incarnation": 2, "asked": True}
    raw.value("kill", name="idle")
    stream.state("idle", "KILLED")
    raw.value("restart", name="idle")
    anew = stream.state("idle", "RUNNING")
    assert (anew["uid"], anew["incarnation"]) == (again["uid"] + 1, 1)
    assert len(stream.of("restart")) == 1


def test_who_begins_anew_after_finishing_restarts_and_who_holds_rites_does_not(system, raw):
    stream = raw.follow()
    system.spawn(Rites, name="rites").wait(20)
    stream.state("rites", "CRASHED")
    assert [event["incarnation"] for event in stream.of("state")][-1] == 2
    assert not stream.of("restart")
    again = system.spawn(Again, name="again")
    stream.until(lambda event: event["kind"] == "restart" and event["incarnation"] == 3)
    again.stop()
    again.wait(20)
    assert [event["data"]["incarnation"] for event in stream.of("restart")] == [2, 3, 4]
    assert {event["cause"] for event in stream.of("restart")} == {"finished"}


class Chatty(Process):
    def __init__(self):
        self.config.num_loops = 1

    def __loop__(self):
        log = logging.getLogger("chatty.box")
        log.debug("a debug")
        log.info("an info")
        log.warning("a warning of %d words", 5)
        log.error("e" * 5000)
        try:
            raise LookupError("t" * 5000 + " its end")
        except LookupError:
            log.exception("with a traceback")


@pytest.mark.requirement("A4")
def test_records_from_warning_on_are_told_with_their_texts_cut(system, raw):
    stream = raw.follow(b"chatty|")
    ref = system.spawn(Chatty, name="chatty")
    ref.wait(20)
    stream.until(lambda event: event["kind"] == "log" and event["data"]["traceback"] is not None)
    warning, error, exception = stream.of("log")
    assert {event["uid"] for event in stream.of("log")} == {ref.uid}
    assert {event["incarnation"] for event in stream.of("log")} == {1}
    assert warning["data"] == {
        "level": 30,
        "level_name": "WARNING",
        "logger": "chatty.box",
        "message": "a warning of 5 words",
        "traceback": None,
    }
    assert error["data"]["message"] == "e" * 2000
    assert len(exception["data"]["traceback"]) == 2000
    assert exception["data"]["traceback"].endswith("t its end")


@pytest.mark.requirement("A4")
def test_what_the_parent_itself_says_of_an_actor_is_told_too(system, raw):
    stream = raw.follow(b"falling|")
    system.spawn(Falling, 1, name="falling").wait(20)
    stream.state("falling", "FINISHED")
    system.spawn(Rites, name="falling", config={"lives": 2}).wait(20)
    stream.state("falling", "CRASHED")
    logs = [(event["data"]["level_name"], event["incarnation"], event["data"]["message"]) for event in stream.of("log")]
    assert [(level, incarnation) for level, incarnation, _ in logs] == [("WARNING", 1), ("WARNING", 1), ("ERROR", 2)]
    assert logs[0][2].endswith("its understudy takes over")
    assert logs[2][2].endswith("no understudy takes over")
    assert {event["data"]["logger"] for event in stream.of("log")} == {"understudy.actor.falling"}


def test_records_of_nobody_and_of_no_shape_are_not_told(system, raw):
    stream = raw.follow()
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    push, here = raw.socket(zmq.PUSH, "reports"), system._world.system
    right = {"name": "a", "msg": "text", "levelno": 30, "levelname": "WARNING"}
    for uid, incarnation, change in (
        (ref.uid + 1, 1, {}),
        (ref.uid, 2, {}),
        (ref.uid, 0, {}),
        (ref.uid, 1, {"levelno": True}),
        (ref.uid, 1, {"levelno": "30"}),
        (ref.uid, 1, {"levelno": 29}),
        (ref.uid, 1, {"name": 5}),
        (ref.uid, 1, {"msg": None}),
        (ref.uid, 1, {"levelname": b"x"}),
        (ref.uid, 1, {"msg": "the right one", "exc_text": 7}),
    ):
        push.send_multipart(encode(Identity(here, uid, incarnation, 1), messages.Log({**right, **change})))
    last = stream.until(lambda event: event["kind"] == "log")
    assert (last["data"]["message"], last["data"]["traceback"]) == ("the right one", None)


@pytest.mark.requirement("A4", "H1")
def test_figures_come_while_they_are_asked_for_as_often_as_they_are_measured(system, raw):
    often = system.spawn(Idle, name="often", config={"sampling.interval": 0.01})
    seldom = system.spawn(Idle, name="seldom", config={"sampling.interval": 1000})
    for ref in (often, seldom):
        ref.wait_ready(20)
    stream = raw.follow()
    ticks = 0
    while ticks < 2:
        ticks += stream.until(lambda _: True)["kind"] == "tick"
    assert not stream.of("figures"), "nobody asked"
    assert stream.of("laps")

    stream.socket.subscribe(b"|figures")
    while len(stream.of("figures", name="often")) < 3:
        stream.until(lambda event: event["kind"] == "figures")
    assert len(stream.of("figures", name="seldom")) == 1
    told = stream.of("figures", name="often")[0]["data"]
    assert list(told) == ["os_status", "is_zombie", "cpu_percent", "memory_mb", "pss_mb", "threads", "open_files"]
    assert (told["os_status"], told["is_zombie"]) == ("sleeping", False)
    assert told["memory_mb"] > told["pss_mb"] > 0
    assert told["threads"] >= 2
    measured = raw.value("info", name="seldom")
    assert stream.of("figures", name="seldom")[0]["data"] == {key: measured[key] for key in told}

    stream.socket.unsubscribe(b"|figures")
    until(lambda: not system._calls.make(lambda: system._world.hub.audience.wants_figures))
    until(lambda: not system._calls.make(lambda: system._router._survey._under_way))
    stream.until(lambda event: event["kind"] == "tick")
    stream.seen.clear()
    stream.until(lambda event: event["kind"] == "tick")
    assert not stream.of("figures")


def test_an_observer_that_goes_without_a_word_asks_for_no_figures_any_more(system, raw):
    asking = Raw(system.endpoint)
    asking.follow(b"|figures")
    until(lambda: system._calls.make(lambda: system._world.hub.audience.wants_figures))
    asking.close()
    until(lambda: not system._calls.make(lambda: system._world.hub.audience.wants_figures))
    until(lambda: not system._calls.make(system._world.hub.watched))


def test_no_text_of_an_event_is_longer_than_two_thousand_characters(system, raw):
    stream = raw.follow()
    system.spawn(Falling, 1, "x" * 30_000, name="falling").wait(20)
    stream.state("falling", "FINISHED")
    texts = [text for event in stream.seen for text in (event, event.get("data", {})) for text in text.values()]
    lengths = {len(text) for text in texts if isinstance(text, str)}
    assert max(lengths) == 2000
    assert len(stream.of("report")[0]["data"]["headline"]) == 2000


def untimely(events):
    """Without what comes and goes with the time."""
    return [event for event in events if event["kind"] not in {"laps", "tick", "bye"}]


def replayed(raw, since, limit=1000):
    """All that is kept since then, page by page, and what the first page says is missing."""
    page = raw.value("replay", since=since, limit=limit)
    events, missing = page["events"], page["missing"]
    while page["more"]:
        assert len(page["events"]) == limit
        page = raw.value("replay", since=events[-1]["seq"], limit=limit)
        events = events + page["events"]
    return events, missing


@pytest.mark.requirement("A4")
@pytest.mark.fault("F51")
def test_whoever_joins_late_or_was_cut_off_gets_all_that_is_kept_as_it_was(system, raw):
    stream = raw.follow()
    falling = [system.spawn(Falling, 1, name=f"falling-{number}") for number in range(5)]
    for ref in falling:
        ref.wait(20)
    system.spawn(Chatty, name="chatty").wait(20)
    stream.state("chatty", "FINISHED")
    seen = untimely(stream.seen)
    for since in (0, seen[0]["seq"], seen[len(seen) // 2]["seq"], seen[-1]["seq"]):
        for limit in (7, 1000):
            events, missing = replayed(raw, since, limit)
            assert missing == {}
            events = [event for event in untimely(events) if event["seq"] <= seen[-1]["seq"]]
            assert events == [event for event in seen if event["seq"] > since]
    head = raw.value("replay", since=0, limit=1)
    assert (head["system"], len(head["events"]), head["more"]) == (system._world.system, 1, True)
    assert head["seq"] == raw.value("snapshot")["seq"]
    ahead = raw.value("replay", since=10**9)
    assert (ahead["events"], ahead["more"], ahead["missing"]) == ([], False, {})


def test_what_is_no_longer_kept_is_told_by_its_kind(system, raw):
    system._calls.make(lambda: setattr(system._world.publisher, "journal", Journal(events=4, logs=1)))
    for number in range(3):
        system.spawn(Falling, 1, name=f"falling-{number}").wait(20)
    events, missing = replayed(raw, 0)
    lasting = [event for event in events if event["kind"] in {"state", "report", "restart"}]
    assert [event["after"] for event in lasting] == ["STARTING", "RUNNING", "STOPPING", "FINISHED"]
    assert len([event for event in events if event["kind"] == "log"]) == 1
    assert set(missing) == {"state", "report", "restart", "log"}
    assert missing["state"] < lasting[0]["seq"]
    assert raw.value("replay", since=missing["state"])["missing"].keys() <= {"log", "restart", "report"}
    assert replayed(raw, max(missing.values()))[1] == {}


def test_events_are_numbered_and_kept_though_nobody_follows(system, raw):
    system.spawn(os.getpid, name="unseen").wait(20)
    events, _ = replayed(raw, 0)
    assert [event["after"] for event in events if event["kind"] == "state"] == [
        "STARTING",
        "RUNNING",
        "STOPPING",
        "FINISHED",
    ]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["prev"] for event in events] == list(range(len(events)))
    assert all(abs(event["time"] - time.time()) < 60 for event in events)
