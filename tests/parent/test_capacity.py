"""A limit on descriptors is met with a refusal in advance, never by running into it."""

from __future__ import annotations

import json
import re

import pytest

from tests.reaching import is_tcp
from tests.stage import parent, said

SCRIPT = """
import json, os, resource, sys
from understudy import ActorSystem, NoCapacity, Process

limit, wanted, patient = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "patient"
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

class Idle(Process):
    def __loop__(self):
        self.sleep(600)

refs, refusals = [], []
system = ActorSystem()
system.spawn(os.getpid).wait(30)
before = len(os.listdir("/proc/self/fd"))
for _ in range(wanted):
    try:
        refs.append(system.spawn(Idle, config={"timeouts.startup": 60}))
    except NoCapacity as error:
        refusals.append(str(error))
        continue
    if patient:
        refs[-1].wait_ready(30)
for ref in refs:
    ref.wait_ready(50)
opened = len(os.listdir("/proc/self/fd"))
names = [info.name for info in system.ps()]
incarnations = {info.incarnation for info in system.ps() if info.alive}
restarted = refs[0].restart() and (refs[0].stop(), refs[0].wait(30))[1]
system.stop(refs[1:20])
for ref in refs[1:20]:
    ref.wait(30)
again = system.spawn(os.getpid).wait(30)
print(json.dumps({
    "living": len(names), "refused": len(refusals), "words": refusals[-1] if refusals else "",
    "incarnations": sorted(incarnations), "again": again, "opened": opened, "before": before,
}), flush=True)
system.shutdown(force=True)
"""


@pytest.mark.fault("F49")
@pytest.mark.parametrize("pace", ["patient", "rushed"])
def test_spawns_beyond_the_limit_are_refused_in_advance_with_the_numbers(tmp_path, pace):
    with parent(SCRIPT, tmp_path, 256, 120, pace) as process:
        told = json.loads(said(process))
        assert process.wait(30) == 0
    assert told["living"] + told["refused"] == 120
    each = round((told["opened"] - told["before"]) / told["living"])  # one that ends may still be closing its own
    assert re.search(rf"needs {each} descriptors", told["words"]), (each, told["words"])
    room = (256 - 64 - told["before"]) // each
    # Who is in a hurry may be refused for what is just being opened; the reserve bears what is just being counted.
    assert (room - 2 if pace == "patient" else room // 2) <= told["living"] <= room + 6
    assert told["incarnations"] == [1]
    assert told["again"] == "FINISHED"
    assert re.search(r"\d+ of 256 are open, \d+ promised to \d+ starting actors, 64 kept", told["words"])


@pytest.mark.fault("F49")
def test_three_hundred_actors_fit_under_the_usual_limit_or_are_refused(tmp_path):
    with parent(SCRIPT, tmp_path, 1024, 300, "rushed") as process:
        told = json.loads(said(process))
        assert process.wait(30) == 0
    assert told["living"] + told["refused"] == 300
    assert told["living"] >= (150 if is_tcp else 200)
    assert told["incarnations"] == [1]
    assert told["again"] == "FINISHED"
