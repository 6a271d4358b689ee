"""An exception, or an exit, in any hook: the section is named and the first cause kept."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from tests.stage import note, notes, report_of
from understudy import (
    ActorDied,
    ErrorHandlerError,
    MainLoopError,
    OnFinishError,
    PostLoopError,
    PreloopError,
    Process,
    ResultError,
    SectionError,
    Status,
)

SECTIONS = {
    "preloop": PreloopError,
    "loop": MainLoopError,
    "postloop": PostLoopError,
    "onfinish": OnFinishError,
    "result": ResultError,
}


class Trouble(Exception):
    """Of the user's own kind, with something in it."""

    def __init__(self, text, *, detail=None):
        super().__init__(text)
        self.detail = detail


def plain():
    raise Trouble("no luck", detail={"n": 7})


def nested():
    try:
        raise LookupError("the first")
    except LookupError as first:
        try:
            raise ValueError("the second") from first
        except ValueError as second:
            raise Trouble("the last") from second


def context():
    try:
        raise LookupError("the first")
    except LookupError:
        raise Trouble("meanwhile")  # noqa: B904 - the context is what is tested


def grouped():
    raise ExceptionGroup("several", [ValueError("one"), ExceptionGroup("more", [OSError(2, "two")])])


def base_group():
    raise BaseExceptionGroup("several", [KeyboardInterrupt("one"), ValueError("two")])


def interrupt():
    raise KeyboardInterrupt


def recursion():
    return recursion()


FAILURES = {
    "plain": plain,
    "nested": nested,
    "context": context,
    "grouped": grouped,
    "base group": base_group,
    "interrupt": interrupt,
    "recursion": recursion,
    "sys.exit(0)": lambda: sys.exit(0),
    "sys.exit(3)": lambda: sys.exit(3),
    "sys.exit('x')": lambda: sys.exit("x"),
    "os._exit(0)": lambda: os._exit(0),
    "os._exit(4)": lambda: os._exit(4),
}


class Failing(Process):
    """Fails in one hook, in its second lap if the hook has laps."""

    def __init__(self, told, section, how, rites=None):
        self.told, self.section, self.how, self.rites = told, section, how, rites
        self.config.num_loops = 3

    def _reach(self, section):
        note(self.told, section)
        if section == self.section and (section in {"onfinish", "result"} or self.current_lap == 2):
            FAILURES[self.how]()

    def __preloop__(self):
        self._reach("preloop")

    def __loop__(self):
        self._reach("loop")

    def __postloop__(self):
        self._reach("postloop")

    def __onfinish__(self):
        self._reach("onfinish")

    def __result__(self):
        self._reach("result")
        return "done"

    def __error__(self):
        note(self.told, "error")
        if self.rites is not None:
            FAILURES[self.rites]()


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


def lap_of(section):
    return 2 if section in {"preloop", "loop", "postloop"} else 3


@pytest.mark.fault("F11")
@pytest.mark.parametrize("section", SECTIONS)
def test_an_exception_names_its_hook_and_keeps_what_was_raised(system, told, section):
    ref = system.spawn(Failing, told, section, "plain", name="f")
    with pytest.raises(SECTIONS[section]) as caught:
        ref.result(30)
    error = caught.value
    lap = lap_of(section)
    assert str(error) == f"Trouble: no luck (__{section}__ of f, lap {lap}, incarnation 1)"
    assert (error.section, error.lap, error.incarnation, error.name) == (section, lap, 1, "f")
    cause: Any = error.__cause__
    assert type(cause).__name__ == "Trouble"
    assert (cause.args, cause.detail) == (("no luck",), {"n": 7})
    assert "in plain" in str(cause.__cause__)  # the child's traceback, as text
    assert ref.wait(0) is Status.CRASHED
    # After it no further section ran, but the rites.
    assert notes(told)[-2:] == [section, "error"]
    (life,) = ref.history()
    assert (life.section, life.lap, life.exit_code, life.report.section) == (section, lap, 1, section)


@pytest.mark.fault("F11")
def test_an_exception_in_the_rites_has_the_first_as_its_cause(system, told):
    ref = system.spawn(Failing, told, "loop", "plain", "nested")
    with pytest.raises(ErrorHandlerError, match="Trouble: the last") as caught:
        ref.result(30)
    first = caught.value.__cause__
    assert isinstance(first, MainLoopError)
    assert str(first.__cause__) == "no luck"


@pytest.mark.fault("F11")
@pytest.mark.parametrize("rites", ["sys.exit(0)", "sys.exit(3)", "interrupt", "grouped", "recursion"])
def test_whatever_the_rites_raise_is_told_so(system, told, rites):
    with pytest.raises(ErrorHandlerError) as caught:
        system.spawn(Failing, told, "loop", "plain", rites).result(30)
    assert isinstance(caught.value.__cause__, MainLoopError)


