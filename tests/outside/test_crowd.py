"""Clients that connect without end, under a low limit of descriptors: the system goes on, and lets others in later."""

from __future__ import annotations

import contextlib
import resource
import subprocess

import pytest

from tests.reaching import ipc_only
from tests.stage import parent, said, tell
from understudy import Observer, Remote, WaitTimeout

pytestmark = ipc_only  # by TCP there is no door: see tests/loopback

SYSTEM = """
import ctypes, logging, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
from understudy import ActorSystem, Process

class Idle(Process):
    def __loop__(self):
        self.sleep(600)

with ActorSystem() as system:
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    print(system.endpoint, flush=True)
    for line in sys.stdin:
        if line == "hold\\n":
            print("holding", flush=True)
            ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)  # until it is told to let go
        one = system.spawn(len, "abc")
        print(ref.info().status, one.result(20), flush=True)
"""

CROWD = """
import resource, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
endpoint, to, count = sys.argv[1].removeprefix("ipc://"), sys.argv[2], int(sys.argv[3])
inside, until = [], time.monotonic() + 1
while len(inside) < count and time.monotonic() < until:
    one = socket.socket(socket.AF_UNIX)
    one.setblocking(False)
    try:
        one.connect(f"{endpoint}/{to}")
        inside.append(one)
        until = time.monotonic() + 0.5  # for the next one
    except OSError:
        one.close()
print(len(inside), flush=True)
sys.stdin.read()
"""


HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.fixture
def hosted(tmp_path):
    """A system in a process of its own, under a limit of descriptors; its log in a file."""
    with contextlib.ExitStack() as stack:

        def begin(limit):
            told = stack.enter_context((tmp_path / "told").open("w"))
            return stack.enter_context(parent(SYSTEM, tmp_path, limit, stdin=subprocess.PIPE, stderr=told))

        yield begin


@pytest.mark.fault("F52")
@pytest.mark.skipif(HARD < 4096, reason=f"no process may have more than {HARD} descriptors here")
@pytest.mark.parametrize("to", ["control", "status"])
def test_a_burst_of_connections_waits_at_the_door_though_nobody_can_look_for_it(hosted, tmp_path, to):
    """The interpreter is held meanwhile: libzmq's own thread stops accepting when nobody hears of it."""
    system = hosted(4096)
    endpoint = said(system)
    (tmp_path / "crowd").mkdir()
    tell(system, "hold")
    assert said(system) == "holding"
    with parent(CROWD, tmp_path / "crowd", endpoint, to, 3500, stdin=subprocess.PIPE) as crowd:
        assert 1000 < int(said(crowd)) < 1500
        tell(system, "")
        assert said(system) == "RUNNING 3", "actors are started and answered amid all that"
        with pytest.raises(WaitTimeout), Remote(endpoint, timeout=0.5) as remote:
            remote.ps()
    with Remote(endpoint, timeout=30) as remote, Observer(endpoint, timeout=30) as observer:
        assert [row.name for row in remote.ps()] == ["idle"]
        assert list(observer.actors) == ["idle"]
    assert system.stdin
    system.stdin.close()
    assert system.wait(20) == 0
    told = (tmp_path / "told").read_text()
    assert "no more are let in until some leave" in told
    assert "others are let in again" in told


@pytest.mark.fault("F52")
def test_clients_that_are_forgotten_one_after_the_other_end_nobody(hosted):
    """As a service does that opens a Remote for each request and closes none."""
    system = hosted(256)
    endpoint = said(system)
    left: list[Remote] = []
    try:
        while len(left) < 100 and (not left or answers(left[-1])):
            left.append(Remote(endpoint, timeout=2))
        assert 50 < len(left) < 100, "a quarter of 256, and who was quicker than the door"
        tell(system, "how are you?")
        assert said(system) == "RUNNING 3"
    finally:
        for remote in left:
            remote.close()
    with Remote(endpoint, timeout=30) as remote:
        assert answers(remote)


def answers(remote):
    try:
        return remote.ps()
    except WaitTimeout:
        return None
