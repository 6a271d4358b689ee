"""Requests of the control socket: told apart when they are wrong, met once when they bear a key."""

from __future__ import annotations

import os
import time
from importlib.metadata import version
from typing import Any

import msgpack
import pytest
import zmq

from tests.observe.raw import Raw
from tests.stage import until
from understudy import Process, Status
from understudy.router import fields, remembered
from understudy.router.desk import answered
from understudy.router.remembered import Remembered


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.2

    def __loop__(self):
        self.sleep(600)


@pytest.fixture
def raw(system):
    client = Raw(system.endpoint)
    yield client
    client.close()


@pytest.fixture
def idle(system):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    return ref


ROOM = fields.LONGEST_NAME

WRONG: dict[str, tuple[Any, str, str | None]] = {
    "no msgpack": (b"\xc1", "malformed", None),
    "an array": ([1, "stop"], "malformed", None),
    "a key that is no text": ({7: 1}, "malformed", None),
    "no version": ({"v": None}, "version", "v"),
    "a newer version": ({"v": 2}, "version", "v"),
    "a version that is a boolean": ({"v": True}, "version", "v"),
    "no verb": ({"verb": None}, "verb", "verb"),
    "an unknown verb": ({"verb": "reboot"}, "verb", "verb"),
    "a verb of the engine room": ({"verb": "__init__"}, "verb", "verb"),
    "an unknown field": ({"force": True}, "field", "force"),
    "a field of another verb": ({"since": 0}, "field", "since"),
    "a field of an endless name": ({"x" * 500_000: 1}, "field", "x" * 64),
    "an id that is an array": ({"id": [1]}, "field", "id"),
    "an endless id": ({"id": "x" * 20_000}, "field", "id"),
    "no name": ({"verb": "info"}, "field", "name"),
    "a name that is a number": ({"name": 5}, "field", "name"),
    "an endless name": ({"name": "x" * (ROOM + 1)}, "field", "name"),
    "a number among the names": ({"name": ["idle", 5]}, "field", "name"),
    "an array among the names": ({"name": ["idle", ["idle"]]}, "field", "name"),
    "an endless name among the names": ({"name": ["idle", "x" * (ROOM + 1)]}, "field", "name"),
    "too long globs": ({"name": [f"{number}-{'[a-z]' * 20}*" for number in range(10)]}, "field", "name"),
    "too many globs": ({"name": [f"none-{number}-*" for number in range(51)]}, "field", "name"),
    "too many names": ({"name": ["idle"] * 1001}, "field", "name"),
    "several names where one is meant": ({"verb": "info", "name": ["idle"]}, "field", "name"),
    "a grace that is text": ({"grace": "1"}, "field", "grace"),
    "a negative grace": ({"grace": -1}, "field", "grace"),
    "a flag that is a number": ({"verb": "ps", "all": 1}, "field", "all"),
    "a seq that is text": ({"verb": "replay", "since": "0"}, "field", "since"),
    "a negative seq": ({"verb": "replay", "since": -1}, "field", "since"),
    "no seq": ({"verb": "replay"}, "field", "since"),
    "a limit of none": ({"verb": "replay", "since": 0, "limit": 0}, "field", "limit"),
    "a limit without a limit": ({"verb": "replay", "since": 0, "limit": 10**9}, "field", "limit"),
    "an empty key": ({"request": ""}, "field", "request"),
    "an endless key": ({"request": "x" * 65}, "field", "request"),
    "a key that is a number": ({"request": 5}, "field", "request"),
    "an unknown actor": ({"name": "nobody"}, "refused", None),
    "an unknown actor among the known": ({"name": ["idle", "nobody"]}, "refused", None),
}
"""What is changed in a request to stop `idle`, or takes its place; the reason and the field that are told."""


def altered(change: Any) -> bytes:
    """The request as it is sent."""
    if isinstance(change, bytes):
        return change
    if not isinstance(change, dict):
        return bytes(msgpack.packb(change))
    plain = {"v": 1, "id": 1, "verb": "stop", "name": "idle"}
    if "verb" in change and change["verb"] is not None:
        del plain["name"]
    return bytes(msgpack.packb({key: value for key, value in (plain | change).items() if value is not None}))


