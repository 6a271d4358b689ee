"""A kill that does nothing: told, and nobody else waits for it."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage import alive, gone, until
from understudy import ActorSystem, Observer, Process, Status, SystemClosed, WaitTimeout, failpoints
from understudy.lifecycle import descent
from understudy.router import closing


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@pytest.fixture
def blunt(monkeypatch):
    """No SIGKILL of the router's is sent; what is unkillable is called so after half a second."""
    monkeypatch.setattr(descent, "UNKILLABLE_AFTER", 0.5)
    monkeypatch.setattr(closing, "AFTER_LADDER", 0.5)
    failpoints.load("signal.kill=skip")
    yield
    failpoints.load(None)


@pytest.mark.fault("F43")
def test_an_actor_that_a_kill_does_not_end_is_told_as_unkillable_and_others_go_on(system, blunt):
    ref, other = system.spawn(Idle, name="idle"), system.spawn(Idle, name="other")
    ref.wait_ready(20)
    other.wait_ready(20)
    pid = ref.info().pid
    with Observer(system.endpoint) as observer:
        assert ref.kill() == "asked"
        seen = next(event for event in observer if event.after == "unkillable")
        assert (seen.kind, seen.name, seen.uid) == ("health", "idle", ref.uid)
        assert str(pid) in str(seen.cause)
    assert alive(pid)
    assert not ref.done()
    with pytest.raises(WaitTimeout):
        ref.wait(0.05)
    assert other.stop() == "asked"
    assert other.wait(20) is Status.FINISHED
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    assert ref.kill() == "already"
    failpoints.load(None)
    assert ref.wait(20) is Status.KILLED  # the wish stands: it was sent again
    gone(pid)


@pytest.mark.fault("F43")
def test_a_cleanup_does_not_wait_for_ever_for_what_cannot_be_killed(system, blunt, caplog):
    ref, other = system.spawn(Idle, name="idle"), system.spawn(Idle, name="other")
    ref.wait_ready(20)
    other.wait_ready(20)
    ended = system.cleanup(force=True)
    assert ended == {"idle": Status.STOPPING, "other": Status.STOPPING}
    assert [record.levelno for record in caplog.records if "cannot be killed" in record.getMessage()] == [
        logging.ERROR
    ] * 2
    failpoints.load(None)
    assert [ref.wait(20), other.wait(20)] == [Status.KILLED] * 2


@pytest.mark.fault("F43")
def test_a_shutdown_leaves_what_it_cannot_kill_to_its_zygote_and_wakes_who_waits(blunt, caplog):
    system = ActorSystem()
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    pid = ref.info().pid
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ref.wait, 40)
        until(waiting.running)
        system.shutdown(force=True)
        with pytest.raises(SystemClosed, match=ref.name):
            waiting.result(20)
    gone(pid or 0)
    assert f"(pid {pid}) cannot be killed" in caplog.text
    assert not system.is_open
    with pytest.raises(SystemClosed):
        ref.result(0)
