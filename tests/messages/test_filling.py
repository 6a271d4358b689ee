"""Mailboxes that are full, and the account of what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time

import pytest

from tests.messages.cast import Recorder
from tests.stage import hold, note, noted, until
from understudy import ActorDied, MailboxFull, Process, Status
from understudy.mail import link

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F45")]
MANY = 100_000


class Sleeper(Process):
    """Sleeps in its first message until the gate opens; then counts."""

    def __init__(self, place, lives=1, **mailbox):
        self.config.lives = lives
        self.place, self.handled, self.last = str(place), 0, -1
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __receive__(self, message):
        if message == "handled":
            return self.handled
        if message == "sleep":
            note(f"{self.place}/asleep", "asleep")
            hold(f"{self.place}/gate")
        elif message == "sleep till the stop":
            note(f"{self.place}/asleep", "asleep")
            hold(f"{self.place}/gate")
            while not self.stopping:  # which the parent knows before
                time.sleep(0.005)
        elif message == ("rest",):
            time.sleep(0.02)
        elif message == self.last + 1:
            self.last = message
        self.handled += 1
        return None

    def __onfinish__(self):
        note(f"{self.place}/end", f"{self.handled} {self.last}")

    def __result__(self):
        return self.handled


def asleep(system, place, how="sleep", **mailbox):
    sleeper = system.spawn(Sleeper, place, name="sleeper", **mailbox)
    sleeper.wait_ready(30)
    sleeper.tell(how)
    noted(place / "asleep")
    return sleeper


def test_a_hundred_thousand_tells_to_a_sleeper_wait_until_it_wakes_and_each_is_handled(system, tmp_path):
    sleeper = asleep(system, tmp_path, size=500)
    sent = [0]

    def tell():
        with contextlib.suppress(ActorDied):  # where the test has failed
            for number in range(MANY):
                sleeper.tell(number)
                sent[0] = number + 1

    thread = threading.Thread(target=tell)
    thread.start()
    until(lambda: sent[0] >= 400, 20, "some tells")
    before = -1
    while before != sent[0]:  # until nothing moves any more
        before = sent[0]
        time.sleep(0.1)
    assert before <= 500
    assert thread.is_alive()
    with pytest.raises(TimeoutError):
        sleeper.ask("handled", 0.2)
    (tmp_path / "gate").touch()
    thread.join(60)
    until(lambda: sleeper.ask("handled", 60) == MANY + 1, 60, "all of them")  # of another thread: there is no order
    until(lambda: sleeper.info().mailbox_depth == 0, 10, "an empty mailbox")
    sleeper.stop()
    assert sleeper.result(30) == MANY + 1
    assert noted(tmp_path / "end") == [f"{MANY + 1} {MANY - 1}"]
    assert system.summary().messages >= MANY + 1
    assert list(system.dead_letters) == []


def test_what_a_thread_told_that_has_ended_waits_for_the_receiver_too(system, tmp_path, monkeypatch):
    monkeypatch.setattr(link, "_LINGER", 0.0)  # what a socket drops that is closed, is dropped at once
    sleeper = asleep(system, tmp_path)

    def tell():
        for number in range(900):  # more, and larger, than a receiver that sleeps reads ahead
            sleeper.tell((number, "x" * 5000))

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    (tmp_path / "gate").touch()
    until(lambda: sleeper.ask("handled", 30) == 901, 20, "all that was told")
    until(lambda: not system._answers.post.roster.idle, 20, "the end of what the thread left behind")


def test_a_thread_for_each_message_takes_no_socket_for_each(system, tmp_path):
    sleeper = asleep(system, tmp_path)
    before = len(os.listdir("/proc/self/fd"))

    def tell(number):
        thread = threading.Thread(target=sleeper.tell, args=(number,))
        thread.start()
        thread.join()

    for number in range(300):
        tell(number)
    assert len(os.listdir("/proc/self/fd")) - before < 30
    (tmp_path / "gate").touch()
    until(lambda: sleeper.ask("handled", 30) == 301, 20, "all that was told")
    until(lambda: not system._answers.post.roster.idle, 20, "the end of what the threads left behind")


@pytest.mark.requirement("C3")
def test_a_full_mailbox_that_is_to_raise_raises_and_takes_again_when_there_is_room(system, tmp_path):
    sleeper = asleep(system, tmp_path, size=10, on_full="raise")
    taken = 0
    with contextlib.suppress(MailboxFull):
        for _ in range(MANY):
            sleeper.tell(taken)
            taken += 1
    assert 1 <= taken <= 10
    with pytest.raises(MailboxFull, match="sleeper has 10 messages"):
        sleeper.tell("one more")
    for send in (
        lambda: sleeper.ask("handled", 30),
        lambda: sleeper.tell(("pickled",)),
        lambda: sleeper.tell(0, urgent=True),
    ):
        with pytest.raises(MailboxFull):
            send()
    (tmp_path / "gate").touch()

    def handled():
        try:
            return sleeper.ask("handled", 30)
        except MailboxFull:
            return None

    assert until(handled, 20, "room") >= 1
    until(lambda: handled() == taken + 1, 20, "all that was taken")


@pytest.mark.fault("F44")
def test_a_full_mailbox_that_raises_takes_again_in_the_next_life(system, tmp_path):
    sleeper = asleep(system, tmp_path, size=5, on_full="raise", lives=2)

    async def fill():
        for number in range(MANY):
            await sleeper.aio.tell(number)

    async def handled():
        return await sleeper.aio.ask("handled", 30)

    def taken(ask):
        try:
            return ask() is not None
        except MailboxFull:
            return False

    with asyncio.Runner() as loop:
        with pytest.raises(MailboxFull):
            loop.run(fill())
        with contextlib.suppress(MailboxFull):
            for number in range(MANY):
                sleeper.tell(number)
        with pytest.raises(MailboxFull):
            sleeper.tell("one more")
        os.kill(sleeper.info().pid, signal.SIGKILL)
        until(lambda: sleeper.info().incarnation == 2, 20, "the second life")
        until(lambda: taken(lambda: sleeper.ask("handled", 30)), 10, "room for this thread")
        until(lambda: taken(lambda: loop.run(handled())), 10, "room for those of asyncio")


@pytest.mark.parametrize("drain", [False, True], ids=["stopped", "drained"])
def test_after_a_stop_what_was_sent_is_handled_or_told_as_a_dead_letter(system, tmp_path, drain):
    sleeper = asleep(system, tmp_path, "sleep till the stop", size=1000)
    sent = [1, 0, 0]

    def tell(which):
        try:
            for number in range(20_000):
                sleeper.tell(number if which == 1 else (number,))
                sent[which] += 1
        except ActorDied:
            pass

    threads = [threading.Thread(target=tell, args=(which,)) for which in (1, 2)]
    for thread in threads:
        thread.start()
    until(lambda: min(sent[1:]) >= 200, 20, "tells of both threads")
    assert sleeper.stop(drain=drain) == "asked"
    until(lambda: sleeper.info().status is Status.STOPPING, 10, "the stop")
    (tmp_path / "gate").touch()
    handled = sleeper.result(60)
    for thread in threads:
        thread.join(60)
    assert handled == 1 or drain
    until(lambda: handled + system.dead_letters.total >= sum(sent), 10, "the account")
    assert handled + system.dead_letters.total == sum(sent)
    assert {letter.to for letter in system.dead_letters} == {"sleeper"}
    assert {letter.reason for letter in system.dead_letters} == {"sleeper has ended"}


def test_a_stop_that_drains_handles_first_what_has_arrived(system, tmp_path):
    sleeper = system.spawn(Sleeper, tmp_path)
    for _ in range(60):
        sleeper.tell(("rest",))
    until(lambda: (sleeper.info().mailbox_depth or 0) >= 20, 20, "messages that have arrived")
    arrived = sleeper.info().mailbox_depth
    assert sleeper.stop(drain=True) == "asked"
    handled = sleeper.result(60)
    assert handled >= arrived > 1
    until(lambda: handled + system.dead_letters.total == 60, 10, "the account")


def test_the_dead_letters_of_a_stop_hold_their_messages_and_can_be_drained(system, tmp_path):
    sleeper = asleep(system, tmp_path, "sleep till the stop")
    teller = system.spawn(Tells, sleeper, name="teller")
    teller.wait(30)
    sleeper.tell({"plain": [1]})
    sleeper.tell(("pickled", {2}))
    sleeper.stop()
    until(lambda: sleeper.info().status is Status.STOPPING, 10, "the stop")
    (tmp_path / "gate").touch()
    sleeper.wait(30)
    until(lambda: system.dead_letters.total == 3, 10, "three dead letters")
    letters = {letter.sender: letter for letter in system.dead_letters if letter.sender}
    assert letters["teller"].message == "from teller"
    messages = [letter.message for letter in system.dead_letters if not letter.sender]
    assert messages == [{"plain": [1]}, ("pickled", {2})]
    assert {letter.way for letter in system.dead_letters} == {"tell"}
    assert len(system.dead_letters) == 3
    drained = system.dead_letters.drain()
    assert (len(drained), len(system.dead_letters), system.dead_letters.total) == (3, 0, 3)
    assert [letter.message for letter in drained if not letter.sender] == messages


class Tells(Process):
    def __init__(self, to):
        self.to = to

    def __loop__(self):
        self.to.tell(f"from {self.name}")
        self.stop()


def test_the_depth_of_a_mailbox_is_what_it_has_taken_in_and_not_handled(system, tmp_path):
    recorder = system.spawn(Recorder)
    assert recorder.ask("count", 30) == 0
    until(lambda: recorder.info().mailbox_depth == 0, 10, "an empty mailbox")
    recorder.tell(["first"])
    for number in range(5):
        recorder.tell((number,))
    recorder.tell(["hold", str(tmp_path / "held"), str(tmp_path / "gate")])
    noted(tmp_path / "held")
    assert recorder.info().mailbox_depth == 1  # the one in hand
    (tmp_path / "gate").touch()
    assert recorder.ask("count", 30) == 7
    until(lambda: recorder.info().mailbox_depth == 0, 10, "an empty mailbox")


def test_what_a_life_had_in_hand_when_it_was_killed_is_counted_in_its_death_report(system, tmp_path):
    recorder = system.spawn(Recorder, name="killed")
    recorder.wait_ready(30)
    recorder.tell(["first"])
    recorder.tell(["hold", str(tmp_path / "held"), str(tmp_path / "gate")])
    for number in range(20):
        recorder.tell([number])
    noted(tmp_path / "held")
    recorder.kill()
    recorder.wait(30)
    until(lambda: system.dead_letters.total >= 21, 10, "the account")
    assert any(letter.count == 1 and "in hand" in letter.reason for letter in system.dead_letters)
    assert "lost messages that it had in hand: 1" in str(recorder.exception().report)
