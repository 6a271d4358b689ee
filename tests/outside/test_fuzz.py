"""Any frames at all on every socket of the parent: dropped, counted, and nothing else happens."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import random
import subprocess
import sys

import msgpack
import pytest
import zmq

from tests.outside import stranger
from tests.reaching import connect
from tests.stage import ROOT, python, running, until
from understudy import Process, Remote, Status

SOCKETS = ("reports", "commands", "status", "control")
GROWTH = 96 << 20  # bytes that the parent may grow by: what is under way, and what malloc keeps of it


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.2

    def __loop__(self):
        self.sleep(600)

    def __result__(self):
        return "its own"


@pytest.fixture
def crew(system):
    refs = [system.spawn(Idle, name=f"crew-{number}") for number in range(3)]
    running(*refs)
    return refs


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def standing(crew):
    """What must not change."""
    infos = [ref.info() for ref in crew]
    return [(one.name, one.pid, one.status, one.incarnation, one.lives_left, one.progress, one.note) for one in infos]


def counted(system):
    return system._calls.make(lambda: system._world.dropped + system._world.registry.stale)


def let_loose(system, to, count, seed):
    """A stranger in a process of its own, until all that it had to say is delivered."""
    done = python("-m", "tests.outside.stranger", to, system.endpoint, str(count), str(seed), cwd=ROOT, seconds=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def unharmed(system, crew, before):
    """Requests are answered, orders are heard, the stream goes on; nobody had to be replaced."""
    with Remote(system.endpoint, timeout=30) as remote:
        assert {row.name for row in remote.ps()} == {ref.name for ref in crew}
        assert remote.healthy(crew[0].name)
    assert standing(crew) == before
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    system.stop("crew-*")
    assert [ref.result(30) for ref in crew] == ["its own"] * len(crew)
    assert [len(ref.history()) for ref in crew] == [1] * len(crew)


def bombarded(system, crew, to, count, seed):
    let_loose(system, to, 200, seed + 1)  # what is imported and allocated once
    before, begun, size = standing(crew), counted(system), resident()
    answers = let_loose(system, to, count, seed)
    match to:
        case "reports":  # each is malformed, or of nobody
            until(lambda: counted(system) - begun >= count, 120, "every report being read")
            assert counted(system) - begun == count
        case "control":  # each is answered, and counted unless it was whole
            assert sum(answers.values()) == count
            assert counted(system) - begun >= answers["ProtocolError"] > count / 2
        case _:  # subscriptions are nobody's fault, and libzmq keeps some of the rest to itself
            until(lambda: counted(system) - begun > count / 10, 60, "what is no subscription being counted")
    assert resident() - size < GROWTH
    unharmed(system, crew, before)


@pytest.mark.fault("F52")
@pytest.mark.parametrize("to", SOCKETS)
def test_thousands_of_malformed_messages_are_counted_and_change_nothing(system, crew, to):
    bombarded(system, crew, to, 3000, 52)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.fault("F52")
@pytest.mark.parametrize("to", SOCKETS)
def test_a_hundred_thousand_malformed_messages_are_counted_and_change_nothing(system, crew, to):
    bombarded(system, crew, to, 100_000, 5200)


@pytest.mark.fault("F52")
@pytest.mark.parametrize("to", SOCKETS)
def test_a_message_of_64_mib_ends_its_connection_and_nothing_else(system, crew, to):
    """But on reports, where results are as long as that: there it is malformed."""
    before, size, dropped = standing(crew), resident(), counted(system)
    frame = b"\x05" * (64 << 20)
    with zmq.Context() as context, context.socket(stranger.PEERS[to]) as socket:
        socket.linger = 0
        with socket.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            connect(socket, system.endpoint, to)
            socket.send_multipart([b"", frame])
            if to == "reports":
                until(lambda: counted(system) > dropped, 20, "its being counted")
            else:
                assert monitor.poll(20_000), "it was let go on"
            socket.disable_monitor()
    del frame
    assert resident() - size < GROWTH
    unharmed(system, crew, before)


@pytest.mark.fault("F52")
def test_all_sockets_at_once_change_nothing(system, crew):
    before = standing(crew)
    command = [sys.executable, "-m", "tests.outside.stranger"]
    strangers = [
        subprocess.Popen([*command, to, system.endpoint, "1500", "7"], cwd=ROOT, stdout=subprocess.DEVNULL)
        for to in SOCKETS
    ]
    try:
        assert system.spawn(os.getpid).result(30) > 0, "amid all that"
        assert [one.wait(50) for one in strangers] == [0] * len(strangers)
    finally:
        for one in strangers:
            one.kill()
            one.wait()
    unharmed(system, crew, before)


@pytest.mark.fault("F52")
@pytest.mark.parametrize("to", SOCKETS)
def test_connections_that_speak_something_else_change_nothing(system, crew, to):
    before, chance, size = standing(crew), random.Random(8), resident()  # noqa: S311 - the same each time
    for _ in range(150):
        stranger.raw(system.endpoint, to, chance)
    assert resident() - size < GROWTH
    unharmed(system, crew, before)


class Canary:
    """Sings when its pickle is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def dressed(blob):
    """A pickle in every place of a message where one could be looked for."""
    yield [blob]
    yield [b"", blob]
    yield [blob, blob]
    bodies: dict[str, list[object]] = {
        "result": [{}, None],
        "error": ["loop", 1, "", None, "ValueError", "text", "", {}, None],
        "rites": ["fallback", "", "", "", {}, None, None],
        "ready": [1, None, []],
        "log": [{"msg": blob}],
        "progress": [1.0, blob],
    }
    for kind, fields in bodies.items():
        for tag in (None, b"t" * 16):
            yield [msgpack.packb([1, kind, "SYSTEM", "UID", 1, 1, *fields[:-1], tag]), blob]
        yield [msgpack.packb([1, kind, "SYSTEM", "UID", 1, 1, *fields]), blob, blob]
    for verb in ("ps", "info", "stop", "restart", "replay", "no such verb"):
        yield [b"", msgpack.packb({"v": 1, "id": blob, "verb": verb, "name": blob})]
        yield [b"", msgpack.packb({"v": 1, "id": 1, "verb": verb, "name": "crew-0", "target": blob, "args": [blob]})]
        yield [b"", blob, msgpack.packb({"v": 1, "id": 1, "verb": blob})]
    yield [b"\x01" + blob]
    yield [b"\x00" + blob]


@pytest.mark.fault("F53")
@pytest.mark.parametrize("to", SOCKETS)
def test_a_pickle_is_opened_on_no_socket_however_it_is_dressed(system, crew, tmp_path, caplog, to):
    canary, before = tmp_path / "canary", standing(crew)
    blob = pickle.dumps(Canary(canary))
    name = system._world.system
    with zmq.Context() as context, context.socket(stranger.PEERS[to]) as socket, caplog.at_level(logging.DEBUG):
        socket.linger = 20_000
        connect(socket, system.endpoint, to)
        for frames in dressed(blob):
            head, *rest = frames
            real = head.replace(msgpack.packb("SYSTEM"), msgpack.packb(name))
            socket.send_multipart([real.replace(msgpack.packb("UID"), msgpack.packb(crew[0].uid)), *rest])
    assert system.spawn(os.getpid, name="after").result(20) > 0
    unharmed(system, crew, before)
    assert not canary.exists()
    pickle.loads(blob)
    assert canary.exists(), "it can sing"
