"""The awaitable twins of a ref, and a system as an async context manager."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from tests.stage import hold, note, noted, until
from understudy import ActorKilled, ActorSystem, MainLoopError, Process, Status, WaitTimeout


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Lingering(Process):
    def __init__(self, told, gate):
        self.told, self.gate = told, gate
        self.config.stop.command = 300

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "onfinish")
        hold(self.gate)


def fail():
    raise ValueError("no")


def give(value):
    return value


def test_awaiting_gives_what_waiting_gives():
    async def main():
        async with ActorSystem() as system:
            ref = system.spawn(give, {"a": 1})
            await ref.aio.wait_ready()
            assert await ref.aio == {"a": 1}
            assert await ref.aio.result() is ref.result()
            assert await ref.aio.wait() is Status.FINISHED
            assert await ref.aio.exception() is None
            failing, killed = system.spawn(fail), system.spawn(Idle)
            with pytest.raises(MainLoopError, match="ValueError: no"):
                await failing.aio
            assert isinstance(await failing.aio.exception(), MainLoopError)
            await killed.aio.wait_ready(20)
            killed.kill()
            with pytest.raises(ActorKilled):
                await killed.aio.result(20)
        assert not system.is_open

    asyncio.run(main())


def test_many_waits_go_on_side_by_side_without_a_thread_for_each(system):
    async def main():
        refs = [system.spawn(Idle) for _ in range(10)]
        waits = [asyncio.ensure_future(ref.aio.wait(30)) for ref in refs for _ in range(20)]
        await asyncio.gather(*(ref.aio.wait_ready(20) for ref in refs))
        assert threading.active_count() < 50
        system.stop("*")
        assert set(await asyncio.gather(*waits)) == {Status.FINISHED}

    asyncio.run(main())


def test_a_wait_that_is_cancelled_or_runs_out_leaves_the_actor_alone(system):
    async def main():
        ref = system.spawn(Idle)
        await ref.aio.wait_ready(20)
        for wait in (ref.aio.wait, ref.aio.result, ref.aio.exception):
            task = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(WaitTimeout, match=ref.name):
                await wait(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ref.aio
        assert ref.info().alive
        assert ref.stop() == "asked"
        assert await ref.aio.wait(20) is Status.FINISHED

    asyncio.run(main())


def test_a_wait_of_no_time_sees_what_has_happened_already(system):
    async def main():
        ref = system.spawn(give, 7)
        ref.wait(20)
        assert await ref.aio.wait(0) is Status.FINISHED
        assert await ref.aio.result(0) == 7
        assert await ref.aio.exception(timeout=0) is None
        assert await ref.aio.wait_ready(0) is None
        idle = system.spawn(Idle)
        with pytest.raises(WaitTimeout):
            await idle.aio.wait(0)

    asyncio.run(main())


def test_an_actor_may_end_after_the_loop_that_waited_for_it(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)

    async def give_up():
        with pytest.raises(WaitTimeout):
            await ref.aio.wait(0.01)

    for _ in range(3):
        asyncio.run(give_up())
    ref.stop()
    assert ref.wait(20) is Status.FINISHED
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED


def test_the_loop_goes_on_while_an_async_with_block_closes(tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"

    async def main():
        async with ActorSystem() as system:
            ref = system.spawn(Lingering, told, gate)
            await ref.aio.wait_ready(20)
            opener = asyncio.ensure_future(asyncio.to_thread(lambda: (noted(told), gate.touch())))
        await opener
        return ref.wait(0)

    assert asyncio.run(main()) is Status.FINISHED


@pytest.mark.requirement("K2")
def test_cancelling_the_close_of_an_async_with_block_forces_it(tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"

    async def main():
        async with ActorSystem() as system:
            ref = system.spawn(Lingering, told, gate)
            await ref.aio.wait_ready(20)
            kept.append((system, ref))

    async def hurry():
        task = asyncio.ensure_future(main())
        await asyncio.to_thread(noted, told)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    kept: list[Any] = []
    asyncio.run(hurry())
    system, ref = kept[0]
    assert ref.wait(0) is Status.KILLED
    assert not system.is_open
    until(lambda: not os.path.exists(system.endpoint.removeprefix("ipc://")))


def test_an_exception_leaves_the_async_with_block_when_all_have_ended():
    async def main():
        async with ActorSystem() as system:
            ref = system.spawn(Idle)
            kept.append(ref)
            await ref.aio.wait_ready(20)
            raise ZeroDivisionError

    kept: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert kept[0].wait(0) is Status.FINISHED
