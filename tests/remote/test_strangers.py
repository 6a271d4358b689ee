"""Another user of the same machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.stage import ROOT
from understudy import ActorSystem

NOBODY = 65_534
ATTEMPTS = """
import json, os, sys
import msgpack, zmq
from understudy import Observer, Remote
from understudy.observe import feed, remote, rundir
from understudy.wire import keyring, sockets
from understudy.wire.sockets import curve

endpoint, gate, key, user = sys.argv[1:]
os.environ.pop("XDG_RUNTIME_DIR", None)  # another's
os.setgroups([])
os.setgid(int(user))
os.setuid(int(user))
told = {}
for what, attempt in {
    "ipc": lambda: Remote(endpoint, timeout=1).ps(),
    "name": lambda: Remote("guarded", timeout=1).ps(),
    "another's key": lambda: Remote(gate, key=key, timeout=1).ps(),
    "no key": lambda: Remote(gate, timeout=1).ps(),
}.items():
    try:
        told[what] = f"it came in: {attempt()}"
    except Exception as error:
        told[what] = type(error).__name__
context = zmq.Context()
plain = context.socket(zmq.DEALER)
plain.linger, plain.rcvtimeo = 0, 1_000
plain.connect(gate)
plain.send_multipart([b"", msgpack.packb({"v": 1, "id": 1, "verb": "ps"})])
try:
    told["NULL"] = f"it came in: {plain.recv_multipart()}"
except zmq.Again:
    told["NULL"] = "no answer"
context.destroy(linger=0)
print(json.dumps(told))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.fault("F56")
def test_another_local_user_comes_in_nowhere(keys):
    with ActorSystem("guarded", control="tcp://127.0.0.1:0", keys=keys.directory) as system:
        gate = system.gates[0].endpoint
        done = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, system.endpoint, gate, keys.key_path("alice"), str(NOBODY)],
            capture_output=True, text=True, cwd=ROOT, timeout=60, check=True,
        )  # fmt: skip

    told = json.loads(done.stdout)
    assert told.pop("NULL") == "no answer"
    assert told.pop("name") == "UnknownActor"
    assert set(told.values()) <= {"AccessDenied", "ConfigError", "UnknownActor", "WaitTimeout", "SystemClosed"}, told
