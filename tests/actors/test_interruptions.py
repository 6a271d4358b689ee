"""Interruptions that land in an awkward place: in the event loop, or in another section than the one they are for."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.stage import note, notes
from understudy import MainLoopTimeoutError, Process
from understudy.part import part_of


async def busy():
    while True:
        pass


async def beside_another(path):
    async def other():
        try:
            await asyncio.sleep(60)
        finally:
            note(path, "the other cleaned up")

    await asyncio.gather(other(), busy())


class BusyAwaiting(Process):
    def __init__(self, path, section="loop"):
        self.path, self.section = path, section
        setattr(self.config.timeouts, section, 0.25)

    async def __loop__(self):
        if self.section == "loop":
            await busy()
        self.stop()

    async def __onfinish__(self):
        if self.section == "onfinish":
            await beside_another(self.path)


@pytest.mark.requirement("E3")
@pytest.mark.requirement("P3")
def test_an_async_hook_that_never_awaits_is_timed_out_like_a_plain_one(system, host, tmp_path):
    ref = system.spawn(BusyAwaiting, tmp_path / "said", name="stuck", host=host)
    with pytest.raises(MainLoopTimeoutError, match=r"^__loop__ of stuck ran 0\.25 s \(lap 1, incarnation 1\)$"):
        ref.result(20)
    assert ref.history()[0].exit_code == 1  # it told the timeout itself; nobody had to kill it


@pytest.mark.requirement("E3")
@pytest.mark.requirement("P3")
def test_where_one_of_two_tasks_is_interrupted_the_other_cleans_up(system, tmp_path):
    path = tmp_path / "said"
    error = system.spawn(BusyAwaiting, path, "onfinish", name="stuck").exception(20)
    assert str(error) == "__onfinish__ of stuck ran 0.25 s (lap 1, incarnation 1)"
    assert notes(path) == ["the other cleaned up"]


class Delayed(Process):
    """An interrupt for its loop was under way, and gets there when the next section is open."""

    def __init__(self):
        self.config.num_loops = 1
        self.config.timeouts.loop = 0.2

    def __loop__(self):
        pass

    def __postloop__(self):
        inside: Any = part_of(self).inside
        late = threading.Thread(target=inside._sections.interrupt)
        late.start()
        late.join()
        sum(range(1000))

    def __result__(self):
        return "undisturbed"


@pytest.mark.requirement("E3")
@pytest.mark.requirement("E8")
@pytest.mark.parametrize("mode", ["signal", "async"])
def test_an_interrupt_that_lands_in_the_next_section_leaves_it_alone(system, monkeypatch, mode):
    monkeypatch.setenv("UNDERSTUDY_INTERRUPT", mode)
    assert system.spawn(Delayed).result(30) == "undisturbed"


class OnTheEdge(Process):
    """Its loop ends at about its deadline, a little earlier or later each lap."""

    def __init__(self):
        self.config.timeouts.loop = 0.02
        self.config.lives = 40
        self.config.num_loops = 10
        self.config.restart.backoff.base = 0

    def __loop__(self):
        end = time.monotonic() + 0.0196 + 0.0001 * self.current_lap
        while time.monotonic() < end:
            pass

    def __postloop__(self):
        sum(range(20_000))


@pytest.mark.requirement("E8")
def test_sections_that_end_on_their_deadline_never_hand_their_interrupt_on(system, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_INTERRUPT", "async")
    ref = system.spawn(OnTheEdge)
    assert ref.wait(50).ended
    crashed = [life for life in ref.history() if life.exit_code != 0]
    assert {life.section for life in crashed} <= {"loop"}
    assert all(life.exit_code == 1 for life in crashed), [str(life.report) for life in crashed]
