"""Async handlers side by side: how many, whose message each has in hand, how long, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage import hold, note, noted, notes, running, until
from understudy import ActorDied, Process, ReceiveError, ReceiveTimeoutError, Status, callable_remotely, receives

LONG = 30
MANY = 4


class Several(Process):
    """Handles its messages side by side, and notes what becomes of them."""

    def __init__(self, path, concurrency=MANY, seconds=300.0):
        self.path = str(path)
        self.config.mailbox.concurrency = concurrency
        self.config.timeouts.receive = seconds
        self.inside = self.most = 0
        self.deferred = {}

    async def __receive__(self, message):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            match message:
                case "most":
                    return self.most
                case "who" | "later" | "answer":
                    return await getattr(self, message)()
                case str():
                    return await self.ends(message)
                case {"until": gate}:
                    note(self.path, "begun")
                    await asyncio.to_thread(hold, gate)
            return message
        finally:
            self.inside -= 1

    async def later(self):
        deferred = self.defer()
        await asyncio.sleep(0)
        self.deferred[len(self.deferred)] = deferred
        return "not this"

    async def answer(self):
        while self.deferred:
            number, deferred = self.deferred.popitem()
            deferred.reply(number)
        return "answered"

    async def who(self):
        before = self.sender
        await asyncio.sleep(0.05)
        assert self.sender == before
        return None if before is None else before.name

    def hear(self):
        while not self.stopping:
            time.sleep(0.005)

    async def ends(self, how):
        """Ends so, or not at all."""
        note(self.path, "begun")
        match how:
            case "until stopped":
                await asyncio.to_thread(self.hear)
                note(self.path, "heard")
            case "for ever":
                await asyncio.Event().wait()
            case "hold up":
                while True:
                    time.sleep(0.01)  # noqa: ASYNC251 - that is what is tested
            case "clean":
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0.01)
                    note(self.path, "cleaned")
            case "clean for long":
                try:
                    await asyncio.Event().wait()
                finally:
                    for _ in range(12):  # longer than a task that holds up the loop is given
                        await asyncio.sleep(0.1)
                    note(self.path, "cleaned")
            case "exit":
                raise SystemExit(3)
            case "raise":
                raise ValueError("on purpose")
        return how


class Asks(Process):
    def __init__(self, other):
        self.other = other

    def __receive__(self, message):
        return self.other.ask(message, LONG)


class Beside(Process):
    """Has laps beside its messages."""

    def __init__(self):
        self.config.mailbox.concurrency = 3
        self.laps = self.inside = self.most = 0

    def __loop__(self):
        self.laps += 1
        self.sleep(0.01)

    async def __receive__(self, message):
        if message == "answer by a thread, in a later lap":
            deferred, lap = self.defer(), self.laps

            def answer():
                until(lambda: self.laps > lap + 2)
                deferred.reply(lap)

            threading.Thread(target=answer).start()
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.05)
        self.inside -= 1
        return [self.most, self.laps]


class Called(Process):
    def __init__(self, concurrency):
        self.config.mailbox.concurrency = concurrency

    @callable_remotely
    async def add(self, a, b):
        return a + b

    @callable_remotely
    async def held(self, path, gate):
        note(path, "begun")
        await asyncio.to_thread(hold, gate)
        return os.getpid()


class Takes(Process):
    """Takes a message in the handler of another one."""

    def __init__(self, path, concurrency):
        self.path = str(path)
        self.config.mailbox.concurrency = concurrency

    @receives(str)
    async def side_by_side(self, message):
        self.plain([message])

    @receives(list)
    def plain(self, message):
        note(self.path, "waits")
        self.receive(LONG)
        if message == ["defer"]:
            self.defer().reply(None if self.sender is None else self.sender.name)


class OneByOne(Process):
    def __init__(self):
        self.trail = []

    async def __receive__(self, message):
        self.trail.append(("begun", message))
        await asyncio.sleep(0.01)
        self.trail.append(("done", message))
        return self.trail


@pytest.fixture
def side(tmp_path):
    """Where actors note what they do."""
    return tmp_path / "side"


def at_once(calls):
    """What each of the calls gave or raised, made at the same time by a thread each."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.exception(LONG) or future.result() for future in futures]


@pytest.mark.requirement("A7")
def test_as_many_as_configured_are_in_hand_at_once_and_no_more(system, side, tmp_path):
    ref, gate = system.spawn(Several, side), tmp_path / "gate"
    for _ in range(3 * MANY):
        ref.tell({"until": str(gate)})
    noted(side, MANY)
    assert until(lambda: ref.info().mailbox_depth == 3 * MANY, 20), "none of them is handled yet"
    gate.touch()
    assert ref.ask("most", LONG) == MANY
    assert len(notes(side)) == 3 * MANY


