"""What a result or an exception may do while it is opened in the parent: it happens to who asks, and to nobody else."""

from __future__ import annotations

import os
import sys
import threading
import traceback

import pytest

from tests.stage import hold, until
from understudy import ActorSystem, MainLoopError, Process, ResultError, Status


def raise_here():
    raise RuntimeError("not here")


def exit_here():
    sys.exit(6)


def recurse_here():
    return recurse_here()


def starve_here():
    raise MemoryError("no more")


HERE = [
    (raise_here, "RuntimeError: not here"),
    (exit_here, "SystemExit: 6"),
    (recurse_here, "RecursionError: maximum recursion depth"),
    (starve_here, "MemoryError: no more"),
]


def opened(act, child):
    """What an exception becomes that opens well in the child, and only there."""
    return Late(act) if os.getpid() == child else act()


class Late(Exception):
    def __init__(self, act):
        super().__init__("its text is kept")
        self.act = act

    def __reduce__(self):
        return opened, (self.act, os.getpid())


class Opens:
    def __init__(self, act, *arguments):
        self.act, self.arguments = act, arguments

    def __reduce__(self):
        return self.act, self.arguments


class Raises(Process):
    def __init__(self, act):
        self.act = act

    def __loop__(self):
        raise Late(self.act)


@pytest.mark.requirement("E5")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(("act", "words"), HERE)
def test_a_result_that_fails_when_it_is_opened_fails_for_who_asks_each_time_alike(system, act, words):
    ref = system.spawn(lambda: Opens(act), name="sealed")
    assert ref.wait(30) is Status.FINISHED
    first = ref.exception()
    assert type(first) is ResultError
    assert str(first).startswith(words)
    for _ in range(2):
        with pytest.raises(ResultError) as caught:
            ref.result()
        assert caught.value is first
    assert system.spawn(lambda: "the others go on").result(30) == "the others go on"


@pytest.mark.requirement("E5")
@pytest.mark.fault("F13")
@pytest.mark.parametrize(("act", "_"), HERE)
def test_an_exception_that_fails_when_it_is_opened_keeps_its_text_and_traceback(system, act, _):
    ref = system.spawn(Raises, act, name="odd")
    error = ref.exception(30)
    assert type(error) is MainLoopError
    assert str(error) == "Late: its text is kept (__loop__ of odd, lap 1, incarnation 1)"
    assert "raise Late(self.act)" in "".join(traceback.format_exception(error))
    assert ref.exception() is error
    assert system.spawn(lambda: "the others go on").result(30) == "the others go on"


@pytest.mark.fault("F13")
def test_a_result_that_hangs_when_it_is_opened_holds_its_askers_alone(tmp_path):
    gate, given = tmp_path / "gate", []
    with ActorSystem() as system:
        ref = system.spawn(lambda: Opens(hold, str(gate)), name="stuck")
        assert ref.wait(30) is Status.FINISHED
        askers = [threading.Thread(target=lambda: given.append(ref.result())) for _ in range(2)]
        for asker in askers:
            asker.start()
        try:
            until(lambda: system._world.cells[ref.uid].opening.acquire(blocking=False) is False, 20, "the opening")
            assert system.ps(all=True)[0].status is Status.FINISHED
            assert ref.history()[0].exit_code == 0
            assert system.spawn(lambda: "the others go on").result(30) == "the others go on"
            system.shutdown()
            assert given == []
        finally:
            gate.touch()
            for asker in askers:
                asker.join(30)
    assert given == [None, None]
