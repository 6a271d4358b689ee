"""A signal that comes just before a wait interrupts nothing: it is heeded all the same, a moment later."""

from __future__ import annotations

import _thread
import signal
import sys
import threading

import pytest

from tests.stage import until
from understudy import Process, Status

pytestmark = [pytest.mark.requirement("K1"), pytest.mark.fault("F29")]


def remind_when_it_waits():
    """As such a signal does it: the interpreter is told of it, and no system call is interrupted."""
    main = threading.main_thread().ident or 0

    def remind():
        until(lambda: sys._current_frames()[main].f_code.co_qualname in {"Halt.wait", "Poller.poll"}, 30, "its wait")
        _thread.interrupt_main(signal.SIGTERM)

    threading.Thread(target=remind, daemon=True).start()


class Sleeps(Process):
    def __loop__(self):
        remind_when_it_waits()
        self.sleep(600)


class Serves(Process):
    def __preloop__(self):
        remind_when_it_waits()

    def __receive__(self, message): ...


class Receives(Process):
    def __loop__(self):
        remind_when_it_waits()
        self.receive()


class Awaits(Process):
    def __loop__(self):
        other = self.spawn(Idle)
        other.wait_ready()
        remind_when_it_waits()
        other.wait()


class Idle(Process):
    def __receive__(self, message): ...


@pytest.mark.parametrize("kind", [Sleeps, Serves, Receives, Awaits])
def test_a_sigterm_just_before_a_wait_ends_it(system, kind):
    assert system.spawn(kind()).wait(20) is Status.FINISHED