def test_what_is_wrong_with_a_request_is_told_apart_and_nothing_is_done(system, raw, idle):
    for what, (change, reason, field) in WRONG.items():
        raw.send(altered(change))
        reply = raw.reply()
        assert list(reply) == ["v", "id", "ok", "error", "text", "reason", "field"], what
        assert (reply["ok"], reply["reason"], reply["field"]) == (False, reason, field), what
        assert 0 < len(reply["text"]) < 500, what
        assert field is None or reason != "field" or field[:20] in reply["text"], what
    assert idle.info().status is Status.RUNNING
    assert raw.value("stop", name="idle") == {"idle": "asked"}


def test_hello_says_who_answers(system, raw):
    value = raw.value("hello")
    assert list(value) == ["system", "name", "pid", "version", "protocol", "started_at"]
    assert (value["system"], value["name"]) == (os.path.basename(system.endpoint), system.name)
    assert (value["pid"], value["version"], value["protocol"]) == (os.getpid(), version("understudy"), 1)
    assert 0 <= time.time() - value["started_at"] < 60


def test_a_story_holds_the_last_steps(system, raw, idle):
    assert raw.value("story", name="idle") == system.story("idle")
    for _ in range(60):
        raw.value("restart", name="idle")
    story = raw.value("story", name="idle")
    assert len(story) == 50
    assert any("idle#" in step for step in story)


@pytest.mark.requirement("K1")
def test_several_names_and_globs_are_met_together_and_each_actor_once(system, raw):
    refs = [system.spawn(Idle, name=name) for name in ("a/1", "a/2", "b", "c")]
    for ref in refs:
        ref.wait_ready(20)
    assert raw.value("restart", name=[]) == {}
    assert raw.value("stop", name=["b", "a/*", "a/1", "none*"]) == {"b": "asked", "a/1": "asked", "a/2": "asked"}
    assert raw.value("kill", name=["c"] * 1000) == {"c": "asked"}
    system.wait_all(timeout=20)
    assert raw.value("stop", name=["a/1", "c"]) == {"a/1": "ended", "c": "ended"}


@pytest.mark.requirement("K1")
def test_a_request_that_is_asked_again_under_its_key_is_answered_and_not_done_again(system, raw, idle):
    first = raw.value("restart", name="idle", request="one")
    until(lambda: idle.info().incarnation == 2 and idle.info().status is Status.RUNNING)
    for _ in range(20):
        assert raw.value("restart", name="idle", request="one") == first == {"idle": "asked"}
    other = Raw(system.endpoint)
    assert other.value("restart", request="one", name="idle") == first, "from another client too"
    other.close()
    system.spawn(os.getpid, name="later").wait(20)
    assert (idle.info().incarnation, idle.info().status) == (2, Status.RUNNING)

    assert raw.value("kill", name="idle", request="two") == {"idle": "asked"}
    assert idle.wait(20) is Status.KILLED
    again = system.spawn(Idle, name="idle")
    again.wait_ready(20)
    assert raw.value("kill", name="idle", request="two") == {"idle": "asked"}
    assert again.info().status is Status.RUNNING
    assert raw.value("kill", name="idle", request="three") == {"idle": "asked"}
    assert again.wait(20) is Status.KILLED


def test_a_refusal_is_remembered_as_well(system, raw):
    first = raw.ask("kill", name="late", request="one")
    assert (first["error"], first["reason"]) == ("UnknownActor", "refused")
    ref = system.spawn(Idle, name="late")
    ref.wait_ready(20)
    again = raw.ask("kill", name="late", request="one")
    assert {**again, "id": 0} == {**first, "id": 0}
    assert ref.info().status is Status.RUNNING


