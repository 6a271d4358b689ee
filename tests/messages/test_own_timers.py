"""Messages that actors send themselves: `after`, `every`, and what ends them."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.stage import hold, note, noted, notes, state_of, until
from understudy import (
    ConfigError,
    Process,
    ReceiveError,
    ReceiveTimeoutError,
    Reminder,
    SerializationError,
    Status,
    WaitTimeout,
    WrongProcess,
    receives,
)

pytestmark = pytest.mark.requirement("A7")

LONG = 30
FAR = 10_000.0
MODULES = ("understudy.engine.ticking", "understudy.engine.timers")


class Sets(Process):
    """Sets timers as it is asked to, and keeps what they send, and of whom that seems to be."""

    def __init__(self, concurrency=1):
        self.config.mailbox.concurrency = concurrency
        self.got: list[Any] = []
        self.kept: dict[str, Reminder] = {}

    def __receive__(self, message):
        self.got.append((message() if callable(message) else message, self.sender))

    @receives(list)
    def on_list(self, words):
        return getattr(self, words[0])(*words[1:])

    def once(self, *timers):
        for seconds, message in timers:
            self.kept[message] = self.after(seconds, message)

    def unsendable(self):
        self.after(0, lambda: f"called in {os.getpid()}")

    def cancel_while_it_waits(self):
        """The first three are due, and cannot be handled before this is over."""
        kept = [self.after(0, name) for name in ("a", "b")] + [self.every(0.001, "c"), self.after(FAR, "d")]
        time.sleep(0.005)  # now the third one is due as well
        active = [one.active for one in kept]
        return active, [one.cancel() for one in kept], [one.active for one in kept], [one.cancel() for one in kept]

    def cancel(self, name):
        return self.kept[name].active, self.kept[name].cancel()

    def by_a_thread(self, path):
        """While the main thread waits for whatever may come."""
        self.after(FAR, "far")

        def act():
            for _ in range(5):  # it may also sleep until this thread lets it run
                until(lambda: state_of(os.getpid()) == "S")
                time.sleep(0.005)
            self.kept["thread"] = self.after(0.01, lambda: note(path, "from a thread"))

        threading.Thread(target=act).start()

    def all(self):
        return self.got

    def loaded(self):
        threads = [one.name for one in threading.enumerate() if not isinstance(one, threading._DummyThread)]
        return [name in sys.modules for name in MODULES], threads

    def give(self):
        return self.after(FAR, "far")

    def wrong(self):
        errors = []
        bad: Any
        for set_timer, bad in (
            *((self.after, seconds) for seconds in (-1, float("nan"), float("inf"), "1", None, True, 1e10)),
            *((self.every, seconds) for seconds in (0, 0.0001, float("nan"), 1e10)),
        ):
            try:
                set_timer(bad, "never")
            except ConfigError as error:
                errors.append(str(error))
        return errors


class SetsInTasks(Sets):
    async def __receive__(self, message):
        await asyncio.sleep(0)
        super().__receive__(message)

    @receives(list)
    async def on_list(self, words):
        await asyncio.sleep(0)
        return getattr(self, words[0])(*words[1:])


@pytest.fixture(params=[1, 4], ids=["one by one", "side by side"])
def sets(request, system):
    return system.spawn(Sets if request.param == 1 else SetsInTasks, request.param, name="sets")


def got(ref, count):
    return until(lambda: found if len(found := ref.ask(["all"], LONG)) >= count else [], 20, f"{count} messages")


def test_each_message_comes_once_in_the_order_in_which_they_are_due_and_nobody_has_sent_it(sets):
    sets.ask(["once", (0.6, "third"), (0.3, "second"), (0, "first")], LONG)
    sets.ask(["once", *((0.7, f"later {number}") for number in range(20))], LONG)
    expected = ["first", "second", "third", *(f"later {number}" for number in range(20))]
    assert got(sets, 23) == [(message, None) for message in expected]
    assert sets.ask(["cancel", "first"], LONG) == (False, False)
    sets.ask(["unsendable"], LONG)
    assert got(sets, 24)[23:] == [(f"called in {sets.info().pid}", None)]
    until(lambda: sets.info().mailbox_depth == 0, 20, "none being counted")


def test_what_is_cancelled_never_comes_even_if_it_was_due_and_waited_for_its_turn(sets):
    yes, no = [True] * 4, [False] * 4
    assert sets.ask(["cancel_while_it_waits"], LONG) == (yes, yes, no, no)
    sets.ask(["once", (FAR, "far"), (0.05, "last")], LONG)
    assert sets.ask(["cancel", "far"], LONG) == (True, True)
    assert got(sets, 1) == [("last", None)]


def test_a_thread_of_the_actor_sets_one_while_the_main_thread_waits_for_something_later(sets, tmp_path):
    sets.ask(["by_a_thread", str(tmp_path / "notes")], LONG)
    assert noted(tmp_path / "notes") == ["from a thread"]  # nothing else was sent, which would have woken it


def test_an_actor_without_timers_has_nothing_of_them_and_one_that_has_them_needs_no_thread(system):
    sets = system.spawn(Sets)
    none, threads = sets.ask(["loaded"], LONG)
    assert none == [False, False]
    sets.ask(["once", (0, "one")], LONG)
    assert got(sets, 1)
    assert sets.ask(["loaded"], LONG) == ([True, True], threads)


class SetsAtOnce(Sets):
    def __init__(self):
        super().__init__()
        self.after(1, "too early")


def test_what_is_no_time_is_refused_at_its_line_and_a_timer_stays_in_its_process(system):
    sets = system.spawn(Sets)
    errors = sets.ask(["wrong"], LONG)
    assert len(errors) == 11
    assert errors[0] == "after() takes a finite number of seconds, at least 0 and at most 1000000000; got -1"
    assert errors[-4].startswith("every() takes a finite number of seconds, at least 0.001")
    with pytest.raises(ReceiveError) as caught:
        sets.ask(["give"], LONG)
    assert isinstance(caught.value.__cause__, SerializationError)
    with pytest.raises(WrongProcess, match=r"after\(\) is for hooks: this SetsAtOnce does not run in this process"):
        system.spawn(SetsAtOnce)
    with pytest.raises(WrongProcess, match=r"every\(\) is for hooks"):
        Sets().every(1, "outside")
    assert sets.ask(["all"], LONG) == []


class Ticks(Process):
    """Is ticked at, and slow about it."""

    def __init__(self, period, work, path):
        self.period, self.work, self.path = period, work, str(path)
        self.seen: list[tuple[float, int]] = []
        self.told = 0

    def __preloop__(self):
        self.before = time.monotonic()
        self.timer = self.every(self.period, "tick")

    @receives(str)
    def tick(self, message):
        self.seen.append((time.monotonic() - self.before, self.timer.missed))
        note(self.path, message)
        time.sleep(self.work)  # this is the work

    @receives(int)
    def count(self, number):
        self.told += number
        time.sleep(self.work)

    @receives(list)
    def tell_all(self, _):
        return self.told, self.seen


def test_what_is_due_while_one_waits_is_left_out_and_counted_and_none_is_early(system, tmp_path):
    ticks = system.spawn(Ticks, 0.02, 0.12, tmp_path / "ticks")
    noted(tmp_path / "ticks", 10)
    _, seen = ticks.ask([], LONG)
    for number, (at, missed) in enumerate(seen, 1):
        assert number + missed <= at / 0.02 + 1e-6, "each stands for a multiple of the period that is over"
    assert seen[9][1] >= 36, "each lasts six periods, of which one waits"


def test_neither_a_timer_that_is_always_due_nor_a_full_mailbox_keeps_the_other_from_its_turn(system, tmp_path):
    ticks = system.spawn(Ticks, 0.001, 0.003, tmp_path / "ticks")
    for _ in range(300):
        ticks.tell(1)
    told, seen = ticks.ask([], LONG)
    assert told == 300
    assert len(seen) > 3, "they had their turns among the three hundred"


class Beats(Process):
    """In each life sets its timers anew."""

    def __init__(self, path):
        self.path = str(path)
        self.config.lives = 2

    def __preloop__(self):
        self.every(0.01, f"life {self.incarnation}")
        self.after(FAR, "never")
        if self.incarnation == 1:
            self.after(0.1, "crash")

    def __receive__(self, message):
        note(self.path, message)
        if message == "crash":
            raise ValueError("on purpose")


def test_timers_end_with_the_life_and_the_next_one_sets_its_own(system, tmp_path):
    beats = system.spawn(Beats, tmp_path / "beats")
    until(lambda: notes(tmp_path / "beats").count("life 2") > 3, 20, "the second life")
    beats.restart()
    until(lambda: notes(tmp_path / "beats").count("life 3") > 3, 20, "the third life")
    beats.stop()
    assert beats.wait(LONG) is Status.FINISHED
    lines = notes(tmp_path / "beats")
    lives = [line for line in lines if line != "crash"]
    assert lives == sorted(lives)
    assert Counter(lines)["crash"] == 1
    assert lines.index("crash") == lines.index("life 2") - 1
    assert not list(system.dead_letters)


class Holds(Process):
    """Has two hands; both are full when its timers become due and a stop comes."""

    def __init__(self, path):
        self.path, self.held = str(path), 0
        self.config.mailbox.concurrency = 2

    async def __receive__(self, message):
        note(self.path, message)
        if message == "hold":
            self.held += 1
            if self.held == 2:
                self.once, self.often = self.after(0, "due"), self.every(0.001, "due again and again")
            await asyncio.to_thread(until, lambda: self.stopping, LONG)
            self.after(0, "set after the stop")

    def __onfinish__(self):
        self.after(0, "set at the end")
        note(self.path, f"{self.once.active} {self.often.active}")


@pytest.mark.parametrize("drain", [False, True], ids=["stop", "drain"])
def test_once_a_stop_stands_no_timer_sends_anything_though_it_was_due_and_what_had_arrived_is_drained(
    system, tmp_path, drain
):
    path = tmp_path / "notes"
    holds = system.spawn(Holds, path)
    for message in ("hold", "hold", "more"):
        holds.tell(message)
    until(lambda: holds.info().mailbox_depth == 3, 20, "all having arrived")
    noted(path, 2)
    assert holds.stop(drain=drain) == "asked"
    assert holds.wait(LONG) is Status.FINISHED
    assert notes(path) == ["hold", "hold", *(["more"] if drain else []), "True True"]
    assert [letter.message for letter in system.dead_letters] == ([] if drain else ["more"])


class Waits(Process):
    """Has no handlers: it waits for messages in its loop."""

    def __init__(self, path):
        self.path = str(path)

    def __loop__(self):
        if self.current_lap == 1:
            self.early()
            self.timer = self.every(0.01, "tick")
            self.once = self.after(0.05, "once")
        try:
            message = self.receive(timeout=0.001)
        except WaitTimeout:
            message = self.receive()
        sender = None if self.sender is None else self.sender.name
        note(self.path, f"{message} of {sender}")
        if message == "cancel":
            self.timer.cancel()
            self.defer().reply(self.once.active)

    def early(self):
        """A thread cannot be the first: the mailbox is the main thread's to open."""

        def act():
            try:
                self.after(0, "never")
            except WrongProcess as error:
                note(self.path, error)

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()


