"""What a wait takes, what it leaves behind, and what it says when its time is over."""

from __future__ import annotations

import asyncio
import threading
import traceback
from fractions import Fraction

import numpy as np
import pytest

from understudy import ActorRef, ConfigError, MainLoopError, Process, Status, WaitTimeout
from understudy.latch import Latch


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class EndsInBetween(Latch[str]):
    """Ends just after a wait for it has given up, and before that asks whether it has ended."""

    def result(self, timeout=None):
        try:
            return super().result(timeout)
        except TimeoutError:
            self.set_result("in the end")
            raise


@pytest.mark.requirement("P7")
def test_an_end_in_the_moment_after_the_time_is_over_counts():
    ref: ActorRef[Process] = ActorRef("nowhere", 1, "hasty")
    assert ref._await(EndsInBetween(), 0, "end") == "in the end"


@pytest.mark.requirement("P7")
def test_a_timeout_that_is_no_number_of_seconds_is_refused(system):
    ref = system.spawn(Idle)
    waits = [ref.wait, ref.result, ref.exception, ref.wait_ready, system.wait_all]
    for timeout in ("1", b"1", [1], float("nan"), True, 1j, Status.RUNNING):
        for wait in waits:
            with pytest.raises(ConfigError, match="timeout must be a number of seconds, or None; got "):
                wait(timeout=timeout)
        for wait in (ref.aio.wait, ref.aio.result, ref.aio.exception, ref.aio.wait_ready):
            with pytest.raises(ConfigError, match="timeout must be a number of seconds, or None; got "):
                asyncio.run(wait(timeout=timeout))


LONG = [1e12, float("inf"), 10**400, np.float32(60), Fraction(121, 2), np.int64(60)]


@pytest.mark.requirement("P7")
def test_a_timeout_may_be_any_real_number_and_as_long_as_one_likes(system):
    for timeout in LONG:
        ref = system.spawn(len, "four")
        assert ref.wait(timeout) is Status.FINISHED
        other = system.spawn(len, "four")
        assert asyncio.run(other.aio.result(timeout)) == 4
        names = [ref.name, other.name]
        assert system.wait_all(names, timeout) == dict.fromkeys(names, Status.FINISHED)


@pytest.mark.requirement("P7")
def test_no_time_at_all_is_a_look(system):
    ref = system.spawn(Idle, name="idle")
    for timeout in (0, -1, -float("inf")):
        with pytest.raises(WaitTimeout, match=r"^idle did not end within 0 s \("):
            ref.wait(timeout)


@pytest.mark.requirement("P7")
def test_a_missed_timeout_says_where_the_actor_stands(system):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    told = r"^idle did not end within 0\.05 s \(RUNNING, lap 1\)$"
    with pytest.raises(WaitTimeout, match=told):
        ref.wait(0.05)
    with pytest.raises(WaitTimeout, match=told):
        asyncio.run(ref.aio.result(0.05))


@pytest.mark.requirement("P7")
def test_awaits_that_were_given_up_leave_nothing_behind(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    settled = ref._outside.settled(ref.uid)

    async def give_up():
        for _ in range(50):
            with pytest.raises(WaitTimeout):
                await ref.aio.wait(0.0001)
            waiting = asyncio.create_task(ref.aio.result())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(give_up())
    assert not settled._callbacks
    assert not settled._gates


@pytest.mark.requirement("P7")
def test_many_loops_and_threads_that_await_one_actor_all_hear_of_its_end(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    heard, up = [], threading.Barrier(5)

    async def listen():
        async def one():
            heard.append(await ref.aio.wait(60))

        waits = [asyncio.create_task(one()) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.to_thread(up.wait)
        await asyncio.gather(*waits)

    threads = [threading.Thread(target=asyncio.run, args=(listen(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    up.wait(20)
    ref.stop()
    for thread in threads:
        thread.join(60)
    assert heard == [Status.FINISHED] * 40


@pytest.mark.requirement("P7")
def test_an_error_that_is_raised_again_and_again_does_not_grow(system):
    ref = system.spawn(lambda: 1 // 0)
    seen = set()
    for _ in range(5):
        with pytest.raises(MainLoopError) as caught:
            ref.result(20)
        seen.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(seen) == 1
