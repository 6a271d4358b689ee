"""The thread for what may wait: begun when it is needed, or nothing is promised."""

from __future__ import annotations

import threading

import pytest

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
