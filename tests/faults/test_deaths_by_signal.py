"""Deaths in C: the signal is named, and the death report has the stack."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import threading

import pytest

from tests.stage import note, noted, report_of
from understudy import ActorDied, Process, Status


def crash_deep(how, told):
    match how:
        case "SIGSEGV":
            ctypes.string_at(8)
        case "SIGABRT":
            ctypes.CDLL(None).abort()
        case "SIGBUS":
            fd = os.memfd_create("short")
            os.ftruncate(fd, mmap.PAGESIZE)
            page = mmap.mmap(fd, mmap.PAGESIZE)
            os.ftruncate(fd, 0)
            page[0] = 1
        case "SIGFPE" | "SIGILL" | "SIGKILL" | "SIGTRAP" | "SIGUSR1":
            os.kill(os.getpid(), signal.Signals[how])
            signal.pause()


class Crashing(Process):
    def __init__(self, how, told):
        self.how, self.told = how, told

    def __loop__(self):
        if self.current_lap == 3:
            print("on the edge", file=sys.stderr)
            note(self.told, os.getpid())
            crash_deep(self.how, self.told)


@pytest.mark.fault("F17")
@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_crash_in_c_names_its_signal_and_reports_the_stack(system, tmp_path, how, host):
    ref = system.spawn(Crashing, how, tmp_path / "told", name="c", host=host)
    with pytest.raises(ActorDied) as caught:
        ref.result(30)
    error = caught.value
    assert str(error) == f"c was ended by {how} in __loop__ (lap 3, incarnation 1)"
    assert (error.signal, error.exit_code) == (how, None)
    report = report_of(error)
    assert (report.signal, report.section, report.lap, report.incarnation) == (how, "loop", 3, 1)
    assert "in crash_deep" in report.stacks
    assert "in __loop__" in report.stacks
    assert report.stderr[-1:] == ("on the edge",)
    assert "crash_deep" in str(report)
    assert report.usage is not None
    assert report.usage.max_rss_mb > 1
    (life,) = ref.history()
    assert (life.signal, life.report) == (how, report)
    assert life.pid == int(noted(tmp_path / "told")[0])


@pytest.mark.fault("F17")
@pytest.mark.parametrize("how", ["SIGFPE", "SIGILL", "SIGKILL", "SIGTRAP", "SIGUSR1"])
def test_any_other_deadly_signal_is_named_too(system, tmp_path, how):
    error = system.spawn(Crashing, how, tmp_path / "told").exception(30)
    assert isinstance(error, ActorDied)
    assert (error.signal, report_of(error).signal) == (how, how)


@pytest.mark.fault("F17")
def test_a_crash_in_c_costs_a_life_and_the_report_of_each_is_kept(system, tmp_path):
    config = {"lives": 2, "restart.backoff.base": 0}
    ref = system.spawn(Crashing, "SIGSEGV", tmp_path / "told", config=config)
    assert ref.wait(30) is Status.CRASHED
    first, second = ref.history()
    assert first.report != second.report
    assert all("crash_deep" in life.report.stacks for life in (first, second))


@pytest.mark.fault("F17")
def test_the_stack_of_a_crash_in_another_thread_names_that_thread_first(system):
    class Threaded(Process):
        def __loop__(self):
            threading.Thread(target=crash_deep, args=("SIGSEGV", None)).start()
            threading.Event().wait()

    error = system.spawn(Threaded).exception(30)
    assert isinstance(error, ActorDied)
    current, _, others = report_of(error).stacks.partition("Current thread")[2].partition("\n\n")
    assert "in crash_deep" in current
    assert "in __loop__" in others
