"""The loop of async hooks: what ends it, wherever it strikes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from understudy.engine.hooks import Loop
from understudy.runtime import Interruption


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def strike() -> None:
    raise Interruption


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("where", ["the hook", "a callback", "a callback of a task's end"])
def test_an_interruption_ends_the_hook_wherever_it_strikes_and_tasks_clean_up(loop: Loop, where: str):
    told: list[Any] = []

    async def cleans() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("cleaned")

    async def hook() -> None:
        other = asyncio.create_task(cleans())
        await asyncio.sleep(0)
        if where == "the hook":
            strike()
        elif where == "a callback":
            asyncio.get_running_loop().call_soon(strike)
        else:
            asyncio.create_task(asyncio.sleep(0)).add_done_callback(lambda _: strike())
        await other

    with pytest.raises(Interruption):
        loop.run(hook())
    assert told == ["cleaned"]
    assert loop.run(asyncio.sleep(0, "as ever")) == "as ever"


def test_an_error_in_a_callback_is_told_and_ends_nothing(loop: Loop, caplog: pytest.LogCaptureFixture):
    async def hook() -> str:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        return "as ever"

    assert loop.run(hook()) == "as ever"
    assert "ZeroDivisionError" in caplog.text
