"""A system without ipc: who has its key speaks to it, nobody else, and nothing of it is in the clear."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests import reaching
from tests.loopback.conftest import opened
from tests.loopback.wiretap import Wiretap
from tests.stage import until
from understudy import ActorSystem, Observer, Process, Remote, StartError, Status
from understudy.wire.codec import encode
from understudy.wire.keys import tag
from understudy.wire.messages import Identity, Result
from understudy.wire.pickling import dumps
from understudy.wire.sockets import at
from understudy.wire.sockets.mail import Exchange, mailbox_of

FAILED: tuple[int, ...] = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
)
FOUNDED = {"commands": zmq.SUB, "reports": zmq.PUSH, "status": zmq.SUB, "control": zmq.DEALER}


class Echo(Process):
    """Answers by the message, and who it is."""

    def __init__(self):
        self.config.lives = 4
        self.kept = []

    def __receive__(self, message):
        if message == "kept":
            return self.kept
        if message == "loaded":
            return [name for name in sys.modules if name.startswith("understudy.wire.sockets")]
        self.kept.append(message)
        return message, os.getpid()


class Canary:
    """Sings when its pickle is opened."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def address_of(directory, ref, life=1):
    return Path(directory, mailbox_of(ref.uid, life)).read_text(encoding="ascii").strip()


@pytest.mark.fault("F56")
def test_nothing_of_a_system_is_in_the_clear(system, directory):
    with Wiretap() as wires:
        wires.tap(directory, *FOUNDED)
        ref = system.spawn(Echo, name="Prospero", host="spawn")  # which finds its sockets itself, and only now
        ref.wait_ready(30)
        mailbox = mailbox_of(ref.uid, 1)
        wires.tap(directory, mailbox)
        assert ref.ask("the secret of the island", timeout=30)[0] == "the secret of the island"
        with Observer(system.endpoint) as observer, Remote(system.endpoint) as remote:
            assert "Prospero" in observer.actors
            assert [row.name for row in remote.ps()] == ["Prospero"]
        assert ref.stop() == "asked"
        assert ref.wait(30) is Status.FINISHED
        system.shutdown()
    for name in (*FOUNDED, mailbox):
        passed = bytes(wires.passed[name])
        assert b"CURVE" in passed, f"{name} was passed by"
        for word in (b"Prospero", b"secret", b"island", os.path.basename(directory).encode(), b"ready", b"snapshot"):
            assert word not in passed, f"{word!r} on {name}"


@pytest.mark.fault("F56")
@pytest.mark.parametrize("key", ["none", "of its own"])
def test_a_stranger_on_the_same_machine_gets_nothing_and_says_nothing(system, directory, tmp_path, key):
    """He knows the addresses, the public keys and even the key of the tags; not the key that may come in."""
    ref = system.spawn(Echo)
    ref.wait_ready(30)
    before = system._world.dropped
    identity, frames = Identity(system._world.system, ref.uid, 1, 1), [dumps(Canary(tmp_path / "sings"), "", None)]
    forged = encode(identity, Result({}, tag(system._world.key, frames), tuple(frames)))
    with zmq.Context() as context:
        for name, kind in {**FOUNDED, mailbox_of(ref.uid, 1): zmq.DEALER}.items():
            with context.socket(kind) as socket, socket.get_monitor_socket(sum(FAILED)) as monitor:
                socket.linger = 0
                if kind == zmq.SUB:
                    socket.subscribe(b"")
                if key == "of its own":
                    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
                    socket.curve_serverkey = reaching.pair_of(directory, name)[0]
                socket.connect(Path(directory, name).read_text(encoding="ascii").strip())
                if kind != zmq.SUB:
                    socket.send_multipart(forged, zmq.NOBLOCK)
                assert monitor.poll(30_000), "its handshake ends"
                assert recv_monitor_message(monitor)["event"] in FAILED
                assert not socket.poll(0, zmq.POLLIN)
                socket.monitor(None, 0)
    assert ref.ask("still there", timeout=30)[0] == "still there"
    assert ref.info().status is Status.RUNNING
    assert not (tmp_path / "sings").exists()
    assert system._world.dropped == before, "nothing of it was read"
    with zmq.Context() as context, context.socket(zmq.PUSH) as honest:
        honest.linger = 10_000
        reaching.connect(honest, system.endpoint, "reports")
        honest.send_multipart([b"by the key it would have been heard"])
        until(lambda: system._world.dropped == before + 1, 30, "what comes by the key being read")