class Tells(Process):
    def __init__(self, other):
        self.other = other

    def __receive__(self, message):
        self.other.tell(message)


def test_a_loop_that_waits_for_messages_itself_gets_those_of_its_timers_too(system, tmp_path):
    path = tmp_path / "notes"
    waits = system.spawn(Waits, path, name="waits")
    tells = system.spawn(Tells, waits, name="tells")
    tells.tell("hello")
    until(lambda: {"tick of None", "once of None", "hello of tells"} <= set(notes(path)), 20, "all of them")
    assert "another thread of it sets no timers: let a hook set the first" in notes(path)[0]
    assert waits.ask("cancel", LONG) is False
    assert waits.ask("the last", LONG) is None
    waits.stop()
    assert waits.wait(LONG) is Status.FINISHED
    assert Counter(notes(path))["once of None"] == 1
    lines = notes(path)
    assert "tick of None" not in lines[lines.index("cancel of None") :]


class Between(Process):
    """Has a loop and handlers."""

    def __init__(self, path, concurrency):
        self.path, self.trail = str(path), list[str]()
        self.config.mailbox.concurrency = concurrency

    def __preloop__(self):
        if self.current_lap == 1:
            self.every(0.001, "tick")
        self.trail.append("preloop")

    def __loop__(self):
        self.sleep(0.005)
        self.trail.append("loop")
        note(self.path, "lap")

    async def __receive__(self, message):
        if message == "trail":
            return self.trail
        self.trail.append(message)
        return None


