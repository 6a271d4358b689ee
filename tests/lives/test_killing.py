"""A kill is SIGKILL to the actor and all that it started: no end of its own, no result, no further life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.stage import alive, gone, hold, note, noted, notes, running, until
from understudy import ActorKilled, Process, Status

FAMILY = """
import os, subprocess, sys, time
path, depth = sys.argv[1], int(sys.argv[2])
if depth:
    subprocess.Popen([sys.executable, __file__, path, str(depth - 1)], start_new_session=depth % 2, env={})
with open(path, "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""


class Ancestor(Process):
    """Starts three generations, then works; `ignores` signals if it is told to."""

    def __init__(self, place):
        self.place = str(place)
        self.config.lives = 5

    def __loop__(self):
        program = f"{self.place}/family.py"
        with open(program, "w") as file:
            file.write(FAMILY)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        subprocess.Popen([sys.executable, program, f"{self.place}/family", "2"])
        note(f"{self.place}/self", os.getpid())
        self.sleep(600)

    def __onfinish__(self):
        note(f"{self.place}/end", "onfinish")

    def __result__(self):
        note(f"{self.place}/end", "result")
        return "done"

    def __error__(self):
        note(f"{self.place}/end", "error")


@pytest.mark.requirement("K3")
def test_a_kill_ends_the_actor_and_three_generations_below_it(system, tmp_path, host):
    ref = system.spawn(Ancestor, tmp_path, name="elder", host=host)
    family = [int(pid) for pid in (*noted(tmp_path / "family", 3), *noted(tmp_path / "self"))]
    assert all(alive(pid) for pid in family)
    assert system.kill("elder") == {"elder": "asked"}
    assert ref.wait(30) is Status.KILLED
    gone(*family)
    assert notes(tmp_path / "end") == []
    with pytest.raises(ActorKilled) as caught:
        ref.result()
    assert (caught.value.name, caught.value.incarnation) == ("elder", 1)
    (life,) = ref.history()
    assert (life.signal, life.exit_code) == ("SIGKILL", None)


@pytest.mark.requirement("K3")
def test_a_kill_goes_by_glob_and_is_told_as_asked_already_and_ended(system, tmp_path):
    class Waiting(Process):
        def __loop__(self):
            self.sleep(600)

    refs = [system.spawn(Waiting, name=f"w/{number}") for number in range(3)]
    for ref in refs:
        ref.wait_ready(30)
    os.kill(refs[0].info().pid, signal.SIGSTOP)
    assert system.kill("w/*") == {"w/0": "asked", "w/1": "asked", "w/2": "asked"}
    assert system.wait_all(refs, 30) == {f"w/{number}": Status.KILLED for number in range(3)}
    assert system.kill(refs) == {"w/0": "ended", "w/1": "ended", "w/2": "ended"}
    assert refs[0].kill() == "ended"


@pytest.mark.requirement("K3")
def test_the_signal_is_sent_when_kill_returns(system, tmp_path):
    class Waiting(Process):
        def __loop__(self):
            self.sleep(600)

    ref = system.spawn(Waiting)
    ref.wait_ready(30)
    pid = ref.info().pid
    # A fatal signal that is sent is pending, or has done its work, whatever the router does next.
    ref.kill()
    assert not alive(pid) or _has_pending_kill(pid)
    assert ref.wait(30) is Status.KILLED


def _has_pending_kill(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
    except OSError:
        return True
    bit = 1 << (signal.SIGKILL - 1)
    pending = int(fields["ShdPnd"], 16) | int(fields["SigPnd"], 16)
    return bool(pending & bit) or fields["State"].split()[0] in "ZX" or not alive(pid)


@pytest.mark.requirement("K3")
def test_a_kill_outranks_a_stop_that_stands(system, tmp_path):
    class Ending(Process):
        def __loop__(self):
            self.sleep(600)

        def __onfinish__(self):
            note(tmp_path / "told", "onfinish")
            hold(tmp_path / "never")

    ref = system.spawn(Ending)
    ref.wait_ready(30)
    ref.stop()
    noted(tmp_path / "told")
    assert ref.kill() == "asked"
    assert ref.wait(30) is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result()


@pytest.mark.requirement("K3")
def test_self_kill_is_a_kill(system, tmp_path):
    class Weary(Process):
        def __init__(self):
            self.config.lives = 3

        def __loop__(self):
            note(tmp_path / "told", "loop")
            self.kill()
            note(tmp_path / "told", "after")

        def __onfinish__(self):
            note(tmp_path / "told", "onfinish")

    ref = system.spawn(Weary)
    assert ref.wait(30) is Status.KILLED
    assert notes(tmp_path / "told") == ["loop"]
    with pytest.raises(ActorKilled):
        ref.result()


@pytest.mark.requirement("K3")
def test_the_kill_of_one_leaves_the_families_of_others_alone(system, tmp_path):
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    one, two = (system.spawn(Ancestor, place) for place in places)
    first, second = ([int(pid) for pid in noted(place / "family", 3)] for place in places)
    one.kill()
    gone(*first)
    assert all(alive(pid) for pid in second)
    running(two)
    two.kill()
    gone(*second)
    until(two.done, 20, "the second kill")
