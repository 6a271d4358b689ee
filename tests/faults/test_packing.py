"""What a result or an exception may do while it is packed in the child: a typed error each time, and no hang."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import pytest

from tests.stage import report_of
from understudy import (
    ActorDied,
    MainLoopError,
    MainLoopTimeoutError,
    Process,
    ResultError,
    ResultTimeoutError,
    SerializationError,
)

LIMIT = 0.4


def segfault():
    os.kill(os.getpid(), signal.SIGSEGV)


def leave_well():
    os._exit(0)


def leave_ill():
    os._exit(3)


def exit_politely():
    sys.exit(5)


def recurse():
    return recurse()


def run_out_of_memory():
    raise MemoryError("no more")


def interrupt():
    raise KeyboardInterrupt


def never_end():
    while True:
        time.sleep(0.01)


def never_end_whatever_comes():
    while True:
        with contextlib.suppress(BaseException):
            never_end()


class Acts:
    """Does something when it is packed."""

    def __init__(self, act):
        self.act = act

    def __reduce__(self):
        # On its way into the child it travels as what it is.
        return (Acts, (self.act,)) if os.getpid() == PARENT else self.act()


class Odd(Exception):
    """Does it too."""

    def __init__(self, act):
        super().__init__("its text is kept")
        self.act = act

    def __reduce__(self):
        return self.act()


PARENT = os.getpid()


class Gives(Process):
    def __init__(self, act):
        self.act = act
        self.config.num_loops = 1
        self.config.timeouts.result = LIMIT

    def __loop__(self):
        pass

    def __result__(self):
        return {"rows": [Acts(self.act)]}


class Raises(Process):
    def __init__(self, act):
        self.act = act
        self.config.timeouts.loop = LIMIT

    def __loop__(self):
        raise Odd(self.act)


def goes_on(system):
    assert system.spawn(lambda: "the others go on").result(30) == "the others go on"


DEATHS = [(segfault, None, "SIGSEGV"), (leave_well, 0, None), (leave_ill, 3, None)]


@pytest.mark.requirement("E5")
@pytest.mark.fault("F12")
@pytest.mark.parametrize(("act", "code", "name"), DEATHS)
@pytest.mark.parametrize(("kind", "section"), [(Gives, "result"), (Raises, "loop")])
def test_a_death_while_something_is_packed_is_told_by_its_section(system, kind, section, act, code, name):
    error = system.spawn(kind, act, name="odd").exception(30)
    assert type(error) is ActorDied
    assert (error.exit_code, error.signal) == (code, name)
    assert f"in __{section}__" in str(error)
    assert report_of(error).section == section
    goes_on(system)


@pytest.mark.requirement("E5")
@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("act", "cause", "words"),
    [
        (exit_politely, SerializationError, r"result\['rows'\]\[0\]: .*SystemExit: 5"),
        (recurse, SerializationError, r"result\['rows'\]\[0\]: .*deep recursion"),
        (run_out_of_memory, MemoryError, "MemoryError: no more"),
        (interrupt, KeyboardInterrupt, "KeyboardInterrupt"),
    ],
)
def test_a_result_that_raises_while_it_is_packed_is_an_error_of_its_section(system, act, cause, words):
    with pytest.raises(ResultError, match=words) as caught:
        system.spawn(Gives, act).result(30)
    assert type(caught.value.__cause__) is cause
    goes_on(system)


@pytest.mark.requirement("E5")
@pytest.mark.fault("F12")
@pytest.mark.parametrize("act", [exit_politely, recurse, run_out_of_memory, interrupt, never_end])
def test_an_exception_keeps_its_text_whatever_it_does_while_it_is_packed(system, act):
    error = system.spawn(Raises, act, name="odd").exception(30)
    assert type(error) is MainLoopError
    assert str(error) == "Odd: its text is kept (__loop__ of odd, lap 1, incarnation 1)"
    assert "raise Odd(self.act)" in report_of(error).stacks
    goes_on(system)


@pytest.mark.requirement("E3")
@pytest.mark.fault("F12")
@pytest.mark.parametrize("act", [never_end, never_end_whatever_comes])
def test_a_result_that_is_packed_for_ever_has_the_time_of_its_section(system, act):
    with pytest.raises(ResultTimeoutError, match=rf"__result__ of odd ran {LIMIT} s") as caught:
        system.spawn(Gives, act, name="odd").result(30)
    assert act.__name__ in report_of(caught.value).stacks
    goes_on(system)


@pytest.mark.requirement("E3")
@pytest.mark.fault("F12")
def test_an_exception_that_is_packed_for_ever_and_heeds_nothing_is_ended_as_a_timeout(system):
    error = system.spawn(Raises, never_end_whatever_comes).exception(30)
    assert type(error) is MainLoopTimeoutError
    goes_on(system)


class Wordy(Exception):
    def __str__(self):
        never_end()
        return ""


class Speaks(Raises):
    def __loop__(self):
        raise Wordy


@pytest.mark.fault("F12")
def test_an_exception_that_looks_for_its_words_for_ever_is_told_without_them(system):
    error = system.spawn(Speaks, None, name="odd").exception(30)
    assert type(error) is MainLoopError
    assert str(error).startswith("Wordy: <its text cannot be had>")
    assert "raise Wordy" in report_of(error).stacks


class FallsBack(Process):
    def __init__(self):
        self.config.timeouts.error = LIMIT

    def __loop__(self):
        raise ValueError("the first error")

    def __error__(self):
        return Acts(never_end)


@pytest.mark.fault("F12")
def test_a_fallback_that_is_packed_for_ever_leaves_the_first_error(system):
    error = system.spawn(FallsBack).exception(30)
    assert type(error) is MainLoopError
    assert str(error).startswith("ValueError: the first error")
    assert any("__error__" in note and f"ran {LIMIT} s" in note for note in error.__notes__)
