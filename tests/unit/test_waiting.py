"""What a wait comes to, decided without a clock, a thread or a descriptor of its own."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import understudy
from understudy import (
    ActorDied,
    All,
    Call,
    ConfigError,
    File,
    HeldByStranger,
    Http,
    LogLine,
    Port,
    SubjectDied,
    UnixSocket,
    Wait,
    WaitCancelled,
    WaitFailed,
    WaitTimeout,
    wait_until,
)
from understudy.services.waits.owners import OWN, Finding, Judge, Whose
from understudy.waiting import NOBODY, Holds, Never, NotYet, Pace, Waiting

pytestmark = pytest.mark.requirement("S3")


class Scripted:
    """A wait whose probe gives these answers, the last one for ever."""

    def __init__(self, *answers, timeout=None):
        self.answers = list(answers)
        self.timeout = timeout
        self.looks = 0
        self.closed = 0

    def start(self, subject):
        return self

    def look(self, now):
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self):
        self.closed += 1

    def __repr__(self):
        return "Scripted()"


class Somebody:
    """A subject that ends, or calls off, when the test says so."""

    name = "web"

    def __init__(self):
        self.cause = None
        self.off = False

    def wakes(self):
        return ()

    def ended(self):
        return self.cause

    def called_off(self):
        return self.off

    def pids(self):
        return {os.getpid()}

    def log(self, stream):
        return None


def error_of(answer):
    assert isinstance(answer, Never)
    return answer.error


def test_the_lesser_of_both_timeouts_counts_and_what_was_seen_last_is_told(fake_clock):
    why = ConnectionRefusedError("refused")
    for own, given in ((5.0, None), (None, 5.0), (5.0, 60.0), (60.0, 5.0)):
        wait = Scripted(NotYet("nothing"), NotYet("refused at 127.0.0.1:1", cause=why), timeout=own)
        begun = fake_clock.now()
        waiting = Waiting(wait, Somebody(), given, begun)
        assert isinstance(waiting.look(begun), NotYet)
        assert isinstance(waiting.look(begun + 4.99), NotYet)
        error = error_of(waiting.look(begun + 5.0))
        assert isinstance(error, WaitTimeout)
        assert str(error) == "Scripted() of web did not hold within 5 s; seen last: refused at 127.0.0.1:1"
        assert error.__cause__ is why
        fake_clock.advance(7)


def test_what_holds_at_the_very_end_of_its_time_holds():
    waiting = Waiting(Scripted(Holds("there")), NOBODY, 0, 10.0)
    assert waiting.look(99.0) == Holds("there")


def test_nobody_sleeps_beyond_the_timeout():
    waiting = Waiting(Scripted(NotYet("no", within=100.0)), NOBODY, 5.0, 0.0)
    assert waiting.look(2.0) == NotYet("no", within=3.0)
    waiting = Waiting(Scripted(NotYet("no", readable=(7,))), NOBODY, 5.0, 0.0)
    assert waiting.look(2.0) == NotYet("no", readable=(7,), within=3.0)
    waiting = Waiting(Scripted(NotYet("no", readable=(7,))), NOBODY, None, 0.0)
    assert waiting.look(2.0) == NotYet("no", readable=(7,), within=None)


def test_what_nothing_wakes_is_asked_after_5_ms_and_ever_more_rarely_up_to_250_ms():
    waiting = Waiting(Scripted(NotYet("no")), NOBODY, None, 0.0)
    steps = [waiting.look(float(now)) for now in range(8)]
    assert [step.within for step in steps if isinstance(step, NotYet)] == [
        0.005,
        0.01,
        0.02,
        0.04,
        0.08,
        0.16,
        0.25,
        0.25,
    ]


def test_a_pace_is_due_at_first_and_then_when_its_step_is_over():
    pace = Pace()
    assert pace.is_due(3.0)
    step = pace.next(3.0)
    assert not pace.is_due(3.0 + step / 2)
    assert pace.left(3.0 + step / 2) == pytest.approx(step / 2)
    assert pace.is_due(3.0 + step)


@pytest.mark.fault("F60")
def test_the_end_of_the_subject_ends_the_wait_before_anything_is_asked():
    subject = Somebody()
    wait = Scripted(Holds())
    waiting = Waiting(wait, subject, None, 0.0)
    subject.cause = ActorDied("web was ended by SIGKILL")
    error = error_of(waiting.look(0.0))
    assert isinstance(error, SubjectDied)
    assert str(error) == "web ended while Scripted() was waited for: web was ended by SIGKILL"
    assert error.__cause__ is subject.cause
    assert wait.looks == 0


def test_what_holds_of_a_subject_that_ended_meanwhile_does_not_hold():
    subject = Somebody()

    class Fatal(Scripted):
        def look(self, now):
            subject.cause = ActorDied("gone")
            return Holds()

    assert isinstance(error_of(Waiting(Fatal(Holds()), subject, None, 0.0).look(0.0)), SubjectDied)


def test_a_wait_that_is_called_off_says_so():
    subject = Somebody()
    waiting = Waiting(Scripted(NotYet("no")), subject, None, 0.0)
    waiting.look(0.0)
    subject.off = True
    assert isinstance(error_of(waiting.look(0.0)), WaitCancelled)


def test_waits_in_sequence_are_begun_in_their_turn_and_not_looked_at_again():
    first, second = Scripted(NotYet("one"), Holds("1")), Scripted(NotYet("two"), Holds("2"))
    waiting: Any = Waiting(All(first, second), Somebody(), None, 0.0)
    assert waiting.look(0.0).seen == "Scripted(): one"
    assert second.looks == 0
    assert waiting.look(1.0).seen == "Scripted(): two"
    assert (first.closed, second.closed) == (1, 0)
    assert waiting.look(2.0) == Holds("1; 2")
    waiting.close()
    assert (first.looks, second.looks) == (2, 2)
    assert (first.closed, second.closed) == (1, 1)


def test_each_of_a_sequence_has_its_timeout_from_its_turn_on():
    first = Scripted(NotYet("no"), Holds(), timeout=10.0)
    waiting = Waiting(All(first, Scripted(NotYet("never"), timeout=10.0)), NOBODY, None, 0.0)
    waiting.look(0.0)
    assert isinstance(waiting.look(9.0), NotYet)
    assert isinstance(waiting.look(18.9), NotYet)
    assert str(error_of(waiting.look(19.0))) == "Scripted() did not hold within 10 s; seen last: never"


def test_a_sequence_has_a_timeout_of_its_own_too():
    waiting = Waiting(All(Scripted(NotYet("never")), timeout=4.0), NOBODY, None, 0.0)
    waiting.look(0.0)
    told = "All(Scripted(), timeout=4.0) did not hold within 4 s; seen last: Scripted(): never"
    assert str(error_of(waiting.look(4.0))) == told


def test_a_sequence_that_ends_amid_closes_the_one_that_is_under_way():
    nested = Scripted(NotYet("no"))
    waiting = Waiting(All(Scripted(Holds()), All(nested)), NOBODY, None, 0.0)
    waiting.look(0.0)
    waiting.close()
    assert nested.closed == 1


@pytest.mark.parametrize(
    "last", [Holds("there"), Never(WaitFailed("never")), ZeroDivisionError("the probe's own")], ids=repr
)
def test_a_probe_is_closed_once_however_the_wait_ended(last):
    wait = Scripted(NotYet("no", within=0.0), last)
    if isinstance(last, Holds):
        assert wait_until(wait) == "there"
    else:
        with pytest.raises((WaitFailed, ZeroDivisionError)):
            wait_until(wait)
    assert (wait.looks, wait.closed) == (2, 1)


@pytest.mark.parametrize("answer", [None, True, Holds, "there"], ids=repr)
def test_what_is_no_answer_is_refused_instead_of_being_asked_for_again_for_ever(answer):
    for wait in (Scripted(answer, timeout=5.0), All(Scripted(NotYet("no", within=0.0), answer), timeout=5.0)):
        with pytest.raises(ConfigError, match=r" answered .*: a probe answers Holds, NotYet or Never$"):
            wait_until(wait)


def test_what_wants_to_be_asked_again_before_now_is_asked_at_once():
    assert wait_until(Scripted(NotYet("late", within=-0.5), Holds("there")), timeout=5.0) == "there"


def test_a_wait_of_ones_own_needs_a_timeout_and_a_start():
    class Unlocked:
        timeout = 0.001

        def start(self, subject):
            return Scripted(NotYet("still locked"))

    assert isinstance(Unlocked(), Wait)
    with pytest.raises(WaitTimeout, match="seen last: still locked"):
        wait_until(Unlocked())
    with pytest.raises(ConfigError, match=re.escape("wait must be a Wait, as Port(6390); got 6390")):
        wait_until(6390)  # type: ignore[arg-type]  # it is what is refused
    with pytest.raises(ConfigError, match="wait must be a Wait"):
        wait_until(Port)  # type: ignore[arg-type]  # it is what is refused
    with pytest.raises(ConfigError, match="timeout must be a number of seconds"):
        wait_until(Port(1), timeout="soon")  # type: ignore[arg-type]  # it is what is refused


def test_a_wait_that_gives_a_closed_descriptor_does_not_spin():
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match=f"a wait gave descriptor {read}"):
        wait_until(Scripted(NotYet("no", readable=(read,))), timeout=50)


def test_who_holds_a_port_is_a_stranger_only_when_two_looks_agree():
    him = Finding(Whose.STRANGERS, "held by process 7 (redis)", 7, "redis")
    other = Finding(Whose.STRANGERS, "held by process 8 (nginx)", 8, "nginx")
    judge = Judge("web")
    for finding in (him, other, him):
        answer = judge.weigh(finding, "the port ::1:80", "connected")
        assert isinstance(answer, NotYet)
        assert finding.told in answer.seen
    error = error_of(judge.weigh(him, "the port ::1:80", "connected"))
    assert isinstance(error, HeldByStranger)
    assert (error.pid, error.process) == (7, "redis")
    assert str(error) == "the port ::1:80 is held by process 7 (redis), which is none of web's"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert pickle.loads(pickle.dumps(error)).pid == 7


def test_a_stranger_who_left_is_forgotten():
    judge = Judge("web")
    him = Finding(Whose.STRANGERS, "held by process 7 (redis)", 7, "redis")
    judge.weigh(him, "the port", "connected")
    judge.forget()
    assert isinstance(judge.weigh(him, "the port", "connected"), NotYet)
    assert judge.weigh(OWN, "the port", "connected") == Holds("connected")


def test_where_the_holder_cannot_be_known_the_wait_holds_and_says_so():
    judge = Judge("web")
    unknown = Finding(Whose.UNKNOWN, "who holds it cannot be known")
    assert isinstance(judge.weigh(unknown, "the port", "connected"), NotYet)
    assert judge.weigh(unknown, "the port", "connected") == Holds("connected; who holds it cannot be known")


def ready():
    return True


async def later():
    return True


ANY: Any = understudy
"""The waits without their types: what is refused is what these would not allow."""


@pytest.mark.parametrize(
    ("make", "field", "told"),
    [
        (lambda: ANY.Port(0), "Port.number", "1 to 65535; got 0"),
        (lambda: ANY.Port(65536), "Port.number", "1 to 65535; got 65536"),
        (lambda: ANY.Port(number=True), "Port.number", "got True"),
        (lambda: ANY.Port("80"), "Port.number", "got '80'"),
        (lambda: ANY.Port(80, ""), "Port.host", "'localhost' or '::1'; got ''"),
        (lambda: ANY.Port(80, timeout=0), "Port.timeout", "above 0"),
        (lambda: ANY.Port(80, timeout=float("nan")), "Port.timeout", "got nan"),
        (lambda: ANY.Port(80, timeout=10**400), "Port.timeout", "at most 1000000000"),
        (lambda: ANY.Port(80, timeout=True), "Port.timeout", "got True"),
        (lambda: ANY.UnixSocket(""), "UnixSocket.path", "a path"),
        (lambda: ANY.UnixSocket("x\0y"), "UnixSocket.path", "without a NUL"),
        (lambda: ANY.UnixSocket("\0x\0y"), "UnixSocket.path", "without a NUL"),
        (lambda: ANY.File("x\0y"), "File.path", "without a NUL"),
        (lambda: ANY.UnixSocket("x" * 108), "UnixSocket.path", "at most 107 bytes"),
        (lambda: ANY.File(7), "File.path", "a path"),
        (lambda: ANY.File("x", contains=""), "File.contains", "a text, or None"),
        (lambda: ANY.File("x", contains=b"y"), "File.contains", "got b'y'"),
        (lambda: ANY.Http("localhost:80"), "Http.url", "'http://host:port/path'"),
        (lambda: ANY.Http("ftp://a/"), "Http.url", "got 'ftp://a/'"),
        (lambda: ANY.Http("http:///x"), "Http.url", "got 'http:///x'"),
        (lambda: ANY.Http("http://a:99999/"), "Http.url", "Port out of range"),
        (lambda: ANY.Http("http://a:0/"), "Http.url", "got 'http://a:0/'"),
        (lambda: ANY.Http("http://u:geheim@a/"), "Http.url", "without user and password"),
        (lambda: ANY.Http("http://u:geheim@a:99999/"), "Http.url", "without user and password"),
        (lambda: ANY.Http("http://a/b c"), "Http.url", "%20"),
        (lambda: ANY.Http("http://a/\r\nX: y"), "Http.url", "%20"),
        (lambda: ANY.Http("http://a/", status=99), "Http.status", "100 to 599"),
        (lambda: ANY.Http("http://a/", status=range(0)), "Http.status", "100 to 599"),
        (lambda: ANY.Http("http://a/", status=range(200, 601)), "Http.status", "100 to 599"),
        (lambda: ANY.LogLine("("), "LogLine.pattern", "regular expression"),
        (lambda: ANY.LogLine(re.compile(b"x")), "LogLine.pattern", "for texts"),
        (lambda: ANY.LogLine(""), "LogLine.pattern", "got ''"),
        (lambda: ANY.LogLine("x", stream="stdin"), "LogLine.stream", "'stdout', 'stderr', 'both'"),
        (lambda: ANY.LogLine("x", stream=["stdout"]), "LogLine.stream", "got ['stdout']"),
        (lambda: ANY.Call("ready"), "Call.function", "a plain function"),
        (lambda: ANY.Call(later), "Call.function", "a plain function"),
        (lambda: ANY.Call(lambda it: it), "Call.function", "no arguments"),
        (All, "All.waits", "one or more"),
        (lambda: ANY.All(Port(1), Port), "All.waits[1]", "must be a Wait"),
        (lambda: ANY.All(Port(1), timeout=-1), "All.timeout", "above 0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_where_it_is_set(make, field, told):
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value).startswith(field + " must be ")
    assert told in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "wait",
    [
        Port(6390),
        Port(6390, host="::1", timeout=None),
        UnixSocket("/run/x.sock", timeout=2.5),
        File("/run/x.pid", contains="1", timeout=3.0),
        Http("http://localhost:8080/health"),
        Http("https://localhost/", status=204),
        Http("http://localhost/", status=range(200, 300)),
        LogLine("ready to accept"),
        LogLine(re.compile("ready"), stream="stderr"),
        Call(ready, timeout=1.0),
        All(File("/run/x.pid"), All(Port(1), Port(2), timeout=5.0)),
    ],
    ids=repr,
)
def test_a_wait_prints_as_the_call_that_makes_it_and_travels(wait):
    assert eval(repr(wait)) == wait  # noqa: S307 - that it can be evaluated is what is asked
    assert pickle.loads(pickle.dumps(wait)) == wait
    assert isinstance(wait, Wait)
    with pytest.raises((AttributeError, TypeError)):
        setattr(wait, "timeout", 1.0)  # noqa: B010 - the type says already that it is not allowed


def test_a_path_may_be_a_path_object_and_a_whole_number_of_seconds_is_a_time():
    assert File(Path("/run/x.pid")) == File("/run/x.pid")
    assert UnixSocket(Path("/run/x.sock"), timeout=2) == UnixSocket("/run/x.sock", timeout=2.0)
    assert isinstance(Port(1, timeout=2).timeout, float)


def test_what_waits_loads_neither_sockets_of_zmq_nor_psutil():
    code = "from understudy import Port, Http, LogLine, Call, All, wait_until; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert not {"zmq", "psutil", "understudy.router.loop"} & set(run.stdout.split())
