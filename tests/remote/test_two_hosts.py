"""A system on one host and its clients on another, with a real line between them."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.cli.screens import COMMAND, environment, screen
from tests.remote.network import HERE, Unavailable
from tests.stage import ROOT, until

pytestmark = [pytest.mark.requirement("A4"), pytest.mark.requirement("K1")]


class Host:
    """The system's side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint = self._answer()

    def tell(self, *words: str) -> None:
        """Have it done."""
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)
        assert self._answer() == words[0]

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "the system has ended"
        return answer


@contextlib.contextmanager
def program(*words, **options):
    with subprocess.Popen(words, text=True, env=environment(), cwd=ROOT, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def host(network, keys):
    words = network.on(network.here, sys.executable, "-m", "tests.remote.host", f"tcp://{HERE}:7700", keys.directory)
    with program(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        opened = Host(process)
        yield opened
        process.communicate("end\n", timeout=60)


@pytest.fixture
def there(network, host, keys, tmp_path):
    """Runs the command on the other host, to its end."""

    def run(*words, key="alice", connect=host.endpoint):
        return subprocess.run(
            network.on(network.there, COMMAND, "--connect", connect, "--key", keys.key_path(key), *words),
            capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.mark.fault("F54")
def test_the_other_host_sees_and_stops_actors_with_a_key_and_nothing_without(network, host, there, keys, tmp_path):
    capture = tmp_path / "capture"
    ear = network.on(network.here, sys.executable, "-m", "tests.remote.eavesdrop", "eth-here", capture)
    with program(*ear, stdout=subprocess.PIPE) as listening:
        assert listening.stdout.readline() == "ready\n"
        host.tell("stay", "accountant", "bookkeeper")

        assert host.endpoint == f"tcp://{HERE}:7700"
        rows = json.loads(there("ps", "--json", key="wall").stdout)
        assert [row["name"] for row in rows] == ["accountant", "bookkeeper"]

        words = network.on(network.there, COMMAND, "--connect", host.endpoint, "--key", keys.key_path("alice"), "top")
        with screen(*words, cwd=tmp_path) as top:
            top.shows("accountant")
            top.shows("bookkeeper")
            top.type("q")
            assert top.end() == 0

        denied = there("stop", "accountant", key="wall")
        assert denied.returncode != 0
        assert "observer" in denied.stderr
        assert there("stop", "--wait", "accountant").returncode == 0
        assert [row["name"] for row in json.loads(there("ps", "--json").stdout)] == ["bookkeeper"]

        keyless = subprocess.run(
            network.on(network.there, COMMAND, "--connect", host.endpoint, "ps"),
            capture_output=True, text=True, env=environment(), timeout=60, check=False,
        )  # fmt: skip
        assert keyless.returncode != 0
        assert "understudy keys new" in keyless.stderr

        # What was heard holds the connection, but no name; a name that is said in the clear it would hold.
        said = "import socket; socket.create_connection(('10.77.0.1', 7700)).sendall(b'plainly spoken')"
        subprocess.run(network.on(network.there, sys.executable, "-c", said), check=True)
        until(lambda: b"plainly spoken" in capture.read_bytes(), what="what was said in the clear")
    heard = capture.read_bytes()
    assert heard.count(b"CURVE") >= 2
    for word in (b"accountant", b"bookkeeper", b"RUNNING", b"alice", b"wall"):
        assert word not in heard


@pytest.mark.fault("F51")
def test_a_line_that_was_down_for_longer_than_anybody_waits_is_healed_without_a_gap(network, host, keys, tmp_path):
    words = [COMMAND, "--connect", host.endpoint, "--key", keys.key_path("wall"), "watch", "--json", "--kind", "state"]
    with program(*network.on(network.there, *words), stdout=subprocess.PIPE) as watching:
        until_it_hears(watching, host)
        states: dict[str, list[str]] = defaultdict(list)

        def read_until_finished(name):
            while "FINISHED" not in states[name]:
                event = json.loads(watching.stdout.readline())
                assert event["kind"] == "state", event
                states[event["name"]].append(event["after"])

        host.tell("run", "before")
        read_until_finished("before")
        network.cut()
        host.tell("run", "meanwhile-1")
        until_the_gate_has_given_up(network)
        host.tell("run", "meanwhile-2")
        network.mend()
        host.tell("run", "after")
        read_until_finished("after")

    whole = ["STARTING", "RUNNING", "STOPPING", "FINISHED"]
    assert {name: states[name] for name in ("before", "meanwhile-1", "meanwhile-2", "after")} == dict.fromkeys(
        ("before", "meanwhile-1", "meanwhile-2", "after"), whole
    )


def test_a_line_that_is_slow_and_loses_packets_is_a_slow_line_and_no_more(network, host, there):
    try:
        network.degrade("delay", "100ms", "loss", "5%")
    except Unavailable as reason:
        pytest.skip(str(reason))
    host.tell("stay", "worker")

    assert there("stop", "--wait", "worker").returncode == 0
    assert json.loads(there("ps", "--json").stdout) == []


def until_it_hears(watching, host):
    """Until it has said something of what happens; what was before that it may have missed."""
    for number in range(600):
        host.tell("run", f"hello-{number}")
        if select.select([watching.stdout], [], [], 0.1)[0]:
            return
    pytest.fail("it does not hear")


def until_the_gate_has_given_up(network):
    """Until no connection to the gate is left on its host: heartbeats were missed for long enough."""

    def connections():
        words = network.on(network.here, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        rows = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        established, ports = "01", tuple(f":{number:04X}" for number in range(7700, 7703))
        return [row for row in rows if row.split()[3] == established and row.split()[1].endswith(ports)]

    assert connections()
    until(lambda: not connections(), 60, "the end of the connections")
