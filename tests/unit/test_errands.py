"""The thread for what may wait: begun when it is needed, or nothing is promised."""

from __future__ import annotations

import threading

import pytest

from understudy.router import errands as errands_module
from understudy.router.calls import Calls
from understudy.router.errands import Errands, Outcome


def test_where_no_thread_is_to_be_had_an_errand_is_refused_and_the_next_is_run(monkeypatch: pytest.MonkeyPatch):
    calls = Calls()
    errands = Errands("test", calls)
    done = threading.Event()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not errands.run(done.set, lambda _: None)
    errands.close(1.0)
    told: list[Outcome] = []
    assert errands.run(done.set, told.append)
    assert done.wait(20)
    calls.release()
    errands.close(20)


def test_from_an_errand_that_holds_up_its_thread_others_take_over_so_many_times_and_no_more(monkeypatch):
    monkeypatch.setattr(errands_module, "HELD_UP", 0.0)
    monkeypatch.setattr(errands_module, "MOST_HELD_UP", 2)
    calls = Calls()
    errands, gate, done = Errands("test", calls), threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def hold() -> None:
        begun.release()
        gate.wait(60)

    for _ in range(3):
        assert errands.run(hold, lambda _: None)
        assert begun.acquire(timeout=20)
    assert errands.run(done.set, lambda _: None)
    assert len(errands._held_up) == 2
    assert not done.is_set(), "it waits for one of the three"
    calls.close()
    gate.set()
    errands.close(20)
    assert not any("understudy-errands-test" in thread.name for thread in threading.enumerate())


def test_who_cannot_wait_for_an_errand_goes_on():
    calls = Calls()
    errands, gate = Errands("test", calls), threading.Event()
    assert not errands.run_within(0.01, lambda: gate.wait(60))
    calls.close()
    gate.set()
    errands.close(20)
