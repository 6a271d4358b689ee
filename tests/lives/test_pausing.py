"""Pause and resume: where an actor stands still, what stands still with it, and what does not."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from tests.messages.cast import Recorder
from tests.stage import hold, note, noted, notes, until
from understudy import (
    AskTimeout,
    Health,
    MailboxFull,
    MainLoopTimeoutError,
    Observer,
    Process,
    Remote,
    Status,
    UnknownActor,
    WaitTimeout,
)
from understudy.wire.page import DEADLINE, NEVER

pytestmark = pytest.mark.requirement("A8")

LONG = 30


class Walks(Process):
    """Goes from lap to lap, and looks for a pause in its own way."""

    def __init__(self, way="laps", **options):
        self.way = way
        for path, value in options.items():
            group, _, name = path.rpartition("__")
            setattr(getattr(self.config, group) if group else self.config, name, value)

    def __loop__(self):
        if self.way == "sleeps":
            self.sleep(0.003)
        elif self.way == "receives":
            with suppress(WaitTimeout):
                self.receive(0.003)
        elif self.way == "computes":
            until = time.monotonic() + 0.003
            while not self.stopping and time.monotonic() < until:
                pass
        else:
            time.sleep(0.001)


class Serves(Walks):
    """The same between messages."""

    def __receive__(self, message):
        return message


class Steps(Process):
    """Notes each section."""

    def __init__(self, place, gate=None, **options):
        self.place, self.gate = place, gate
        for name, value in options.items():
            setattr(self.config, name, value)

    def __preloop__(self):
        note(self.place, f"preloop {self.incarnation}")

    def __loop__(self):
        note(self.place, f"loop {self.incarnation}")
        if self.gate:
            hold(self.gate)
        self.sleep(0.003)

    def __onfinish__(self):
        note(self.place, "onfinish")


def stands_still(ref, incarnation=1):
    """Seen in the stacks of its main thread."""
    until(lambda: "_stand_still" in ref.stacks(), LONG, f"the pause of {ref.name}")
    assert ref.info().incarnation == incarnation
    return ref


def laps(ref):
    return ref.info().completed_laps


def goes_on(ref):
    before = laps(ref)
    until(lambda: laps(ref) > before + 2, LONG, f"a lap of {ref.name}")


@pytest.mark.parametrize("kind", [Walks, Serves])
@pytest.mark.parametrize("way", ["laps", "sleeps", "receives", "computes"])
def test_a_paused_actor_stands_still_where_it_looks_and_goes_on_when_it_is_resumed(system, kind, way):
    ref, other = system.spawn(kind, way), system.spawn(Walks)
    goes_on(ref)
    for _ in range(2):
        assert ref.pause() == "asked"
        reached = laps(stands_still(ref))
        goes_on(other)
        assert laps(ref) == reached
        assert ref.resume() == "asked"
        goes_on(ref)
    assert ref.stop() == "asked"
    assert ref.wait(LONG) is Status.FINISHED


def test_an_actor_that_only_handles_messages_waits_with_them_and_its_senders_with_it(system):
    options = {"mailbox__size": 2, "mailbox__on_full": "raise"}
    ref = system.spawn(Recorder, **options)
    assert ref.ask("count", LONG) == 0
    ref.pause()
    stands_still(ref)
    told = sum(is_told(ref, number) for number in range(10))
    assert 0 < told < 10
    ref.resume()
    assert until(lambda: asked(ref, "kept"), LONG) == list(range(told))
    ref.pause()
    stands_still(ref)
    with pytest.raises(AskTimeout):
        ref.ask("count", 0.05)


def is_told(ref, message):
    try:
        ref.tell(message)
    except MailboxFull:
        return False
    return True


def asked(ref, message):
    with suppress(MailboxFull):
        return ref.ask(message, LONG)
    return None


def test_the_deadline_of_a_section_stands_still_with_it_and_then_has_the_rest_of_its_time(system):
    beats = {"heartbeat__interval": 0.1, "heartbeat__misses": 3, "heartbeat__kill": "always"}
    ref = system.spawn(Sleeper, timeouts__loop=4, **beats)
    asserts_that_the_deadline_stands_still(system, ref)
    with pytest.raises(MainLoopTimeoutError):
        ref.result(LONG)


def asserts_that_the_deadline_stands_still(system, ref):
    page = until(lambda: system._world.records[ref.uid].page, LONG)
    deadline = until(lambda: page.place[0] == "loop" and page.reals[DEADLINE], LONG)
    asked = time.monotonic()
    ref.pause()
    stood = until(lambda: page.reals[DEADLINE] == NEVER and time.monotonic(), LONG)
    # Beyond what the section had: neither side ends it, and its heartbeats come.
    until(lambda: time.monotonic() > deadline + 0.3, LONG)
    assert (ref.info().status, ref.info().health, ref.info().section) == (Status.RUNNING, Health.HEALTHY, "loop")
    resumed = time.monotonic()
    ref.resume()
    later = until(lambda: page.reals[DEADLINE] != NEVER and page.reals[DEADLINE], LONG)
    assert resumed - stood - 0.01 <= later - deadline <= time.monotonic() - asked + 0.01


class Sleeper(Walks):
    def __loop__(self):
        self.sleep(600)


def test_a_sleep_that_is_over_in_the_pause_ends_with_it(system, tmp_path):
    ref = system.spawn(Naps, str(tmp_path / "told"))
    noted(tmp_path / "told")
    ref.pause()
    stands_still(ref)
    until(lambda: ref.info().runtime > 0.5, LONG)
    assert notes(tmp_path / "told") == ["sleeps"]
    ref.resume()
    assert ref.result(LONG) is True


class Naps(Process):
    def __init__(self, told):
        self.told = told
        self.config.num_loops = 1

    def __loop__(self):
        note(self.told, "sleeps")
        self.slept = self.sleep(0.3)

    def __result__(self):
        return self.slept


def test_who_is_paused_before_it_is_ready_waits_before_its_first_lap(system, tmp_path, host):
    ref = system.spawn(Steps, str(tmp_path / "told"), host=host)
    assert ref.pause() == "asked"
    stands_still(ref)
    ref.wait_ready(LONG)  # its stacks may be seen before its word has arrived
    info = ref.info()
    assert (info.status, info.paused, info.status_text) == (Status.RUNNING, True, "RUNNING (paused)")
    assert notes(tmp_path / "told") == []
    ref.resume()
    goes_on(ref)
    assert not ref.info().paused


def test_a_pause_that_is_taken_back_before_anybody_heard_of_it_is_none(system):
    refs = [system.spawn(Walks) for _ in range(8)]
    for ref in refs:
        ref.pause()
        ref.resume()
    for ref in refs:
        goes_on(ref)


def test_a_pause_stands_over_deaths_and_a_restart_and_each_life_waits_before_its_first_section(system, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Steps, str(told), lives=2)
    goes_on(ref)
    ref.pause()
    stands_still(ref)
    os.kill(ref.info().pid, signal.SIGKILL)
    stands_still(until(lambda: ref.info().incarnation == 2 and ref, LONG), 2)
    assert ref.restart() == "asked"
    stands_still(until(lambda: ref.info().incarnation == 3 and ref, LONG), 3)
    assert [line for line in notes(told) if not line.endswith(" 1")] == ["onfinish"]
    ref.resume()
    until(lambda: "loop 3" in notes(told), LONG)


def test_who_waits_for_its_next_life_can_be_paused_and_resumed(system):
    ref = system.spawn(Walks, lives=3, restart__policy="always", num_loops=1)
    ref.pause()
    stands_still(ref)
    assert ref.resume() == "asked"
    until(lambda: ref.info().incarnation > 1, LONG)
    ref.pause()
    until(lambda: "_stand_still" in ref.stacks(), LONG)
    reached = ref.info().incarnation
    ref.resume()
    until(lambda: ref.info().incarnation > reached, LONG)


def test_a_stop_a_drain_and_a_kill_work_at_once_amid_a_pause(system, tmp_path):
    walker, recorder, doomed = system.spawn(Walks), system.spawn(Tells, str(tmp_path / "told")), system.spawn(Walks)
    recorder.wait_ready(LONG)
    system.pause("*")
    for ref in (walker, recorder, doomed):
        stands_still(ref)
    for number in range(3):
        recorder.tell(number)
    assert walker.stop() == "asked"
    assert walker.wait(LONG) is Status.FINISHED
    assert not walker.info().paused
    assert recorder.stop(drain=True) == "asked"
    assert recorder.wait(LONG) is Status.FINISHED
    assert notes(tmp_path / "told") == ["0", "1", "2"]
    assert doomed.kill() == "asked"
    assert doomed.wait(LONG) is Status.KILLED
    assert (doomed.pause(), doomed.resume()) == ("ended", "ended")


class Tells(Process):
    def __init__(self, told):
        self.told = told

    def __receive__(self, message):
        note(self.told, message)


def test_two_signals_end_a_section_amid_a_pause_as_ever(system):
    ref = system.spawn(Sleeper)
    ref.pause()
    stands_still(ref)
    os.kill(ref.info().pid, signal.SIGTERM)
    assert ref.wait(LONG) is Status.FINISHED


def test_join_in_goes_on_in_a_pause(system):
    ref = system.spawn(Walks, "sleeps", join_in=1.0)
    ref.pause()
    assert ref.wait(LONG) is Status.FINISHED


def test_the_last_lap_is_followed_by_the_end_when_the_pause_is_over(system, tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"
    ref = system.spawn(Steps, str(told), str(gate), num_loops=1)
    until(lambda: "loop 1" in notes(told), LONG)
    ref.pause()
    until(lambda: system._world.orders._standing[ref.uid].heard, LONG)
    gate.touch()
    stands_still(ref)
    assert notes(told) == ["preloop 1", "loop 1"]
    ref.resume()
    assert ref.wait(LONG) is Status.FINISHED
    assert notes(told)[-1] == "onfinish"


def test_one_resume_ends_any_number_of_pauses_and_each_verb_says_what_it_changed(system):
    ref, group = system.spawn(Walks, name="lone"), system.spawn(Walks, name="crew", replicas=2)
    assert (ref.resume(), ref.pause(), ref.pause(), ref.resume(), ref.resume()) == (
        "already", "asked", "already", "asked", "already",
    )  # fmt: skip
    goes_on(ref)
    assert system.pause("crew/*") == {"crew/1": "asked", "crew/2": "asked"}
    assert group.pause() == {"crew/1": "already", "crew/2": "already"}
    assert system.resume([ref, "crew/1"]) == {"lone": "already", "crew/1": "asked"}
    assert group.resume() == {"crew/1": "already", "crew/2": "asked"}
    assert system.pause("nobody*") == {}
    with pytest.raises(UnknownActor):
        system.pause("nobody")


def test_what_is_due_meanwhile_comes_once_when_the_pause_is_over(system, tmp_path):
    ref = system.spawn(Ticks, str(tmp_path / "told"))
    until(lambda: len(notes(tmp_path / "told")) > 2, LONG)
    ref.pause()
    reached = notes(stands_still(ref) and tmp_path / "told")
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 0.2, LONG)
    assert notes(tmp_path / "told") == reached
    ref.resume()
    first = until(lambda: notes(tmp_path / "told")[len(reached) :], LONG)[0]
    assert int(first) >= int(reached[-1]) + 8, "those that were due meanwhile are left out, and counted"


class Ticks(Process):
    def __init__(self, told):
        self.told = told

    def __preloop__(self):
        self.reminder = self.every(0.02, "tick")

    def __receive__(self, message):
        note(self.told, self.reminder.missed)


def test_of_several_in_hand_at_once_each_goes_to_its_end_and_no_other_is_begun(system, tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"
    ref = system.spawn(Juggles, str(told), str(gate))
    ref.tell("a")
    ref.tell("b")
    until(lambda: len(notes(told)) == 2, LONG)
    ref.pause()
    until(lambda: system._world.orders._standing[ref.uid].heard, LONG)
    for word in "cd":
        ref.tell(word)
    gate.touch()
    until(lambda: len(notes(told)) == 4, LONG)
    until(lambda: ref.info().mailbox_depth == 2, LONG)
    assert sorted(notes(told)) == ["a", "a done", "b", "b done"]
    ref.resume()
    until(lambda: len(notes(told)) == 8, LONG)


class Juggles(Process):
    def __init__(self, told, gate):
        self.told, self.gate = told, gate
        self.config.mailbox.concurrency = 3

    async def __receive__(self, message):
        note(self.told, message)
        await asyncio.to_thread(hold, self.gate)
        note(self.told, f"{message} done")


def test_remotes_pause_and_resume_and_observers_see_it(system):
    ref, other = system.spawn(Walks, name="lead"), system.spawn(Walks, name="chorus")
    goes_on(ref)
    ref.wait_ready(20)  # it walks a moment before the parent knows
    with Remote(system.endpoint) as remote, Observer(system.endpoint, kinds="pause") as observer:
        assert not observer.actors["lead"].paused
        assert remote.pause("lead") == {"lead": "asked"}
        assert seen(observer) == ("pause", "lead", "running", "paused", True)
        assert remote.info("lead").paused
        assert "lead" in str(remote.ps())
        assert "RUNNING (paused)" in str(remote.ps())
        stands_still(ref)
        assert remote.resume(["lead", "ch*"]) == {"lead": "asked", "chorus": "already"}
        assert seen(observer) == ("pause", "lead", "paused", "running", False)
    goes_on(ref)
    assert not other.info().paused


def seen(observer):
    event = observer.next(LONG)
    assert event is not None
    return event.kind, event.name, event.before, event.after, observer.actors[event.name].paused