@pytest.mark.parametrize("concurrency", [1, 3])
def test_between_two_sections_a_timer_sends_one_message_however_many_are_due(system, tmp_path, concurrency):
    between = system.spawn(Between, tmp_path / "laps", concurrency)
    noted(tmp_path / "laps", 10)
    trail = between.ask("trail", LONG)
    assert trail[: trail.index("tick")] == ["preloop"] or trail[: trail.index("tick")] == ["preloop", "loop"]
    assert all(pair != ("tick", "tick") for pair in itertools.pairwise(trail))
    assert trail.count("tick") >= 9


class Overlaps(Process):
    """Has many hands, and a timer whose messages are not handled before it sends the next."""

    def __init__(self, path, gate):
        self.path, self.gate = str(path), str(gate)
        self.config.mailbox.concurrency = 4
        self.ticks = self.inside = self.most = 0

    def __preloop__(self):
        self.timer = self.every(0.01, "tick")

    async def __receive__(self, message):
        match message:
            case "tick":
                self.ticks += 1
                self.inside += 1
                self.most = max(self.most, self.inside)
                note(self.path, "tick")
                if self.ticks == 1:
                    await asyncio.to_thread(hold, self.gate)
                self.inside -= 1
            case "most":
                return self.most, self.timer.missed
        return None


