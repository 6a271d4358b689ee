"""What a program has to show before it is READY, and what becomes of who waits for it in vain."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from contextlib import contextmanager

import pytest

from tests.services.casting import SLEEP, script, shell
from tests.stage import report_of, until
from understudy import (
    All,
    ConfigError,
    Exec,
    LogLine,
    NotAnActor,
    Notified,
    Port,
    Process,
    StartError,
    StartTimeout,
    Status,
)
from understudy.router.readiness import Begun

SERVER = """
import socket, sys, time
family, host, port, gate = getattr(socket, sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
import os
while gate and not os.path.exists(gate):
    time.sleep(0.005)
server = socket.socket(family)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((host, port))
server.listen()
if os.fork() == 0:
    time.sleep(600)
server.close()
os.wait()
"""
"""It listens when the gate is open, and leaves the port to its child."""

BRIEF = {"timeouts.startup": 1.5}
"""Long enough for a program to be begun and looked at on a busy machine."""
LIVES = {"lives": 2, "restart.backoff.base": 0}


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def stranger(port):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        yield


@pytest.mark.requirement("S3", "S6")
@pytest.mark.parametrize(
    ("family", "host", "asked"), [("AF_INET", "127.0.0.1", "localhost"), ("AF_INET6", "::1", "::1")]
)
def test_it_is_running_when_its_port_takes_connections_and_not_before(system, tmp_path, port, family, host, asked):
    gate = tmp_path / "gate"
    ref = system.spawn(script(SERVER, family, host, port, gate), name="server", wait=Port(port, host=asked))
    until(lambda: ref.info().pid, 20, "its birth")
    assert ref.info().status is Status.STARTING
    gate.touch()
    ref.wait_ready(20)
    assert ref.info().status is Status.RUNNING
    socket.create_connection((host, port), 20).close()


@pytest.mark.fault("F60")
@pytest.mark.requirement("S3")
def test_what_never_holds_ends_at_the_start_timeout_and_says_what_was_missing(system, port):
    ref = system.spawn(SLEEP, name="idle", wait=Port(port), config=BRIEF)
    words = (
        rf"^idle was not READY within 1.5 s; it was waiting for Port\({port}\): connection refused at 127.0.0.1:{port}"
    )
    with pytest.raises(StartTimeout, match=words):
        ref.result(20)


@pytest.mark.fault("F60")
@pytest.mark.requirement("S3")
def test_a_port_that_a_stranger_holds_is_told_apart_and_makes_nobody_ready(system, port):
    told = rf"held by process {os.getpid()} \(.*\), which is none of"
    with stranger(port):
        ref = system.spawn(SLEEP, name="robbed", wait=Port(port))
        with pytest.raises(StartError, match=rf"^robbed was ended, for HeldByStranger: .*{told} robbed's while"):
            ref.result(20)
        server = system.spawn(script(SERVER, "AF_INET", "127.0.0.1", port, ""), name="second", wait=Port(port))
        told = rf"^second (exited with code 1|was ended) .*held by process {os.getpid()} .+ before READY"
        with pytest.raises(StartError, match=told) as caught:
            server.result(20)
        assert any("Address already in use" in line for line in report_of(caught.value).stderr)


@pytest.mark.fault("F60")
@pytest.mark.requirement("S3")
def test_its_death_ends_the_wait_at_once_and_its_next_life_is_waited_for_anew(system, tmp_path, port):
    line = 'echo "$$" >> "$1"; test "$(wc -l < "$1")" -eq 2 || exit 3; shift; exec "$@"'
    server = [sys.executable, "-I", "-c", SERVER, "AF_INET", "127.0.0.1", str(port), ""]
    ref = system.spawn(shell(line, tmp_path / "told", *server), wait=Port(port), config=LIVES)
    ref.wait_ready(20)
    first, second = ref.history()
    assert first.cause == (
        f"{ref.name} exited with code 3 while waiting for Port({port}): connection refused at 127.0.0.1:{port} and "
        f"[::1]:{port}, before READY (incarnation 1)"
    )
    assert second.incarnation == 2


def test_a_stop_while_it_is_waited_for_is_heeded(system, port):
    ref = system.spawn(SLEEP, wait=Port(port))
    until(lambda: ref.info().pid, 20, "its birth")
    ref.stop()
    assert (ref.wait(20), ref.result()) == (Status.FINISHED, -15)


class Sour:
    timeout = None

    def start(self, subject):
        raise LookupError(f"no idea of {subject.name}")

    def __repr__(self):
        return "Sour()"


NOTIFIES = """
import os, socket, sys, time
name = os.environ["NOTIFY_SOCKET"]
assert name.startswith("@")
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.connect("\\0" + name[1:])
        speaker.send(text)
say(b"STATUS=reading its tables\\nUNKNOWN=1")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.005)
if os.fork() == 0:
    say(b"MAINPID=1\\nREADY=1\\nSTATUS=at work")
    os._exit(0)
