"""The parent is stopped for a while: its own absence is nobody else's fault."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import ExitStack

import pytest

from tests.stage import parent, said, state_of, tell, until

SCRIPT = """
import json, os, signal, sys, time
from tests.stage import hold, until
from understudy import ActorSystem, Process

starting = sys.argv[1] == "starting"

class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.2
        self.config.heartbeat.misses = 3
        self.config.heartbeat.kill = "always"
        self.config.lives = 3
        if starting:
            self.config.timeouts.startup = 2.0

    def __setstate__(self, state):
        self.__dict__.update(state)
        if starting:
            hold("gate")

    def __loop__(self):
        self.sleep(0.01)

system = ActorSystem()
if starting:
    system.spawn(os.getpid).wait(20)  # the zygote is up
refs = [system.spawn(Idle) for _ in range(6)]
if not starting:
    for ref in refs:
        ref.wait_ready()
    until(lambda: all((ref.info().heartbeat_age or 9) < 0.3 for ref in refs))
print("up", flush=True)
sys.stdin.readline()
for ref in refs:
    ref.wait_ready(20)
laps = [ref.info().lap for ref in refs]
until(lambda: all(ref.info().lap > lap for ref, lap in zip(refs, laps)))
until(lambda: all(ref.info().health == "healthy" for ref in refs))
print(json.dumps({
    "lives": [[life.cause for life in ref.history()] for ref in refs],
    "stories": [system.story(ref.name) for ref in refs],
}), flush=True)
system.shutdown(force=True)
"""


@pytest.mark.fault("F32")
@pytest.mark.parametrize(("whens", "seconds"), [(["running"], 0.8), (["running", "starting"], 2.5)])
def test_no_actor_pays_for_a_pause_of_the_parent_that_is_longer_than_all_its_patience(tmp_path, whens, seconds):
    # Three heartbeats of 0.2 s, and 2 s for a start: to these a pause of 2.5 s is what one of a minute is to the usual.
    # Few actors, and births that only the test lets end: on a busy machine nothing else takes as long as that.
    with ExitStack() as stack:
        processes = []
        for when in whens:
            (tmp_path / when).mkdir()
            processes.append(stack.enter_context(parent(SCRIPT, tmp_path / when, when, stdin=subprocess.PIPE)))
        for process in processes:
            assert said(process) == "up"
            process.send_signal(signal.SIGSTOP)
        until(lambda: all(state_of(process.pid) == "T" for process in processes))
        time.sleep(seconds)
        for process, when in zip(processes, whens, strict=True):
            (tmp_path / when / "gate").touch()
            process.send_signal(signal.SIGCONT)
            tell(process, "on")
        for process in processes:
            told = json.loads(said(process) or "{}")
            assert told["lives"] == [[None]] * 6, told["stories"]
            assert process.wait(20) == 0
