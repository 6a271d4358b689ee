"""Who connects without end, under a low limit of descriptors: the system goes on, and has room again when they left."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.stage import parent, said, tell, until

SYSTEM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.environ["UNDERSTUDY_TRANSPORT"] = "tcp"
from understudy import ActorSystem, Process

class Echo(Process):
    def __receive__(self, message):
        return message

with ActorSystem() as system:
    ref = system.spawn(Echo)
    print(ref.ask("ready", timeout=30), flush=True)
    print(system.endpoint.removeprefix("ipc://"), flush=True)
    for line in sys.stdin:
        full = False
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            full = True
        print(ref.ask("amid the crowd", timeout=30), full, flush=True)
        if line == "spawn\\n":
            print(system.spawn(len, "abc").result(30), flush=True)
"""
CROWD = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
port = int(open(sys.argv[1] + "/control").read().rpartition(":")[2])
inside = [socket.create_connection(("127.0.0.1", port)) for _ in range(400)]
print(len(inside), flush=True)
sys.stdin.read()
"""


def asked(system):
    """What it says to an ask, and whether no descriptor was left then."""
    tell(system, "ask")
    return said(system)


@pytest.mark.fault("F52")
def test_a_crowd_of_strangers_takes_all_descriptors_and_ends_nobody(tmp_path):
    """Each is cut off after the time for its handshake, and others get what it had."""
    with parent(SYSTEM, tmp_path, stdin=subprocess.PIPE) as system:
        assert said(system) == "ready"
        directory = said(system)
        crowd = subprocess.Popen(
            [sys.executable, "-c", CROWD, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with crowd:
            assert said(crowd) == "400"
            until(lambda: asked(system) == "amid the crowd True", 30, "their taking all descriptors")
            crowd.communicate()
        assert crowd.returncode == 0
        until(lambda: asked(system) == "amid the crowd False", 30, "their leaving")
        tell(system, "spawn")
        assert said(system) == "amid the crowd False"
        assert said(system) == "3"
        assert system.stdin
        system.stdin.close()
        assert system.wait(30) == 0