@pytest.mark.fault("F56")
def test_the_key_is_for_nobody_else(directory):
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{directory}/keys").st_mode) == 0o600
    assert not any(stat.S_ISSOCK(entry.stat().st_mode) for entry in os.scandir(directory))


def pid_of(ref, life):
    """The process of that life, which is waited for."""
    until(lambda: ref.info().status is Status.RUNNING and ref.info().incarnation == life, 30, "the next life")
    return ref.info().pid


def test_of_what_is_told_while_its_actor_is_killed_again_and_again_nothing_is_lost_and_each_life_has_its_own_port(
    system, directory
):
    ref = system.spawn(Echo)
    addresses = []
    for life in (1, 2, 3):
        pid = pid_of(ref, life)
        addresses.append(address_of(directory, ref, life))
        for number in range(200):
            ref.tell(number, reliable=True)
            if number == 100:
                os.kill(pid, signal.SIGKILL)
    pid_of(ref, 4)
    assert not Path(directory, mailbox_of(ref.uid, 1)).exists()
    assert len({*addresses, address_of(directory, ref, 4)}) > 1
    kept = ref.ask("kept", timeout=30)
    last = kept[-99:]
    assert last == [*range(101, 200)], "what the third life had not done is done by the fourth, in order"


def test_a_crowd_of_actors_is_spoken_to_from_all_sides(system):
    class Asker(Process):
        def __init__(self, who):
            self.who = who

        def __loop__(self):
            return None

        def __receive__(self, message):
            return self.who.ask(message, timeout=30)[0]

    echo = system.spawn(Echo, name="echo")
    crowd = system.spawn(Echo, name="crowd", replicas=48)
    assert sorted(answer[0] for answer in crowd.ask("here", timeout=60, route="broadcast")) == ["here"] * 48
    asker = system.spawn(Asker, echo)
    assert asker.ask("through another", timeout=30) == "through another"
    system.stop("*")
    assert set(system.wait_all("*", 60).values()) <= {Status.FINISHED}


def test_where_no_port_is_to_be_had_a_life_is_not_born(system, monkeypatch):
    def none(port):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("understudy.wire.sockets.loopback._bound", none)
    ref = system.spawn(Echo)
    with pytest.raises(StartError, match="no port was to be had for its mailbox"):
        ref.wait_ready(30)
    monkeypatch.undo()
    assert system.spawn(Echo).ask("as usual", timeout=30)[0] == "as usual"


def test_a_port_that_another_mailbox_has_by_now_leads_nobody_astray(directory, system):
    """Who still looks for the one that had it is turned away there, and may stop looking at no cost to the other."""
    places, read = system._world.hub.places, os.pipe()
    gone, there = mailbox_of(10**6, 1), mailbox_of(10**6 + 1, 1)
    places.reserve(gone)
    old = Path(directory, gone).read_text(encoding="ascii")
    exchange = Exchange(at(directory))
    outlet = exchange.outlet(b"a sender")
    lost = outlet.connect(10**6, 1)
    outlet.send_one(lost, b"for who is gone")
    places.release(gone)
    Path(directory, there).write_text(old, encoding="ascii")
    inlet = exchange.inlet(10**6 + 1, 1, read[0], 100)
    route = outlet.connect(10**6 + 1, 1)
    outlet.send_one(route, b"for who is there")
    assert inlet.wait(20)[0]
    assert (inlet.take_ready() or [])[1:] == [b"for who is there"]
    outlet.disconnect(10**6, 1)
    for number in range(10):
        outlet.send_one(route, b"%d" % number)
        assert inlet.wait(20)[0]
        assert (inlet.take_ready() or [])[1:] == [b"%d" % number]
    outlet.close(0)
    inlet.close(0)
    exchange.close()
    Path(directory, there).unlink()
    for end in read:
        os.close(end)


def test_by_ipc_nothing_of_keys_is_loaded_and_no_thread_is_there_for_them(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_TRANSPORT", "ipc")
    with ActorSystem() as system:
        loaded = system.spawn(Echo).ask("loaded", timeout=30)
        assert "understudy.wire.sockets.mail" in loaded
        assert not {"understudy.wire.sockets.loopback", "understudy.wire.sockets.curve"} & {*loaded}
        assert not [thread.name for thread in threading.enumerate() if "keys" in thread.name]
    with opened() as system:
        assert "understudy.wire.sockets.loopback" in system.spawn(Echo).ask("loaded", timeout=30)
        assert [thread.name for thread in threading.enumerate() if "keys" in thread.name]
