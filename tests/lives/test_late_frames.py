"""What an earlier incarnation, or an earlier bearer of the name, still says changes nothing and is counted."""

from __future__ import annotations

import pytest

from tests.stage import note, noted, running, until
from understudy import Process, Status
from understudy.wire import messages
from understudy.wire.codec import encode
from understudy.wire.keys import tag
from understudy.wire.messages import Identity
from understudy.wire.pickling import dump_frames
from understudy.wire.sockets import Line


class Steady(Process):
    """Crashes once, then works until it is stopped."""

    def __init__(self, told):
        self.told = told
        self.config.lives = 2
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.told, self.incarnation)
        if self.incarnation == 1:
            raise RuntimeError("no luck")
        self.sleep(60)

    def __result__(self):
        return "its own"


def everything(key):
    """One of each kind of report, as genuine as the key makes it."""
    frames = tuple(dump_frames("a stranger's", "result"))
    mark = tag(key, frames)
    return [
        messages.Ready(1),
        messages.Beat(),
        messages.Heard(1),
        messages.Progress(77.0, "late"),
        messages.Finishing("late", stop=True),
        messages.KillMe(),
        messages.Error("loop", 1, "", None, "RuntimeError", "late", "", {}, mark, frames),
        messages.Result({"timers": None}, mark, frames),
        messages.Rites("fallback", "", "", "", {}, None, mark, frames),
        messages.Bye(["late"]),
    ]


@pytest.fixture
def say(system):
    """Say everything for some uid and incarnation, as a process of that identity would."""
    line = Line(system._world.hub.places, 1 << 20)

    def saying(uid, incarnation):
        identity = Identity(system._world.system, uid, incarnation, 1)
        before, reports = system._world.registry.stale, everything(system._world.key)
        for report in reports:
            line.report(encode(identity, report))
        until(lambda: system._world.registry.stale == before + len(reports), 20, "every late frame being counted")

    yield saying
    line.flush(0)


@pytest.mark.requirement("L6")
def test_frames_of_an_earlier_incarnation_change_nothing_and_are_counted(system, tmp_path, say):
    ref = system.spawn(Steady, tmp_path / "told")
    noted(tmp_path / "told", 2)
    running(ref)
    before = ref.info()
    say(ref.uid, 1)
    after = ref.info()
    assert (after.status, after.pid, after.incarnation, after.lives_left) == (Status.RUNNING, before.pid, 2, 0)
    assert (after.progress, after.note) == (None, None)
    ref.stop()
    assert ref.result(30) == "its own"
    assert len(ref.history()) == 2


@pytest.mark.requirement("L6")
def test_frames_of_an_incarnation_that_is_not_yet_change_nothing(system, tmp_path, say):
    ref = system.spawn(Steady, tmp_path / "told")
    noted(tmp_path / "told", 2)
    say(ref.uid, 3)
    assert ref.info().incarnation == 2
    ref.stop()
    assert ref.result(30) == "its own"


@pytest.mark.requirement("L6")
def test_frames_of_an_ended_actor_reach_nobody_of_its_name(system, tmp_path, say):
    first = system.spawn(Steady, tmp_path / "first", name="same")
    noted(tmp_path / "first", 2)
    first.kill()
    assert first.wait(30) is Status.KILLED
    second = system.spawn(Steady, tmp_path / "second", name="same")
    noted(tmp_path / "second", 2)
    running(second)
    say(first.uid, 2)
    assert (first.info().status, second.info().status) == (Status.KILLED, Status.RUNNING)
    assert len(first.history()) == 2
    second.stop()
    assert second.result(30) == "its own"


@pytest.mark.requirement("L6")
def test_frames_of_a_uid_that_never_was_are_counted(system, tmp_path, say):
    ref = system.spawn(Steady, tmp_path / "told")
    noted(tmp_path / "told", 2)
    running(ref)
    say(ref.uid + 1000, 1)
    assert ref.info().status is Status.RUNNING
    ref.stop()
    assert ref.result(30) == "its own"
