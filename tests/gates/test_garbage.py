"""What is no word of the protocol at a gate's ports: bytes, frames, pickles, and what was recorded on the line."""

from __future__ import annotations

import contextlib
import pickle
import random
import socket
import threading
import time

import msgpack
import pytest

from tests.gates.far import Far
from tests.stage import until
from understudy.wire.keyring import read_key

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)
NULL = GREETING.replace(b"CURVE", b"NULL\0")
PLAIN = GREETING.replace(b"CURVE", b"PLAIN")
HELLO = b"\x04\xc8\x05HELLO\x01\x00" + bytes(72) + bytes(32) + bytes(8) + bytes(80)
READY = b"\x04\x26\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"


def say(port, *pieces):
    """Send these to a port, one after the other, and read until it is closed, or silent."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.settimeout(0.2)
        for piece in pieces:
            line.sendall(piece)
            with contextlib.suppress(TimeoutError):
                line.recv(4096)


@pytest.mark.fault("F52")
def test_bytes_that_are_no_zmtp_change_nothing(system, far):
    chance = random.Random(8)  # noqa: S311 - the same each time
    malformed = [
        [b""], [b"GET / HTTP/1.1\r\n\r\n"], [b"\xff" * 64], [bytes(64)], [chance.randbytes(1_000)], [GREETING],
        [GREETING, HELLO], [GREETING, HELLO[:-1]], [GREETING, chance.randbytes(300)], [GREETING, b"\x06" + b"\xff" * 8],
        [GREETING, b"\x04\xff" * 200], [GREETING, READY], [NULL, READY], [PLAIN, b"\x04\x09\x05HELLO\x01a\x01b"],
        [GREETING[:10], b"\x00", GREETING[11:]], [GREETING[:11], b"\x09" * 53], [b"\x01\x00"],
        [b"\xff" + bytes(8) + b"\x7f\x01"],
        *([GREETING, bytes(byte ^ (chance.random() < 0.02) for byte in HELLO)] for _ in range(10)),
    ]  # fmt: skip
    callers = [
        threading.Thread(target=say, args=(port, *pieces)) for port in system.gates[0].ports for pieces in malformed
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    eve = far("eve")
    assert eve.ask("ps")["ok"]
    eve.follow().until(lambda event: event["kind"] == "tick")
    assert len(system.gates) == 1


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.fault("F52")
@pytest.mark.fault("F53")
def test_requests_that_are_none_are_answered_or_dropped_and_pickles_are_never_opened(system, far, tmp_path):
    path = str(tmp_path / "canary")
    canary = pickle.dumps(Canary(path))
    wrong = [
        (b"", "malformed"), (b"\xc1", "malformed"), (b"\x91" * 5_000, "malformed"),
        (msgpack.packb([1, 2]), "malformed"),
        (msgpack.packb({1: 2}), "malformed"), (canary, "malformed"), (msgpack.packb({"v": 2, "verb": "ps"}), "version"),
        (msgpack.packb({"v": 1}), "verb"), (msgpack.packb({"v": 1, "verb": "no"}), "verb"),
        (msgpack.packb({"v": 1, "verb": "ps", "more": 1}), "field"),
        (msgpack.packb({"v": 1, "verb": "ps", "all": canary}), "field"),
        (msgpack.packb({"v": 1, "verb": "ps", "id": [canary]}), "field"),
        (b"\xdd\xff\xff\xff\xff" * 100_000, "malformed"),
    ]  # fmt: skip
    for name in ("eve", "carl"):
        client = far(name)
        for body, reason in wrong:
            client.send(body)
            assert client.reply()["reason"] == reason, body[:50]
        client.control.send_multipart([b"x"] * 100 + [msgpack.packb({"v": 1, "verb": "ps"})])  # not answered
        client.control.send_multipart([canary])
        assert client.reply()["reason"] == "malformed"
        client.follow().until(lambda event: event["kind"] == "tick")
    assert system.spawn(str.upper, "a").result(20) == "A"
    assert not (tmp_path / "canary").exists()


@pytest.mark.fault("F52")
def test_mutated_requests_get_one_answer_each(system, far):
    carl, chance = far("carl"), random.Random(9)  # noqa: S311 - the same each time
    body = msgpack.packb({"v": 1, "id": 7, "verb": "kill", "name": ["a", "b*"], "request": "k", "ticket": ["t", 1]})
    for number in range(300):
        changed = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        carl.send(bytes(changed))
        carl.reply()
        if number % 50 == 49:
            until(lambda: carl.ask("hello")["ok"])  # fewer than are too many
    assert not carl.control.poll(0)


class Tap:
    """A line to a port that records what the client says."""

    def __init__(self, port):
        self.port, self.said = port, b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.here = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def _run(self):
        client, _ = self._listening.accept()
        server = socket.create_connection(("127.0.0.1", self.port))
        back = threading.Thread(target=self._pass, args=(server, client))
        back.start()
        self._pass(client, server, self._record)
        back.join()

    def _record(self, piece):
        self.said += piece

    def _pass(self, source, sink, hear=len):
        with source, contextlib.suppress(OSError):
            while piece := source.recv(65536):
                hear(piece)
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.close()
        for thread in self._threads:
            thread.join()


@pytest.mark.fault("F57")
def test_the_bytes_of_a_command_that_were_recorded_on_the_line_do_nothing_when_they_are_sent_again(system, keyring):
    system.spawn(time.sleep, 100, name="sleeper").wait_ready(20)
    endpoint = system.gates[0].endpoint
    tap = Tap(int(endpoint.rpartition(":")[2]))
    carl = Far(f"tcp://127.0.0.1:{tap.here}", read_key(keyring.key_path("carl")))
    assert carl.change("pause", name="sleeper")["ok"]
    carl.close()
    tap.close()
    assert len(tap.said) > 400
    assert b"pause" not in tap.said
    assert system.resume("sleeper") == {"sleeper": "asked"}
    taken = system._router.gates._rates._accounts.copy()
    say(tap.port, tap.said)
    for cut in (64, 266, len(tap.said) - 100):
        say(tap.port, tap.said[:cut], tap.said[cut:])
    assert system._router.gates._rates._accounts == taken  # no request has come
    assert not system.info("sleeper").paused
    assert len(system.gates) == 1
