"""What becomes of messages when a life ends in order and another one follows."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import numpy as np
import pytest

from tests.messages.cast import Asks
from tests.messages.test_handling import asking
from tests.stage import hold, note, noted, until
from understudy import Process, WaitTimeout

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]


class Lives(Process):
    """Keeps what each life handles; holds in a handler, and at its end, until gates open."""

    def __init__(self, place, **mailbox):
        self.place, self.kept = str(place), []
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __receive__(self, message):
        match message:
            case np.ndarray():
                self.kept.append(float(message.sum()))
            case "kept":
                return [self.incarnation, self.kept]
            case "hold":
                note(f"{self.place}/held", self.incarnation)
                hold(f"{self.place}/gate")
                until(lambda: self.stopping, 60, "the order, which the parent knows before")
            case _:
                self.kept.append(message)
        return None

    def __onfinish__(self):
        note(f"{self.place}/ends", self.incarnation)
        hold(f"{self.place}/end")


class Opens(Lives):
    """Its first life is not ready before it is to stop."""

    def __preloop__(self):
        if self.incarnation == 1:
            note(f"{self.place}/opens", self.incarnation)
            until(lambda: self.stopping, 60, "the order")


def told_around_a_restart(system, place, tell, **mailbox):
    """The ref of one that holds a message, was told ten more, and is restarted; then ten more are told."""
    ref = system.spawn(Lives, place, name="lives", **mailbox)
    ref.wait_ready(30)
    tell(ref, ["hold"])
    noted(place / "held")
    tell(ref, [*range(9), np.ones(300_000)])
    assert ref.restart() == "asked"
    tell(ref, range(10, 14))
    (place / "gate").touch()
    noted(place / "ends")
    tell(ref, [*range(14, 19), np.full(300_000, 2.0)])
    (place / "end").touch()
    return ref


def tell_plainly(ref, messages):
    for message in messages:
        ref.tell(message)


def tell_from_asyncio(ref, messages):
    async def tell():
        for message in messages:
            await ref.aio.tell(message)

    asyncio.run(tell())


@pytest.mark.parametrize("on_full", ["block", "raise", "drop_oldest"])
@pytest.mark.parametrize("tell", [tell_plainly, tell_from_asyncio])
def test_what_waits_and_what_is_told_while_it_restarts_is_handled_by_the_next_life_in_order(
    system, tmp_path, tell, on_full
):
    ref = told_around_a_restart(system, tmp_path, tell, on_full=on_full)
    expected = [2, [*range(9), 300_000.0, *range(10, 19), 600_000.0]]
    until(lambda: len(ref.ask("kept", 30)[1]) == 20, 5, "all that was told")
    assert ref.ask("kept", 30) == expected
    assert system.dead_letters.total == 0


def test_what_is_asked_once_restart_has_returned_waits_for_the_next_life(system, tmp_path):
    ref = system.spawn(Lives, tmp_path)
    ref.tell("hold")
    noted(tmp_path / "held")
    ref.restart()
    thread, box = asking(ref, "kept", 60)
    elsewhere, other = asking(system.spawn(Asks), [ref, "kept", 60], 60)
    (tmp_path / "gate").touch()
    noted(tmp_path / "ends")
    assert thread.is_alive()
    (tmp_path / "end").touch()
    thread.join(60)
    elsewhere.join(60)
    assert box == other == [[2, []]]


def test_a_thread_that_ended_and_one_that_tells_more_than_a_mailbox_holds_lose_nothing_at_a_restart(system, tmp_path):
    ref = system.spawn(Lives, tmp_path, size=20)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    short = threading.Thread(target=tell_plainly, args=(ref, range(5)))
    short.start()
    short.join()
    ref.restart()
    long = threading.Thread(target=tell_plainly, args=(ref, range(100, 200)))
    long.start()
    (tmp_path / "gate").touch()
    (tmp_path / "end").touch()
    long.join(60)

    def handled():
        life, kept = ref.ask("kept", 30)
        return life == 2 and len(kept) == 105 and kept

    kept = until(handled, 20, "all that was told")
    assert [number for number in kept if number < 100] == list(range(5))
    assert [number for number in kept if number >= 100] == list(range(100, 200))
    assert system.dead_letters.total == 0


def test_a_restart_before_it_is_ready_and_one_that_kills_keep_what_is_told_afterwards(system, tmp_path):
    (tmp_path / "end").touch()
    early = system.spawn(Opens, tmp_path)
    early.tell("early")
    noted(tmp_path / "opens")
    early.restart()
    early.tell("later")
    assert until(lambda: early.ask("kept", 30)[1] == ["early", "later"], 20, "both")
    assert early.ask("kept", 30)[0] == 2
    ref = system.spawn(Lives, tmp_path)
    ref.tell("hold")
    noted(tmp_path / "held")
    ref.restart(grace=0)
    ref.tell("later")
    assert until(lambda: ref.ask("kept", 30) == [2, ["later"]], 20, "what was told later")


class Turns(Process):
    """Takes messages in its second life only; the first ends by itself with its only lap."""

    def __init__(self, place):
        self.place, self.kept = str(place), []
        self.config.restart.policy, self.config.num_loops = "always", 1

    def __loop__(self):
        if self.incarnation == 2:
            self.kept = [self.receive(60) for _ in range(10)]
            self.stop()
            return
        with suppress(WaitTimeout):
            self.receive(0)
        note(f"{self.place}/held", "held")
        hold(f"{self.place}/gate")

    def __result__(self):
        return self.kept


def test_what_waits_when_a_life_has_finished_is_for_the_one_that_follows_by_policy(system, tmp_path):
    ref = system.spawn(Turns, tmp_path)
    noted(tmp_path / "held")
    for number in range(10):
        ref.tell(number)
    (tmp_path / "gate").touch()
    assert ref.result(30) == list(range(10))
    assert system.dead_letters.total == 0
