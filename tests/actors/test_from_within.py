"""What a hook may ask of the runtime: stop, kill, sleep, where it is, how far it is."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import pytest

from tests.stage import alive, note, notes, until
from understudy import (
    ActorKilled,
    ConfigError,
    MainLoopError,
    NotStarted,
    PreloopError,
    Process,
    Status,
    WaitTimeout,
    WrongProcess,
)


class KillsItself(Process):
    def __init__(self, path, section):
        self.path, self.section = path, section

    def reach(self, section):
        note(self.path, section)
        if section == self.section:
            self.kill()
            note(self.path, "kill() returned")

    def __preloop__(self):
        self.reach("preloop")

    def __loop__(self):
        self.reach("loop")
        self.stop()

    def __onfinish__(self):
        self.reach("onfinish")

    def __result__(self):
        self.reach("result")

    def __error__(self):
        note(self.path, "error")


@pytest.mark.requirement("P4")
@pytest.mark.parametrize(
    ("section", "reached"),
    [("preloop", ["preloop"]), ("loop", ["preloop", "loop"]), ("onfinish", ["preloop", "loop", "onfinish"])],
)
def test_kill_in_a_hook_ends_the_actor_there_and_nothing_of_it_runs_any_more(system, tmp_path, section, reached):
    path = tmp_path / "reached"
    ref = system.spawn(KillsItself, path, section, config={"lives": 3})
    assert ref.wait(20) is Status.KILLED
    assert notes(path) == reached
    with pytest.raises(ActorKilled):
        ref.result()
    assert len(ref.history()) == 1


class Sleeper(Process):
    def __init__(self, path):
        self.path = path
        self.slept = []

    def __loop__(self):
        self.slept.append(self.sleep(0.01))
        note(self.path, f"asleep, stopping: {self.stopping}")
        began = time.monotonic()
        self.slept.append(self.sleep(3600))
        self.slept.append(time.monotonic() - began < 60)
        self.slept.append(self.sleep(3600))
        self.slept.append(self.stopping)

    def __result__(self):
        return self.slept


@pytest.mark.requirement("P4")
def test_sleep_ends_early_at_a_stop_and_says_whether_it_slept_the_whole_time(system, host, tmp_path):
    path = tmp_path / "said"
    ref = system.spawn(Sleeper, path, host=host)
    until(lambda: notes(path), 20, what="the sleep")
    assert notes(path) == ["asleep, stopping: False"]
    assert ref.stop() == "asked"
    assert ref.result(20) == [True, False, True, False, True]


class FinishesItsLap(Process):
    def __init__(self):
        self.ran = []

    def __preloop__(self):
        self.ran.append(f"preloop {self.current_lap}")
        if self.current_lap == 2:
            self.stop(after="lap")
            self.ran.append(self.stopping)

    def __loop__(self):
        self.ran.append(f"loop {self.current_lap}")

    def __postloop__(self):
        self.ran.append(f"postloop {self.current_lap}")
        if self.current_lap == 2:
            self.stop(after="section")  # a stronger wish, when nothing of the lap is left

    def __result__(self):
        return self.ran


@pytest.mark.requirement("P4")
def test_stop_after_the_lap_finishes_the_lap(system):
    laps = ["preloop 1", "loop 1", "postloop 1", "preloop 2", True, "loop 2", "postloop 2"]
    assert system.spawn(FinishesItsLap).result(20) == laps


@pytest.mark.requirement("P4")
def test_a_stop_after_the_section_is_stronger_than_one_after_the_lap(system):
    class ChangesItsMind(FinishesItsLap):
        def __loop__(self):
            super().__loop__()
            if self.current_lap == 2:
                self.stop(after="section")

    assert system.spawn(ChangesItsMind).result(20)[-1] == "loop 2"


@pytest.mark.requirement("P4")
def test_stop_after_anything_else_is_refused_in_the_hook(system):
    class Mistaken(Process):
        def __loop__(self):
            self.stop(after="tea")

    with pytest.raises(MainLoopError, match=r"ConfigError: stop\(after='tea'\): it is 'section' or 'lap'"):
        system.spawn(Mistaken).result(20)


class Introspects(Process):
    def __init__(self, path):
        self.path = path
        self.config.num_loops = 2
        self.config.lives = 3
        self.config.restart.backoff.base = 0
        self.seen = []

    def __preloop__(self):
        if self.incarnation == 1:
            raise ValueError("the first life is short")

    def __loop__(self):
        self.sleep(0.02)
        last = self.last_lap_time
        self.seen.append(
            (self.name, self.incarnation, self.lives_left, self.current_lap, self.completed_laps, last is not None)
        )
        self.log.warning("lap %d", self.current_lap)

    def __postloop__(self):
        self.sleep(0.02)

    def __onfinish__(self):
        self.seen.append((self.error, isinstance(self.log, logging.Logger), (self.last_lap_time or 0) >= 0.04))
        stats = self.stats
        self.seen.append((stats.laps, min(stats.recent) >= 0.04, stats.fastest_lap == min(stats.recent)))

    def __result__(self):
        return self.seen


@pytest.mark.requirement("P5")
def test_a_hook_knows_its_name_life_and_laps(system, host, tmp_path):
    ref = system.spawn(Introspects, tmp_path / "said", name="crew/looker", host=host)
    assert ref.result(20) == [
        ("crew/looker", 2, 1, 1, 0, False),
        ("crew/looker", 2, 1, 2, 1, True),
        (None, True, True),
        (2, True, True),
    ]


@pytest.mark.requirement("P5")
def test_in_the_parent_the_same_attributes_answer_as_info_does(tmp_path):
    process = Sleeper(tmp_path / "said")
    for name in ("name", "current_lap", "completed_laps", "incarnation", "lives_left"):
        with pytest.raises(NotStarted):
            getattr(process, name)
    process.config.lives = 4
    ref = process.start(name="restless")
    until(lambda: notes(tmp_path / "said"), 20, what="the first lap")
    info = ref.info()
    assert (process.name, process.current_lap, process.completed_laps) == ("restless", 1, 0)
    assert (process.incarnation, process.lives_left) == (1, 3)
    assert (info.name, info.lap, info.completed_laps, info.incarnation, info.lives_left) == ("restless", 1, 0, 1, 3)
    process.stop()
    process.wait(20)
    assert (process.current_lap, process.completed_laps) == (ref.info().lap, ref.info().completed_laps) == (1, 1)


@pytest.mark.requirement("P5")
def test_what_only_a_hook_can_know_is_refused_outside_with_the_reason():
    process = Sleeper("nowhere")
    for ask in ("stopping", "last_lap_time", "error", "stats"):
        with pytest.raises(WrongProcess, match=f"{ask}.*for hooks"):
            getattr(process, ask)
    with pytest.raises(WrongProcess, match="sleep"):
        process.sleep(1)
    with pytest.raises(WrongProcess, match="progress"):
        process.progress(1)


@pytest.mark.requirement("P7")
@pytest.mark.requirement("P6")
@pytest.mark.parametrize("verb", ["wait", "result", "start"])
def test_an_actor_that_waits_for_itself_or_starts_itself_is_told_where_it_is(system, verb):
    class Selfish(Process):
        def __preloop__(self):
            getattr(self, verb)()

        def __loop__(self):
            pass

    with pytest.raises(PreloopError, match="WrongProcess: selfish-1 ") as caught:
        system.spawn(Selfish).result(20)
    assert isinstance(caught.value.__cause__, WrongProcess)


class Reporter(Process):
    """Reports what it is told to, each time the parent lets it."""

    def __init__(self, path, reports):
        self.path, self.reports = path, reports

    def wait_for(self, words):
        until(lambda: len(notes(self.path)) >= words, 20, "the parent's word")

    def __loop__(self):
        for number, (done, total, words) in enumerate(self.reports):
            self.wait_for(number)
            self.progress(done, total, **words)
        self.stop()


@pytest.mark.requirement("P9")
def test_progress_and_note_are_shown_by_info(system, host, tmp_path):
    go = tmp_path / "go"
    reports = [(50, None, {"note": "halfway"}), (3, 4, {}), (0.5, None, {"note": "again"}), (7, 7, {"note": "done"})]
    ref = system.spawn(Reporter, go, reports, host=host)
    assert (ref.info().progress, ref.info().note) == (None, None)
    shown: list[tuple[float | None, str | None]] = [
        (50.0, "halfway"),
        (75.0, "halfway"),
        (0.5, "again"),
        (100.0, "done"),
    ]
    while shown:
        until(lambda: (ref.info().progress, ref.info().note) == shown[0], 20, f"{shown[0]}")
        shown.pop(0)
        note(go, "next")
    assert ref.wait(20) is Status.FINISHED
    assert (ref.info().progress, ref.info().note) == (100.0, "done")


@pytest.mark.requirement("P9")
def test_the_last_of_many_quick_reports_is_the_one_that_stays(system):
    class Quick(Process):
        def __loop__(self):
            for number in range(5001):
                self.progress(number, 5000, note=f"item {number}")
            self.stop()

    ref = system.spawn(Quick)
    ref.wait(30)
    assert (ref.info().progress, ref.info().note) == (100.0, "item 5000")


BOASTS: list[tuple[Any, Any, str]] = [
    (101, None, "from 0 to 100 percent, not 101"),
    (-1, None, "from 0 to 100 percent, not -1"),
    (5, 4, "from 0 to 100 percent, not 125"),
    (float("nan"), None, "from 0 to 100 percent, not nan"),
    (1, 0, "division by zero"),
    ("half", None, "could not convert string to float"),
]


@pytest.mark.requirement("P9")
def test_progress_out_of_range_raises_in_the_hook_and_names_the_value(system):
    class Boasts(Process):
        def __init__(self, done, total):
            self.done, self.total = done, total

        def __loop__(self):
            try:
                self.progress(self.done, self.total)
            except ConfigError as error:
                self.said = str(error)
            self.stop()

        def __result__(self):
            return self.said

    refs = [system.spawn(Boasts, done, total) for done, total, _ in BOASTS]
    for ref, (*_, words) in zip(refs, BOASTS, strict=True):
        assert words in ref.result(20)


@pytest.mark.requirement("P4")
def test_an_actor_killed_from_within_leaves_no_process(system):
    class Goes(Process):
        def __loop__(self):
            self.kill()

    ref = system.spawn(Goes)
    assert ref.wait(20) is Status.KILLED
    pid = ref.history()[0].pid
    assert pid != os.getpid()
    assert not alive(pid)


@pytest.mark.requirement("P7")
def test_waiting_blocks_until_the_end_and_costs_nothing_after_it(system, tmp_path):
    path = tmp_path / "said"
    ref = system.spawn(Sleeper, path)
    until(lambda: notes(path), 20, what="the sleep")
    with pytest.raises(WaitTimeout, match=r"sleeper-1 did not end within 0\.05 s"):
        ref.wait(0.05)
    with pytest.raises(WaitTimeout):
        ref.result(timeout=0)
    assert not ref.done()
    ref.stop()
    assert ref.wait() is Status.FINISHED
    assert ref.wait(0) is ref.wait(timeout=0) is Status.FINISHED
