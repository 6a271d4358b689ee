"""From what the router keeps to what the asking thread gets: a value, or an error that says what, where and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from understudy.errors import (
    SECTION_ERRORS,
    ActorDied,
    ActorError,
    ActorKilled,
    ErrorHandlerError,
    MainLoopError,
    MainLoopTimeoutError,
    PreloopError,
    ResultError,
    SectionError,
    StartError,
    StartTimeout,
)
from understudy.lifecycle.actor import Outcome
from understudy.outcome import RemoteTraceback, Sealed, build_error, open_outcome
from understudy.runtime import NOTHING
from understudy.status import Crash, DeathReport, Status
from understudy.wire.messages import Rites
from understudy.wire.pickling import dump_frames

REPORT = DeathReport("indexer", 1, 1, "why")
STORY = 'Traceback (most recent call last):\n  File "texts.py", line 7, in __loop__\nConnectionError: refused\n'


class Bomb:
    """It goes off when it is opened."""

    def __init__(self, error: str) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        return go_off, (self.error,)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


BOMBS: dict[str, BaseException] = {
    "error": ValueError("boom"),
    "exit": SystemExit(3),
    "mute": Mute(),
    "interrupt": KeyboardInterrupt(),
}


def go_off(kind: str) -> None:
    raise BOMBS[kind]


def frames(value: object) -> tuple[Any, ...]:
    return tuple(dump_frames(value, "it"))


def result(value: object) -> Sealed:
    return Sealed(frames(value))


def rites(word: str, value: object = None, **facts: Any) -> Rites:
    told = {"type_name": "", "text": "", "traceback": "", **facts}
    return Rites(word, measures={}, frames=() if value is None else frames(value), **told)


CRASH = Crash(
    "error",
    1,
    section="loop",
    lap=17,
    type_name="ConnectionError",
    text="refused",
    traceback=STORY,
    payload=frames(ConnectionError("refused")),
)


def opened(outcome: Outcome) -> tuple[Any, Any]:
    return open_outcome(outcome, "indexer", 2, REPORT)


def failed(crash: Crash, **more: Any) -> Any:
    value, error = opened(Outcome(Status.CRASHED, crash=crash, **more))
    assert value is NOTHING or more
    return error


# --- results


@pytest.mark.parametrize("value", [None, 0, "text", [1, {"two": b"3"}]])
def test_a_finished_actor_has_its_result(value: object):
    assert opened(Outcome(Status.FINISHED, result=result(value))) == (value, None)


def test_an_actor_that_finished_before_it_was_born_has_none():
    assert opened(Outcome(Status.FINISHED)) == (None, None)


@pytest.mark.requirement("E5")
@pytest.mark.parametrize(
    ("bomb", "text"), [("error", "ValueError: boom"), ("exit", "SystemExit: 3"), ("mute", "Mute: ")]
)
def test_a_result_that_cannot_be_opened_here_is_a_typed_error_with_the_reason(bomb: str, text: str):
    value, error = opened(Outcome(Status.FINISHED, result=result(Bomb(bomb))))
    assert value is NOTHING
    assert isinstance(error, ResultError)
    assert str(error).startswith(text)
    assert str(error).endswith("(the result of indexer arrived but cannot be opened here)")
    assert type(error.__cause__) is type(BOMBS[bomb])
    assert (error.name, error.section) == ("indexer", "result")


def test_an_interrupt_while_a_result_is_opened_is_the_users():
    with pytest.raises(KeyboardInterrupt):
        opened(Outcome(Status.FINISHED, result=result(Bomb("interrupt"))))


def test_a_crash_after_the_result_bears_it():
    crash = Crash("signal", 1, lap=17, text="was ended by SIGSEGV", signal="SIGSEGV")
    error = failed(crash, result=result({"kept": True}))
    assert isinstance(error, ActorDied)
    assert error.result == {"kept": True}
    assert failed(crash, result=result(Bomb("error"))).result is None


# --- errors by what happened


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("section", SECTION_ERRORS)
def test_each_section_has_its_error_with_place_and_cause(section: str):
    plain, timed_out = SECTION_ERRORS[section]
    error = failed(replace(CRASH, section=section))
    assert type(error) is plain
    assert str(error) == f"ConnectionError: refused (__{section}__ of indexer, lap 17, incarnation 1)"
    assert (error.section, error.lap, error.incarnation, error.name, error.report) == (
        section,
        17,
        1,
        "indexer",
        REPORT,
    )
    assert type(error.__cause__) is ConnectionError
    late = failed(Crash("timeout", 1, section=section, lap=17, seconds=2.5))
    assert type(late) is timed_out
    assert str(late) == f"__{section}__ of indexer ran 2.5 s (lap 17, incarnation 1)"
    assert late.__cause__ is None


@pytest.mark.requirement("E4")
def test_errors_print_their_class_then_cause_and_place():
    crash = Crash("error", 1, section="preloop", lap=1, type_name="RuntimeError", text="Connection refused")
    printed = f"{type(failed(crash)).__name__}: {failed(crash)}"
    assert printed == "PreloopError: RuntimeError: Connection refused (__preloop__ of indexer, lap 1, incarnation 1)"
    late = failed(Crash("timeout", 1, section="loop", lap=17, seconds=2.5))
    assert (
        f"{type(late).__name__}: {late}"
        == "MainLoopTimeoutError: __loop__ of indexer ran 2.5 s (lap 17, incarnation 1)"
    )
    dead = failed(Crash("signal", 1, section="loop", lap=17, text="was ended by SIGSEGV", signal="SIGSEGV"))
    assert (
        f"{type(dead).__name__}: {dead}"
        == "ActorDied: indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 1)"
    )


@pytest.mark.parametrize(
    ("crash", "kind", "facts"),
    [
        (
            Crash("signal", 1, text="was ended by SIGBUS", signal="SIGBUS"),
            ActorDied,
            {"signal": "SIGBUS", "exit_code": None},
        ),
        (Crash("exit", 1, text="exited with code 3", exit_code=3), ActorDied, {"signal": None, "exit_code": 3}),
        (Crash("lost", 1, text="was silent"), ActorDied, {}),
        (Crash("unknown", 1, text="died"), ActorDied, {"signal": None, "exit_code": None}),
        (
            Crash("signal", 1, phase="connecting", text="was ended", signal="SIGKILL"),
            StartError,
            {"phase": "connecting"},
        ),
        (Crash("exit", 1, phase="connecting", text="exited", exit_code=70), StartError, {"exit_code": 70}),
        (Crash("unborn", 1, text="could not be forked: EAGAIN"), StartError, {"phase": ""}),
        (Crash("boot", 1, phase="opening its state", type_name="E"), StartError, {"phase": "opening its state"}),
        (Crash("startup", 1, phase="connecting", seconds=0.5, signal="SIGKILL"), StartTimeout, {"phase": "connecting"}),
    ],
    ids=lambda part: part.kind if isinstance(part, Crash) else "",
)
def test_a_death_has_the_error_of_its_kind_with_the_facts(
    crash: Crash, kind: type[ActorError], facts: dict[str, object]
):
    error = failed(crash)
    assert type(error) is kind
    assert str(error) == crash.headline("indexer")
    assert {name: getattr(error, name) for name in facts} == facts
    assert error.report is REPORT


def test_a_boot_error_has_its_original_as_the_cause():
    original = ModuleNotFoundError("No module named 'texts'", name="texts")
    error = failed(replace(CRASH, kind="boot", section="", phase="opening its state", payload=frames(original)))
    assert type(error) is StartError
    assert isinstance(error.__cause__, ModuleNotFoundError)
    assert error.__cause__.name == "texts"


# --- causes


@pytest.mark.requirement("E4")
def test_the_childs_traceback_is_the_last_in_the_chain_of_causes():
    inner = KeyError("k")
    outer = ConnectionError("refused")
    outer.__cause__ = inner
    error = failed(replace(CRASH, payload=frames(outer)))
    assert type(error.__cause__) is ConnectionError
    assert type(error.__cause__.__cause__) is KeyError
    remote = error.__cause__.__cause__.__cause__
    assert isinstance(remote, RemoteTraceback)
    assert 'File "texts.py", line 7, in __loop__' in str(remote)


@pytest.mark.requirement("E5")
@pytest.mark.parametrize(
    "payload", [(), frames(Bomb("error")), frames(Bomb("exit")), frames("no exception"), (b"no pickle",)]
)
def test_an_original_that_cannot_be_opened_leaves_its_text_and_traceback(payload: tuple[Any, ...]):
    error = failed(replace(CRASH, payload=payload))
    assert type(error) is MainLoopError
    assert str(error).startswith("ConnectionError: refused (")
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "line 7" in str(error.__cause__)


def test_a_chain_that_is_a_circle_is_left_as_it_is():
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    error = failed(replace(CRASH, payload=frames(one)))
    assert error.__cause__.__cause__.__cause__ is error.__cause__


def test_in_the_child_the_original_itself_is_the_cause():
    original = ConnectionError("refused")
    error = build_error(CRASH, "indexer", None, original)
    assert error.__cause__ is original
    assert (error.report, error.incarnation) == (None, 1)


# --- kills


@pytest.mark.parametrize(
    ("crash", "text"),
    [
        (None, "indexer was killed before it had a process"),
        (Crash("unborn", 1, text="could not be forked: EAGAIN"), "indexer was killed before it had a process"),
        (
            Crash("signal", 1, section="loop", lap=17, text="was killed", signal="SIGKILL"),
            "indexer was killed in __loop__ (lap 17, incarnation 1)",
        ),
        (
            replace(CRASH, payload=()),
            "indexer was killed; before that: ConnectionError: refused (__loop__ of indexer, lap 17, incarnation 1)",
        ),
    ],
)
def test_a_killed_actor_says_that_it_was_killed(crash: Crash | None, text: str):
    value, error = opened(Outcome(Status.KILLED, crash=crash))
    assert value is NOTHING
    assert type(error) is ActorKilled
    assert str(error) == text
    assert (error.name, error.incarnation, error.report) == ("indexer", 2, REPORT)


# --- last rites


@pytest.mark.requirement("L3")
def test_rites_that_return_nothing_leave_the_original_error():
    error = failed(CRASH, rites=rites("original"))
    assert type(error) is MainLoopError


@pytest.mark.requirement("L3")
def test_rites_that_return_an_exception_put_it_in_place_of_the_error():
    error = failed(CRASH, rites=rites("raise", LookupError("other"), traceback="LookupError: other\n"))
    assert type(error) is LookupError
    assert str(error) == "other"


@pytest.mark.requirement("L3")
def test_rites_that_return_anything_else_make_a_fallback_beside_the_error():
    value, error = opened(Outcome(Status.CRASHED, crash=CRASH, rites=rites("fallback", {"so": "far"})))
    assert value == {"so": "far"}
    assert type(error) is MainLoopError


@pytest.mark.requirement("L3")
def test_rites_that_raise_are_an_error_of_their_own_with_the_first_as_the_cause():
    error = failed(
        CRASH, rites=rites("failed", KeyError("k"), type_name="KeyError", text="'k'", traceback="KeyError: 'k'")
    )
    assert type(error) is ErrorHandlerError
    assert str(error) == "KeyError: 'k' (__error__ of indexer, incarnation 2)"
    assert type(error.__cause__) is MainLoopError
    assert type(error.__context__) is KeyError
    assert (error.section, error.name, error.report) == ("error", "indexer", REPORT)


@pytest.mark.requirement("L3")
def test_rites_that_take_too_long_leave_the_first_error_with_a_note():
    error = failed(CRASH, rites=rites("failed", timeout=0.5))
    assert type(error) is MainLoopError
    assert error.__notes__ == ["__error__ of indexer ran 0.5 s and was ended"]


@pytest.mark.requirement("E5")
@pytest.mark.parametrize("told", [rites("raise"), rites("raise", Bomb("error")), rites("raise", "no exception")])
def test_an_exception_of_the_rites_that_cannot_be_opened_keeps_its_text_in_a_typed_error(told: Rites):
    error = failed(CRASH, rites=replace(told, type_name="Strange", text="not for travelling", traceback="Strange: x"))
    assert isinstance(error, SectionError)
    assert "Strange: not for travelling" in str(error)
    assert "__error__ of indexer" in str(error)
    assert type(error.__cause__) is MainLoopError


def test_a_fallback_that_cannot_be_opened_is_a_typed_error():
    value, error = opened(Outcome(Status.CRASHED, crash=CRASH, rites=rites("fallback", Bomb("error"))))
    assert value is NOTHING
    assert isinstance(error, ResultError)


def test_each_opening_makes_an_error_of_its_own():
    outcome = Outcome(Status.CRASHED, crash=replace(CRASH, section="preloop"))
    (_, one), (_, other) = opened(outcome), opened(outcome)
    assert isinstance(one, PreloopError)
    assert one is not other


def test_a_timeout_told_with_an_original_has_it_as_the_cause():
    error = failed(replace(CRASH, kind="timeout", seconds=2.5))
    assert type(error) is MainLoopTimeoutError
    assert type(error.__cause__) is ConnectionError
