"""An observer in an asyncio program: no loop is blocked, nothing is lost by cancelling, and an end comes at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from time import monotonic
from typing import Any

import pytest

from tests.stage import parent, said, state_of, until, vanished
from understudy import Event, Observer, Process, Status, SystemClosed, UnknownActor, WaitTimeout


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@contextlib.asynccontextmanager
async def ticking():
    """How often the loop came round meanwhile: one that is blocked does not."""
    rounds = [0]

    async def tick():
        while True:
            await asyncio.sleep(0.01)
            rounds[0] += 1

    task = asyncio.create_task(tick())
    yield rounds
    task.cancel()


def observers():
    return [thread for thread in threading.enumerate() if thread.name == "understudy-observer"]


@pytest.mark.requirement("A4")
def test_async_for_gives_every_event_once_in_order_until_the_system_closes(system):
    async def watch():
        async with Observer(system.endpoint) as observer:
            await asyncio.to_thread(lambda: until(lambda: system._calls.make(system._world.hub.watched)))
            for number in range(20):
                system.spawn(os.getpid, name=f"done-{number}")
            closing = asyncio.create_task(asyncio.to_thread(lambda: (system.wait_all(timeout=30), system.shutdown())))
            events = []
            async for event in observer:
                events.append(event)
                row = observer.actors[event.name]
                assert event.kind != "state" or row.status == event.after, "the table is as of the event"
            await closing
            return events

    events = asyncio.run(watch())
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sum(event.after == "FINISHED" for event in events) == 20
    until(lambda: not observers(), what="the end of the thread")


def test_a_call_after_close_is_answered_and_leaves_no_thread(system):
    async def late():
        observer = Observer(system.endpoint)
        assert list(await observer.aio.snapshot()) == []
        observer.close()
        for ask in (observer.aio.snapshot, lambda: observer.aio.wait_for("nobody", status="RUNNING")):
            with pytest.raises(SystemClosed):
                await ask()
        assert await observer.aio.next() is None
        return observer

    observer = asyncio.run(late())
    until(lambda: not observers(), what="the end of the threads")
    observer.close()


@pytest.mark.requirement("A4")
def test_nothing_is_lost_by_cancelling_again_and_again(scripted):
    async def watch():
        seen: list[Any] = []
        async with Observer(scripted.endpoint) as observer:
            await asyncio.to_thread(scripted.subscribed)
            sent = asyncio.create_task(asyncio.to_thread(publish))
            while len(seen) < 500:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.001 * (len(seen) % 3)):
                        one = await (anext(observer) if len(seen) % 2 else observer.aio.next())
                        seen.append(one)
            await sent
        return seen

    def publish():
        for number in range(500):
            scripted.publish(scripted.score.happen("report", "a", number))
            if number % 50 == 0:
                threading.Event().wait(0.02)  # so that there is something to wait for

    assert [event.seq for event in asyncio.run(watch())] == list(range(1, 501))


@pytest.mark.requirement("A4")
def test_a_consumer_that_lags_is_handed_no_more_than_a_bounded_number_and_loses_nothing(scripted):
    async def watch():
        async with Observer(scripted.endpoint) as observer:
            await asyncio.to_thread(scripted.subscribed)
            await asyncio.to_thread(
                lambda: [scripted.publish(scripted.score.happen("report", "a")) for _ in range(5000)]
            )
            events: list[Event] = []
            most = 0
            while len(events) < 5000:
                events.append(await anext(observer))
                most = max(most, len(observer._feed.steps))
            return events, most

    events, most = asyncio.run(watch())
    assert [event.seq for event in events] == list(range(1, 5001))
    assert most <= 1000


@pytest.mark.requirement("A4")
@pytest.mark.parametrize("how", ["cancel", "close", "close from a thread", "leave"])
def test_an_end_comes_at_once_though_nothing_happens(scripted, how):
    async def watch():
        async with Observer(scripted.endpoint, timeout=None) as observer:

            async def follow():
                return [event async for event in observer]

            task = asyncio.create_task(follow())
            await asyncio.to_thread(scripted.subscribed)
            await asyncio.sleep(0.05)
            began = monotonic()
            match how:
                case "cancel":
                    task.cancel()
                case "close":
                    observer.close()
                case "close from a thread":
                    await asyncio.to_thread(observer.close)
            if how != "leave":
                await asyncio.wait([task])
                assert task.cancelled() if how == "cancel" else task.result() == []
        if how == "leave":
            assert await task == []
        return monotonic() - began

    assert asyncio.run(watch()) < 5
    until(lambda: not observers(), what="the end of the thread")


PARENT = """
import sys
from understudy import ActorSystem
system = ActorSystem(sys.argv[1])
print(system.endpoint, flush=True)
sys.stdin.read()
"""


@pytest.mark.requirement("A4")
@pytest.mark.fault("F32")
def test_the_loop_goes_on_while_a_paused_parent_does_not_answer(tmp_path):
    async def watch(endpoint):
        async with ticking() as rounds:
            with pytest.raises(WaitTimeout, match=r"did not answer within 1 s"):
                async with Observer(endpoint, timeout=1):
                    raise AssertionError("nobody answered")
            return rounds[0]

    with parent(PARENT, tmp_path, "paused", stdin=subprocess.PIPE) as process:
        endpoint = said(process)
        process.send_signal(signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
        assert asyncio.run(watch(endpoint)) > 5
    vanished(endpoint)
    until(lambda: not observers(), what="the end of the thread")


@pytest.mark.requirement("A4")
def test_waits_have_twins_for_asyncio_and_cancelling_one_leaves_the_observer_as_it_is(system):
    async def watch():
        async with Observer(system.endpoint) as observer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await observer.aio.wait_for("idle", status="RUNNING")
            assert await observer.aio.next(timeout=0) is None
            ref = system.spawn(Idle, name="idle")
            assert (await observer.aio.wait_for("idle", status="RUNNING", timeout=20)).uid == ref.uid
            assert [row.name for row in await observer.aio.snapshot()] == ["idle"]
            task = asyncio.create_task(observer.aio.wait_for("idle", status="KILLED"))
            ref.kill()
            assert (await task).status is Status.KILLED
            with pytest.raises(WaitTimeout):
                await observer.aio.wait_for("nobody", status="RUNNING", timeout=0.1)

    asyncio.run(watch())


def test_errors_reach_who_awaits(system):
    async def watch():
        with pytest.raises(UnknownActor):
            Observer("nowhere")
        async with Observer(system.endpoint) as observer:
            await asyncio.to_thread(system.shutdown)
            with pytest.raises(SystemClosed):
                await observer.aio.wait_for("idle", status="RUNNING")
            assert [event async for event in observer] == []
        with pytest.raises(StopAsyncIteration):
            await anext(observer)

    asyncio.run(watch())
