"""What takes a message, and the ways to answer one."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress

import pytest

from tests.messages.cast import Recorder
from tests.stage import note, noted, notes, until
from understudy import (
    ActorDied,
    Process,
    ReceiveError,
    Status,
    UnderstudyError,
    WaitTimeout,
    WrongProcess,
    callable_remotely,
    receives,
)

pytestmark = pytest.mark.requirement("A7")


class Add:
    def __init__(self, number):
        self.number = number


class AddTwice(Add):
    pass


class Counts(Process):
    """Handles by type, and lets itself be called."""

    def __init__(self):
        self.total = 0

    @receives(Add)
    def on_add(self, message):
        self.total += message.number
        return self.total

    @receives(str, int)
    def on_word(self, message):
        return f"{type(message).__name__} {message}"

    @callable_remotely
    def add(self, *numbers, times=1):
        self.total += times * sum(numbers)
        return self.total

    def hidden(self):
        raise AssertionError("nobody may call this")


class CountsTwice(Counts):
    @receives(AddTwice)
    def on_twice(self, message):
        return self.on_add(message) + self.on_add(message) * 0 + 1000

    def add(self, *numbers, times=1):
        return super().add(*numbers, times=2 * times)

    def __receive__(self, message):
        return ["any", message]


def test_handlers_are_found_by_type_and_methods_called_from_elsewhere(system):
    counts, twice = system.spawn(Counts), system.spawn(CountsTwice)
    assert counts.ask(Add(2), 30) == 2
    assert counts.ask(AddTwice(3), 30) == 5
    assert counts.ask("x", 30) == "str x"
    assert counts.ask(7, 30) == "int 7"
    assert counts.call.add(1, 2) == 8
    assert counts.call(timeout=30).add(1, times=2) == 10
    assert twice.call.add(1) == 2
    assert twice.ask(AddTwice(1), 30) == 1003
    assert twice.ask([1], 30) == ["any", [1]]

    with pytest.raises(ReceiveError, match="Counts takes no list") as caught:
        counts.ask([1], 30)
    assert isinstance(caught.value.__cause__, TypeError)
    with pytest.raises(ReceiveError, match=r"no hidden\(\) that is callable remotely") as caught:
        counts.call.hidden()
    assert isinstance(caught.value.__cause__, AttributeError)
    counts.tell([1])
    counts.tell((2,))
    assert counts.ask("still here", 30) == "str still here"
    until(lambda: len(system.dead_letters) == 2, 10, "two dead letters")
    letters = list(system.dead_letters)
    assert [(letter.to, letter.way, letter.sender) for letter in letters] == [(counts.name, "tell", "")] * 2
    assert [letter.message for letter in letters] == [[1], (2,)]
    assert all("takes no" in letter.reason for letter in letters)
    assert letters[1].text == "tuple: (2,)"
    assert counts.info().incarnation == 1


class Later(Process):
    """Answers later: by another message, from another thread, or never."""

    def __init__(self):
        self.open = {}

    def __receive__(self, message):
        match message:
            case ["wait", name]:
                self.open[name] = self.defer()
                return "not the answer"
            case ["answer", name, value]:
                self.open[name].reply(value)
            case ["fail", name, text]:
                self.open[name].fail(LookupError(text))
            case ["thread", name]:
                deferred = self.open[name] = self.defer()
                threading.Thread(
                    target=lambda: deferred.reply([name, threading.current_thread().name != "MainThread"])
                ).start()
            case ["unsendable", name]:
                try:
                    self.open[name].reply(number for number in [1])
                except UnderstudyError as error:
                    return str(error)
            case ["answered", name]:
                return self.open[name].answered
            case "names":
                return sorted(self.open)
        return None


def asking(ref, message, timeout=30):
    """Ask in a thread: what came of it is in the list when the thread has ended."""
    box = []

    def ask():
        try:
            box.append(ref.ask(message, timeout))
        except UnderstudyError as error:
            box.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, box


def test_an_answer_may_be_given_later_by_another_message_or_thread_or_be_an_error(system):
    later = system.spawn(Later)
    askers = {name: asking(later, ["wait", name]) for name in ("a", "b", "c")}
    until(lambda: later.ask("names", 30) == ["a", "b", "c"], 10, "three open asks")
    assert later.ask(["thread", "d"], 30) == ["d", True]
    assert "generator" in later.ask(["unsendable", "c"], 30)
    assert later.ask(["answered", "c"], 30) is False
    later.tell(["answer", "c", 3])
    later.tell(["fail", "a", "not found"])
    later.tell(["answer", "b", None])
    for thread, _ in askers.values():
        thread.join(30)
    assert askers["c"][1] == [3]
    assert askers["b"][1] == [None]
    (error,) = askers["a"][1]
    assert isinstance(error, ReceiveError)
    assert repr(error.__cause__) == "LookupError('not found')"
    with pytest.raises(ReceiveError, match="answered before"):
        later.ask(["answer", "b", 1], 30)
    thread, box = asking(later, ["wait", "never"])
    until(lambda: "never" in later.ask("names", 30), 10, "the last one")
    later.stop()
    thread.join(30)
    assert isinstance(box[0], ActorDied)


class Drops(Process):
    """Lets go of its right to answer, in ways."""

    def __init__(self, concurrency):
        self.config.mailbox.concurrency = concurrency
        self.kept = {}

    def __receive__(self, message):
        match message:
            case "at once":
                self.defer()
            case "as its value":
                return self.defer()
            case "in a circle":
                circle: list[object] = [self.defer()]
                circle.append(circle)
                del circle
                gc.collect()
            case "by a thread":
                self.kept[message] = self.defer()
                threading.Thread(target=self.kept.clear).start()
            case "not at all":
                self.defer()
                kept = [self.defer(), self.defer()]
                kept[0].reply([one.answered for one in kept])
                assert kept[1].answered
                with suppress(RuntimeError):
                    kept[1].reply("twice")
            case "keep":
                self.kept[message] = self.defer()
                return self.kept[message]
            case "answer":
                self.kept.pop("keep").reply("answered")
            case "kept":
                return list(self.kept)
        return message


class DropsInTasks(Drops):
    async def __receive__(self, message):
        return super().__receive__(message)


@pytest.mark.parametrize("kind", [Drops, DropsInTasks])
def test_a_deferred_that_is_dropped_unanswered_is_the_askers_error(system, kind):
    drops = system.spawn(kind, 1 if kind is Drops else 2)
    for way in ("at once", "as its value", "in a circle", "by a thread"):
        with pytest.raises(ReceiveError, match="dropped unanswered") as caught:
            drops.ask(way, 30)
        assert isinstance(caught.value.__cause__, RuntimeError)
    assert drops.ask("not at all", 30) == [False, False]
    thread, box = asking(drops, "keep")
    until(lambda: drops.ask("kept", 30) == ["keep"], 10, "an open ask")
    drops.tell("answer")
    thread.join(30)
    assert box == ["answered"]
    drops.tell("at once")
    assert drops.ask("still here", 30) == "still here"
    assert drops.info().incarnation == 1


class Takes(Process):
    """Has a loop in which it waits for messages itself."""

    def __init__(self, path):
        self.path = str(path)

    def __preloop__(self):
        note(self.path, "preloop")

    def __loop__(self):
        try:
            message = self.receive(timeout=0.01)
        except WaitTimeout as error:
            note(self.path, f"nothing: {error}")
            message = self.receive()
        match message:
            case "defer":
                self.defer().reply(["deferred", None if self.sender is None else self.sender.name])
            case "thread":
                box = []

                def take():
                    try:
                        self.receive(1)
                    except WrongProcess as error:
                        box.append(str(error))

                thread = threading.Thread(target=take)
                thread.start()
                thread.join()
                self.defer().reply(box)
            case _:
                note(self.path, f"took {message!r}")

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        return self.completed_laps


def test_a_loop_may_wait_for_messages_itself_and_a_stop_ends_the_wait(system, tmp_path):
    takes = system.spawn(Takes, tmp_path / "notes", name="takes")
    assert noted(tmp_path / "notes", 2)[1] == "nothing: no message came to takes within 0.01 s"
    assert takes.ask("defer", 30) == ["deferred", None]
    assert takes.ask("nothing deferred", 30) is None
    assert "another thread" in takes.ask("thread", 30)[0]
    for number in range(300):
        takes.tell(number)
    assert takes.ask(("last",), 30) is None
    assert takes.stop() == "asked"
    assert takes.wait(30) is Status.FINISHED
    told = notes(tmp_path / "notes")
    assert [line for line in told if line.startswith("took")][1:] == [
        *(f"took {n}" for n in range(300)),
        "took ('last',)",
    ]
    assert told[-1] == "onfinish"
    assert takes.result() >= 304


class TakesOne(Process):
    """Takes one message in the section that is named, and has laps without an end."""

    def __init__(self, section, path):
        self.section, self.path = section, str(path)

    def take(self, section):
        if section == self.section and self.completed_laps == 2:
            match self.receive():
                case "thread":
                    deferred, lap = self.defer(), self.current_lap

                    def answer():
                        until(lambda: self.completed_laps > lap)
                        deferred.reply(lap)

                    threading.Thread(target=answer).start()
        elif self.completed_laps == 2:
            note(self.path, section)

    def __preloop__(self):
        self.take("preloop")

    def __loop__(self):
        self.take("loop")
        self.sleep(0.001)

    def __postloop__(self):
        self.take("postloop")


def beyond(ref, lap):
    """Whether it has gone on."""
    return lambda: ref.info().lap > lap


@pytest.mark.parametrize("section", ["preloop", "loop", "postloop"])
def test_an_ask_that_a_section_took_is_answered_when_it_ends_or_as_soon_as_a_thread_has_answered(
    system, tmp_path, section
):
    for message, answer in (("nothing deferred", None), ("thread", 3)):
        takes = system.spawn(TakesOne, section, tmp_path / message)
        assert takes.ask(message, 30) == answer
        until(beyond(takes, 5), 20, "further laps")
        assert notes(tmp_path / message) == [one for one in ("preloop", "loop", "postloop") if one != section]


class Between(Process):
    """Has a loop and handlers."""

    def __init__(self, path):
        self.path, self.sections = str(path), []

    def __preloop__(self):
        self.sections.append("preloop")

    def __loop__(self):
        self.sections.append("loop")
        self.sleep(0.01)

    def __postloop__(self):
        self.sections.append("postloop")

    def __receive__(self, message):
        if message == "sections":
            return self.sections
        self.sections.append(message)
        return self.current_lap


def test_an_actor_with_a_loop_and_handlers_is_served_between_its_sections(system, tmp_path):
    between = system.spawn(Between, tmp_path / "notes")
    laps = [between.ask(f"message {number}", 30) for number in range(5)]
    assert laps == sorted(laps)
    assert laps[-1] > laps[0]
    for number in range(5, 200):
        between.tell(f"message {number}")
    sections = between.ask("sections", 30)
    assert [one for one in sections if one.startswith("message")] == [f"message {number}" for number in range(200)]
    laps = [one for one in sections if not one.startswith("message")]
    assert laps == (["preloop", "loop", "postloop"] * len(laps))[: len(laps)]


class Pure(Process):
    """No loop: one lap of messages."""

    def __init__(self, path):
        self.path = str(path)

    def __preloop__(self):
        note(self.path, f"preloop {self.current_lap}")
        self.ready = True

    def __receive__(self, message):
        note(self.path, message)
        if message in {"lap", "section"}:
            self.stop(after=message)
            return "stopping"
        if message == "take":
            return [self.receive(30), self.receive(30)]
        return self.ready

    def __postloop__(self):
        note(self.path, "postloop")

    def __onfinish__(self):
        note(self.path, "onfinish")

    def __result__(self):
        return "result"


@pytest.mark.requirement("P3")
def test_an_actor_of_messages_alone_has_one_lap_which_a_stop_ends_before_or_after_its_postloop(system, tmp_path):
    refs = {how: system.spawn(Pure, tmp_path / how, name=how) for how in ("lap", "section", "outside")}
    assert all(ref.ask("hello", 30) for ref in refs.values())
    assert [refs[how].ask(how, 30) for how in ("lap", "section")] == ["stopping", "stopping"]
    refs["outside"].stop()
    assert [ref.result(30) for ref in refs.values()] == ["result"] * 3
    assert notes(tmp_path / "lap") == ["preloop 1", "hello", "lap", "postloop", "onfinish"]
    assert notes(tmp_path / "section") == ["preloop 1", "hello", "section", "onfinish"]
    assert notes(tmp_path / "outside") == ["preloop 1", "hello", "onfinish"]


def test_a_handler_may_wait_for_the_next_messages_itself(system, tmp_path):
    """Those behind it in the same batch, pickled ones and asks among them; each is handled once and in order."""
    pure = system.spawn(Pure, tmp_path / "notes")
    pure.ask("hello", 30)
    for word in ("one", "take", "two", "three", "four", "take"):
        pure.tell(word)
    pure.tell(("five",))
    assert pure.ask("six", 30) is None, "it was taken by receive(), and not deferred"
    assert pure.ask("seven", 30) is True
    assert notes(tmp_path / "notes")[1:] == ["hello", "one", "take", "four", "take", "seven"]


@pytest.mark.requirement("P6")
def test_a_free_standing_process_is_told_and_asked_by_the_object_itself(system):
    del system  # closed by the fixture; the default system is another one
    recorder = Recorder()
    recorder.start()
    recorder.tell("x")
    assert recorder.ask("kept", 30) == ["x"]
    recorder.stop()
    assert recorder.wait(30) is Status.FINISHED