def test_by_default_one_async_handler_ends_before_the_next_begins(system):
    ref = system.spawn(OneByOne)
    for number in range(3):
        ref.tell(number)
    assert ref.ask(3, LONG) == [(word, number) for number in range(4) for word in ("begun", "done")]


@pytest.mark.requirement("A7")
def test_a_full_mailbox_with_all_hands_busy_takes_no_processor(system, side, tmp_path):
    ref = system.spawn(Several, side, config={"mailbox": {"size": 2}})
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(1) as pool:
        for _ in range(MANY):
            ref.tell({"until": str(gate)})
        noted(side, MANY)
        more = pool.submit(lambda: [ref.tell(number) for number in range(20)])
        until(lambda: ref.info().mailbox_depth == MANY + 2, 20, "its being full")
        pid = ref.info().pid
        before, begun = ticks(pid), time.monotonic()
        until(lambda: time.monotonic() - begun > 1, 20)
        assert ticks(pid) - before < 50, "half a second of processor time, in a second of waiting"
        gate.touch()
        more.result(LONG)
    assert ref.ask("most", LONG) <= MANY


def ticks(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 100 // os.sysconf("SC_CLK_TCK")


def test_each_is_timed_by_itself_also_one_that_holds_up_the_others(system, side):
    ref = system.spawn(Several, side, seconds=0.3)
    for _ in range(2):  # the second time as the first
        for ends in (at_once([lambda: ref.ask("for ever", LONG)] * 2), at_once([lambda: ref.ask("hold up", LONG)])):
            assert [type(end) for end in ends] == [ReceiveTimeoutError] * len(ends)
        assert ref.ask("here", LONG) == "here"
    assert ref.info().incarnation == 1
    ref.tell("for ever")
    assert ref.wait(LONG) is Status.CRASHED
    assert isinstance(ref.exception(), ReceiveTimeoutError)


def test_who_cleans_up_after_its_timeout_holds_up_nobody_and_ends_none_of_the_others(system, side):
    ref = system.spawn(Several, side, seconds=1)
    with ThreadPoolExecutor(1) as pool:
        cleans = pool.submit(ref.ask, "clean for long", LONG)
        until(lambda: ref.ask("here", LONG) == "here" and cleans.done(), 20, "its timeout")
        assert isinstance(cleans.exception(), ReceiveTimeoutError)
    assert "cleaned" in notes(side)
    assert ref.info().incarnation == 1


def test_an_overrun_of_a_handler_that_runs_alone_is_told_each_time(system, side):
    ref = system.spawn(Several, side, 1, seconds=0.3)
    for _ in range(3):
        for message in ("for ever", "hold up"):
            with pytest.raises(ReceiveTimeoutError):
                ref.ask(message, LONG)
    assert ref.ask("here", LONG) == "here"


def test_sender_and_deferred_answers_are_those_of_each_task(system, side):
    ref = system.spawn(Several, side)
    asking = [system.spawn(Asks, ref, name=f"asks-{number}") for number in range(3)]
    whom = at_once([lambda one=one: one.ask("who", LONG) for one in asking] + [lambda: ref.ask("who", LONG)])
    assert whom == ["asks-0", "asks-1", "asks-2", None]

    async def main():
        later = [asyncio.create_task(ref.aio.ask("later", LONG)) for _ in range(5)]
        while not all(one.done() for one in later):
            assert await ref.aio.ask("answer", LONG) == "answered"
        return await asyncio.gather(*later)

    assert len(asyncio.run(main())) == 5


def test_a_stop_finishes_what_is_in_hand_and_refuses_the_rest(system, side):
    ref = system.spawn(Several, side)
    with ThreadPoolExecutor(MANY + 2) as pool:
        inside = [pool.submit(ref.ask, "until stopped", LONG) for _ in range(MANY)]
        noted(side, MANY)
        waiting = [pool.submit(ref.ask, "waits", LONG) for _ in range(2)]
        until(lambda: ref.info().mailbox_depth == MANY + 2, 20, "all having arrived")
        ref.stop()
        assert [one.result(LONG) for one in inside] == ["until stopped"] * MANY
        assert [type(one.exception(LONG)) for one in waiting] == [ActorDied] * 2
    assert ref.wait(LONG) is Status.FINISHED


def test_a_drain_handles_all_that_has_arrived_side_by_side(system, side, tmp_path):
    ref, gate = system.spawn(Several, side), tmp_path / "gate"
    for _ in range(2 * MANY):
        ref.tell({"until": str(gate)})
    noted(side, MANY)
    until(lambda: ref.info().mailbox_depth == 2 * MANY, 20, "all having arrived")
    ref.stop(drain=True)
    gate.touch()
    assert ref.wait(LONG) is Status.FINISHED
    assert len(notes(side)) == 2 * MANY
    assert not [letter for letter in system.dead_letters if letter.uid == ref.uid]


def test_a_sigterm_that_follows_a_stop_cancels_what_is_in_hand_and_lets_it_clean_up(system, side):
    ref = system.spawn(Several, side)
    with ThreadPoolExecutor(2) as pool:
        cleans, hears = pool.submit(ref.ask, "clean", LONG), pool.submit(ref.ask, "until stopped", LONG)
        noted(side, 2)
        ref.stop()
        assert hears.result(LONG) == "until stopped"
        os.kill(ref.info().pid, signal.SIGTERM)  # as the ladder does after half of a grace
        assert isinstance(cleans.exception(LONG), ActorDied)
    assert ref.wait(LONG) is Status.FINISHED
    assert "cleaned" in notes(side)


def test_a_crash_in_one_ends_the_others_who_clean_up_and_their_askers_are_told(system, side):
    ref = system.spawn(Several, side)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ref.ask, "clean", LONG)
        noted(side)
        ref.tell("raise")
        assert isinstance(asked.exception(LONG), ActorDied)
    assert ref.wait(LONG) is Status.CRASHED
    assert isinstance(ref.exception(), ReceiveError)
    assert "cleaned" in notes(side)


