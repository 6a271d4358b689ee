"""Mailboxes outlive their actor: each message is begun once, by whichever life; what dies in hand is counted."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import struct
import threading
from collections import Counter

import numpy as np
import pytest

from tests.stage import hold, note, noted, until
from understudy import ActorDied, Process
from understudy.wire.sockets.mail import _MORE

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]
RECORD = struct.Struct("=iiq")
LONG = 60


class Register(Process):
    """Writes down each message that it begins: by which life, of whom, and which."""

    def __init__(self, path, **mailbox):
        self.path = str(path)
        self.config.lives = 50
        self.config.restart.backoff.base = 0
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __preloop__(self):
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __receive__(self, message):
        if message == "pid":
            return os.getpid()
        if isinstance(message, str):
            return message
        who, number = message[:2]
        os.write(self.file, RECORD.pack(self.incarnation, who, number))
        return None


class Register4(Register):
    """The same with several in hand."""

    async def __receive__(self, message):
        answer = super().__receive__(message)
        await asyncio.sleep(0)
        return answer


def answer(ref, question):
    """Asked again where the life that was asked has ended: whether it had is not known before."""
    while True:
        try:
            return ref.ask(question, LONG)
        except ActorDied:
            assert not ref.info().status.ended


def begun(path):
    """What was written down: for each sender its numbers in the order in which they were begun."""
    found: dict[int, list[int]] = {}
    for _, who, number in RECORD.iter_unpack(path.read_bytes()):
        found.setdefault(who, []).append(number)
    return found


def killed_again_and_again(ref, over, chance, kills):
    """Ends its processes one after the other at any moment; how many."""
    while not over.is_set() and len(kills) < 12:
        pid = answer(ref, "pid")
        over.wait(chance.random() * 0.05)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills.append(pid)
        until(lambda: answer(ref, "pid") != pid, 30, "the next life")  # noqa: B023 - called at once


def tells(ref, who, count):
    for number in range(count):
        ref.tell([who, number])


def tells_singly(ref, who, count):
    """Each in a letter of its own: with a buffer beside it, or lent."""
    for number in range(count):
        ref.tell((who, number, np.ones(300_000 if number % 100 == 0 else 500)))


def tells_as_tasks(ref, who, count):
    async def main():
        for number in range(count):
            await ref.aio.tell([who, number])

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Register, Register4])
def test_over_many_deaths_each_message_is_begun_once_in_order_or_was_in_hand(system, tmp_path, kind):
    path, hands = tmp_path / "register", 1 if kind is Register else 4
    ref = system.spawn(kind(path, concurrency=hands, size=200), name="register")
    ways = [(tells, 15_000), (tells, 15_000), (tells_singly, 1500), (tells_as_tasks, 1500)]
    threads = [threading.Thread(target=way, args=(ref, who, count)) for who, (way, count) in enumerate(ways)]
    over, kills = threading.Event(), list[int]()
    killer = threading.Thread(target=killed_again_and_again, args=(ref, over, random.Random(7), kills))  # noqa: S311
    for thread in [*threads, killer]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    killer.join()
    assert len(kills) > 2
    missing = 0

    def all_are_accounted_for():
        nonlocal missing
        found = begun(path)
        missing = sum(count - len(found.get(who, ())) for who, (_, count) in enumerate(ways))
        return system.dead_letters.total >= missing and answer(ref, "all") and ref.info().mailbox_depth == 0

    def quiet():
        before = begun(path)
        return all_are_accounted_for() and before == begun(path)

    until(quiet, LONG, "the end")
    for who, numbers in begun(path).items():
        assert not [number for number, times in Counter(numbers).items() if times > 1], who
        assert numbers == sorted(numbers), "each sender's in its order"
    assert missing <= system.dead_letters.total <= len(kills) * hands
    assert {letter.reason for letter in system.dead_letters} <= {"in hand as its receiver's life ended"}


class Holds(Process):
    """Keeps what it is told, in a file; holds, dies or raises where it is asked to."""

    def __init__(self, place, **options):
        self.place = str(place)
        self.config.lives = 3
        self.config.restart.backoff.base = 0
        for name, value in options.items():
            setattr(self.config.mailbox, name, value)

    def __receive__(self, message):
        match message:
            case np.ndarray():
                note(f"{self.place}/kept", int(message.sum()))
            case "life":
                return self.incarnation
            case "raise":
                raise ValueError("on purpose")
            case "hold":
                note(f"{self.place}/held", self.incarnation)
                hold(f"{self.place}/gate")
            case _:
                note(f"{self.place}/kept", message)
        return None


def kept(place):
    return (place / "kept").read_text().split() if (place / "kept").exists() else []


def end(ref, way, place):
    match way:
        case "SIGKILL":
            os.kill(ref.info().pid, signal.SIGKILL)
        case "restart":
            ref.restart(grace=0)
        case "raise":
            (place / "gate").touch()


@pytest.mark.parametrize("way", ["SIGKILL", "restart", "raise"])
def test_what_waits_behind_the_one_in_hand_is_for_the_next_life(system, tmp_path, way):
    ref = system.spawn(Holds, tmp_path)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    if way == "raise":
        ref.tell("raise", urgent=True)
    for number in range(100):
        ref.tell(number)
    ref.tell(np.full(300_000, 1))
    ref.tell("urgent", urgent=True)
    end(ref, way, tmp_path)
    assert until(lambda: answer(ref, "life") == 2, LONG, "the next life")
    found = kept(tmp_path)
    assert [one for one in found if one != "urgent"] == [*map(str, range(100)), "300000"]
    assert found.count("urgent") == 1
    lost = {"SIGKILL": 1, "restart": 1, "raise": 0}[way]
    assert system.dead_letters.total == lost


def test_an_urgent_one_that_was_handled_before_its_turn_is_not_handled_again(system, tmp_path):
    ref = system.spawn(Holds, tmp_path)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    for number in range(10):
        ref.tell((number,))  # a letter each
    ref.tell("first", urgent=True)
    ref.tell("hold", urgent=True)
    (tmp_path / "gate").touch()
    until(lambda: kept(tmp_path) == ["first"] or len(kept(tmp_path)) > 10, 20, "the urgent one")
    if kept(tmp_path) == ["first"]:
        until(lambda: len((tmp_path / "held").read_text().split()) == 2, 20, "the next hold")
    os.kill(ref.info().pid, signal.SIGKILL)
    assert until(lambda: answer(ref, "life") == 2, LONG, "the next life")
    assert Counter(kept(tmp_path))["first"] == 1
    assert len(kept(tmp_path)) == 11


def test_who_has_ended_leaves_to_nobody_and_each_message_is_accounted_for_once(system, tmp_path):
    ref = system.spawn(Holds, tmp_path, size=50)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    for number in range(20):
        ref.tell(number)
    other = threading.Thread(target=lambda: [ref.tell((number,)) for number in range(30)])
    other.start()
    other.join()
    ref.kill()
    ref.wait(30)
    until(lambda: system.dead_letters.total >= 51, 20, "the account")
    assert system.dead_letters.total == 51
    with pytest.raises(ActorDied):
        ref.tell("nobody")
    assert system.dead_letters.total == 51


def test_a_name_of_each_life_is_all_that_a_mailbox_leaves_and_it_goes_with_the_life(system, tmp_path):
    ref = system.spawn(Holds, tmp_path)
    for life in (1, 2, 3):
        assert until(lambda: answer(ref, "life") == life, LONG, "that life")  # noqa: B023 - called at once
        names = [name for name in os.listdir(system._world.directory) if name.startswith("m")]
        assert names == [f"m{ref.uid}.{life}"]
        os.kill(ref.info().pid, signal.SIGKILL)
    ref.wait(30)
    assert not [name for name in os.listdir(system._world.directory) if name.startswith("m")]


def test_of_what_is_begun_a_sender_keeps_no_copies_though_nothing_more_is_said(system, tmp_path):
    ref = system.spawn(Holds, tmp_path)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    for urgent in (False, False, True):  # the last one goes before its turn
        ref.tell((np.ones(100_000), np.ones(100_000)), urgent=urgent)
    links = [sender.links[ref.uid] for sender in system._answers.post.roster.senders() if ref.uid in sender.links]
    assert sum(len(link.sent) for link in links) >= 3
    (tmp_path / "gate").touch()
    until(lambda: not any(link.sent for link in links), 20, "the last copy gone")


class Forks(Holds):
    def __receive__(self, message):
        if message == "fork":
            copy = os.fork()
            if copy:
                os.waitpid(copy, 0)
            return None  # a copy ends where its hook does
        return super().__receive__(message)


def test_what_a_forked_copy_of_a_handler_does_is_nothing_that_its_actor_has_handled(system, tmp_path):
    ref = system.spawn(Forks, tmp_path)
    ref.wait_ready(30)
    for _ in range(3):
        ref.tell("fork")
    ref.tell("hold")
    noted(tmp_path / "held")
    os.kill(ref.info().pid, signal.SIGKILL)
    assert until(lambda: answer(ref, "life") == 2, LONG, "the next life")
    assert system.dead_letters.total == 1


class Struck(BaseException):
    """What a signal's handler raises."""


def test_a_message_that_is_struck_amid_its_being_sent_anew_is_sent_anew_whole(system, tmp_path, monkeypatch):
    ref = system.spawn(Holds, tmp_path)
    ref.wait_ready(30)
    ref.tell("hold")
    noted(tmp_path / "held")
    for number in (1, 2, 3):
        ref.tell(np.full(1000, number))  # an envelope, and frames behind it
    (sender,) = [one for one in system._answers.post.roster.senders() if ref.uid in one.links]
    link, sends = sender.links[ref.uid], sender._outlet._sends
    amid = []

    def strikes(frame, flags):
        sends(frame, flags)
        amid.append(frame)
        if flags != _MORE:
            amid.clear()
        elif len(amid) == 2:  # whose it is, and the envelope
            raise Struck

    with sender.held():  # nobody else follows meanwhile
        os.kill(ref.info().pid, signal.SIGKILL)
        until(lambda: link.is_behind, 20, "the news of its death")
        with monkeypatch.context() as patch:
            patch.setattr(sender._outlet, "_sends", strikes)
            with pytest.raises(Struck):
                sender.follow(link)
    assert until(lambda: answer(ref, "life") == 2, LONG, "the next life")
    assert kept(tmp_path) == ["1000", "2000", "3000"]