def test_a_key_of_one_request_is_refused_for_another(system, raw, idle):
    assert raw.value("stop", name="nobody*", request="one") == {}
    for verb, change in (("kill", {}), ("restart", {}), ("stop", {"name": "idle"}), ("stop", {"grace": 1})):
        reply = raw.ask(verb, **{"name": "nobody*", "request": "one", **change})
        assert (reply["ok"], reply["reason"], reply["field"]) == (False, "field", "request")
        assert "another request" in reply["text"]
    assert raw.value("stop", name="nobody*", request="one", grace=None) == {}
    assert idle.info().status is Status.RUNNING


def test_a_request_that_was_refused_for_its_form_is_not_remembered(raw, idle):
    assert raw.ask("stop", name="idle", grace="soon", request="one")["reason"] == "field"
    assert raw.value("stop", name="idle", grace=5, request="one") == {"idle": "asked"}


def test_what_changes_nothing_is_answered_anew_whatever_key_it_bears(system, raw):
    assert raw.value("ps", request="one") == []
    system.spawn(Idle, name="idle").wait_ready(20)
    assert [row["name"] for row in raw.value("ps", request="one")] == ["idle"]
    assert raw.value("stop", name="idle", request="one") == {"idle": "asked"}


def test_so_many_replies_of_so_many_bytes_are_remembered(monkeypatch):
    done = []

    def ask(memory, key, reply):
        def do():
            done.append(key)
            return answered(lambda: reply)

        memory.answer(key, "stop", {"name": [key]}, do).then(lambda _: None)

    def is_remembered(memory, key, reply):
        before = len(done)
        ask(memory, key, reply)
        return len(done) == before

    memory = Remembered()
    for number in range(remembered.KEPT + 1):
        ask(memory, str(number), {})
    assert is_remembered(memory, "1", {})
    assert not is_remembered(memory, "0", {}), "the oldest went"

    monkeypatch.setattr(remembered, "KEPT_BYTES", 10_000)
    memory = Remembered()
    ask(memory, "first", {"a": "asked"})
    ask(memory, "large", {"x" * 20_000: "asked"})
    assert is_remembered(memory, "large", {"x" * 20_000: "asked"}), "the newest is kept, whatever it weighs"
    ask(memory, "next", {})
    for key in ("large", "first"):
        assert not is_remembered(memory, key, {})


def test_what_stands_before_a_request_goes_back_if_it_is_little_and_is_dropped_if_not(system, raw):
    body = msgpack.packb({"v": 1, "id": 1, "verb": "hello"})
    dealer = raw.socket(zmq.DEALER, "control")
    for envelope in ([], [b"x" * 10_000], [b"a"] * 15):
        dealer.send_multipart([*envelope, body])
        assert dealer.recv_multipart()[:-1] == envelope
    dropped = system._world.dropped
    for envelope in ([b"x" * 20_000], [b"a"] * 17, [b""] * 5000):
        dealer.send_multipart([*envelope, body])
    until(lambda: system._world.dropped == dropped + 3)
    dealer.send_multipart([b"last", body])
    assert dealer.recv_multipart()[:-1] == [b"last"]


def test_an_error_of_our_own_is_answered_too(system, raw, monkeypatch, caplog):
    monkeypatch.setattr(type(system._world.registry), "living", lambda _: 1 / 0)
    reply = raw.ask("snapshot")
    monkeypatch.undo()
    assert (reply["ok"], reply["error"], reply["reason"]) == (False, "UnderstudyError", "refused")
    until(lambda: any("please report it" in record.getMessage() for record in caplog.records))
    caplog.clear()
    assert raw.value("snapshot")["actors"] == []


def test_what_failed_by_an_error_of_our_own_is_remembered_too(system, raw, monkeypatch, caplog):
    calls = []

    def fail(*_):
        calls.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr("understudy.router.verbs.Killing.do", fail)
    first, second = (raw.ask("kill", name="*", request="once") for _ in range(2))
    monkeypatch.undo()
    assert len(calls) == 1
    assert [first[key] for key in ("ok", "error", "text")] == [second[key] for key in ("ok", "error", "text")]
    assert (first["ok"], first["error"]) == (False, "UnderstudyError")
    until(lambda: any("please report it" in record.getMessage() for record in caplog.records))
    caplog.clear()
