"""The control socket, spoken to by hand: every request gets its answer, and nonsense gets an error."""

from __future__ import annotations

import os
import pickle
from typing import Any

import msgpack
import pytest
import zmq

from tests.reaching import connect
from tests.stage import until
from understudy import Process, Status


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@pytest.fixture
def dealer(system):
    """A client of somebody else's making."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.rcvtimeo = 20_000
    connect(socket, system.endpoint, "control")
    yield socket
    context.destroy(linger=0)


def ask(socket, request):
    """Send these frames, or this request, and open the reply."""
    frames = request if isinstance(request, list) else [b"", request if isinstance(request, bytes) else pack(request)]
    socket.send_multipart(frames)
    return msgpack.unpackb(socket.recv_multipart()[-1])


def pack(request):
    return msgpack.packb(request)


def nested(depth):
    """Arrays in arrays, which no packer would write so deep."""
    return b"\x91" * depth + b"\xc0"


def with_deep(key, depth=900):
    """A request in which one value is nested that deep."""
    fields = {"v": b"\x01", "id": b"\x07", "verb": pack("ps")}
    fields[key] = nested(depth)
    return bytes([0x80 + len(fields)]) + b"".join(pack(name) + value for name, value in fields.items())


MALFORMED = {
    "nothing": b"",
    "no msgpack": b"\xc1",
    "text": b"stop idle",
    "a pickle": pickle.dumps({"v": 1, "id": 1, "verb": "kill", "name": "idle"}),
    "an array": pack([1, 2, "kill", "idle"]),
    "nil": pack(None),
    "an empty map": pack({}),
    "a map with a tail": pack({"v": 1, "id": 1, "verb": "kill", "name": "idle"}) + b"\x00",
    "a map cut short": pack({"v": 1, "id": 1, "verb": "kill", "name": "idle"})[:-1],
    "no version": pack({"id": 1, "verb": "kill", "name": "idle"}),
    "a newer version": pack({"v": 2, "id": 1, "verb": "kill", "name": "idle"}),
    "a version nested deep": with_deep("v"),
    "no verb": pack({"v": 1, "id": 1, "name": "idle"}),
    "an unknown verb": pack({"v": 1, "id": 1, "verb": "_rows", "name": "idle"}),
    "a verb that is none": pack({"v": 1, "id": 1, "verb": ["kill"], "name": "idle"}),
    "a verb nested deep": with_deep("verb"),
    "an id nested deep": with_deep("id", 600),
    "an id that is a map": pack({"v": 1, "id": {"a": 1}, "verb": "ps"}),
    "no name": pack({"v": 1, "id": 1, "verb": "kill"}),
    "a name that is none": pack({"v": 1, "id": 1, "verb": "kill", "name": 5}),
    "a name in bytes": pack({"v": 1, "id": 1, "verb": "kill", "name": b"idle"}),
    "a list that holds no names": pack({"v": 1, "id": 1, "verb": "kill", "name": ["idle", 5]}),
    "a field of another verb": pack({"v": 1, "id": 1, "verb": "kill", "name": "idle", "grace": 1}),
    "an endless name": pack({"v": 1, "id": 1, "verb": "kill", "name": "*" * 900_000}),
    "a key that is no text": pack({1: 2, "v": 1}),
    "an extension": pack(msgpack.ExtType(5, b"idle")),
    "a bomb": b"\xdd\xff\xff\xff\xff",
}


def test_a_malformed_request_gets_an_error_for_an_answer_and_changes_nothing(system, dealer):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    for what, request in MALFORMED.items():
        dropped = system._world.dropped
        reply = ask(dealer, request)
        assert (reply["v"], reply["ok"], reply["error"]) == (1, False, "ProtocolError"), what
        assert 0 < len(reply["text"]) < 500, what
        assert system._world.dropped == dropped + 1, what
        answer = ask(dealer, {"v": 1, "id": what, "verb": "info", "name": "idle"})
        assert (answer["id"], answer["value"]["status"]) == (what, "RUNNING")
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED


def test_an_answer_bears_the_id_of_its_request(dealer):
    for number in (0, 2**64 - 1, -(2**63), "seven", b"\x07", None, 7.5, True):
        assert ask(dealer, {"v": 1, "id": number, "verb": "ps"}) == {"v": 1, "id": number, "ok": True, "value": []}
        assert ask(dealer, {"v": 1, "id": number, "verb": "info", "name": "nobody"})["id"] == number
        assert ask(dealer, {"v": 1, "id": number, "verb": "nothing"})["id"] == number


def test_the_envelope_in_front_of_a_request_comes_back_in_front_of_its_answer(system, dealer):
    for envelope in ([], [b""], [b"a", b"", b"b" * 1000]):
        dealer.send_multipart([*envelope, pack({"v": 1, "id": 1, "verb": "ps"})])
        assert dealer.recv_multipart()[:-1] == envelope


@pytest.mark.requirement("A4")
def test_a_snapshot_tells_the_system_and_the_number_of_the_last_event(system, dealer):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    value = ask(dealer, {"v": 1, "id": 1, "verb": "snapshot"})["value"]
    assert value["system"] == os.path.basename(system.endpoint)
    assert value["seq"] >= 2
    assert [row["name"] for row in value["actors"]] == ["idle"]
    assert value["actors"][0]["pid"] == ref.info().pid
    ref.kill()
    ref.wait(20)
    later = ask(dealer, {"v": 1, "id": 2, "verb": "snapshot"})["value"]
    assert later["seq"] > value["seq"]
    assert later["actors"] == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"verb": "stop", "name": "nobody"}, "UnknownActor"),
    ({"verb": "info", "name": "*"}, "UnknownActor"),
    ({"verb": "stop", "name": "idle", "grace": "1"}, "ConfigError"),
    ({"verb": "stop", "name": "idle", "grace": True}, "ConfigError"),
    ({"verb": "stop", "name": "idle", "drain": 1}, "ProtocolError"),
    ({"verb": "restart", "name": "idle", "grace": float("inf")}, "ConfigError"),
    ({"verb": "stop", "name": "idle", "grace": [[]]}, "ConfigError"),
]


def test_what_cannot_be_done_is_answered_by_the_name_of_its_error(system, dealer):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    for number, (request_, error) in enumerate(REFUSED):
        reply = ask(dealer, {"v": 1, "id": number, **request_})
        assert (reply["id"], reply["ok"], reply["error"]) == (number, False, error)
    assert ref.info().status is Status.RUNNING


def test_a_client_that_sends_and_never_reads_holds_up_nobody(system, dealer):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    context = zmq.Context()
    try:
        deaf = context.socket(zmq.DEALER)
        deaf.set(zmq.LINGER, 0)
        deaf.rcvhwm = 1
        connect(deaf, system.endpoint, "control")
        request = pack({"v": 1, "id": b"x" * 10_000, "verb": "ps"})
        for _ in range(5000):
            deaf.send_multipart([b"", request])
        for number in range(20):
            assert ask(dealer, {"v": 1, "id": number, "verb": "ps"})["id"] == number
        assert ref.stop() == "asked"
        assert ref.wait(20) is Status.FINISHED
    finally:
        context.destroy(linger=0)


def test_a_request_beyond_the_limit_costs_its_sender_the_connection_and_nobody_else(system, dealer):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    context = zmq.Context()
    try:
        large = context.socket(zmq.DEALER)
        large.linger = 0
        monitor = large.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        connect(large, system.endpoint, "control")
        large.send_multipart([b"", pack({"v": 1, "id": 1, "verb": "kill", "name": "idle", "x": b"x" * (2 << 20)})])
        assert monitor.poll(20_000), "the connection was not closed"
        large.disable_monitor()
    finally:
        context.destroy(linger=0)
    assert ask(dealer, {"v": 1, "id": 1, "verb": "ps"})["ok"] is True
    assert ref.info().status is Status.RUNNING
    until(lambda: ref.info().heartbeat_age is not None)