os.wait()
time.sleep(600)
"""


@pytest.mark.requirement("S6")
def test_who_says_ready_by_sd_notify_is_running_then_and_not_before(system, tmp_path):
    gate = tmp_path / "gate"
    ref = system.spawn(script(NOTIFIES, gate), name="polite", wait=All(Notified(), Notified()))
    late = system.spawn(script(NOTIFIES, tmp_path / "never"), name="late", wait=Notified(), config=BRIEF)
    mute = system.spawn(SLEEP, name="mute", wait=Notified(), config=BRIEF)
    with pytest.raises(
        StartTimeout, match=r"waiting for Notified\(\): it has not said READY=1, but: reading its tables \("
    ):
        late.result(20)
    with pytest.raises(StartTimeout, match=r"it was waiting for Notified\(\): it has not said READY=1 \("):
        mute.result(20)
    assert ref.info().status is Status.STARTING
    gate.touch()
    ref.wait_ready(20)
    plain = system.spawn(shell('test -z "$NOTIFY_SOCKET"'))
    assert plain.result(20) == 0, "who isn't waited for so has nobody to tell"


def test_who_is_waited_for_when_no_descriptor_is_left_ends_as_a_crash_that_says_so(system, monkeypatch):
    def none_left():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Begun, "__init__", lambda *_: none_left())
    told = r"^.* was ended, for OSError: .*Too many open files while waiting for Notified\(\), before READY"
    with pytest.raises(StartError, match=told):
        system.spawn(SLEEP, wait=Notified()).result(20)


@pytest.mark.requirement("S3")
def test_a_line_of_its_own_output_is_a_wait_and_one_of_an_earlier_life_is_none(system, tmp_path):
    line = 'echo begin; while ! test -e "$1"; do sleep 0.01; done; echo ready; sleep 600'
    ref = system.spawn(shell(line, tmp_path / "gate"), name="user", wait=LogLine("ready"))
    other = system.spawn(SLEEP, name="mute", wait=LogLine("ready"), config=BRIEF)
    with pytest.raises(StartTimeout, match=r"it was waiting for LogLine\('ready'\): "):
        other.result(20)
    assert ref.info().status is Status.STARTING
    (tmp_path / "gate").touch()
    ref.wait_ready(20)
    (tmp_path / "gate").unlink()
    ref.restart()
    until(lambda: ref.info().incarnation == 2 and ref.info().pid, 20, "its second life")
    assert ref.info().status is Status.STARTING
    (tmp_path / "gate").touch()
    until(lambda: ref.info().status is Status.RUNNING, 20, "its being ready again")


def test_a_wait_that_raises_or_ends_of_itself_ends_its_program_as_a_crash_before_ready(system, port):
    ref = system.spawn(SLEEP, name="sour", wait=Sour(), config=LIVES)
    with pytest.raises(StartError, match=r"^sour was ended, for LookupError: no idea of sour while waiting for Sour\("):
        ref.result(20)
    assert len(ref.history()) == 2
    bounded = system.spawn(SLEEP, name="bounded", wait=Port(port, timeout=0.1))
    with pytest.raises(StartError, match=r"^bounded was ended, for WaitTimeout: Port\(.* did not hold within 0.1 s"):
        bounded.result(20)


def test_what_is_no_wait_is_refused_in_the_caller(system):
    for wait in (6390, Port):
        with pytest.raises(ConfigError, match=r"^wait must be a Wait, as Port\(6390\); got "):
            system.spawn(SLEEP, wait=wait)
    with pytest.raises(NotAnActor, match=r"takes wait= alone: \{'more': 2\}"):
        system.spawn(SLEEP, wait=Port(1), more=2)
    assert system.ps() == []


def test_an_actor_cannot_bring_a_wait(system):
    class Boss(Process):
        def __loop__(self):
            self.spawn(Exec(["true"]), wait=Port(6390))

    with pytest.raises(Exception, match=r"wait=Port\(6390\): it is looked for in the parent"):
        system.spawn(Boss).result(20)


@pytest.mark.requirement("S6")
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed here")
def test_a_redis_server_is_ready_when_it_answers(system, tmp_path, port):
    program = Exec(["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)])
    ref = system.spawn(program, name="redis", wait=Port(port), config={"lives": 5})
    ref.wait_ready(20)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(16) == b"+PONG\r\n"
    ref.stop()
    assert ref.result(20) == 0
