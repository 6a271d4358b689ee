"""What somebody who runs and watches actors is told: met while the examples were written."""

from __future__ import annotations

import pytest

from tests.stage import python, until
from understudy import ActorSystem, Observer, Process, Status, UnknownActor


class Twice(Process):
    """Reports, then fails in its first life; waits to be stopped in its second."""

    def __init__(self, how):
        self.how = how
        self.config.lives = 2
        self.config.timeouts.loop = 0.3 if how == "hang" else None

    def __loop__(self):
        if self.incarnation == 2:
            self.sleep(60)
        else:
            self.progress(40, note="so far")
            self.fail_by(self.how)

    def fail_by(self, how):
        if how == "hang":
            self.sleep(60)
        raise ValueError("out of luck")


@pytest.mark.requirement("H6")
@pytest.mark.parametrize(("how", "line"), [("hang", "self.sleep(60)"), ("error", "ValueError: out of luck")])
def test_the_report_of_a_life_that_was_replaced_shows_where_it_failed(how, line):
    """No error is raised for it: the report is the only place for the traceback."""
    with ActorSystem() as system:
        ref = system.spawn(Twice, how)
        report = until(lambda: ref.history()[0].report, 20, "the report of the first life")
        ref.stop()
        ref.wait(20)
    assert report
    assert "in fail_by\n" in report.stacks
    assert line in report.stacks
    assert line in str(report)


@pytest.mark.requirement("A4")
def test_the_events_of_a_restart_say_why_it_came_about():
    with ActorSystem() as system, Observer(system.endpoint) as observer:
        ref = system.spawn(Twice, "error", name="twice")
        causes = {}
        while observer.actors.get("twice") is None or observer.actors["twice"].incarnation < 2:
            event = observer.next(timeout=20)
            assert event is not None
            if event.kind == "state":
                causes[event.after] = event.cause
        ref.kill()
        ref.wait(20)
    assert causes[Status.RESTARTING] == "ValueError: out of luck (__loop__ of twice, lap 1, incarnation 1)"
    assert causes[Status.STARTING] == "backoff over"


@pytest.mark.requirement("A4")
def test_an_observer_does_not_show_the_progress_of_a_life_that_is_over():
    with ActorSystem() as system:
        ref = system.spawn(Twice, "hang", name="twice")
        until(lambda: ref.info().progress == 40, 20, "progress")
        with Observer(system.endpoint) as observer:
            before = observer.actors["twice"]
            while (seen := observer.actors["twice"]).incarnation == 1 or seen.status is not Status.RUNNING:
                assert observer.next(timeout=20) is not None
            after = ref.info()
        ref.kill()
        ref.wait(20)
    assert (before.incarnation, before.progress, before.note) == (1, 40, "so far")
    assert (seen.progress, seen.note, seen.completed_laps) == (None, None, 0)
    assert (seen.pid, seen.incarnation, seen.lives_left) == (after.pid, 2, 0)


def test_an_observer_of_a_system_that_is_gone_is_told_at_once():
    """Waiting for the answer of nobody would take the whole timeout, and be told as one."""
    with ActorSystem() as system:
        endpoint = system.endpoint
    with pytest.raises(UnknownActor, match="no system runs at 'ipc://"):
        Observer(endpoint)


CTRL_C_ALL_THE_TIME = """
import os, signal, time
from understudy import ActorSystem
signal.signal(signal.SIGINT, lambda *_: None)
os.setpgid(0, 0)
with ActorSystem() as system:
    ref = system.spawn(sum, [1, 2, 3])
    while not ref.done():
        os.killpg(0, signal.SIGINT)
        time.sleep(0.002)
    print(ref.result())
"""


@pytest.mark.fault("F34")
def test_ctrl_c_while_the_first_actor_is_being_born_is_for_the_parent_alone(tmp_path):
    """The processes behind the scenes are out of reach of the terminal's signals from their first instant on."""
    done = python("-c", CTRL_C_ALL_THE_TIME, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")
