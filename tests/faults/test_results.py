"""Death while the result is on its way: a result or an error, never a hang; an acknowledged one is never lost."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stage import note, notes, report_of
from understudy import ActorDied, ActorError, ActorSystem, Process, Status

VARIABLE = "UNDERSTUDY_FAILPOINTS"
SIZE = 50_000_000


class Heavy(Process):
    def __init__(self, told=None):
        self.told = told
        self.config.num_loops = 1

    def __loop__(self):
        if self.told is not None:
            note(self.told, self.incarnation)

    def __result__(self):
        return bytes(SIZE)

    def __error__(self):
        return "held rites"


class Bereft(Heavy):
    """Dies within its result."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def __result__(self):
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("action", ["kill9", "exit:0", "exit:5", "segv"])
def test_a_death_while_the_result_is_sent_gives_the_result_or_an_error(monkeypatch, action, host):
    monkeypatch.setenv(VARIABLE, f"result.send={action}")
    with ActorSystem() as system:
        ref = system.spawn(Heavy, host=host, config={"restart.policy": "never"})
        status = ref.wait(30)
        error = ref.exception()
        if error is None:  # it had left whole
            assert (status, len(ref.result())) == (Status.FINISHED, SIZE)
        else:
            assert status is Status.CRASHED
            assert isinstance(error, ActorError)
            assert error.result is None or len(error.result) == SIZE
        monkeypatch.delenv(VARIABLE)
        assert system.spawn(lambda: "another", host=host).result(30) == "another"


@pytest.mark.fault("F15")
def test_a_death_before_the_acknowledgement_costs_a_life_and_the_next_delivers(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "result.send@1=kill9;result.send@2=exit:0")
    with ActorSystem() as system:
        ref = system.spawn(Heavy, tmp_path / "told", config={"lives": 3, "restart.backoff.base": 0})
        outcome = ref.exception(30)
        if outcome is None:
            assert len(ref.result()) == SIZE
        else:  # one of them had left whole: it is kept, and the death after it is a crash
            assert isinstance(outcome, ActorError)
            assert (ref.wait(0), len(outcome.result)) == (Status.CRASHED, SIZE)
        assert notes(tmp_path / "told") == [str(life.incarnation) for life in ref.history()]


@pytest.mark.fault("F15")
@pytest.mark.parametrize(("action", "code", "name"), [("kill9", None, "SIGKILL"), ("exit:5", 5, None)])
def test_an_acknowledged_result_is_kept_by_the_error_of_a_death_after_it(monkeypatch, action, code, name, host):
    monkeypatch.setenv(VARIABLE, f"result.acknowledged={action}")
    with ActorSystem() as system:
        ref = system.spawn(Heavy, host=host, config={"lives": 3})
        with pytest.raises(ActorDied) as caught:
            ref.result(30)
        assert (caught.value.exit_code, caught.value.signal) == (code, name)
        assert len(caught.value.result) == SIZE
        assert ref.wait(0) is Status.CRASHED
        assert len(ref.history()) == 1  # no restart, and no rites


@pytest.mark.fault("F15")
def test_an_acknowledged_result_and_a_clean_exit_is_a_finish(monkeypatch):
    monkeypatch.setenv(VARIABLE, "result.acknowledged=exit:0;child.exit=exit:0")
    with ActorSystem() as system:
        ref = system.spawn(Heavy)
        assert (len(ref.result(30)), ref.wait(0)) == (SIZE, Status.FINISHED)


@pytest.mark.fault("F15")
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_death_within_the_result_is_told_by_its_section(system, how):
    ref = system.spawn(Bereft, how, config={"restart.policy": "never"})
    assert ref.result(30) == "held rites"
    error = ref.exception()
    assert isinstance(error, ActorDied)
    assert report_of(error).section == "result"
    assert "in __result__" in str(error)
