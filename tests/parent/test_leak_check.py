"""The public leak check on the real thing: what an open system holds, and what a closed one leaves."""

from __future__ import annotations

import os

import pytest

from tests.stage import until
from understudy import ActorSystem, Process
from understudy.testing import LeakCheck


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


def test_a_system_that_stays_open_is_told_with_all_that_belongs_to_it():
    check = LeakCheck(patience=0).start()
    system = ActorSystem()
    try:
        system.spawn(Idle).wait_ready(20)
        leaks = check.finish()
    finally:
        system.shutdown(force=True)
    directory = system.endpoint.removeprefix("ipc://")
    # The zygote and the actor; and whoever stands by, or learns, by now.
    assert len([leak for leak in leaks if leak.kind == "process"]) >= 2
    assert any(leak.kind == "thread" and os.path.basename(directory) in leak.what for leak in leaks)
    assert directory in {leak.what for leak in leaks if leak.kind == "file"}


@pytest.mark.parametrize("host", ["process", "spawn"])
def test_a_system_that_was_closed_leaves_nothing_however_its_actors_ended(host):
    with LeakCheck(patience=5), ActorSystem() as system:
        done, crashed, killed, stopped = (
            system.spawn(os.getpid, host=host),
            system.spawn(os.remove, "/no/such/file", host=host, config={"lives": 2}),
            system.spawn(Idle, host=host),
            system.spawn(Idle, host=host),
        )
        killed.wait_ready(20)
        killed.kill()
        stopped.stop()
        assert [ref.wait(20) for ref in (done, crashed, killed, stopped)] == [
            "FINISHED",
            "CRASHED",
            "KILLED",
            "FINISHED",
        ]


def test_a_hundred_actors_that_came_and_went_leave_no_descriptor_in_the_open_system(system):
    system.spawn(os.getpid).wait(20)
    until(lambda: not system.ps())
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(4):
        system.wait_all([system.spawn(os.getpid) for _ in range(25)], timeout=30)
    # The process that stands by for the next birth has its line open already; it may not have had before.
    until(lambda: len(os.listdir("/proc/self/fd")) <= opened + 1, what="the closing of what they had open")


def test_a_test_may_leave_the_default_system_and_its_actors_to_the_fixture():
    Idle().start().wait_ready(20)
    assert len(ActorSystem.default().ps()) == 1
