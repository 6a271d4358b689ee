"""A stop asks and returns; what becomes of the section under way; and the rungs that a grace climbs down."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.stage import gone, hold, note, noted, notes, running, until
from understudy import ActorKilled, ActorSystem, ConfigError, Process, ResultError, Status
from understudy.config import StopLadder


class Laps(Process):
    """Works until it is stopped; each lap waits for its gate, if it has one."""

    def __init__(self, told, gate=None):
        self.told, self.gate = told, gate

    def __preloop__(self):
        note(self.told, "preloop")

    def __loop__(self):
        if self.gate is not None:
            hold(self.gate)
        self.sleep(60)
        note(self.told, "loop")

    def __postloop__(self):
        note(self.told, "postloop")

    def __onfinish__(self):
        note(self.told, "onfinish")

    def __result__(self):
        note(self.told, "result")
        return "done"


class Deaf(Process):
    """Hangs in the sections that it is told, over and over if it is stubborn."""

    def __init__(self, told, *sections, stubborn=False):
        self.told, self.sections, self.stubborn = told, sections, stubborn

    def _reach(self, section):
        note(self.told, f"{section} {time.time()}")
        while section in self.sections:
            try:
                time.sleep(60)
            except BaseException:
                if not self.stubborn:
                    raise
                note(self.told, f"interrupted {time.time()}")

    def __loop__(self):
        self._reach("loop")

    def __onfinish__(self):
        self._reach("onfinish")

    def __result__(self):
        self._reach("result")
        return "done"


def words(path):
    return [line.split()[0] for line in notes(path)]


def when(path, word, nth=0):
    return [float(line.split()[1]) for line in notes(path) if line.split()[0] == word][nth]


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


@pytest.mark.requirement("K1")
def test_a_stop_goes_by_name_glob_ref_or_any_iterable_of_these(system, tmp_path):
    names = ["a", "b/1", "b/2", "c", "d", "e"]
    refs = {name: system.spawn(Laps, tmp_path / name.replace("/", "-"), name=name) for name in names}
    for name in names:
        noted(tmp_path / name.replace("/", "-"))
    assert system.stop("a") == {"a": "asked"}
    assert system.stop("b/*") == {"b/1": "asked", "b/2": "asked"}
    assert system.stop(refs["c"]) == {"c": "asked"}
    assert system.stop([refs["d"], "e", "[de]"]) == {"d": "asked", "e": "asked"}
    assert system.wait_all(refs.values(), 30) == dict.fromkeys(names, Status.FINISHED)
    assert system.stop("nobody-*") == {}


@pytest.mark.requirement("K1")
def test_a_star_crosses_the_slash_and_a_name_is_no_prefix(system, tmp_path):
    refs = [system.spawn(Laps, tmp_path / f"{number}", name=name) for number, name in enumerate(("w", "w/1", "w1"))]
    for number in range(3):
        noted(tmp_path / f"{number}")
    assert system.stop("w") == {"w": "asked"}
    assert refs[0].wait(30) is Status.FINISHED
    running(*refs[1:])
    assert system.stop("w*") == {"w/1": "asked", "w1": "asked"}
    assert [ref.wait(30) for ref in refs[1:]] == [Status.FINISHED] * 2


@pytest.mark.requirement("K1")
def test_a_stop_asks_and_returns_and_the_section_is_finished_first(system, tmp_path, told, host):
    class Busy(Laps):
        def __loop__(self):
            note(self.told, "loop begins")
            until(lambda: self.stopping, 60)
            hold(self.gate)
            note(self.told, "loop ends")

    ref = system.spawn(Busy, told, tmp_path / "gate", host=host)
    noted(told, 2)
    assert ref.stop() == "asked"
    assert ref.info().status is Status.STOPPING
    until(lambda: ref.info().section == "loop", 20, "the section")
    assert not ref.done()
    (tmp_path / "gate").touch()
    assert (ref.result(30), ref.info().status) == ("done", Status.FINISHED)
    assert notes(told) == ["preloop", "loop begins", "loop ends", "onfinish", "result"]


@pytest.mark.requirement("K1")
def test_without_a_grace_the_sections_own_timeout_bounds_it(system, told):
    ref = system.spawn(Deaf, told, "loop", config={"timeouts.loop": 1.0, "lives": 3})
    noted(told)
    ref.stop()
    assert ref.wait(30) is Status.CRASHED
    assert words(told) == ["loop"]
    assert len(ref.history()) == 1


@pytest.mark.requirement("K1")
def test_at_half_the_grace_the_section_is_interrupted_without_error(system, tmp_path):
    refs = {host: system.spawn(Deaf, tmp_path / host, "loop", host=host) for host in ("process", "spawn")}
    for host in refs:
        noted(tmp_path / host)
    asked = time.time()
    assert [ref.stop(grace=4) for ref in refs.values()] == ["asked"] * 2
    for host, ref in refs.items():
        assert ref.result(30) == "done"
        assert ref.wait(0) is Status.FINISHED
        assert words(tmp_path / host) == ["loop", "onfinish", "result"]
        # No sooner than half the grace, as far as two clocks agree.
        assert when(tmp_path / host, "onfinish") - asked > 1.9


@pytest.mark.requirement("K1")
def test_at_three_quarters_of_the_grace_the_end_is_interrupted_too(system, told):
    ref = system.spawn(Deaf, told, "loop", "onfinish")
    noted(told)
    asked = time.time()
    ref.stop(grace=3)
    assert ref.result(30) == "done"
    assert words(told) == ["loop", "onfinish", "result"]
    assert when(told, "onfinish") - asked > 1.4
    assert when(told, "result") - asked > 2.1


@pytest.mark.requirement("K1")
def test_a_result_that_is_interrupted_is_none(system, told):
    ref = system.spawn(Deaf, told, "loop", "result")
    noted(told)
    ref.stop(grace=3)
    with pytest.raises(ResultError, match="SIGTERM"):
        ref.result(30)
    assert ref.wait(0) is Status.CRASHED


@pytest.mark.requirement("K1")
def test_at_the_end_of_the_grace_the_whole_family_is_killed(system, told, tmp_path, host):
    class Parental(Deaf):
        def __loop__(self):
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            note(f"{self.told}.child", child.pid)
            super().__loop__()

    ref = system.spawn(Parental, told, "loop", stubborn=True, host=host, config={"lives": 3})
    noted(told)
    asked = time.time()
    ref.stop(grace=1)
    assert ref.wait(30) is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result()
    gone(int(notes(f"{told}.child")[0]))
    assert set(words(told)) == {"loop", "interrupted"}
    assert ref.history()[-1].ended_at - asked > 0.9
    assert len(ref.history()) == 1


@pytest.mark.requirement("K1")
def test_no_grace_at_all_kills_at_once(system, told):
    ref = system.spawn(Deaf, told, "loop")
    noted(told)
    ref.stop(grace=0)
    assert ref.wait(30) is Status.KILLED
    assert words(told) == ["loop"]


@pytest.mark.requirement("K1")
def test_a_later_stop_with_less_grace_tightens_the_first(system, told):
    ref = system.spawn(Deaf, told, "loop", stubborn=True)
    noted(told)
    assert ref.stop(grace=600) == "asked"
    assert ref.stop(grace=0.4) == "already"
    assert ref.stop(grace=600) == "already"
    assert ref.wait(30) is Status.KILLED


@pytest.mark.requirement("K1")
def test_a_grace_that_is_none_is_refused(system, told):
    ref = system.spawn(Laps, told)
    for grace in (-1, float("nan"), float("inf"), "2", True):
        with pytest.raises(ConfigError, match="grace"):
            ref.stop(grace=grace)
    noted(told)
    running(ref)


@pytest.mark.requirement("K1")
def test_a_function_is_told_by_its_stop_event(system, told):
    def work(path, stop_event):
        note(path, "begins")
        stop_event.wait(60)
        return stop_event.is_set()

    ref = system.spawn(work, told)
    noted(told)
    ref.stop()
    assert (ref.result(30), ref.wait(0)) == (True, Status.FINISHED)


@pytest.mark.requirement("K2")
def test_a_system_goes_down_by_ten_five_and_five_seconds_unless_told_otherwise():
    ladder = StopLadder()
    assert (ladder.command, ladder.term, ladder.term_again) == (10, 5, 5)
    assert Process.__new__(Laps).config.stop == ladder


class Slow(Deaf):
    """Takes a second to end."""

    def __loop__(self):
        note(self.told, "loop 0")
        self.sleep(60)

    def __onfinish__(self):
        time.sleep(1)
        note(self.told, "onfinish 0")


@pytest.mark.requirement("K2")
def test_all_go_down_side_by_side(tmp_path):
    with ActorSystem() as system:
        refs = [system.spawn(Slow, tmp_path / f"{number}") for number in range(12)]
        for number in range(12):
            noted(tmp_path / f"{number}")
        began = time.monotonic()
    assert time.monotonic() - began < 10  # one after the other would take twelve
    assert [ref.wait(0) for ref in refs] == [Status.FINISHED] * 12
    assert [words(tmp_path / f"{number}")[-1] for number in range(12)] == ["result"] * 12


@pytest.mark.requirement("K2")
def test_a_shutdown_climbs_down_each_actors_own_ladder(tmp_path):
    rungs = {"stop.command": 0.3, "stop.term": 0.7, "stop.term_again": 1.0}
    with ActorSystem() as system:
        polite = system.spawn(Laps, tmp_path / "polite", config=rungs)
        deaf = system.spawn(Deaf, tmp_path / "deaf", "loop", config=rungs)
        deafer = system.spawn(Deaf, tmp_path / "deafer", "loop", "onfinish", config=rungs)
        stubborn = system.spawn(Deaf, tmp_path / "stubborn", "loop", stubborn=True, config=rungs)
        for name in ("polite", "deaf", "deafer", "stubborn"):
            noted(tmp_path / name)
    assert [ref.wait(0) for ref in (polite, deaf, deafer, stubborn)] == [Status.FINISHED] * 3 + [Status.KILLED]
    assert [ref.result() for ref in (polite, deaf, deafer)] == ["done"] * 3
    assert words(tmp_path / "deafer") == ["loop", "onfinish", "result"]
    assert words(tmp_path / "stubborn").count("interrupted") <= 2


@pytest.mark.requirement("K2")
def test_by_force_nobody_is_asked(tmp_path, host):
    system = ActorSystem()
    refs = [system.spawn(Laps, tmp_path / f"{number}", host=host) for number in range(3)]
    for number in range(3):
        noted(tmp_path / f"{number}")
    system.shutdown(force=True)
    assert [ref.wait(0) for ref in refs] == [Status.KILLED] * 3
    assert [words(tmp_path / f"{number}") for number in range(3)] == [["preloop"]] * 3


@pytest.mark.requirement("K1")
def test_a_sigterm_that_comes_before_anybody_can_heed_it_is_a_stop_all_the_same(system, host, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.boot=sleep:0.3")

    class Prompt(Process):
        def __loop__(self):
            raise AssertionError("no lap begins after a stop")

        def __result__(self):
            return "stopped"

    ref = system.spawn(Prompt, host=host)
    os.kill(until(lambda: ref.info().pid, 20, "its process"), signal.SIGTERM)
    assert ref.result(20) == "stopped"
    assert [life.exit_code for life in ref.history()] == [0]
