"""Programs written from docs/protocol.md alone, with ZeroMQ and msgpack, get on with a running system."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgpack
import pytest
import zmq

from tests.docs.pages import ROOT, sections, tables
from tests.reaching import connect
from tests.stage import state_of, until
from understudy import ActorSystem, Process

CHAPTERS = sections((ROOT / "docs" / "protocol.md").read_text(encoding="utf-8"), 2)
STREAM = sections(CHAPTERS["The status stream"], 3)
KEYS, BY_KIND = tables(STREAM["Events about an actor"])
TICK, BYE = tables(STREAM["Events about the system"])
DATA = {row[0].strip("`"): re.findall(r"`(\w+)` ", row[2]) for row in BY_KIND}


class Stranger:
    """A program that knows the endpoint and nothing of the package."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self.context = endpoint, zmq.Context()
        self.sockets: list[Any] = []  # what is collected before it is closed warns

    def socket(self, kind: int, name: str, subscribe: bytes | None = None) -> Any:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 1000)
        if subscribe is not None:
            socket.setsockopt(zmq.SUBSCRIBE, subscribe)
        connect(socket, self.endpoint, name)
        self.sockets.append(socket)
        return socket

    def ask(self, socket: Any, **request: Any) -> dict[str, Any]:
        socket.send_multipart([b"", msgpack.packb({"v": 1, **request})])
        return self.answer(socket)

    def answer(self, socket: Any) -> dict[str, Any]:
        assert socket.poll(10_000), "no reply"
        empty, body = socket.recv_multipart()
        assert empty == b""
        reply: dict[str, Any] = msgpack.unpackb(body)
        return reply


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem("protocol", signals=False, restarts_per_second=1) as running:
        yield running


@pytest.fixture
def stranger(system) -> Iterator[Stranger]:
    made = Stranger(system.endpoint)
    yield made
    made.context.destroy(linger=0)


