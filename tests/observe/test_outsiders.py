"""Whoever finds a socket may write what he likes to it: it is dropped and counted, and nothing else happens."""

from __future__ import annotations

import logging
import os
import pickle
import random

import msgpack
import pytest
import zmq

from tests.outside.stranger import mutated, nonsense
from tests.reaching import connect
from tests.stage import hold, note, noted, notes, until
from understudy import Process, Status
from understudy.wire import messages
from understudy.wire.codec import encode, pack
from understudy.wire.keys import tag
from understudy.wire.messages import Identity
from understudy.wire.pickling import dump_frames


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.1

    def __loop__(self):
        self.sleep(600)

    def __result__(self):
        return "its own"


class Canary:
    """Sings when its pickle is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def raw(system):
    """Makes sockets of any kind that are connected to one of the system's."""
    context, made = zmq.Context(), []

    def make(kind, to):
        made.append(context.socket(kind))
        made[-1].linger = 2000
        made[-1].sndhwm = 0  # what is sent is to arrive
        made[-1].rcvtimeo = made[-1].sndtimeo = 20_000
        connect(made[-1], system.endpoint, to)
        return made[-1]

    yield make
    for socket in made:
        socket.close()
    context.term()


@pytest.fixture
def ref(system):
    spawned = system.spawn(Idle, name="idle")
    spawned.wait_ready(20)
    return spawned


def counted(system, before, at_least, seconds=30):
    until(lambda: system._world.dropped >= before + at_least, seconds, f"the count of {at_least} dropped frames")


def unharmed(system, ref):
    """The actor runs on as before, is heard, and obeys; another can be spawned."""
    assert ref.info().status is Status.RUNNING
    assert ref.info().incarnation == 1
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED
    assert ref.result(0) == "its own"
    assert len(ref.history()) == 1


def genuine(system, ref):
    """One of each report as the actor itself would make it."""
    frames = dump_frames("forged", "result")
    sealed = tag(system._world.key, frames), tuple(frames)
    everything = [
        messages.Ready(1),
        messages.Beat(),
        messages.Heard(1),
        messages.Progress(50.0, "a note"),
        messages.Log({"name": "outsider", "msg": "text", "levelno": 10, "levelname": "DEBUG"}),
        messages.Finishing("cause", stop=False),
        messages.KillMe(),
        messages.Error("loop", 1, "", None, "ValueError", "text", "", {}, *sealed),
        messages.Result({}, *sealed),
        messages.Rites("fallback", "", "", "", {}, None, *sealed),
        messages.Bye(["thread"]),
    ]
    # Of an actor that is not there: what a mutation leaves intact must not be taken for the real one's.
    return [encode(Identity(system._world.system, ref.uid + 1000, 1, 1), message) for message in everything]


def test_garbage_on_the_reports_socket_is_counted_and_changes_nothing(system, raw, ref):
    chance, push, before = random.Random(1), raw(zmq.PUSH, "reports"), system._world.dropped  # noqa: S311 - the same nonsense each time
    for _ in range(2000):
        push.send_multipart(nonsense(chance))
    counted(system, before, 2000)
    unharmed(system, ref)


def test_mutated_reports_are_dropped_or_stale_and_change_nothing(system, raw, ref):
    chance, push, real = random.Random(2), raw(zmq.PUSH, "reports"), genuine(system, ref)  # noqa: S311 - the same nonsense each time
    before, stale = system._world.dropped, system._world.registry.stale
    for _ in range(3000):
        push.send_multipart(mutated(chance, chance.choice(real)))
    # A log record that came through whole is neither; the others are one or the other.
    until(lambda: system._world.dropped - before + system._world.registry.stale - stale > 2000)
    push.send(b"the last")
    until(lambda: system._calls.make(lambda: system._world.dropped) > before)
    unharmed(system, ref)


def test_garbage_on_the_commands_socket_is_counted_and_changes_nothing(system, raw, ref):
    chance, xsub, before = random.Random(3), raw(zmq.XSUB, "commands"), system._world.dropped  # noqa: S311 - the same nonsense each time
    name = system._world.system.encode()
    wrong = [
        b"\x01other.system|1|1|",
        b"\x01" + name + b"|1|",
        b"\x01" + name + b"|one|1|",
        b"\x01" + name + b"|1|1|1|",
        b"\x01" + name + b"|-1|1|",
        b"\x01" + b"|" * 1000,
        b"\x01" + name + b"|" + b"9" * 5000 + b"|1|",
        b"\x02" + name + b"|1|1|",
        b"stop",
        pack([1, "orders", system._world.system, ref.uid, 1, 1, 1, True, "", False]),
    ]
    for frame in wrong:
        xsub.send(frame)
    counted(system, before, len(wrong))
    for _ in range(500):
        xsub.send(b"\xff" + chance.randbytes(chance.choice([0, 7, 3000])))
    counted(system, before, len(wrong) + 500)
    for _ in range(500):
        xsub.send_multipart(nonsense(chance))  # of these some are subscriptions by accident, and libzmq joins others
    counted(system, before, len(wrong) + 600)
    unharmed(system, ref)


def test_who_listens_in_on_the_commands_changes_nothing(system, raw, ref):
    sub = raw(zmq.SUB, "commands")
    sub.subscribe(b"")
    sub.subscribe(f"{system._world.system}|{ref.uid}|1|".encode())
    sub.subscribe(f"{system._world.system}|999|1|".encode())
    unharmed(system, ref)


