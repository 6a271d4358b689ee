"""What goes wrong between the fork and READY: told at once, by its phase, and at no more lives than it has to cost."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import time
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.stage import note, notes, report_of, until
from understudy import ActorSystem, Process, StartError, StartTimeout, Status

VARIABLE = "UNDERSTUDY_FAILPOINTS"
SOON = 15.0
"""Far less than the start timeout of 30 s, and far more than the machine needs."""


class Plain(Process):
    """Finishes, if it ever comes up."""

    def __init__(self, drawer=None):
        self.drawer = drawer
        self.config.num_loops = 1

    def __loop__(self):
        pass

    def __result__(self):
        return os.getpid()


class Opened:
    """Does in the child what it is told, while the state is opened."""

    def __init__(self, told, how):
        self.told, self.how = told, how

    def __reduce__(self):
        return _open, (self.told, self.how)


def _open(told, how):
    note(told, "opens")
    match how:
        case "raise":
            raise LookupError("the drawer is empty")
        case "sys.exit":
            sys.exit(0)
        case "segv":
            ctypes.string_at(8)
        case "exit":
            os._exit(0)
        case "hang":
            time.sleep(600)


DEATHS = [
    ("process", "child.born", "being forked"),
    ("process", "child.boot", "arming its guard"),
    ("process", "child.guard", "arming its guard"),
    ("process", "child.open", "opening its state"),
    ("process", "child.ready", "opening its state"),
    ("spawn", "child.boot", "arming its guard"),
    ("spawn", "child.guard", "arming its guard"),
    ("spawn", "child.open", "opening its state"),
    ("spawn", "child.ready", "opening its state"),
]


@pytest.mark.fault("F1")
@pytest.mark.parametrize(("host", "where", "phase"), DEATHS)
def test_a_death_before_ready_is_told_at_once_by_its_phase(monkeypatch, host, where, phase):
    monkeypatch.setenv(VARIABLE, f"{where}=kill9")
    with ActorSystem() as system:
        before = time.monotonic()
        ref = system.spawn(Plain, host=host, name="early")
        with pytest.raises(StartError, match="SIGKILL") as caught:
            ref.result(20)
        assert time.monotonic() - before < SOON
        error = caught.value
        assert (error.phase, error.signal, error.exit_code) == (phase, "SIGKILL", None)
        assert phase in str(error)
        assert not isinstance(error, StartTimeout)
        assert ref.wait(0) is Status.CRASHED
        with pytest.raises(StartError, match=phase):
            ref.wait_ready(0)


@pytest.mark.fault("F1")
def test_only_the_life_that_dies_early_is_lost(monkeypatch, host):
    monkeypatch.setenv(VARIABLE, "child.open@1=kill9;child.ready@2=exit:9")
    with ActorSystem() as system:
        ref = system.spawn(Plain, host=host, config={"lives": 3, "restart.backoff.base": 0.01})
        pid = ref.result(20)
        first, second, third = ref.history()
        assert (first.signal, second.exit_code, third.pid) == ("SIGKILL", 9, pid)


@pytest.mark.fault("F2")
def test_a_hang_before_ready_is_ended_at_the_start_timeout_with_its_phase(system, tmp_path, host):
    actor = Plain(Opened(tmp_path / "told", "hang"))
    before, limit = time.monotonic(), 1.5 if host == "process" else 4.0
    ref = system.spawn(actor, host=host, config={"timeouts.startup": limit})
    with pytest.raises(StartTimeout, match="opening its state") as caught:
        ref.result(20)
    assert limit - 0.1 < time.monotonic() - before < SOON
    assert (caught.value.phase, caught.value.signal) == ("opening its state", "SIGKILL")
    assert isinstance(caught.value, TimeoutError)
    assert notes(tmp_path / "told") == ["opens"]


@pytest.mark.fault("F2")
def test_a_process_that_is_held_before_ready_is_ended_too(monkeypatch):
    with ExitStack() as stack:
        refs = {}
        for window, phase in {"child.guard": "arming its guard", "child.open": "opening its state"}.items():
            monkeypatch.setenv(VARIABLE, f"{window}=stop")  # a fork has its guard before it takes on the variables
            system = stack.enter_context(ActorSystem())
            refs[phase] = system.spawn(Plain, config={"timeouts.startup": 2.0})
        for phase, ref in refs.items():
            with pytest.raises(StartTimeout, match=phase):
                ref.result(20)


@pytest.mark.fault("F2")
def test_a_hang_costs_a_life_like_any_crash(system, tmp_path):
    actor = Plain(Opened(tmp_path / "told", "hang"))
    config = {"timeouts.startup": 0.5, "lives": 2, "restart.backoff.base": 0}
    ref = system.spawn(actor, config=config)
    with pytest.raises(StartTimeout):
        ref.result(20)
    assert ref.wait(0) is Status.CRASHED
    assert ["not READY within 0.5 s" in (life.cause or "") for life in ref.history()] == [True, True]


@pytest.mark.fault("F3")
@pytest.mark.parametrize("how", ["raise", "sys.exit"])
def test_a_state_that_raises_when_it_is_opened_is_told_once_and_not_tried_again(system, tmp_path, how, host):
    actor = Plain(Opened(tmp_path / "told", how))
    ref = system.spawn(actor, host=host, config={"lives": 5})
    cause = LookupError if how == "raise" else SystemExit
    with pytest.raises(StartError, match=cause.__name__) as caught:
        ref.result(20)
    assert isinstance(caught.value.__cause__, cause)
    assert caught.value.phase == "opening its state"
    assert (notes(tmp_path / "told"), len(ref.history())) == (["opens"], 1)
    if how == "raise":
        assert "the drawer is empty" in str(caught.value)


@pytest.mark.fault("F3")
@pytest.mark.parametrize(("how", "signal", "code"), [("segv", "SIGSEGV", None), ("exit", None, 0)])
def test_a_death_while_the_state_is_opened_is_told_apart_and_burns_lives_with_pauses(
    system, tmp_path, how, signal, code, host
):
    actor = Plain(Opened(tmp_path / "told", how))
    config = {"lives": 3, "restart.backoff.base": 0.2, "restart.backoff.jitter": 0}
    ref = system.spawn(actor, host=host, config=config)
    with pytest.raises(StartError, match="SIGSEGV" if how == "segv" else "exited without a result") as caught:
        ref.result(30)
    error = caught.value
    assert (error.signal, error.exit_code, error.phase) == (signal, code, "opening its state")
    lives = ref.history()
    assert [(life.signal, life.exit_code) for life in lives] == [(signal, code)] * 3
    pauses = [after.started_at - before.ended_at for before, after in pairwise(lives)]
    assert pauses[0] > 0.15
    assert pauses[1] > 0.35
    if how == "segv":
        assert "Segmentation fault" in report_of(error).stacks
        assert "_open" in report_of(error).stacks


MODULE = """
from understudy import Process
class Guest(Process):
    def __init__(self):
        self.config.num_loops = 1
        self.config.lives = 3
    def __loop__(self):
        pass