class Idler(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.1
        self.config.heartbeat.misses = 1000

    def __loop__(self):
        self.sleep(60)

    def __result__(self):
        return "done"


class Frail(Process):
    def __init__(self):
        self.config.lives = 1000
        self.config.restart.backoff.base = 0

    def __loop__(self):
        os._exit(3)


class Shortlived(Process):
    def __init__(self):
        self.config.lives = 2

    def __loop__(self):
        self.progress(1, 4, note="one of four")
        if self.incarnation == 1:
            raise RuntimeError("the first is lost")
        self.stop()


def test_every_event_has_the_keys_of_the_page_and_every_kind_is_seen(system, stranger):
    stream = stranger.socket(zmq.SUB, "status", b"")
    assert stream.poll(10_000), "not even a tick"
    stream.subscribe(b"|figures")
    idler = system.spawn(Idler, name="troupe/idler")
    idler.wait_ready(20)
    system.spawn(Shortlived, name="troupe/short").wait(20)
    system.spawn(Frail, name="troupe/frail")
    pid = idler.info().pid
    os.kill(pid, signal.SIGSTOP)
    events: list[tuple[bytes, dict[str, Any]]] = []

    def seen(kind: str) -> bool:
        while stream.poll(0):
            topic, body = stream.recv_multipart()
            events.append((topic, msgpack.unpackb(body)))
        return any(event["kind"] == kind for _, event in events)

    for count in (1, 2):
        words = ("it has ended", "tell", "'text'", count, 0, "parent", 0, None)
        stranger.socket(zmq.PUSH, "reports").send(report(system, idler.uid, "letter", idler.uid, *words))
    idler.pause()
    group = system.group("troupe/group", strategy="one_for_all")
    first, _ = (group.spawn(Idler) for _ in range(2))
    first.wait_ready(20)
    os.kill(first.info().pid, signal.SIGKILL)
    for kind in {*DATA, "tick"} - {"state"}:
        until(partial(seen, kind), 20, kind)
    os.kill(pid, signal.SIGCONT)
    system.shutdown()
    until(partial(seen, "bye"), what="bye")

    assert {event["kind"] for _, event in events} == {*DATA, "tick", "bye"}
    ends = {"tick": TICK, "bye": BYE}
    for topic, event in events:
        rows = ends.get(event["kind"], KEYS)
        assert list(event) == [row[0] for row in rows]
        assert event["v"] == 1
        assert topic == (b"|" if event["kind"] in ends else event["name"].encode() + b"|")
    check_data([event for _, event in events if event["kind"] not in ends])
    check_links([event for _, event in events])


def check_data(events: list[dict[str, Any]]) -> None:
    laps = DATA["laps"]
    for event in events:
        told = DATA[event["kind"]] if event["kind"] != "progress" else ["progress", "note", *laps]
        assert list(event["data"]) == told
    first = next(event for event in events if event["name"] == "troupe/short")
    assert (first["kind"], first["before"], first["after"], first["prev"]) == ("state", "CREATED", "STARTING", 0)


def check_links(events: list[dict[str, Any]]) -> None:
    """The seq counts without a gap, `prev` chains the events of a name, and each tick tells the heads that changed."""
    heads: dict[str, int] = {}
    changed: dict[str, int] = {}
    seq = 0
    for event in events:
        if event["kind"] in {"tick", "bye"}:
            assert event["seq"] == seq
            if event["kind"] == "tick":
                assert event["heads"] == changed
                changed = {}
            continue
        seq += 1
        assert (event["seq"], event["prev"]) == (seq, heads.get(event["name"], 0))
        heads[event["name"]] = changed[event["name"]] = seq


def test_requests_are_answered_as_the_page_says(system, stranger):
    control = stranger.socket(zmq.DEALER, "control")
    refs = [system.spawn(Idler, name=f"idler-{number}") for number in range(3)]
    for ref in refs:
        ref.wait_ready(20)
    row_keys = [row[0] for row in tables(sections(CHAPTERS["The control socket"], 3)["Rows"])[0]]

    reply = stranger.ask(control, id="one", verb="snapshot", request="unused")
    assert list(reply) == ["v", "id", "ok", "value"]
    assert (reply["v"], reply["id"], reply["ok"]) == (1, "one", True)
    assert list(reply["value"]) == ["system", "seq", "actors"]
    assert reply["value"]["system"] == os.path.basename(system.endpoint)
    assert [list(row) for row in reply["value"]["actors"]] == [row_keys] * 3
    assert list(stranger.ask(control, verb="info", name="idler-1")["value"]) == row_keys
    for verb, keys in (("hello", {}), ("replay", {"since": 0})):
        described = [row[0] for row in tables(sections(CHAPTERS["The control socket"], 3)[verb])[-1]]
        assert list(stranger.ask(control, verb=verb, **keys)["value"]) == described

    assert stranger.ask(control, verb="stop", name="idler-0")["value"] == {"idler-0": "asked"}
    refs[0].wait(20)
    assert stranger.ask(control, verb="stop", name="idler-0", grace=5)["value"] == {"idler-0": "ended"}
    assert stranger.ask(control, verb="stop", name="nobody-*")["value"] == {}
    assert stranger.ask(control, verb="restart", name="idler-1", grace=None)["value"] == {"idler-1": "asked"}
    until(lambda: refs[1].info().incarnation == 2, what="the second life")
    assert stranger.ask(control, verb="kill", name="idler-[12]")["value"] == {"idler-1": "asked", "idler-2": "asked"}
    system.wait_all(timeout=20)
    assert stranger.ask(control, verb="ps")["value"] == []
    ended = stranger.ask(control, verb="ps", all=True)["value"]
    assert [(row["name"], row["status"]) for row in ended] == [
        ("idler-0", "FINISHED"),
        ("idler-1", "KILLED"),
        ("idler-2", "KILLED"),
    ]


REFUSED: list[tuple[dict[Any, Any], str, str, str | None]] = [
    ({7: 1, "verb": "ps"}, "ProtocolError", "malformed", None),
    ({"v": 2, "verb": "ps"}, "ProtocolError", "version", "v"),
    ({"verb": "reboot"}, "ProtocolError", "verb", "verb"),
    ({"verb": "stop"}, "ProtocolError", "field", "name"),
    ({"verb": "stop", "name": "*", "force": True}, "ProtocolError", "field", "force"),
    ({"verb": "stop", "name": "x" * 1025}, "ProtocolError", "field", "name"),
    ({"verb": "stop", "name": "*", "grace": "soon"}, "ConfigError", "field", "grace"),
    ({"verb": "info", "name": "nobody"}, "UnknownActor", "refused", None),
]


def test_a_request_that_cannot_be_met_is_answered_with_an_error(system, stranger):
    control = stranger.socket(zmq.DEALER, "control")
    reasons, errors = tables(sections(CHAPTERS["The control socket"], 3)["Errors"])
    for number, (request_, error, reason, field) in enumerate(REFUSED):
        control.send_multipart([b"", msgpack.packb({"v": 1, "id": number, **request_})])
        reply = stranger.answer(control)
        assert list(reply) == ["v", "id", "ok", "error", "text", "reason", "field"]
        assert (reply["v"], reply["id"], reply["ok"]) == (1, number if reason != "malformed" else None, False)
        assert (reply["error"], reply["reason"], reply["field"]) == (error, reason, field)
        assert error in {row[0].strip("`") for row in errors}
        assert reason in {row[0].strip("`") for row in reasons}


def test_what_is_no_request_is_answered_without_an_id(system, stranger):
    control = stranger.socket(zmq.DEALER, "control")
    for body in (b"\xc1", b"", msgpack.packb([1, 2]), msgpack.packb({"v": 1, "id": [1], "verb": "ps"})):
        control.send_multipart([b"", body])
        reply = stranger.answer(control)
        assert (reply["id"], reply["error"]) == (None, "ProtocolError")


def test_a_req_socket_will_do(system, stranger):
    control = stranger.socket(zmq.REQ, "control")
    control.send(msgpack.packb({"v": 1, "id": 1, "verb": "ps"}))
    assert control.poll(10_000)
    assert msgpack.unpackb(control.recv()) == {"v": 1, "id": 1, "ok": True, "value": []}


def test_orders_go_to_the_topic_of_the_incarnation_again_and_again_until_they_are_heard(system, stranger):
    ref = system.spawn(Idler, name="idler")
    ref.wait_ready(20)
    pid, system_id = ref.info().pid, os.path.basename(system.endpoint)
    os.kill(pid, signal.SIGSTOP)  # so that it does not hear them meanwhile
    until(lambda: state_of(pid) == "T", what="its stop, which is not at once")
    assert ref.stop(drain=True) == "asked"
    topic = f"{system_id}|{ref.uid}|1|"
    orders = stranger.socket(zmq.SUB, "commands", topic.encode())
    assert orders.poll(20_000)
    got, envelope = orders.recv_multipart()
    version, kind, *identity, seq = (said := msgpack.unpackb(envelope))[:6]
    number, stop, verdict, acknowledged, stacks, *others = said[6:]
    assert got == topic.encode()
    assert (version, kind, identity) == (1, "orders", [system_id, ref.uid, 1])
    assert (seq, stop, verdict, acknowledged, stacks) == (number, "drain", "", False, 0)
    assert others == [False, {}, 0]
    assert orders.poll(20_000)
    assert orders.recv_multipart() == [got, envelope]
    os.kill(pid, signal.SIGCONT)
    assert ref.result(20) == "done"


def report(system: ActorSystem, uid: int, kind: str, /, *values: Any, **head: Any) -> bytes:
    told = {"v": 1, "system": os.path.basename(system.endpoint), "uid": uid, "incarnation": 1, "seq": 1, **head}
    version, *identity = told.values()
    packed: bytes = msgpack.packb([version, kind, *identity, *values])
    return packed


def test_a_report_that_follows_the_page_is_taken(system, stranger):
    ref = system.spawn(Idler, name="idler")
    ref.wait_ready(20)
    stranger.socket(zmq.PUSH, "reports").send(report(system, ref.uid, "progress", 50, "half"))
    until(lambda: ref.info().note == "half", what="the note")
    assert ref.info().progress == 50


def wrong_reports(system: ActorSystem, uid: int) -> dict[str, list[bytes]]:
    def one(kind: str, /, *values: Any, **head: Any) -> list[bytes]:
        return [report(system, uid, kind, *values, **head)]

    return {
        "not msgpack": [b"\xc1"],
        "nothing": [b""],
        "too large": [msgpack.packb([1, "progress", "x" * (1 << 20)])],
        "no array": [msgpack.packb({"v": 1})],
        "too short": [msgpack.packb([1, "beat", "system", 1, 1])],
        "another version": one("beat", v=2),
        "a version that is no integer": one("beat", v=1.0),
        "a system that is no text": one("beat", system=7),
        "a negative uid": one("beat", uid=-1),
        "an incarnation that is no integer": one("beat", incarnation="1"),
        "another system": one("beat", system="another.xyz"),
        "an unknown kind": one("applause"),
        "an order": one("orders", 1, True, "", False, 0, False),  # noqa: FBT003 - as on the wire
        "a field too many": one("beat", 1),
        "a field too few": one("heard"),
        "a boolean for an integer": one("heard", True),  # noqa: FBT003
        "a text for a map": one("log", "text"),
        "a key that is no text": one("log", {1: "text"}),
        "an element that is no text": one("bye", ["thread", 7]),
        "an unknown word": one("rites", "encore", "", "", "", {}, None, None),
        "an unknown section": one("error", "overture", 1, "", None, "", "", "", {}, None),
        "frames after a kind that has none": [*one("beat"), b"more"],
        "frames without a tag": [*one("result", {}, None), b"pickle"],
        "frames with a wrong tag": [*one("result", {}, bytes(16)), b"pickle"],
    }


def has_dropped(system: ActorSystem, count: int) -> bool:
    return system._world.dropped >= count


def test_what_the_page_says_is_dropped_is_dropped_and_counted_and_nothing_else_happens(system, stranger):
    ref = system.spawn(Idler, name="idler")
    ref.wait_ready(20)
    reports = stranger.socket(zmq.PUSH, "reports")
    before = ref.info()
    for dropped, (what, frames) in enumerate(wrong_reports(system, ref.uid).items(), 1):
        reports.send_multipart(frames)
        until(partial(has_dropped, system, dropped), what=f"the dropping of {what}")
    reports.send(report(system, ref.uid, "progress", 1, "still here"))
    until(lambda: ref.info().note == "still here", what="the note")
    assert system._world.dropped == len(wrong_reports(system, ref.uid))
    assert (ref.info().status, ref.info().pid) == (before.status, before.pid)
    ref.stop()
    assert ref.result(20) == "done"


def test_a_log_record_that_is_none_does_not_silence_those_that_follow(system, stranger, caplog, capfd):
    ref = system.spawn(Idler, name="idler")
    ref.wait_ready(20)
    reports = stranger.socket(zmq.PUSH, "reports")
    for record in ({"name": 7, "msg": "no name"}, {"name": "a", "levelno": "high"}, {}):
        reports.send(report(system, ref.uid, "log", record))
    reports.send(report(system, ref.uid, "log", {"name": "a", "levelno": 40, "levelname": "ERROR", "msg": "heard"}))
    until(lambda: "heard" in caplog.messages, what="the record")
    assert "Logging error" in capfd.readouterr().err, "what cannot be handled is printed, as logging does"
