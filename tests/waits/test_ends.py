"""What ends a wait before its time: a death, a word from another thread; and functions that are asked."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from tests.waits.programs import Aside, Begun, follow, free_port, running
from understudy import (
    ActorDied,
    All,
    Call,
    File,
    Http,
    LogLine,
    Port,
    SubjectDied,
    UnixSocket,
    WaitCancelled,
    WaitFailed,
    WaitTimeout,
    wait_until,
)
from understudy.services.waits import aside
from understudy.services.waits.watched import Watched
from understudy.waiting import NOBODY, NotYet, Waiting

pytestmark = pytest.mark.requirement("S3")

NEVER = 1000.0
"""Seconds beyond all that a test may take: who ends earlier was woken."""


class Scripted:
    """A wait that gives this answer, whenever it is asked."""

    timeout = None

    def __init__(self, answer):
        self.answer = answer

    def start(self, subject):
        return self

    def look(self, now):
        return self.answer

    def close(self):
        pass


@pytest.fixture
def waits(tmp_path):
    """Each kind, in vain; what hangs is let go at the end."""
    may = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = server.getsockname()[1]
        yield {
            "Port": lambda: Port(free_port(), timeout=NEVER),
            "UnixSocket": lambda: UnixSocket(tmp_path.name, timeout=NEVER),
            "File": lambda: File(tmp_path / "none", timeout=NEVER),
            "Http": lambda: Http(f"http://127.0.0.1:{free_port()}/", timeout=NEVER),
            "Http that hangs": lambda: Http(f"http://127.0.0.1:{silent}/", timeout=NEVER),
            "LogLine": lambda: LogLine("never", timeout=NEVER),
            "Call": lambda: Call(lambda: 0, timeout=NEVER),
            "Call that hangs": lambda: Call(lambda: may.wait(50), timeout=NEVER),
            "All": lambda: All(File(tmp_path), All(File(tmp_path), File(tmp_path / "none", timeout=NEVER))),
            "asleep": lambda: Scripted(NotYet("no", within=3600)),
        }
        may.set()


KINDS = (
    "Port", "UnixSocket", "File", "Http", "Http that hangs", "LogLine", "Call", "Call that hangs", "All", "asleep",
)  # fmt: skip


@pytest.mark.fault("F60")
@pytest.mark.parametrize("kind", KINDS)
def test_the_death_of_what_is_waited_for_ends_the_wait_at_once(waits, tmp_path, kind):
    (tmp_path / "log").touch()
    with running() as (program, _), Watched(program.pid, "web", logs={"stdout": str(tmp_path / "log")}) as subject:
        wait = Begun(waits[kind]())
        ends = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        program.kill()
        error = ends.outcome()
    assert isinstance(error, SubjectDied)
    assert str(error).startswith("web ended while ")
    assert isinstance(error.__cause__, ActorDied)
    assert error.__cause__.signal == "SIGKILL"


@pytest.mark.parametrize("kind", KINDS)
def test_another_thread_calls_a_wait_off(waits, tmp_path, kind):
    (tmp_path / "log").touch()
    with Watched(os.getpid(), "web", logs={"stdout": str(tmp_path / "log")}) as subject:
        wait = Begun(waits[kind]())
        ends = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        subject.call_off()
        assert isinstance(ends.outcome(), WaitCancelled)


@pytest.mark.fault("F60")
def test_a_program_that_had_ended_before_is_told_with_its_exit_code():
    with running("raise SystemExit(3)") as (program, subject):
        assert os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT) is not None
        with pytest.raises(SubjectDied, match=r"web \(pid \d+\) exited with code 3") as caught:
            wait_until(File("/", timeout=NEVER), subject)
        assert isinstance(caught.value.__cause__, ActorDied)
        assert caught.value.__cause__.exit_code == 3


def test_a_program_that_somebody_else_reaped_has_ended_too():
    with running() as (program, subject):
        program.bury()
        with pytest.raises(SubjectDied, match=r"web \(pid \d+\) has ended"):
            wait_until(File("/"), subject)
    with pytest.raises(ProcessLookupError):
        Watched(program.pid)


@pytest.mark.fault("F60")
def test_a_wait_that_is_never_true_ends_at_its_timeout_and_the_program_goes_on(tmp_path):
    with running() as (program, subject):
        with pytest.raises(WaitTimeout, match=r"of web did not hold within 0\.05 s"):
            wait_until(All(File(tmp_path), File(tmp_path / "none", timeout=0.05)), subject)
        assert program.process.poll() is None


def test_a_signal_interrupts_a_wait_in_the_main_thread():
    class Struck(Exception):
        pass

    def strike(number, frame):
        raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(Struck):
            wait_until(Scripted(NotYet("no", within=3600)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_function_is_asked_until_what_it_gives_is_true():
    given: Iterator[Any] = iter([0, [], None, "here"])
    assert wait_until(Call(lambda: next(given))).endswith("<lambda>() gave 'here'")


def test_a_function_is_not_asked_sooner_because_something_else_woke_who_waits():
    asked: list[int] = []
    waiting = Waiting(Call(lambda: asked.append(1)), NOBODY, None, 0.0)
    try:
        answer = waiting.look(0.0)
        while isinstance(answer, NotYet) and answer.readable:
            answer = waiting.look(0.0)
        assert isinstance(answer, NotYet)
        assert answer.within == 0.005
        assert waiting.look(0.002) == NotYet(answer.seen, within=0.003)
        assert asked == [1]
    finally:
        waiting.close()


def test_what_a_function_raises_means_no_and_the_last_of_it_is_the_cause():
    said = iter([ValueError("one"), SystemExit(2), KeyError("three")])

    def ready():
        raise next(said, OSError("the last"))

    last = follow(Call(ready), lambda answer: isinstance(answer.cause, OSError))
    assert last.seen.endswith("ready() raised OSError: the last")
    assert last.cause is not None
    told = [frame.name for frame in traceback.extract_tb(last.cause.__traceback__)]
    assert told[-1] == "ready"
    for one in threading.enumerate():
        if one.name == "understudy-call":
            one.join(30)
    assert not [one for one in gc.get_objects() if isinstance(one, aside.Aside)], "an error holds no descriptors"
    with pytest.raises(WaitTimeout) as caught:
        wait_until(Scripted(last), timeout=0)
    assert caught.value.__cause__ is last.cause


def test_a_truth_that_cannot_be_told_means_no():
    class Neither:
        def __bool__(self):
            raise ValueError("neither true nor false")

    assert follow(Call(Neither), lambda answer: answer.cause).seen.endswith("ValueError: neither true nor false")


def test_a_function_that_gives_something_to_be_awaited_is_refused_at_once():
    async def ready():
        return True

    with pytest.raises(WaitFailed, match="which nobody awaits"):
        wait_until(Call(lambda: ready(), timeout=NEVER))  # noqa: PLW0108 - a coroutine function itself is refused


def test_a_function_that_does_not_return_is_told_and_left_to_its_thread():
    may = threading.Event()

    def hangs():
        may.wait(50)

    try:
        begun = time.monotonic()
        with pytest.raises(WaitTimeout, match=r"hangs\(\) has not returned for"):
            wait_until(Call(hangs, timeout=0.1))
        assert time.monotonic() - begun < 40
    finally:
        may.set()


def test_a_call_is_made_in_a_thread_of_its_own_and_none_beside_another():
    seen = []

    def ready():
        running = [one for one in threading.enumerate() if one.name == "understudy-call"]
        seen.append((threading.current_thread() is not threading.main_thread(), len(running)))
        return len(seen) == 5

    wait_until(Call(ready))
    assert seen == [(True, 1)] * 5
