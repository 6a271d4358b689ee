"""A full mailbox that drops the oldest: no sender waits, the newest arrive, and each that was dropped is told."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

from tests.messages.cast import Recorder
from tests.stage import hold, noted, running, until
from understudy import AskTimeout, Process, Status

SIZE = 10


class Shelf(Process):
    """Keeps whatever it is told."""

    def __init__(self, size):
        self.kept = []
        self.config.mailbox.size, self.config.mailbox.on_full = size, "drop_oldest"

    def __receive__(self, message):
        if isinstance(message, list):
            hold(message[0])
        else:
            self.kept.append(message)
        return self.kept


def spawned(system, size=SIZE, **options):
    ref = system.spawn(Recorder, mailbox__size=size, mailbox__on_full="drop_oldest", **options)
    running(ref)
    return ref


def held(ref, folder):
    """Its handler waits until the gate that is returned is opened."""
    gate = folder / "gate"
    ref.tell(["hold", str(folder / "held"), str(gate)])
    noted(folder / "held")
    return gate


def dropped(system):
    return sum(letter.count for letter in system.dead_letters if "newer messages" in letter.reason)


def ended(system):
    return sum(letter.count for letter in system.dead_letters if "has ended" in letter.reason)


def settled(system, ref, told):
    """What arrived, once all that was told has arrived or is told as dropped."""
    until(lambda: ref.ask("count", 30) + dropped(system) == told, 30, "every message being accounted for")
    return ref.ask("kept", 30)


@pytest.mark.fault("F45")
def test_a_hundred_thousand_tells_to_a_sleeper_hold_up_nobody_and_are_all_accounted_for(system, tmp_path):
    ref = spawned(system)
    gate = held(ref, tmp_path)
    for number in range(100_000):
        ref.tell(number)
    until(lambda: dropped(system), 20, "the news of the first that was dropped, while it is full")
    gate.touch()
    kept = settled(system, ref, 100_001)
    numbers = [number for number in kept if number != "hold"]
    assert numbers == sorted(numbers), "in their order"
    assert numbers[-SIZE:] == [*range(100_000 - SIZE, 100_000)], "the newest are there"
    letter = next(letter for letter in system.dead_letters if "newer messages" in letter.reason)
    assert (letter.to, letter.way) == (ref.name, "tell")


@pytest.mark.fault("F45")
def test_what_a_sender_keeps_is_sent_on_when_there_is_room_though_it_sends_nothing_more(system, tmp_path):
    ref = spawned(system)
    gate = held(ref, tmp_path)

    def tells():
        for number in range(100):
            ref.tell(number)

    sender = threading.Thread(target=tells)
    sender.start()
    sender.join()  # its thread has ended, and what it kept is still to be sent
    gate.touch()
    kept = settled(system, ref, 101)
    assert kept[-SIZE:] == [*range(90, 100)]


@pytest.mark.fault("F45")
def test_one_that_is_dropped_can_be_read_from_the_dead_letters(system, tmp_path):
    ref = spawned(system, size=1)
    gate = held(ref, tmp_path)
    ref.tell({"the": "dropped one"})  # kept, for the one message in hand is all that there is room for
    ref.tell("the next")
    until(lambda: dropped(system), 20, "it being told")
    (letter,) = system.dead_letters
    assert (letter.message, letter.text, letter.count) == ({"the": "dropped one"}, "dict: {'the': 'dropped one'}", 1)
    gate.touch()
    assert ref.ask("kept", 30)[-1] == "the next"


@pytest.mark.fault("F45")
def test_urgent_ones_are_dropped_last_and_large_ones_give_their_memory_back(system, tmp_path):
    ref, gate = system.spawn(Shelf, SIZE), tmp_path / "gate"
    ref.tell([str(gate)])
    large = np.zeros(4 << 20, np.uint8)
    ref.tell("urgent", urgent=True)
    for number in range(200):  # three times what may be lent at once
        large[:] = number
        ref.tell(large)
    ref.tell("also urgent", urgent=True)
    gate.touch()
    kept = until(lambda: found if len(found := ref.ask([str(gate)], 30)) + dropped(system) == 202 else [], 30)
    texts = [one for one in kept if isinstance(one, str)]
    arrays = [one for one in kept if isinstance(one, np.ndarray)]
    assert texts == ["urgent", "also urgent"]
    assert all(one.min() == one.max() for one in arrays), "each is as it was when it was told"
    assert [int(one[0]) for one in arrays[1 - SIZE :]] == [*range(201 - SIZE, 200)]
    stocks = [link.lender.stock for link in system._answers.post._own.links.values()]
    assert sum(arena.capacity for stock in stocks for arena in stock._arenas) <= 256 << 20


@pytest.mark.fault("F45")
def test_an_ask_waits_for_room_behind_what_is_kept(system, tmp_path):
    ref = spawned(system)
    gate = held(ref, tmp_path)
    for number in range(100):
        ref.tell(number)
    with pytest.raises(AskTimeout, match="full"):
        ref.ask("count", 0.1)
    opener = threading.Timer(0.1, gate.touch)
    opener.start()
    assert ref.ask("kept", 30)[-SIZE:] == [*range(90, 100)], "what was told before is handled before"
    opener.join()


@pytest.mark.fault("F45")
def test_what_is_kept_waits_for_the_next_life_and_is_lost_with_the_last(system, tmp_path):
    ref = spawned(system, lives=2)
    held(ref, tmp_path)
    for number in range(100):
        ref.tell(number)
    until(lambda: dropped(system) >= 70, 20, "those that had no room being told")
    os.kill(ref.info().pid, signal.SIGKILL)
    kept = ref.ask("kept", 30)
    assert kept[-SIZE:] == [*range(90, 100)]
    (tmp_path / "held").unlink()
    held(ref, tmp_path)
    for number in range(100):
        ref.tell(number)
    os.kill(ref.info().pid, signal.SIGKILL)
    assert ref.wait(30) is Status.CRASHED
    until(lambda: ended(system) >= SIZE, 20, "what was kept being told")
