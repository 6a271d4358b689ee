"""Reliable messages are handled at least once, whatever dies on the way, as long as their sender lives."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import threading
from collections import Counter
from functools import partial

import numpy as np
import pytest

from tests.stage import hold, note, noted, until
from understudy import ActorDied, Process

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F46")]
LONG = 60


class Worker(Process):
    """Notes what it handles, and whether it was told that it may have been before; passes it on, if to anybody."""

    def __init__(self, path, to=None, lives=60, **mailbox):
        self.path, self.to = str(path), to
        self.config.lives = lives
        self.config.restart.backoff.base = 0
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __preloop__(self):
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __receive__(self, message):
        match message:
            case np.ndarray():
                self.keep(int(message.sum()))
            case "pid":
                return os.getpid()
            case ["hold", place]:
                note(f"{place}/held", f"{self.incarnation} {self.redelivered}")
                hold(f"{place}/gate")
            case ["raise"]:
                raise ValueError("on purpose")
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                self.keep(message)
        return None

    def keep(self, message):
        if self.to is not None:
            self.to.tell(message, reliable=True)
        os.write(self.file, f"{message} {self.redelivered}\n".encode())


class Hands(Worker):
    """The same with several in hand, by asyncio."""

    async def __receive__(self, message):
        if self.to is None or isinstance(message, str):
            return super().__receive__(message)
        await self.to.aio.tell(message, reliable=True)
        await asyncio.sleep(0.001)
        os.write(self.file, f"{message} {self.redelivered}\n".encode())
        return None


class Takes(Process):
    """The same without handlers."""

    def __init__(self, path, to):
        self.worker = Worker(path, to)
        self.config.lives = 60
        self.config.restart.backoff.base = 0

    def __preloop__(self):
        if not hasattr(self, "file"):
            self.file = os.open(self.worker.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __loop__(self):
        message = self.receive()
        if message == "pid":
            self.defer().reply(os.getpid())
        else:
            self.worker.to.tell(message, reliable=True)
            os.write(self.file, f"{message} {self.redelivered}\n".encode())


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def has_more_lines(path, number):
    return len(lines(path)) > number


def handled(path):
    """How often each was."""
    return Counter(int(line.split()[0]) for line in lines(path))


def pid_of(ref):
    while True:
        try:
            return ref.ask("pid", LONG)
        except ActorDied:
            assert not ref.info().status.ended


def kept(ref):
    """How many reliable messages of this process are not done, as far as it knows."""
    return sum(len(link.sure) for sender in ref._post.roster.senders() for link in sender.links.values())


@pytest.mark.parametrize("stage", [Worker, Hands, Takes])
def test_a_chain_of_stages_loses_nothing_though_each_is_killed_again_and_again(system, tmp_path, stage):
    end = system.spawn(Worker, tmp_path / "end", name="end")
    middle = system.spawn(
        stage, tmp_path / "middle", end, name="middle", config={"mailbox.concurrency": 4 if stage is Hands else 1}
    )
    count, over = 2000, threading.Event()

    def has_gone_on(path, least):
        return over.is_set() or len(lines(path)) > least

    def kill():
        for ref in [middle, end, middle, middle, end, middle]:
            pid, path = pid_of(ref), tmp_path / ref.name
            # What is in hand at three deaths is a dead letter: at each of these it is another one.
            until(partial(has_gone_on, path, len(lines(path)) + 10), LONG, "some of them")
            over.wait(0.05)
            if over.is_set():
                return
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    for number in range(count):
        middle.tell(number, reliable=True)
    until(lambda: kept(middle) == 0, LONG, "all being done")
    over.set()
    killer.join()
    assert set(handled(tmp_path / "end")) == set(range(count))
    assert system.dead_letters.total == 0
    again = [line for line in lines(tmp_path / "middle") if line.endswith("True")]
    doubled = sum(times - 1 for times in handled(tmp_path / "middle").values())
    assert doubled <= len(again), "what comes again says so"


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_are_all_handled_though_their_receiver_is_killed_twenty_times(system, tmp_path, capsys):
    count, kills = 100_000, 20
    ref = system.spawn(Worker, tmp_path / "kept")

    def kill():
        for number in range(kills):
            until(functools.partial(has_more_lines, tmp_path / "kept", number * count // (kills + 1)), 600, "some")
            os.kill(pid_of(ref), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    for number in range(count):
        ref.tell(number, reliable=True)
    killer.join()
    until(lambda: kept(ref) == 0, 600, "all being done")
    times = handled(tmp_path / "kept")
    lost, doubled = count - len(times), sum(times.values()) - len(times)
    again = sum(line.endswith("True") for line in lines(tmp_path / "kept"))
    with capsys.disabled():
        print(f"\n{count} reliable messages, {kills} SIGKILLs: lost {lost}, duplicated {doubled}")
    assert ref.info().incarnation == kills + 1
    assert (set(times), lost) == (set(range(count)), 0)
    assert doubled <= again
    assert system.dead_letters.total == 0


def test_what_was_in_hand_and_what_waited_come_again_in_order_and_only_the_former_is_marked(system, tmp_path):
    ref = system.spawn(Worker, tmp_path / "kept")
    ref.tell(1, reliable=True)
    until(lambda: kept(ref) == 0, LONG, "its being done")
    ref.tell(["hold", str(tmp_path)], reliable=True)
    for number in (2, 3):
        ref.tell(number, reliable=True)
    ref.tell(4)
    ref.tell(np.ones(300_000), reliable=True)
    assert noted(tmp_path / "held") == ["1 False"]
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: len((tmp_path / "held").read_text().splitlines()) == 2, LONG, "its coming again")
    (tmp_path / "gate").touch()
    until(lambda: kept(ref) == 0, LONG, "all being done")
    until(lambda: len(lines(tmp_path / "kept")) == 5, LONG, "the last")
    assert (tmp_path / "held").read_text().splitlines() == ["1 False", "2 True"]
    assert lines(tmp_path / "kept") == ["1 False", "2 False", "3 False", "4 False", "300000 False"]
    assert system.dead_letters.total == 0


@pytest.mark.fault("F47")
@pytest.mark.parametrize("way", ["die", "raise"])
@pytest.mark.parametrize("stage", [Worker, Hands])
def test_one_that_kills_whoever_handles_it_is_a_dead_letter_after_three_deaths_with_the_report(
    system, tmp_path, stage, way
):
    ref = system.spawn(stage, tmp_path / "kept")
    ref.tell(1, reliable=True)
    ref.tell([way], reliable=True)
    ref.tell(2, reliable=True)
    until(lambda: kept(ref) == 0, LONG, "all being done")
    letter = until(lambda: list(system.dead_letters), LONG, "the dead letter")[0]
    assert letter.message == [way]
    assert letter.reason == f"in hand at 3 deaths of {ref.name}"
    assert letter.report.incarnation == 3
    assert ("SIGKILL" if way == "die" else "on purpose") in str(letter.report)
    assert set(handled(tmp_path / "kept")) == {1, 2}
    assert system.dead_letters.total == 1
    assert ref.info().incarnation == 4


def test_it_is_not_done_before_what_its_handling_sent_is(system, tmp_path):
    end = system.spawn(Worker, tmp_path / "end", name="end")
    middle = system.spawn(Worker, tmp_path / "middle", end, name="middle")
    end.tell(["hold", str(tmp_path)])
    noted(tmp_path / "held")
    middle.tell(1, reliable=True)
    until(lambda: lines(tmp_path / "middle") == ["1 False"], LONG, "its being handled")
    assert kept(middle) == 1
    os.kill(middle.info().pid, signal.SIGKILL)
    until(lambda: lines(tmp_path / "middle") == ["1 False", "1 True"], LONG, "its coming again")
    assert kept(middle) == 1
    (tmp_path / "gate").touch()
    until(lambda: kept(middle) == 0, LONG, "its being done")
    assert set(handled(tmp_path / "end")) == {1}


def test_where_the_next_stage_has_ended_for_good_it_is_a_dead_letter_and_holds_nobody(system, tmp_path):
    end = system.spawn(Worker, tmp_path / "end", name="end", lives=1)
    middle = system.spawn(Worker, tmp_path / "middle", end, name="middle")
    end.tell(["hold", str(tmp_path)])
    noted(tmp_path / "held")
    middle.tell(1, reliable=True)
    until(lambda: lines(tmp_path / "middle") == ["1 False"], LONG, "its being handled")
    end.kill()
    until(lambda: kept(middle) == 0, LONG, "its being done")
    until(lambda: system.dead_letters.total == 2, LONG, "the one in hand, and the one that waited")


def test_an_end_in_order_leaves_to_the_next_life_what_is_not_done(system, tmp_path):
    ref = system.spawn(Worker, tmp_path / "kept")
    ref.tell(["hold", str(tmp_path)], reliable=True)
    for number in range(50):
        ref.tell(number, reliable=True)
    noted(tmp_path / "held")
    ref.restart()
    (tmp_path / "gate").touch()
    until(lambda: kept(ref) == 0, LONG, "all being done")
    assert handled(tmp_path / "kept") == Counter(range(50))
    assert (tmp_path / "held").read_text().splitlines() == ["1 False"]


def test_as_many_as_a_mailbox_holds_are_under_way_at_most_and_none_is_dropped(system, tmp_path):
    ref = system.spawn(Worker, tmp_path / "kept", size=10, on_full="drop_oldest")
    ref.tell(["hold", str(tmp_path)])
    noted(tmp_path / "held")
    told = []

    def tell():
        for number in range(100):
            ref.tell(number, reliable=True)
            told.append(number)

    thread = threading.Thread(target=tell)
    thread.start()
    senders = ref._post.roster.senders
    until(lambda: any(sender._waits for sender in senders()), LONG, "its waiting for room")
    assert len(told) == 10
    (tmp_path / "gate").touch()
    thread.join()
    until(lambda: kept(ref) == 0, LONG, "all being done")  # also of a thread that has ended
    assert handled(tmp_path / "kept") == Counter(range(100))
    assert system.dead_letters.total == 0


def test_tasks_of_the_program_and_groups_tell_reliably_too(system, tmp_path):
    crew = system.spawn(Worker, tmp_path / "kept", name="crew", replicas=2)

    async def main():
        for number in range(20):
            await crew.aio.tell(number, reliable=True)
        for number in range(20, 40):
            await crew.refs[0].aio.tell(number, reliable=True, urgent=True)

    for number in range(40, 60):
        crew.tell(number, reliable=True)
    crew.tell(99, route="broadcast", reliable=True)
    asyncio.run(main())
    until(lambda: kept(crew.refs[0]) == 0, LONG, "all being done")
    assert handled(tmp_path / "kept") == Counter([*range(60), 99, 99])


def test_what_is_done_is_said_again_by_the_next_life_where_the_word_was_lost(system, tmp_path):
    ref = system.spawn(Worker, tmp_path / "kept")
    ref.ask("pid", LONG)
    (sender,) = ref._post.roster.senders()
    sort, lost = sender._sort, []

    def deaf(frames):
        if b"done" in frames[1][:12]:
            lost.append(frames)
        else:
            sort(frames)

    sender._sort = deaf
    ref.tell(1, reliable=True)
    until(lambda: sender._read() or lost, LONG, "the word")
    sender._sort = sort
    assert kept(ref) == 1
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: kept(ref) == 0, LONG, "the word of the next life")
    assert lines(tmp_path / "kept") == ["1 False"]
