"""Interruptions that land in an awkward place: in the event loop, or in another section than the one they are for."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.stage import note, notes
from understudy import MainLoopTimeoutError, Process, Status


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
