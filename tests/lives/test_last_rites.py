"""Last rites: `__error__` when no life is left, and what becomes of what it returns."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.stage import hold, note, noted, notes, until
from understudy import (
    ActorDied,
    ActorKilled,
    ErrorHandlerError,
    MainLoopError,
    MainLoopTimeoutError,
    OnFinishError,
    OnFinishTimeoutError,
    Process,
    StartError,
    Status,
)


class Dying(Process):
    """Crashes in `__loop__` by `how`; `__error__` notes what it finds and answers as `answer` says."""

    def __init__(self, told, answer=None, how="raise"):
        self.told, self.answer, self.how, self.laps = told, answer, how, 0
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0
        self.config.timeouts.error = 20

    def __loop__(self):
        self.laps += 1
        note(self.told, "loop")
        match self.how:
            case "raise":
                raise ConnectionError("refused")
            case "overrun":
                time.sleep(60)
            case "exit":
                os._exit(9)
            case "signal":
                os.kill(os.getpid(), signal.SIGKILL)

    def __error__(self):
        error = self.error
        assert error is not None
        note(
            self.told,
            f"error {type(error).__name__} {type(error.__cause__).__name__} {self.incarnation} {self.lives_left} "
            f"{self.laps} {self.name}",
        )
        match self.answer:
            case "raise":
                raise LookupError("no way out")
            case "exception":
                return ValueError("another")
            case "same":
                return error
            case "hang":
                time.sleep(60)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(0)
            case "generator":
                return (each for each in "generated")
            case "hold":
                hold(f"{self.told}.gate")
        return self.answer


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


@pytest.mark.requirement("L3")
def test_a_returned_exception_is_what_result_raises(system, told):
    ref = system.spawn(Dying, told, "exception")
    with pytest.raises(ValueError, match=r"^another$"):
        ref.result(30)
    assert ref.info().status is Status.CRASHED
    assert notes(told) == ["loop", "error MainLoopError ConnectionError 1 0 1 dying-1"]


@pytest.mark.requirement("L3")
@pytest.mark.parametrize("answer", [None, "same"])
def test_none_or_the_error_itself_leaves_the_original(system, told, answer):
    ref = system.spawn(Dying, told, answer)
    with pytest.raises(MainLoopError, match="refused") as caught:
        ref.result(30)
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert (caught.value.section, caught.value.lap, caught.value.incarnation) == ("loop", 1, 1)
    assert ref.info().status is Status.CRASHED


@pytest.mark.requirement("L3")
@pytest.mark.parametrize("fallback", [0, "", "instead", {"a": [1]}])
def test_anything_else_is_a_fallback_and_the_status_stays_crashed(system, told, fallback):
    ref = system.spawn(Dying, told, fallback)
    assert ref.result(30) == fallback
    assert ref.wait(0) is Status.CRASHED
    assert isinstance(ref.exception(), MainLoopError)


@pytest.mark.requirement("L3")
def test_the_rites_are_held_only_when_no_life_is_left(system, told):
    ref = system.spawn(Dying, told, "instead", config={"lives": 3})
    assert ref.result(30) == "instead"
    assert notes(told) == ["loop", "loop", "loop", "error MainLoopError ConnectionError 3 0 1 dying-1"]
    assert len(ref.history()) == 3


@pytest.mark.requirement("L3")
def test_who_overran_holds_them_in_its_own_process(system, told):
    ref = system.spawn(Dying, told, "instead", "overrun", config={"timeouts.loop": 0.3})
    assert ref.result(30) == "instead"
    assert isinstance(ref.exception(), MainLoopTimeoutError)
    assert notes(told) == ["loop", "error MainLoopTimeoutError RemoteTraceback 1 0 1 dying-1"]


@pytest.mark.requirement("L3")
@pytest.mark.parametrize("how", ["exit", "signal"])
def test_for_who_died_without_a_word_they_are_held_in_a_fresh_process(system, told, how, host):
    ref = system.spawn(Dying, told, "instead", how, host=host, config={"lives": 2})
    assert ref.result(30) == "instead"
    # The original state, the next number, and no life of its own.
    assert notes(told) == ["loop", "loop", "error ActorDied NoneType 3 0 0 dying-1"]
    error = ref.exception()
    assert isinstance(error, ActorDied)
    assert (error.exit_code, error.signal) == ((9, None) if how == "exit" else (None, "SIGKILL"))
    assert error.incarnation == 2
    assert [life.incarnation for life in ref.history()] == [1, 2, 3]


@pytest.mark.requirement("L3")
@pytest.mark.parametrize("how", ["raise", "exit"])
def test_an_error_in_the_rites_is_told_with_the_first_one_as_its_cause(system, told, how):
    ref = system.spawn(Dying, told, "raise", how)
    with pytest.raises(ErrorHandlerError, match="LookupError: no way out") as caught:
        ref.result(30)
    first = caught.value.__cause__
    assert type(first) is (MainLoopError if how == "raise" else ActorDied)
    assert isinstance(caught.value.__context__, LookupError)
    assert caught.value.section == "error"
    assert ref.wait(0) is Status.CRASHED


@pytest.mark.requirement("L3")
def test_a_fallback_that_cannot_travel_is_an_error_of_the_rites(system, told):
    with pytest.raises(ErrorHandlerError, match="generator") as caught:
        system.spawn(Dying, told, "generator").result(30)
    assert isinstance(caught.value.__cause__, MainLoopError)


@pytest.mark.requirement("L3")
@pytest.mark.parametrize("answer", ["die", "exit"])
@pytest.mark.parametrize("how", ["raise", "signal"])
def test_where_the_rites_die_the_first_error_stands(system, told, answer, how):
    ref = system.spawn(Dying, told, answer, how, config={"lives": 2})
    assert type(ref.exception(30)) is (MainLoopError if how == "raise" else ActorDied)
    assert ref.wait(0) is Status.CRASHED
    assert len([line for line in notes(told) if line.startswith("error")]) == 1


@pytest.mark.requirement("L3")
def test_where_the_rites_take_too_long_the_first_error_stands(system, told):
    with pytest.raises(MainLoopError, match="refused") as caught:
        system.spawn(Dying, told, "hang", config={"timeouts.error": 0.3}).result(30)
    assert any("0.3 s" in note for note in caught.value.__notes__)


@pytest.mark.requirement("L3")
def test_a_kill_during_the_rites_is_a_kill(system, told):
    ref = system.spawn(Dying, told, "hold")
    noted(told, 2)
    assert ref.info().status is Status.STOPPING
    ref.kill()
    assert ref.wait(30) is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result()


@pytest.mark.requirement("L3")
def test_a_killed_actor_gets_none(system, told):
    class Waiting(Dying):
        def __loop__(self):
            note(self.told, "loop")
            self.sleep(60)

    ref = system.spawn(Waiting, told, config={"lives": 3})
    noted(told)
    ref.kill()
    assert ref.wait(30) is Status.KILLED
    assert notes(told) == ["loop"]


class Closed:
    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise RuntimeError("does not open")


@pytest.mark.requirement("L3")
def test_a_state_that_does_not_open_gets_none(system, told):
    actor = Dying(told, Closed())
    with pytest.raises(StartError, match="does not open"):
        system.spawn(actor, config={"lives": 3}).result(30)
    assert notes(told) == []


class Ending(Process):
    """Runs until it is stopped; then its end goes wrong."""

    def __init__(self, told, how):
        self.told, self.how = told, how
        self.config.lives = 3
        self.config.timeouts.onfinish = 0.3 if how == "hang" else 30

    def __loop__(self):
        self.sleep(60)

    def __onfinish__(self):
        note(self.told, "onfinish")
        if self.how == "raise":
            raise ConnectionError("refused")
        if self.how == "exit":
            os._exit(4)
        time.sleep(60)

    def __error__(self):
        note(self.told, "error")
        return "instead"


@pytest.mark.requirement("L3")
def test_after_a_stop_they_are_held_in_the_process_that_told_the_error(system, told):
    ref = system.spawn(Ending, told, "raise")
    ref.wait_ready(30)
    ref.stop()
    assert ref.result(30) == "instead"
    assert isinstance(ref.exception(), OnFinishError)
    assert (notes(told), len(ref.history())) == (["onfinish", "error"], 1)


@pytest.mark.requirement("L3")
def test_after_a_stop_and_a_death_without_a_word_there_are_none(system, told):
    ref = system.spawn(Ending, told, "exit")
    ref.wait_ready(30)
    ref.stop()
    assert isinstance(ref.exception(30), ActorDied)
    assert (notes(told), len(ref.history())) == (["onfinish"], 1)


@pytest.mark.requirement("L3")
def test_an_end_that_takes_too_long_is_the_end(system, told):
    ref = system.spawn(Ending, told, "hang")
    ref.wait_ready(30)
    ref.stop()
    assert isinstance(ref.exception(30), OnFinishTimeoutError)
    assert (ref.wait(0), notes(told), len(ref.history())) == (Status.CRASHED, ["onfinish"], 1)


@pytest.mark.requirement("L3")
def test_the_rites_stand_as_stopping_and_a_stop_does_not_cut_them_short(system, told):
    ref = system.spawn(Dying, told, "hold")
    noted(told, 2)
    until(lambda: ref.info().status is Status.STOPPING, 20, "the rites")
    assert ref.info().section == "error"
    assert ref.stop() == "asked"
    (told.parent / "told.gate").touch()
    assert ref.result(30) == "hold"