"""


@pytest.fixture
def guest(tmp_path, monkeypatch):
    """A module of a class, importable here; the test may take it away before the child comes to import it."""
    path = tmp_path / "guesthouse_of_one_night.py"
    path.write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    module = importlib.import_module(path.stem)
    yield module, path
    del sys.modules[path.stem]


@pytest.mark.fault("F5")
def test_a_module_that_is_gone_in_the_child_is_told_by_its_name(guest, host):
    module, path = guest
    with ActorSystem(learn=False) as system:  # a zygote that has it would not miss the file
        ref = system.spawn(module.Guest, host=host, config={"lives": 9, "num_loops": None})
        ref.wait_ready(20)
        path.unlink()
        os.kill(until(lambda: ref.info().pid or 0, 20, "its process"), signal.SIGKILL)
        with pytest.raises(StartError, match="ModuleNotFoundError: No module named 'guesthouse_of_one_nig") as caught:
            ref.result(20)
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)
        assert caught.value.__cause__.name == path.stem
        assert len(ref.history()) == 2


@pytest.mark.requirement("P10")
def test_a_class_whose_module_is_gone_when_it_is_spawned_travels_whole(system, guest, host):
    module, path = guest
    path.unlink()
    assert system.spawn(module.Guest, host=host).wait(20) is Status.FINISHED


@pytest.mark.fault("F5")
def test_a_class_that_is_gone_in_the_child_is_told_by_its_name(system, guest, host):
    module, path = guest
    path.write_text(MODULE.replace("Guest", "Stranger"))
    ref = system.spawn(module.Guest, host=host)
    with pytest.raises(StartError, match=r"AttributeError: .*Guest") as caught:
        ref.result(20)
    assert isinstance(caught.value.__cause__, AttributeError)
    assert len(ref.history()) == 1
