"""What each setting does to a real process."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
from typing import Any

import pytest

from tests.stage import note, notes, until
from understudy import (
    ActorDied,
    ConfigError,
    Health,
    MainLoopError,
    Process,
    ProcessConfig,
    ResultError,
    Status,
    StopLadder,
    TooLarge,
    UnknownField,
)


class Laps(Process):
    """Notes each lap; crashes in the second lap of the lives that are to be short."""

    def __init__(self, path, short_lives=()):
        self.path, self.short_lives = path, short_lives
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.path, f"{self.incarnation}.{self.current_lap}")
        if self.incarnation in self.short_lives and self.current_lap == 2:
            raise ValueError(f"life {self.incarnation} is short")
        self.sleep(0.001)

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        return self.completed_laps


@pytest.mark.requirement("C1")
@pytest.mark.requirement("E2")
def test_num_loops_counts_the_laps_of_each_life_by_itself(system, tmp_path):
    path = tmp_path / "laps"
    ref = system.spawn(Laps, path, [1], config={"num_loops": 3, "lives": 2})
    assert ref.result(20) == 3
    assert notes(path) == ["1.1", "1.2", "2.1", "2.2", "2.3", "onfinish"]


@pytest.mark.requirement("C1")
@pytest.mark.parametrize("lives", [1, 3])
def test_lives_are_the_attempts_in_all(system, tmp_path, lives):
    path = tmp_path / "laps"
    ref = system.spawn(Laps, path, range(10), config={"lives": lives})
    with pytest.raises(MainLoopError, match=f"life {lives} is short"):
        ref.result(20)
    assert [life.incarnation for life in ref.history()] == list(range(1, lives + 1))


@pytest.mark.requirement("C1")
def test_without_a_setting_a_process_has_one_life_and_endless_laps(system, tmp_path):
    path = tmp_path / "laps"
    ref = system.spawn(Laps, path)
    until(lambda: len(notes(path)) > 50, 20, "fifty laps")
    assert (ref.info().lives_left, ref.info().laps_left, ref.info().time_left) == (0, None, None)
    ref.stop()
    assert ref.result(20) > 50


@pytest.mark.requirement("C1")
@pytest.mark.requirement("E2")
def test_join_in_ends_it_after_a_section_with_onfinish_and_result(system, tmp_path):
    class OneLongSection(Process):
        def __init__(self, path):
            self.path = path
            self.config.join_in = 0.2

        def __loop__(self):
            until(lambda: self.stopping, 20, "the stop")
            note(self.path, "the section went on to its end")

        def __postloop__(self):
            note(self.path, "no further section begins")

        def __onfinish__(self):
            note(self.path, "onfinish")

        def __result__(self):
            return "joined"

    path = tmp_path / "said"
    began = time.monotonic()
    ref = system.spawn(OneLongSection, path)
    ref.wait_ready(20)
    left = ref.info().time_left
    assert left is None or 0 <= left <= 0.2
    assert ref.result(20) == "joined"
    assert time.monotonic() - began >= 0.2
    assert notes(path) == ["the section went on to its end", "onfinish"]


@pytest.mark.requirement("C1")
def test_join_in_counts_from_the_first_ready_over_all_lives(system, tmp_path):
    path = tmp_path / "laps"
    # Each life ends long before it; counted by lives, it would never come.
    ref = system.spawn(Laps, path, range(1_000_000), config={"lives": 1_000_000, "join_in": 1})
    assert ref.wait(50).ended
    first, *_, last = ref.history()
    assert last.incarnation > 1
    assert last.ended_at - first.started_at >= 1


@pytest.mark.requirement("C1")
def test_join_in_during_backoff_ends_crashed_with_the_last_crash(system, tmp_path):
    config = {"lives": 9, "join_in": 0.7, "restart.backoff.base": 60, "restart.backoff.cap": 60}
    ref = system.spawn(Laps, tmp_path / "laps", range(10), config=config)
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().incarnation == 2, 20, "the backoff")
    with pytest.raises(MainLoopError, match="life 2 is short"):
        ref.result(30)
    assert ref.info().status is Status.CRASHED
    assert len(ref.history()) == 2


class Waits(Process):
    def __init__(self, path):
        self.path = path

    def __loop__(self):
        note(self.path, self.current_lap)
        self.sleep(60)


@pytest.mark.requirement("C3")
@pytest.mark.requirement("A3")
def test_heartbeats_come_at_their_interval(system, tmp_path):
    ref = system.spawn(Waits, tmp_path / "laps", config={"heartbeat.interval": 0.05})
    until(lambda: ref.info().heartbeat_age is not None, 20, "the first word")
    heard = 0
    last = ref.info().heartbeat_age
    deadline = time.monotonic() + 20
    while heard < 5:
        assert time.monotonic() < deadline
        age = ref.info().heartbeat_age
        heard += age < last
        last = age
    until(lambda: ref.info().health is Health.HEALTHY, 20, "a beat that is not late")


@pytest.mark.requirement("C3")
def test_quick_heartbeats_are_quick_from_the_first_on(system):
    class Short(Process):
        def __loop__(self):
            self.sleep(1.8)
            self.stop()

    config = {"heartbeat.interval": 0.2, "heartbeat.misses": 3, "heartbeat.kill": "always"}
    assert system.spawn(Short, config=config).wait(20) is Status.FINISHED


@pytest.mark.requirement("C3")
@pytest.mark.requirement("H2")
def test_misses_say_how_much_silence_is_borne(system, tmp_path):
    config = {"heartbeat.interval": 0.1, "heartbeat.misses": 1000}
    patient = system.spawn(Waits, tmp_path / "patient", name="patient", config=config)
    strict = system.spawn(Waits, tmp_path / "strict", name="strict", config=config | {"heartbeat.misses": 2})
    for ref in (patient, strict):
        ref.wait_ready(20)  # stopped before its word of it has left, it would still be starting
    until(lambda: notes(tmp_path / "patient") and notes(tmp_path / "strict"), 20, "both")
    for ref in (patient, strict):
        os.kill(ref.info().pid, signal.SIGSTOP)
    with pytest.raises(ActorDied, match="strict was silent for 2 heartbeats and was ended"):
        strict.result(20)
    until(lambda: patient.info().health is Health.UNRESPONSIVE, 20, "the silence")
    os.kill(patient.info().pid, signal.SIGCONT)
    until(lambda: patient.info().health is Health.HEALTHY, 20, "the recovery")
    assert patient.info().incarnation == 1


class HoldsTheInterpreter(Process):
    def __loop__(self):
        # Blocked, for the signal that asks for the stacks would end the call.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        ctypes.PyDLL(None).usleep(1_500_000)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.stop()

    def __result__(self):
        return "came back"


@pytest.mark.requirement("C3")
@pytest.mark.parametrize("kill", ["auto", "always"])
def test_silence_within_a_section_kills_only_where_always_is_asked_for(system, kill):
    config = {"heartbeat.interval": 0.1, "heartbeat.misses": 2, "heartbeat.kill": kill}
    ref = system.spawn(HoldsTheInterpreter, name="holder", config=config)
    if kill == "auto":
        assert ref.result(20) == "came back"
    else:
        with pytest.raises(ActorDied, match="holder was silent for 2 heartbeats"):
            ref.result(20)


class ThreeSections(Process):
    def __init__(self):
        self.config.num_loops = 2

    def __preloop__(self):
        self.sleep(0.03)

    def __loop__(self):
        self.sleep(0.02)

    def __postloop__(self):
        self.sleep(0.01)


@pytest.mark.requirement("C3")
def test_log_laps_logs_a_debug_record_a_lap_with_its_section_times(system, records):
    system.spawn(ThreeSections, name="quiet").wait(20)
    system.spawn(ThreeSections, name="told", config={"log_laps": True}).wait(20)
    system.shutdown()
    laps = [record for record in records if record.name.startswith("understudy.actor.")]
    assert [(record.name, record.levelname) for record in laps] == [("understudy.actor.told", "DEBUG")] * 2
    for number, record in enumerate(laps, 1):
        text = record.getMessage()
        assert text.startswith(f"lap {number} took 0.0")
        spent = {name: float(seconds) for name, seconds in re.findall(r"(\w+) (\d+\.\d+)", text)}
        assert spent["preloop"] >= 0.03
        assert spent["loop"] >= 0.02
        assert spent["postloop"] >= 0.01


class Deaf(Process):
    def __init__(self, path):
        self.path = path

    def __loop__(self):
        note(self.path, "loop")
        while True:
            try:
                time.sleep(60)
            except BaseException as error:
                note(self.path, type(error).__name__)


@pytest.mark.requirement("C3")
@pytest.mark.requirement("E2")
def test_the_stop_ladder_of_each_actor_says_what_the_systems_end_may_take(system, tmp_path):
    path = tmp_path / "deaf"
    ladder = StopLadder(command=0.1, term=0.1, term_again=0.1)
    ref = system.spawn(Deaf, path, config={"stop": ladder})
    slow = system.spawn(Waits, tmp_path / "waits")
    until(lambda: notes(path) and notes(tmp_path / "waits"), 20, "both")
    system.shutdown()
    assert ref.wait(0) is Status.KILLED
    assert notes(path) == ["loop", "Cut"]
    assert slow.wait(0) is Status.FINISHED


@pytest.mark.requirement("C3")
def test_the_restart_policy_says_what_comes_up_again(system, tmp_path):
    config = {"lives": 5, "restart.policy": "never"}
    never = system.spawn(Laps, tmp_path / "never", range(10), config=config)
    assert never.wait(20) is Status.CRASHED
    assert len(never.history()) == 1

    config = {"num_loops": 1, "restart.policy": "always"}
    always = system.spawn(Laps, tmp_path / "always", config=config)
    until(lambda: always.info().incarnation >= 3, 20, "the third life")
    always.stop()
    assert always.wait(20) is Status.FINISHED


@pytest.mark.requirement("C3")
def test_the_backoff_is_shown_while_it_lasts(system, tmp_path):
    config = {"lives": 9, "restart.backoff.base": 500, "restart.backoff.cap": 50, "restart.backoff.jitter": 0}
    ref = system.spawn(Laps, tmp_path / "laps", range(10), config=config)
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().incarnation == 2, 20, "the backoff")
    assert 30 < ref.info().next_restart <= 50
    ref.kill()
    assert ref.wait(20) is Status.KILLED


class Returns(Process):
    def __init__(self, size):
        self.size = size

    def __loop__(self):
        self.stop()

    def __result__(self):
        return b"x" * self.size


@pytest.mark.requirement("C3")
def test_a_result_beyond_its_limit_is_refused_with_both_sizes(system):
    config = {"limits.result": 100_000}
    assert len(system.spawn(Returns, 99_000, config=config).result(20)) == 99_000
    refused = r"TooLarge: the result of big has 1000\d\d bytes; .* allows 100000"
    with pytest.raises(ResultError, match=refused) as caught:
        system.spawn(Returns, 100_001, name="big", config=config).result(20)
    assert isinstance(caught.value.__cause__, TooLarge)


@pytest.mark.requirement("C4")
def test_replace_gives_a_copy_for_another_actor_and_leaves_the_first(system, tmp_path):
    role = Laps(tmp_path / "laps")
    role.config.num_loops = 2
    longer = role.config.replace(num_loops=4)
    assert (role.config.num_loops, longer.num_loops, longer.restart.backoff.base) == (2, 4, 0)
    assert repr(longer) == "ProcessConfig(num_loops=4, restart=Restart(backoff=Backoff(base=0.0)))"
    assert system.spawn(role, config=longer).result(20) == 4
    assert system.spawn(role).result(20) == 2


@pytest.mark.requirement("C4")
def test_a_config_given_to_spawn_is_taken_whole_and_copied(system, tmp_path):
    config = ProcessConfig(num_loops=3, lives=2)
    config.restart.backoff.base = 0
    ref = system.spawn(Laps, tmp_path / "laps", [1], config=config)
    config.num_loops = config.lives = 1
    assert ref.result(20) == 3
    assert ref.info().incarnation == 2


WRONG: list[tuple[Any, type[Exception], str]] = [
    ({"live": 3}, UnknownField, "did you mean 'lives'"),
    ({"timeouts.lop": 3}, UnknownField, "did you mean 'timeouts.loop'"),
    ({"timeouts.loop": -1}, ConfigError, "timeouts.loop must be .* above 0"),
    ({"lives": 0}, ConfigError, "lives must be a whole number, at least 1; got 0"),
    ({"heartbeat.kill": "sometimes"}, ConfigError, "heartbeat.kill must be one of 'auto', 'always'"),
    (["lives"], ConfigError, "takes a dict"),
]


@pytest.mark.requirement("C4")
@pytest.mark.requirement("P2")
def test_a_wrong_override_is_refused_by_spawn_and_the_name_stays_free(system, tmp_path):
    for config, kind, words in WRONG:
        with pytest.raises(kind, match=words):
            system.spawn(Laps, tmp_path / "laps", name="laps", config=config)
        assert system.ps() == []
    assert system.spawn(Laps, tmp_path / "laps", name="laps", config={"num_loops": 1}).result(20) == 1
