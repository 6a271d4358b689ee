"""Ctrl-C is heeded also where Python drops what its handler raised."""

from __future__ import annotations

import gc
import os
import signal
import threading

import pytest

from understudy.cli import presses


class Dies:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # so that the handler has its turn in here
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_press_that_strikes_a_finalizer_is_heard_of_at_the_next_look():
    before = signal.getsignal(signal.SIGINT)
    with presses.remembered():
        presses.check()
        Dies()
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            presses.check()
    assert signal.getsignal(signal.SIGINT) is before
    presses.check()


def test_who_handles_ctrl_c_himself_and_other_threads_are_left_alone():
    taken: list[object] = []
    before = signal.signal(signal.SIGINT, lambda *_: taken.append(1))
    try:
        with presses.remembered():
            os.kill(os.getpid(), signal.SIGINT)
            presses.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert taken == [1]

    def other():
        with presses.remembered():
            taken.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert taken[1:] == [before]