def test_an_exit_in_one_is_told_to_who_asked_and_is_a_crash(system, side):
    ref = system.spawn(Several, side)
    with pytest.raises(ReceiveError) as failed:
        ref.ask("exit", LONG)
    assert isinstance(failed.value.__cause__, SystemExit)
    assert ref.wait(LONG) is Status.CRASHED


def test_an_error_in_one_is_its_askers_alone(system, side, tmp_path):
    ref, gate = system.spawn(Several, side), tmp_path / "gate"
    with ThreadPoolExecutor(1) as pool:
        inside = pool.submit(ref.ask, {"until": str(gate)}, LONG)
        noted(side)
        with pytest.raises(ReceiveError):
            ref.ask("raise", LONG)
        gate.touch()
        assert inside.result(LONG) == {"until": str(gate)}
    running(ref)
    assert ref.info().incarnation == 1


def test_beside_a_loop_they_are_handled_together_between_two_sections(system):
    ref = system.spawn(Beside)

    async def main():
        return await asyncio.gather(*(ref.aio.ask(number, LONG) for number in range(12)))

    answers = asyncio.run(main())
    assert max(most for most, _ in answers) in {2, 3}
    until(lambda: ref.info().lap > answers[-1][1] + 1, 20, "further laps")


def test_what_a_thread_answers_when_nothing_is_in_hand_goes_with_the_next_lap(system):
    ref = system.spawn(Beside)
    assert ref.ask("answer by a thread, in a later lap", LONG) >= 0


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_call_with_wrong_arguments_is_its_callers_error_alone(system, side, tmp_path, concurrency):
    ref, gate = system.spawn(Called, concurrency), tmp_path / "gate"
    with ThreadPoolExecutor(1) as pool:
        inside = pool.submit(lambda: ref.call(timeout=LONG).held(str(side), str(gate)))
        noted(side)
        if concurrency == 1:
            gate.touch()
        with pytest.raises(ReceiveError) as failed:
            ref.call(timeout=LONG).add(1)
        assert isinstance(failed.value.__cause__, TypeError)
        gate.touch()
        assert inside.result(LONG) == ref.info().pid
    assert ref.call(timeout=LONG).add(1, 2) == 3
    assert ref.info().incarnation == 1


@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_ask_that_a_handler_took_is_answered_when_the_handler_has_ended(system, side, concurrency):
    ref = system.spawn(Takes, side, concurrency)
    asks = system.spawn(Asks, ref, name="asks")
    for number, (message, answer) in enumerate({"take": None, "defer": "asks"}.items()):
        for kind in (str, list):
            ref.tell(message if kind is str else [message])
            noted(side, 2 * number + 1 + (kind is list))
            assert asks.ask("taken", LONG) == answer


class InThreads(Process):
    async def __receive__(self, message):
        return await asyncio.to_thread(abs, message)


def test_threads_of_the_loop_that_have_nothing_to_do_are_not_told_as_left_running(system, caplog):
    ref = system.spawn(InThreads)
    assert ref.ask(-1, LONG) == 1
    ref.stop()
    assert ref.wait(LONG) is Status.FINISHED
    assert "threads that were left running" not in caplog.text
