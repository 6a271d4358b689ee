"""When an actor comes back, and after which pause: policy, backoff, window."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest

from tests.stage import note, noted, notes, until
from understudy import ActorDied, MainLoopError, Process, StartError, Status
from understudy.config import Backoff, Restart

FOREVER = 1000.0
"""A pause that no test outlives."""
LONG = 1.2
"""A run of one life, in seconds, beside which a crash at once is short on any machine."""


class Turn(Process):
    """Each life ends as the next letter says: `f`inishes, `e`rror, e`x`it, `l`ong run and then an error, or runs on."""

    def __init__(self, told, turns):
        self.told, self.turns = told, turns
        self.config.num_loops = 1

    def __loop__(self):
        note(self.told, f"{self.incarnation} {self.lives_left}")
        match self.turns[self.incarnation - 1 : self.incarnation]:
            case "e":
                raise RuntimeError("no luck")
            case "x":
                os._exit(5)
            case "l":
                self.sleep(LONG)
                raise RuntimeError("no luck, late")
            case "s":
                self.stop()
            case "":
                self.sleep(60)

    def __result__(self):
        return self.incarnation


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


def waits_long(ref):
    """The pause that it is in, a long one."""
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().next_restart, 20, "a pause")
    return ref.info().next_restart


@pytest.mark.requirement("L5")
def test_the_defaults_are_told_by_the_settings():
    assert (Restart().policy, Restart().window) == ("on_crash", None)
    backoff = Backoff()
    assert (backoff.base, backoff.factor, backoff.cap, backoff.jitter, backoff.reset) == (0.1, 2, 30, 0.2, 10)


@pytest.mark.requirement("L5")
def test_by_default_a_crash_is_restarted_and_a_finish_is_not(system, told):
    ref = system.spawn(Turn, told, "ef", config={"lives": 5})
    assert ref.result(30) == 2
    assert notes(told) == ["1 4", "2 3"]


@pytest.mark.requirement("L5")
def test_never_restarts_nothing_whatever_the_lives(system, told):
    ref = system.spawn(Turn, told, "ef", config={"lives": 5, "restart.policy": "never"})
    with pytest.raises(MainLoopError):
        ref.result(30)
    assert (notes(told), ref.info().lives_left) == (["1 0"], 0)


@pytest.mark.requirement("L5")
def test_always_restarts_what_finished_at_no_lifes_cost_until_a_stop(system, told):
    ref = system.spawn(Turn, told, "ffff", config={"restart.policy": "always"})
    assert noted(told, 5) == ["1 0", "2 0", "3 0", "4 0", "5 0"]
    assert not ref.done()
    ref.stop()
    assert (ref.wait(30), ref.result()) == (Status.FINISHED, 5)
    assert len(notes(told)) == 5


@pytest.mark.requirement("L5")
def test_always_counts_a_crash_as_a_life_and_ends_with_the_last(system, told):
    ref = system.spawn(Turn, told, "fefxff", config={"restart.policy": "always", "lives": 2})
    with pytest.raises(ActorDied):
        ref.result(30)
    assert notes(told) == ["1 1", "2 1", "3 0", "4 0"]


@pytest.mark.requirement("L5")
def test_always_takes_a_wish_of_its_own_to_stop_for_a_stop(system, told):
    ref = system.spawn(Turn, told, "fs", config={"restart.policy": "always"})
    assert ref.result(30) == 2


@pytest.mark.requirement("L5")
def test_the_first_restart_comes_at_once_and_the_second_waits(system, told):
    ref = system.spawn(Turn, told, "eef", config={"lives": 5, "restart.backoff.base": 20, "restart.backoff.jitter": 0})
    noted(told, 2)
    assert 0 < waits_long(ref) <= 20
    first, second = ref.history()
    assert second.started_at - first.ended_at < 5
    ref.kill()


@pytest.mark.requirement("L5")
def test_pauses_grow_by_the_factor_up_to_the_cap(system, told):
    backoff = {"base": 0.1, "factor": 3, "cap": 0.4, "jitter": 0}
    config = {"lives": 6, **{f"restart.backoff.{key}": value for key, value in backoff.items()}}
    ref = system.spawn(Turn, told, "eeeeef", config=config)
    assert ref.result(30) == 6
    lives = ref.history()
    pauses = [after.started_at - before.ended_at for before, after in pairwise(lives)]
    # The least is exact but for the two clocks; what a pause is above it is the machine's load.
    for pause, least in zip(pauses, (0, 0.1, 0.3, 0.4, 0.4), strict=True):
        assert least - 0.05 <= pause < 5


@pytest.mark.requirement("L5")
def test_a_pause_varies_by_the_jitter(system, told):
    config = {"lives": 3, "restart.backoff.base": FOREVER, "restart.backoff.cap": FOREVER}
    refs = [system.spawn(Turn, told, "ee", config=config) for _ in range(8)]
    pauses = [waits_long(ref) for ref in refs]
    assert all(0.8 * FOREVER - 30 <= pause <= 1.2 * FOREVER for pause in pauses)
    assert max(pauses) - min(pauses) > 30
    system.kill("turn-*")


@pytest.mark.requirement("L5")
def test_without_a_base_every_restart_comes_at_once(system, told):
    ref = system.spawn(Turn, told, "eexexf", config={"lives": 6, "restart.backoff.base": 0})
    assert ref.result(30) == 6


@pytest.mark.requirement("L5")
def test_a_healthy_run_lets_the_pauses_begin_anew(system, told):
    config = {"lives": 5, "restart.backoff.base": FOREVER, "restart.backoff.cap": FOREVER}
    ref = system.spawn(Turn, told, "elelf", config={**config, "restart.backoff.reset": LONG / 1.2})
    # The second life was healthy for longer than the reset, the third was not.
    noted(told, 3)
    assert waits_long(ref) > FOREVER / 2
    assert len(notes(told)) == 3
    ref.kill()


class Unborn(Process):
    def __init__(self):
        self.trap = Trap()

    def __loop__(self):
        raise AssertionError("it never opens")


class Trap:
    def __reduce__(self):
        return os._exit, (6,)


@pytest.mark.requirement("L5")
def test_a_death_before_ready_always_waits(system):
    ref = system.spawn(Unborn, config={"lives": 3, "restart.backoff.base": 20, "restart.backoff.jitter": 0})
    assert 0 < waits_long(ref) <= 20
    ref.stop()
    with pytest.raises(StartError) as caught:
        ref.result(30)
    assert caught.value.exit_code == 6


@pytest.mark.requirement("L5")
def test_a_crash_older_than_the_window_is_forgiven(system, told):
    config = {"lives": 2, "restart.window": LONG / 1.2, "restart.backoff.base": 0}
    ref = system.spawn(Turn, told, "ellf", config=config)
    assert ref.result(30) == 4


@pytest.mark.requirement("L5")
def test_a_crash_within_the_window_counts(system, told):
    ref = system.spawn(Turn, told, "eef", config={"lives": 2, "restart.window": 60})
    with pytest.raises(MainLoopError):
        ref.result(30)
    assert len(notes(told)) == 2


@pytest.mark.requirement("L5")
def test_without_a_window_nothing_is_forgiven(system, told):
    ref = system.spawn(Turn, told, "elf", config={"lives": 2, "restart.backoff.reset": 0.1})
    with pytest.raises(MainLoopError, match="late"):
        ref.result(30)
    assert len(notes(told)) == 2