def test_garbage_on_the_control_socket_is_answered_counted_and_changes_nothing(system, raw, ref):
    chance, dealer, before = random.Random(4), raw(zmq.DEALER, "control"), system._world.dropped  # noqa: S311 - the same nonsense each time
    request = [b"", pack({"v": 1, "id": 1, "verb": "kill", "name": "nobody", "grace": 1.5})]
    for number in range(1000):
        dealer.send_multipart(nonsense(chance) if number % 2 else mutated(chance, request))
        reply = msgpack.unpackb(dealer.recv_multipart()[-1])
        assert reply["v"] == 1
        assert reply["ok"] is False or reply["value"] == {}
    assert system._world.dropped > before + 700
    unharmed(system, ref)


def test_garbage_on_the_status_socket_does_not_stop_the_stream(system, raw, ref):
    xsub = raw(zmq.XSUB, "status")
    xsub.send(b"\x01")
    until(lambda: system._calls.make(system._world.hub.watched))
    for frame in (b"\x02", b"", b"\x00nobody|", b"\xff" * 100):
        xsub.send(frame)
    system.spawn(os.getpid, name="seen").wait(20)
    until(lambda: xsub.recv_multipart()[0] == b"seen|")
    assert system._calls.make(system._world.hub.watched)
    unharmed(system, ref)


@pytest.mark.fault("F53")
@pytest.mark.parametrize("seal", ["none", "of another key", "of other frames", "too short", "of the pickle alone"])
def test_a_pickle_without_the_right_tag_is_never_opened(system, raw, tmp_path, seal):
    canary, gate = tmp_path / "canary", tmp_path / "gate"
    ref = system.spawn(hold, gate)
    ref.wait_ready(20)
    frames = (pickle.dumps(Canary(canary)), b"a buffer")
    key = system._world.key
    sealed = {
        "none": None,
        "of another key": tag(b"k" * 32, frames),
        "of other frames": tag(key, [b"", b"a buffer"]),
        "too short": tag(key, frames)[:8],
        "of the pickle alone": tag(key, frames[:1]),
    }[seal]
    push, before = raw(zmq.PUSH, "reports"), system._world.dropped
    identity = Identity(system._world.system, ref.uid, 1, 1)
    for message in (
        messages.Result({}, sealed, frames),
        messages.Error("loop", 1, "", None, "ValueError", "text", "", {}, sealed, frames),
        messages.Rites("fallback", "", "", "", {}, None, sealed, frames),
    ):
        push.send_multipart(encode(identity, message))
    counted(system, before, 3)
    assert not ref.done()
    gate.touch()
    assert ref.wait(20) is Status.FINISHED
    assert ref.result(0) is None
    assert not canary.exists()
    # The canary itself can sing.
    pickle.loads(frames[0])
    assert canary.exists()


@pytest.mark.fault("F53")
def test_a_bare_pickle_is_opened_on_no_socket(system, raw, ref, tmp_path):
    canary, before = tmp_path / "canary", system._world.dropped
    blob = pickle.dumps(Canary(canary))
    raw(zmq.PUSH, "reports").send_multipart([blob, blob])
    raw(zmq.XSUB, "commands").send(blob)
    raw(zmq.XSUB, "status").send(blob)
    dealer = raw(zmq.DEALER, "control")
    dealer.send_multipart([b"", blob])
    assert msgpack.unpackb(dealer.recv_multipart()[-1])["ok"] is False
    counted(system, before, 3)
    unharmed(system, ref)
    assert not canary.exists()


def test_a_result_that_holds_nothing_is_no_result(system, raw, tmp_path):
    gate = tmp_path / "gate"
    ref = system.spawn(hold, gate)
    ref.wait_ready(20)
    push, before = raw(zmq.PUSH, "reports"), system._world.dropped
    push.send_multipart(encode(Identity(system._world.system, ref.uid, 1, 1), messages.Result({}, None, ())))
    counted(system, before, 1)
    gate.touch()
    assert ref.wait(20) is Status.FINISHED
    assert ref.result(0) is None


def speak(told):
    logging.getLogger("outsiders").warning("heard")
    note(told, "spoke")


def test_log_records_of_the_wrong_shape_do_not_silence_the_right_ones(system, raw, ref, tmp_path, caplog):
    told, push = tmp_path / "told", raw(zmq.PUSH, "reports")
    identity = Identity(system._world.system, ref.uid, 1, 1)
    for record in (
        {},
        {"name": 5, "msg": "text", "levelno": 30},
        {"name": "outsiders", "msg": "%s %d", "args": [1], "levelno": 30},
        {"name": "outsiders", "msg": {"a": 1}, "levelno": "high"},
        {"name": "outsiders", "levelno": 30, "exc_info": [1, 2, 3], "created": "now"},
        {"__class__": 1, "__dict__": 2, "name": "outsiders", "getMessage": 3, "levelno": 30},
    ):
        push.send_multipart(encode(identity, messages.Log(record)))
    with caplog.at_level(logging.WARNING, "outsiders"):
        system.spawn(speak, told).wait(20)
        noted(told)
        until(lambda: [record for record in caplog.records if record.msg == "heard"])
    assert notes(told) == ["spoke"]
    unharmed(system, ref)


def test_a_result_for_which_nobody_waits_is_not_even_looked_at(system, raw, ref):
    push, here = raw(zmq.PUSH, "reports"), system._world.system
    dropped, stale = system._world.dropped, system._world.registry.stale
    for uid, incarnation in ((ref.uid + 1, 1), (ref.uid, 2), (0, 0)):
        push.send_multipart(encode(Identity(here, uid, incarnation, 1), messages.Result({}, None, (b"x" * 1000,))))
    until(lambda: system._world.registry.stale == stale + 3, 20, "the count of three stale frames")
    assert system._world.dropped == dropped, "its tag was looked at"
    unharmed(system, ref)