@pytest.mark.fault("F11")
def test_a_chain_of_causes_arrives_whole(system, told):
    error = system.spawn(Failing, told, "loop", "nested").exception(30)
    kinds: list[tuple[str, str]] = []
    while error is not None and len(kinds) < 4:
        kinds.append((type(error).__name__, str(error).partition(" (")[0]))
        error = error.__cause__
    assert kinds == [
        ("MainLoopError", "Trouble: the last"),
        ("Trouble", "the last"),
        ("ValueError", "the second"),
        ("LookupError", "the first"),
    ]


@pytest.mark.fault("F11")
def test_what_was_being_handled_arrives_as_the_context(system, told):
    error = system.spawn(Failing, told, "loop", "context").exception(30)
    assert str(error.__cause__) == "meanwhile"
    assert isinstance(error.__cause__.__context__, LookupError)


@pytest.mark.fault("F11")
@pytest.mark.parametrize("section", SECTIONS)
def test_a_group_arrives_with_all_that_is_in_it(system, told, section):
    error = system.spawn(Failing, told, section, "grouped").exception(30)
    assert type(error) is SECTIONS[section]
    group = error.__cause__
    assert isinstance(group, ExceptionGroup)
    one, more = group.exceptions
    assert (repr(one), repr(more.exceptions[0])) == ("ValueError('one')", "FileNotFoundError(2, 'two')")


@pytest.mark.fault("F11")
def test_a_group_with_an_interrupt_in_it_arrives_too(system, told):
    error = system.spawn(Failing, told, "loop", "base group").exception(30)
    assert isinstance(error, MainLoopError)
    assert isinstance(error.__cause__, BaseExceptionGroup)
    assert isinstance(error.__cause__.exceptions[0], KeyboardInterrupt)


@pytest.mark.fault("F11")
@pytest.mark.parametrize(("how", "kind"), [("interrupt", KeyboardInterrupt), ("recursion", RecursionError)])
def test_what_is_no_ordinary_exception_is_a_crash_like_any(system, told, how, kind):
    error = system.spawn(Failing, told, "preloop", how).exception(30)
    assert isinstance(error, PreloopError)
    assert isinstance(error.__cause__, kind)


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    ("how", "code", "said"), [("sys.exit(0)", 1, 0), ("sys.exit(3)", 3, 3), ("sys.exit('x')", 1, "x")]
)
def test_an_exit_in_a_hook_is_a_crash_with_its_code_kept(system, tmp_path, how, code, said):
    refs = {section: system.spawn(Failing, tmp_path / section, section, how) for section in SECTIONS}
    for section, ref in refs.items():
        with pytest.raises(SECTIONS[section], match="SystemExit") as caught:
            ref.result(30)
        cause = caught.value.__cause__
        assert isinstance(cause, SystemExit), section
        assert cause.code == said, section
        assert ref.wait(0) is Status.CRASHED
        (life,) = ref.history()
        codes = (life.exit_code, ref.info().exit_code, report_of(caught.value).exit_code)
        assert codes == (code, code, code), section


@pytest.mark.fault("F16")
def test_an_exit_past_the_interpreter_is_told_as_an_exit_without_a_result(system, tmp_path):
    refs = {name: system.spawn(Failing, tmp_path / name, name, "os._exit(0)", name=name) for name in SECTIONS}
    for section, ref in refs.items():
        with pytest.raises(ActorDied) as caught:
            ref.result(30)
        error = caught.value
        lap = lap_of(section)
        assert str(error) == f"{section} exited without a result in __{section}__ (lap {lap}, incarnation 1)"
        assert not isinstance(error, SectionError)
        report = report_of(error)
        assert (error.exit_code, error.signal, report.section, report.lap) == (0, None, section, lap)
        assert ref.wait(0) is Status.CRASHED


@pytest.mark.fault("F16")
def test_an_exit_past_the_interpreter_keeps_its_code(system, told, host):
    ref = system.spawn(Failing, told, "loop", "os._exit(4)", host=host)
    with pytest.raises(ActorDied, match="exited with code 4 in __loop__") as caught:
        ref.result(30)
    assert (caught.value.exit_code, ref.history()[0].exit_code) == (4, 4)


@pytest.mark.fault("F16")
@pytest.mark.parametrize("how", ["sys.exit(0)", "os._exit(0)"])
def test_an_exit_costs_a_life(system, told, how):
    ref = system.spawn(Failing, told, "loop", how, config={"lives": 2})
    ref.wait(30)
    assert notes(told).count("loop") == 4
