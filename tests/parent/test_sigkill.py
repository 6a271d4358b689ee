"""The parent is killed without a warning: whatever it had started goes with it."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.stage import alive, descendants, gone, notes, parent, said, until

TROUPE = """
import ctypes, os, subprocess, sys, time
from tests.stage import note, noted
from understudy import ActorSystem, Process

told = sys.argv[1]

class Plain(Process):
    def __loop__(self):
        self.sleep(600)

class Holding(Process):
    def __loop__(self):
        note(told, "holding")
        ctypes.PyDLL(None).sleep(600)

class Forking(Process):
    def __loop__(self):
        if os.fork() == 0:
            note(told, "forked")
        time.sleep(600)

class Planting(Process):
    def __loop__(self):
        tree = "sleep 600 & (setsid sleep 600 &) ; setsid sh -c 'sleep 600; true' & wait"
        self.child = subprocess.Popen(["sh", "-c", tree], env={})
        note(told, "planting")
        self.child.wait()

system = ActorSystem()
refs = [system.spawn(Plain) for _ in range(17)] + [system.spawn(kind) for kind in (Holding, Forking, Planting)]
for ref in refs:
    ref.wait_ready()
noted(told, 3)
print(system.endpoint.removeprefix("ipc://"), flush=True)
time.sleep(600)
"""

UNGUARDED = """
import sys, time
from tests.stage import note, until
from understudy import ActorSystem

system = ActorSystem()
refs = [system.spawn(note, sys.argv[1], "ran") for _ in range(3)]
until(lambda: all(ref.info().pid for ref in refs))
print(system.endpoint.removeprefix("ipc://"), *system._world.spawners["process"].pids, flush=True)
time.sleep(600)
"""


@pytest.mark.fault("F27")
@pytest.mark.requirement("K5")
def test_what_twenty_actors_and_their_programs_were_doing_ends_with_the_parents_sigkill(tmp_path):
    with parent(TROUPE, tmp_path, tmp_path / "told") as process:
        directory = said(process)
        # The zygote, the actors, a copy of one, and the shell with its tree: one forked twice, one in its own session.
        family = until(lambda: found if len(found := descendants(process.pid)) >= 27 else [], what="the tree")
        assert os.path.exists(directory)
        process.kill()
        gone(*family)
    until(lambda: not os.path.exists(directory), what="the removal of the directory")


@pytest.mark.fault("F28")
def test_children_that_have_not_armed_their_guard_yet_go_with_the_parent_too(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.guard=sleep:600")
    told = tmp_path / "told"
    with parent(UNGUARDED, tmp_path, told) as process:
        said(process)
        family = descendants(process.pid)
        assert len(family) == 4
        process.kill()
        gone(*family)
    assert not notes(told)


@pytest.mark.fault("F28")
def test_a_child_that_finds_nobody_at_the_other_end_of_its_guard_leaves_before_it_does_anything(tmp_path, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.guard=sleep:1")
    told = tmp_path / "told"
    with parent(UNGUARDED, tmp_path, told) as process:
        directory, zygote = said(process).split()
        family = descendants(process.pid)
        process.kill()
        os.kill(int(zygote), 9)
        assert any(alive(pid) for pid in family)
        gone(*family)
    assert not notes(told)
    shutil.rmtree(directory)  # both who would have done so are dead
