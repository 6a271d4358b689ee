"""Messages from asyncio: many at once, in order, given up, and with loops that come and go."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest

from tests.messages.cast import Recorder
from tests.stage import hold, until
from understudy import (
    ActorDied,
    ActorSystem,
    AskTimeout,
    MailboxFull,
    Process,
    ReceiveError,
    Status,
    SystemClosed,
    WrongProcess,
    callable_remotely,
    runtime,
)
from understudy.mail.parcel import Parcel

LONG = 30
MANY = 500


class Slate(Process):
    """What it is told it keeps; with a path it waits until that is there."""

    def __init__(self, size=1000, on_full="block"):
        self.config.mailbox.size, self.config.mailbox.on_full = size, on_full
        self.kept = []

    def __receive__(self, message):
        match message:
            case {"until": path}:
                hold(path)
            case {"array": array}:
                return {"sum": int(array.sum()), "at": array.flags.writeable, "back": array + 1}
            case "kept":
                return self.kept
            case "lent":
                connections = runtime.inside.serving.mailbox._connections.values()  # type: ignore[union-attr]
                return sum(one.lending.lender.out for one in connections if one.lending is not None)
            case _:
                self.kept.append(message)
        return message

    @callable_remotely
    def twice(self, number):
        return 2 * number


class Sluggish(Slate):
    """Takes messages in while two are in hand."""

    def __init__(self):
        super().__init__()
        self.config.mailbox.concurrency = 2

    async def __receive__(self, message):
        if isinstance(message, dict):
            await asyncio.to_thread(hold, message["until"])
            return message
        return super().__receive__(message)


class Relay(Process):
    """Asks, tells and calls others inside its async handlers."""

    def __init__(self, other):
        self.other = other

    async def __receive__(self, message):
        answers = await asyncio.gather(*(self.other.aio.ask(number, LONG) for number in range(message)))
        await self.other.aio.tell("told")
        return [sum(answers), await self.other.aio.call(timeout=LONG).twice(message)]


def parcels(courier):
    """The asks that wait for an answer."""
    return [parcel for asked in courier._asked.values() for parcel in asked.values()]


@pytest.fixture
def slate(system):
    return system.spawn(Slate)


def test_many_asks_at_once_get_each_its_own_answer_in_the_order_they_were_made(slate):
    async def main():
        return await asyncio.gather(*(slate.aio.ask(number, LONG) for number in range(MANY)))

    assert asyncio.run(main()) == [*range(MANY)]
    assert slate.ask("kept", LONG) == [*range(MANY)]


def test_what_is_sent_to_an_actor_that_nobody_has_spoken_to_is_in_order_too(system):
    async def main():
        for _ in range(5):
            ref = system.spawn(Slate)
            calls = (ref.aio.ask(at, LONG) if at % 3 else ref.aio.tell(at) for at in range(50))
            await asyncio.gather(*calls)
            assert await ref.aio.ask("kept", LONG) == [*range(50)]

    asyncio.run(main())


def test_an_ask_that_is_cancelled_or_late_is_taken_back_and_others_go_on(system, tmp_path):
    slate, gate = system.spawn(Sluggish), tmp_path / "gate"

    async def main():
        held = [asyncio.create_task(slate.aio.ask({"until": str(gate)}, LONG)) for _ in range(2)]
        cancelled = asyncio.create_task(slate.aio.ask("cancelled", LONG))
        last = asyncio.create_task(slate.aio.ask("last", LONG))
        with pytest.raises(AskTimeout, match="did not answer within"):
            await slate.aio.ask("late", 0.1)
        await asyncio.to_thread(until, lambda: slate.info().mailbox_depth == 4, 20, "the late one being taken back")
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.to_thread(until, lambda: slate.info().mailbox_depth == 3, 20, "the other one being taken back")
        gate.touch()
        assert await asyncio.gather(*held, last) == [{"until": str(gate)}] * 2 + ["last"]
        assert await slate.aio.ask("kept", LONG) == ["last"]

    asyncio.run(main())


@pytest.mark.requirement("A7")
def test_arrays_are_lent_from_a_loop_too_and_come_back_when_an_ask_is_given_up(slate, tmp_path):
    array = np.ones(8 << 20, np.uint8)

    async def there_and_back():
        answer = await slate.aio.ask({"array": array}, LONG)
        return answer["sum"], answer["at"], answer["back"].sum(), answer["back"].flags.writeable

    async def main():
        for _ in range(3):
            assert await there_and_back() == (8 << 20, False, 16 << 20, False)
        courier = slate._post.courier
        lender = courier._lendings[slate.uid].lender
        assert sum(arena.capacity for arena in lender.stock._arenas) == 64 << 20, "the same memory each time"
        gate = tmp_path / "gate"
        await slate.aio.tell({"until": str(gate)})
        with pytest.raises(AskTimeout):
            await slate.aio.ask({"array": array}, 0.1)
        gate.touch()
        await slate.aio.ask("after", LONG)
        await asyncio.to_thread(until, lambda: lender.out == 0, 20, "all loans being back")

    asyncio.run(main())


@pytest.mark.requirement("A7")
@pytest.mark.parametrize("when", ["in the loop's queue", "in the future", "in no loop", "in a closed loop"])
def test_what_is_lent_for_an_answer_that_comes_as_its_ask_is_given_up_goes_back(slate, when):
    array = np.ones(1 << 20, np.uint8)
    loop = asyncio.new_event_loop()

    def turn():
        loop.call_soon(loop.stop)
        loop.run_forever()

    task = loop.create_task(slate.aio.ask({"array": array}, LONG))
    turn()
    courier = slate._post.courier
    if when == "in no loop":
        loop.close()
    until(lambda: slate.uid in courier._sender.links and courier._sender.links[slate.uid].seq, 20, "the ask")
    until(lambda: not parcels(courier), 20, "the answer")
    match when:
        case "in the future":
            turn()
            task.cancel()
        case "in the loop's queue":
            task.cancel()
    if not loop.is_closed():
        if task.cancelling():
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # else it is told as a defect of this test
    del task
    gc.collect()
    until(lambda: slate.ask("lent", LONG) == 0, 20, "the loan being back")


@pytest.mark.fault("F45")
def test_a_full_mailbox_holds_up_the_task_and_not_the_loop(system, tmp_path):
    refs = {on_full: system.spawn(Slate, 4, on_full) for on_full in ("block", "raise", "drop_oldest")}
    gate = tmp_path / "gate"

    async def main():
        for ref in refs.values():
            await ref.aio.tell({"until": str(gate)})
        blocked = asyncio.create_task(tells(refs["block"]))
        with pytest.raises(MailboxFull):
            await tells(refs["raise"])
        await asyncio.wait_for(tells(refs["drop_oldest"]), LONG)
        assert not blocked.done()
        with pytest.raises(AskTimeout):
            await refs["drop_oldest"].aio.ask("kept", 0.1)
        gate.touch()
        await asyncio.wait_for(blocked, LONG)
        assert await refs["block"].aio.ask("kept", LONG) == [*range(100)]
        assert (await refs["drop_oldest"].aio.ask("kept", LONG))[-4:] == [*range(96, 100)]

    async def tells(ref):
        for number in range(100):
            await ref.aio.tell(number)

    asyncio.run(main())


@pytest.mark.fault("F44")
@pytest.mark.requirement("A7")
def test_what_is_given_up_holds_nothing_though_another_one_before_it_waits_for_room(system, tmp_path):
    ref, gate = system.spawn(Slate, 1), tmp_path / "gate"

    async def main():
        await ref.aio.tell({"until": str(gate)})
        waits = asyncio.create_task(ref.aio.tell("waits"))
        given_up = [asyncio.create_task(ref.aio.ask({"array": np.ones(1 << 20, np.uint8)}, LONG)) for _ in range(2)]
        last = asyncio.create_task(ref.aio.ask("last", LONG))
        courier = ref._post.courier
        await asyncio.to_thread(until, lambda: len(courier._waiting.get(ref.uid, ())) == 4, 20, "all four in the row")
        for task in given_up:
            task.cancel()
        lender = courier._lendings[ref.uid].lender
        await asyncio.to_thread(until, lambda: lender.out == 0, 20, "the loans being back")
        assert len(courier._waiting[ref.uid]) == 2
        assert not waits.done()
        gate.touch()
        await waits
        assert await last == "last"
        assert await ref.aio.ask("kept", LONG) == ["waits", "last"]

    asyncio.run(main())


class Watched(Parcel):
    """Counts how often anything of it was looked at."""

    looks: ClassVar[Counter[int]] = Counter()

    def __getattribute__(self, name):
        Watched.looks[id(self)] += 1
        return super().__getattribute__(name)


def test_asks_that_wait_are_not_looked_at_while_others_come_and_go_and_hear_of_a_death_all_the_same(system, tmp_path):
    ref, other, gate = system.spawn(Slate), system.spawn(Slate), tmp_path / "gate"

    async def main():
        waiting = [asyncio.create_task(ref.aio.ask({"until": str(gate)}, LONG)) for _ in range(50)]
        courier = ref._post.courier
        await asyncio.to_thread(until, lambda: len(parcels(courier)) == 50, 20, "all being asked")
        await asyncio.to_thread(until, lambda: ref._post.known(ref.uid).state == "ready", 20, "the news of its start")
        for number in range(3):
            assert await other.aio.ask(number, LONG) == number
        for parcel in parcels(courier):
            parcel.__class__ = Watched
        Watched.looks.clear()
        for number in range(50):
            assert await other.aio.ask(number, LONG) == number
        assert Watched.looks.total() == 0
        waiting[0].cancel()
        ref.kill()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError, *[ActorDied] * 49]
        assert not parcels(courier)

    asyncio.run(main())


@pytest.mark.requirement("A7")
def test_of_actors_that_have_ended_the_courier_keeps_nothing(system):
    async def main():
        refs = [system.spawn(Slate) for _ in range(2)]
        group = system.spawn(Slate, replicas=2)
        for ref in refs:
            assert await ref.aio.ask("alive", LONG) == "alive"
        for _ in range(2):
            assert await group.aio.ask("alive", LONG, route="least_loaded") == "alive"
        courier = refs[0]._post.courier
        uids = {ref.uid for ref in (*refs, *group.refs)}
        assert uids >= {*courier._lendings} >= {ref.uid for ref in refs}
        for ref in (*refs, *group.refs):
            ref.kill()
            await ref.aio.wait(LONG)
        for ref in refs:
            with pytest.raises(ActorDied):
                await ref.aio.tell("after")
        # Errors that were raised hold frames, and these what was to be sent.
        gone = lambda: gc.collect() >= 0 and not [*courier._lendings]  # noqa: E731 - what is waited for
        await asyncio.to_thread(until, gone, 20, "the ways to them being given up")
        assert not courier._asked
        assert not courier._waiting
        assert not courier._sender.links

    asyncio.run(main())


def test_credit_that_is_read_just_after_it_was_missing_is_used(system):
    ref = system.spawn(Slate, 1)

    async def main():
        await ref.aio.ask("first", LONG)
        sender = ref._post.courier._sender
        follow = sender.follow

        def late(link):
            follow(link)
            until(lambda: sender._read() or link.credit == link.seq, 20, "the credit")

        sender.follow = late
        await asyncio.wait_for(asyncio.gather(*(ref.aio.tell(number) for number in range(20))), LONG)
        sender.follow = follow
        assert await ref.aio.ask("kept", LONG) == ["first", *range(20)]

    asyncio.run(main())


def test_several_loops_in_several_threads_and_one_after_another(slate):
    answers = {}

    def one(number):
        async def main():
            return await asyncio.gather(*(slate.aio.ask(number * 1000 + at, LONG) for at in range(50)))

        answers[number] = [asyncio.run(main()) for _ in range(2)]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [[*range(number * 1000, number * 1000 + 50)]] * 2 for number in range(4)}


def test_a_loop_that_is_closed_with_asks_under_way_disturbs_no_other(slate, tmp_path):
    gate = tmp_path / "gate"
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(slate.aio.ask({"until": str(gate)}, LONG)) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    gate.touch()
    assert asyncio.run(slate.aio.ask("after", LONG)) == "after"
    for task in tasks:  # whose loop is gone: it can neither end nor be cancelled
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # else it is told as a defect of this test


@pytest.mark.fault("F44")
def test_asks_from_a_loop_end_as_the_actor_does(system, tmp_path):
    async def main():
        ref = system.spawn(Recorder, name="recorder", lives=2)
        with pytest.raises(ReceiveError) as failed:
            await ref.aio.ask(["raise", "on purpose"], LONG)
        assert isinstance(failed.value.__cause__, ValueError)
        for way in ("SIGKILL", "os._exit"):
            with pytest.raises(ActorDied):
                await ref.aio.ask(["die", way], LONG)
        assert await ref.aio.wait(LONG) is Status.CRASHED
        with pytest.raises(ActorDied, match="ended"):
            await ref.aio.ask("anything", LONG)
        with pytest.raises(ActorDied, match="ended"):
            await ref.aio.tell("anything")

    asyncio.run(main())


def test_closing_the_system_ends_awaited_asks_and_later_ones():
    with ActorSystem() as system:
        ref = system.spawn(Slate)

        async def main():
            asks = [asyncio.create_task(ref.aio.ask({"until": "/nowhere"})) for _ in range(3)]
            await ref.aio.tell("heard")
            await asyncio.to_thread(system.shutdown, force=True)
            ends = await asyncio.gather(*asks, return_exceptions=True)
            assert {type(end) for end in ends} <= {ActorDied, SystemClosed}
            with pytest.raises((ActorDied, SystemClosed)):
                await ref.aio.ask("after", LONG)
            with pytest.raises((ActorDied, SystemClosed)):
                await ref.aio.tell("after")

        asyncio.run(main())


@pytest.mark.fault("F48")
def test_a_forked_copy_is_told_that_it_can_send_nothing(slate, tmp_path):
    assert asyncio.run(slate.aio.ask("before", LONG)) == "before"
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(slate.aio.ask("in the copy", LONG))
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        assert pipe.read() == WrongProcess.__name__
    os.waitpid(pid, 0)
    assert asyncio.run(slate.aio.ask("after", LONG)) == "after"


def test_async_handlers_ask_tell_and_call_other_actors(system, slate):
    relay = system.spawn(Relay, slate)
    assert relay.ask(20, LONG) == [190, 40]
    assert asyncio.run(relay.aio.ask(3, LONG)) == [3, 6]
    assert slate.ask("kept", LONG).count("told") == 2


def test_calls_from_a_loop(slate):
    async def main():
        return [await slate.aio.call.twice(4), await slate.aio.call(timeout=LONG).twice(number=5)]

    assert asyncio.run(main()) == [8, 10]
