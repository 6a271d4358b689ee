"""Who looks after what waits: told so from anywhere, also from a finalizer that strikes amid the telling."""

from __future__ import annotations

import sys
import threading

import pytest

from tests.stage import until
from understudy.mail import flusher as flusher_module
from understudy.mail import mishaps
from understudy.mail.flusher import Flusher

pytestmark = pytest.mark.requirement("A7")


class Waiting:
    """Counts how often it was looked at; asks to be looked at again as often as it is told to."""

    def __init__(self, *again):
        self.again, self.looks = list(again), 0

    def flush_late(self):
        self.looks += 1
        return self.again.pop() if self.again else None


def looked_at(waiting, times):
    until(lambda: waiting.looks >= times, 20, f"{times} looks")


def striking(flusher, waiting):
    """A trace that notes amid each line of what notes, and of what waits, as a finalizer may."""
    places = {flusher_module.__file__, threading.__file__}

    def strike(frame, event, _):
        if frame.f_code.co_filename not in places:
            return None
        if event == "line":
            flusher.note(waiting)
        return strike

    return strike


@pytest.fixture
def flusher():
    flusher = Flusher("flusher")
    yield flusher
    flusher.close()


def test_what_is_noted_is_looked_at_and_again_as_long_as_it_asks_for_it(flusher):
    soon, later = Waiting(0.0, 0.0), Waiting(0.05, 0.01)
    for waiting in (soon, later):
        flusher.note(waiting)
    until(lambda: (soon.looks, later.looks) == (3, 3), 20, "three looks at both")
    flusher.note(soon)
    until(lambda: soon.looks == 4, 20, "one more look")


def test_a_finalizer_may_note_amid_a_note_and_amid_the_flushers_own_wait(flusher):
    struck = Waiting()
    strike, before = striking(flusher, struck), sys.gettrace()
    threading.settrace(strike)
    sys.settrace(strike)
    try:
        for _ in range(3):
            waiting, looks = Waiting(0.001), struck.looks
            flusher.note(waiting)
            looked_at(waiting, 2)
            looked_at(struck, looks + 1)
    finally:
        sys.settrace(before)
        threading.settrace(None)


def test_many_threads_note_at_once_and_each_is_looked_at(flusher):
    noted = [[Waiting() for _ in range(200)] for _ in range(4)]

    def note(all_of_them):
        for waiting in all_of_them:
            flusher.note(waiting)

    threads = [threading.Thread(target=note, args=(some,)) for some in noted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: all(waiting.looks == 1 for some in noted for waiting in some), 20, "one look at each")


class Failing(Waiting):
    """Fails so often before it is looked after."""

    def flush_late(self):
        again = super().flush_late()
        if again is not None:
            raise MemoryError("none is left")
        return again


def test_what_one_meets_is_told_once_and_neither_it_nor_the_others_are_left_alone(flusher, caplog, monkeypatch):
    monkeypatch.setattr(mishaps, "AGAIN", 0.01)
    failing, other = Failing(1, 1, 1), Waiting()
    flusher.note(failing)
    looked_at(failing, 4)
    flusher.note(other)
    looked_at(other, 1)
    assert [record.exc_info[0] for record in caplog.records] == [MemoryError]
    assert "the flusher of messages met something unforeseen" in caplog.text


def test_where_no_thread_can_be_had_the_next_one_that_waits_begins_it(flusher, monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            flusher.note(Waiting())
    waiting = Waiting()
    flusher.note(waiting)
    looked_at(waiting, 1)