def test_of_one_timer_one_message_is_in_hand_however_many_hands_there_are(system, tmp_path):
    path, gate = tmp_path / "ticks", tmp_path / "gate"
    overlaps = system.spawn(Overlaps, path, gate)
    noted(path)
    began = time.monotonic()
    until(lambda: overlaps.ask("most", LONG)[0] == 1 and time.monotonic() > began + 0.1, 20, "ten periods")
    assert len(notes(path)) == 1
    until(lambda: overlaps.info().mailbox_depth == 0, 20, "the one in hand not being counted")
    gate.touch()
    noted(path, 3)
    most, missed = overlaps.ask("most", LONG)
    assert most == 1
    assert missed >= 8


class Ends(Process):
    """Sends itself what does not end well."""

    def __init__(self, concurrency):
        self.config.mailbox.concurrency = concurrency
        self.config.timeouts.receive = 0.3

    @receives(str)
    def on_word(self, word):
        self.after(0, b"raise" if word == "raise" else 7 if word == "overrun" else {"no": "handler"})
        return word

    @receives(bytes)
    async def on_raise(self, _):
        raise ValueError("on purpose")

    @receives(int)
    def on_overrun(self, _):
        time.sleep(LONG)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_a_timer_sends_is_a_message_that_was_told_in_all_that_may_become_of_it(system, concurrency):
    refs = {how: system.spawn(Ends, concurrency, name=how) for how in ("raise", "overrun", "nobody")}
    for how, ref in refs.items():
        assert ref.ask(how, LONG) == how
    letters = until(lambda: list(system.dead_letters), 20, "a dead letter")
    assert [(letter.to, letter.way, letter.sender, letter.message) for letter in letters] == [
        ("nobody", "tell", "", {"no": "handler"})
    ]
    assert letters[0].reason.startswith("Ends takes no dict")
    assert letters[0].reason.endswith("; a timer of its own has sent it")
    assert refs["raise"].wait(LONG) is refs["overrun"].wait(LONG) is Status.CRASHED
    assert repr(refs["raise"].exception().__cause__) == "ValueError('on purpose')"
    assert isinstance(refs["overrun"].exception(), ReceiveTimeoutError)
    assert refs["nobody"].ask("nobody", LONG) == "nobody"
    until(lambda: system.summary().messages == 4, 20, "the asks, and nothing else, being counted")
