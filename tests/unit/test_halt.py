"""The wishes to stop and to pause, as the threads of one process set and see them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engine.halt import AFTER_LAP, AFTER_SECTION, NO, Halt
from understudy.wire.page import DEADLINE, NEVER, Page

pytestmark = pytest.mark.requirement("A8")

LONG = 30


@pytest.fixture(scope="module")
def bell() -> Iterator[int]:
    ends = os.pipe()
    yield ends[1]
    for end in ends:
        os.close(end)


@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.sampled_from(["pause", "pause", "resume", "renew"]), max_size=8),
    end=st.sampled_from(["resume", "stop"]),
    first=st.booleans(),
)
def test_however_often_it_is_paused_and_resumed_it_goes_on_when_the_last_word_says_so(bell, words, end, first):
    halt, page = Halt(bell), Page.blank()
    halt.page = page
    page.reals[DEADLINE] = time.monotonic() + 1000

    def say() -> None:
        for word in words:
            getattr(halt, word)()
        if end == "stop":
            halt.stop(AFTER_LAP, "a stop")
        else:
            halt.resume()

    speaker = threading.Thread(target=say)
    if first:
        halt.pause()
    speaker.start()
    while speaker.is_alive():
        assert halt.hold() in {NO, AFTER_LAP}
    speaker.join()
    assert halt.hold() == (AFTER_LAP if end == "stop" else NO)
    assert halt.heed == (end == "stop" or "renew" in words)
    assert page.reals[DEADLINE] != NEVER
    assert not halt._waits


def test_a_stop_wakes_all_that_sleep_and_a_pause_only_holds_the_main_thread(bell):
    halt = Halt(bell)
    slept: list[bool] = []
    others = [threading.Thread(target=lambda: slept.append(halt.sleep(LONG))) for _ in range(3)]
    quick = threading.Thread(target=lambda: slept.append(halt.sleep(0.01)))
    halt.pause()
    for thread in (*others, quick):
        thread.start()
    quick.join(LONG)
    assert slept == [True], "another thread sleeps on in a pause"
    stopper = threading.Thread(target=lambda: halt.stop(AFTER_SECTION, "a stop"))
    stopper.start()
    assert halt.sleep(LONG) is False
    for thread in (*others, stopper):
        thread.join(LONG)
    assert slept == [True, False, False, False]


def test_a_handler_of_the_very_thread_that_stands_still_wakes_it(bell):
    halt = Halt(bell)
    before = signal.signal(signal.SIGUSR1, lambda *_: halt.stop(AFTER_SECTION, "a signal"))
    try:
        halt.pause()
        main = threading.main_thread().ident or 0
        timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGUSR1))
        timer.start()
        assert halt.hold() == AFTER_SECTION
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_is_in_hand_beside_others_does_not_stand_still_and_the_pause_is_not_forgotten(bell):
    halt = Halt(bell)
    halt.amid = lambda: "a message"
    halt.pause()
    assert (halt.hold(), halt.heed) == (NO, True)
    assert halt.sleep(0.01) is True
