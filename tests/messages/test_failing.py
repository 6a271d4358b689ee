"""What a message that is not handled, or not answered, gets instead."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.messages.cast import Asks, Recorder
from tests.stage import noted, until
from understudy import (
    AskCycle,
    AskTimeout,
    ConfigError,
    Process,
    ReceiveError,
    ReceiveTimeoutError,
    SerializationError,
    Status,
    UnderstudyError,
    WrongProcess,
    callable_remotely,
    receives,
)

pytestmark = pytest.mark.requirement("A7")


class Unsendable(Exception):
    """Its pickle fails."""

    def __reduce__(self):
        raise TypeError("this one stays")


class Explodes:
    """Arrives nowhere."""

    def __reduce__(self):
        return _explode, ("on arrival",)


def _explode(text):
    raise LookupError(text)


class ExplodesAtHome:
    """Arrives nowhere but in actors."""

    def __reduce__(self):
        return _explode_at_home, ()


def _explode_at_home():
    from understudy import runtime

    if runtime.inside is None:
        raise LookupError("not here")
    return ExplodesAtHome()


class Fails(Process):
    """Fails at what it is asked."""

    def __init__(self):
        self.config.timeouts.receive = 0.5
        self.done = []

    def __receive__(self, message):
        match message:
            case "raise":
                raise ValueError("no such thing")
            case "unsendable":
                raise Unsendable("it was this")
            case "slow":
                time.sleep(60)
            case "generator":
                return [1, {"a": (number for number in [1])}]
            case "home":
                return ExplodesAtHome()
            case "group":
                raise ExceptionGroup("two", [ValueError("one"), KeyError("other")])
            case "done":
                return self.done
        self.done.append(message)
        return message


class SlowToPack:
    """Takes for ever to be packed."""

    def __reduce__(self):
        time.sleep(60)
        raise AssertionError("too late")


class SlowToOpen:
    """Takes for ever to be opened."""

    def __reduce__(self):
        return time.sleep, (60,)


class SlowToTell(Exception):
    """Takes for ever to say what it is."""

    def __str__(self):
        time.sleep(60)
        return "too late"


class Dawdles(Process):
    """Is slow before a handler begins, or after it has ended."""

    def __init__(self, concurrency):
        self.config.timeouts.receive = 0.5
        self.config.mailbox.concurrency = concurrency

    @receives(str)
    async def side_by_side(self, message):
        return self.plain([message])

    @receives(list)
    def plain(self, message):
        match message:
            case ["pack"]:
                return SlowToPack()
            case ["tell"]:
                raise SlowToTell
        return self.incarnation

    @receives(object)
    def other(self, message):
        return message


@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_is_slow_before_a_handler_or_after_it_is_the_askers_timeout_and_the_actor_lives(system, concurrency):
    dawdles = system.spawn(Dawdles, concurrency, name="dawdles")
    for message in (SlowToOpen(), "pack", ["pack"]):
        with pytest.raises(ReceiveTimeoutError, match=r"__receive__ of dawdles ran 0\.5 s"):
            dawdles.ask(message, 30)
        assert dawdles.ask("life", 30) == 1
    for message in ("tell", ["tell"]):
        with pytest.raises(ReceiveError, match="SlowToTell: <its text cannot be had>"):
            dawdles.ask(message, 30)
        assert dawdles.ask(["life"], 30) == 1


@pytest.mark.requirement("P3")
def test_what_a_handler_raises_is_the_askers_error_and_the_actor_lives(system):
    fails = system.spawn(Fails, name="fails")
    with pytest.raises(
        ReceiveError, match=r"ValueError: no such thing \(__receive__ of fails, lap 1, incarnation 1\)"
    ) as caught:
        fails.ask("raise", 30)
    error = caught.value
    assert (error.name, error.incarnation, error.section, error.lap) == ("fails", 1, "receive", 1)
    cause = error.__cause__
    assert repr(cause) == "ValueError('no such thing')"
    story = str(cause and cause.__cause__)
    assert "in __receive__" in story
    assert 'raise ValueError("no such thing")' in story

    with pytest.raises(ReceiveError, match="Unsendable: it was this") as caught:
        fails.ask("unsendable", 30)
    assert 'raise Unsendable("it was this")' in str(caught.value.__cause__)
    with pytest.raises(ReceiveError) as caught:
        fails.ask("group", 30)
    assert isinstance(caught.value.__cause__, ExceptionGroup)

    with pytest.raises(ReceiveTimeoutError, match=r"0\.5 s") as caught:
        fails.ask("slow", 30)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.section, caught.value.name) == ("receive", "fails")
    assert "time.sleep(60)" in str(caught.value.__cause__)

    with pytest.raises(ReceiveError, match=r"answer\[1\]\['a'\]|generator") as caught:
        fails.ask("generator", 30)
    assert isinstance(caught.value.__cause__, SerializationError)
    with pytest.raises(ReceiveError, match="answer of fails arrived but cannot be opened here") as caught:
        fails.ask("home", 30)
    assert repr(caught.value.__cause__) == "LookupError('not here')"
    assert fails.ask("after all that", 30) == "after all that"
    assert fails.info().incarnation == 1


def test_what_cannot_travel_is_named_by_its_path_and_disturbs_nothing(system):
    fails = system.spawn(Fails)
    fails.tell("before")
    stuck = {"list": [1, (number for number in [1])]}
    for send in (fails.tell, fails.ask):
        with pytest.raises(SerializationError, match=r"message\['list'\]\[1\]"):
            send(stuck)
        with pytest.raises(SerializationError, match=r"message: .*this one stays|this one stays"):
            send(Unsendable())
    for timeout in ("soon", float("nan")):
        with pytest.raises(ConfigError, match="timeout"):
            fails.ask("x", timeout)
    with pytest.raises(AskTimeout):
        fails.ask("x", -1)
    fails.tell("after")
    assert [one for one in fails.ask("done", 30) if one != "x"] == ["before", "after"]


def test_a_message_that_cannot_be_opened_is_the_askers_error_and_the_tellers_dead_letter(system):
    fails = system.spawn(Fails, name="fails")
    with pytest.raises(ReceiveError, match="LookupError: on arrival") as caught:
        fails.ask(Explodes(), 30)
    assert isinstance(caught.value.__cause__, LookupError)
    fails.tell(Explodes())
    fails.tell("next")
    assert fails.ask("done", 30) == ["next"]
    (letter,) = until(lambda: list(system.dead_letters), 10, "a dead letter")
    assert (letter.to, letter.way, letter.count) == ("fails", "tell", 1)
    assert "cannot be opened: LookupError: on arrival" in letter.reason
    assert fails.info().incarnation == 1


def test_an_ask_that_nobody_waits_for_any_more_is_not_handled_and_its_late_answer_harms_nobody(system, tmp_path):
    recorder = system.spawn(Recorder, name="held")
    recorder.wait_ready(30)
    with pytest.raises(AskTimeout, match=r"held did not answer within 1 s"):
        recorder.ask(["hold", str(tmp_path / "held"), str(tmp_path / "gate")], 1)
    noted(tmp_path / "held")
    for message in ("plain", ("pickled",)):
        with pytest.raises(AskTimeout):
            recorder.ask(message, 0.05)
    recorder.tell("told")
    (tmp_path / "gate").touch()
    assert recorder.ask("mine", 30) == "mine"
    assert recorder.ask("kept", 30) == ["hold", "told", "mine"]
    assert recorder.info().incarnation == 1


class Knot(Process):
    """Asks the next of a circle, in its handler."""

    def __init__(self):
        self.next: Any = None
        self.config.mailbox.size = 1

    def __receive__(self, message):
        match message:
            case ["next", ref]:
                self.next = ref
            case "ask":
                return self.next.ask("ask", 30)
            case "stuff":
                self.next.tell("stuff")
                for _ in range(10):
                    self.next.tell("x")  # there is room for one
            case "myself":
                return self.ask("x", 30)
        return self.name


def circle(system, count, kind):
    knots = [system.spawn(Knot, name=f"{kind}/{number}") for number in range(count)]
    for number, knot in enumerate(knots):
        knot.ask(["next", knots[(number + 1) % count]], 30)
    return knots


@pytest.mark.parametrize("count", [2, 3])
def test_a_circle_of_asks_is_told_by_name_instead_of_hanging(system, count):
    knots = circle(system, count, "knot")
    with pytest.raises(ReceiveError) as caught:
        knots[0].ask("ask", 25)
    cause: BaseException | None = caught.value
    while not isinstance(cause, AskCycle):
        assert cause is not None
        cause = cause.__cause__
    names = str(cause).rpartition(": ")[2].split(" -> ")
    assert names[0] == names[-1]
    assert sorted(names[:-1]) == sorted(knot.name for knot in knots)
    assert [knot.ask("still", 30) for knot in knots] == [knot.name for knot in knots]


def test_a_circle_through_a_tell_that_waits_for_room_is_found_too(system):
    knots = circle(system, 2, "stuffed")
    knots[0].tell("stuff")
    reports = until(lambda: [knot for knot in knots if knot.done()], 25, "one of them breaking the circle")
    error = reports[0].exception(30)
    assert isinstance(error, ReceiveError)
    assert isinstance(error.__cause__, AskCycle)


def test_who_asks_itself_is_told_at_once(system):
    knot = system.spawn(Knot)
    with pytest.raises(ReceiveError, match="cannot ask itself") as caught:
        knot.ask("myself", 30)
    assert isinstance(caught.value.__cause__, WrongProcess)
    asks = system.spawn(Asks)
    with pytest.raises(ReceiveError, match="cannot ask itself"):
        asks.ask((asks, "x", 30), 30)


class Selfish(Process):
    """Asks itself as it is told to; tells itself as it is told so."""

    def __init__(self):
        self.heard: list[Any] = []

    async def __receive__(self, message):
        ref, way = message
        match way:
            case "aio":
                return await ref.aio.ask("x", 30)
            case "call":
                return await ref.aio.call.heard_so_far()
            case "tell":
                await ref.aio.tell((ref, "told"))
                ref.tell((ref, "told"))
            case "told":
                self.heard.append(way)
        return None

    @callable_remotely
    def heard_so_far(self):
        return self.heard


def test_who_asks_itself_from_a_task_is_told_at_once_too_and_may_tell_itself(system):
    selfish = system.spawn(Selfish)
    for way in ("aio", "call"):
        with pytest.raises(ReceiveError, match="cannot ask itself"):
            selfish.ask((selfish, way), 30)
    selfish.ask((selfish, "tell"), 30)
    until(lambda: selfish.call.heard_so_far() == ["told"] * 2, 20, "both tells")


def test_an_asker_that_is_killed_leaves_its_receiver_to_the_others(system, tmp_path):
    recorder, asker = system.spawn(Recorder, name="asked"), system.spawn(Asks, name="asker")
    asker.tell((recorder, ["hold", str(tmp_path / "held"), str(tmp_path / "gate")], None))
    noted(tmp_path / "held")
    asker.kill()
    assert asker.wait(30) is Status.KILLED
    (tmp_path / "gate").touch()
    assert recorder.ask("others", 30) == "others"
    assert recorder.info().incarnation == 1


def test_threads_that_ask_at_once_fail_each_for_itself(system):
    recorder, fails = system.spawn(Recorder), system.spawn(Fails)
    got: dict[int, object] = {}

    def work(number):
        try:
            got[number] = (fails if number % 2 else recorder).ask("raise" if number % 2 else number, 30)
        except UnderstudyError as error:
            got[number] = type(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: ReceiveError if number % 2 else number for number in range(20)}


class Timeless(Process):
    """Sets its wall clock, as far as Python shows it."""

    def __init__(self):
        self.config.timeouts.receive = 20
        self.config.lives = 2

    def __receive__(self, message):
        match message:
            case {"jump": seconds}:
                jump(seconds)
            case {"sleep": seconds}:
                time.sleep(seconds)
        return message


def jump(seconds):
    real = time.time
    time.time = lambda: real() + seconds


@pytest.mark.parametrize("seconds", [-(10**7), 10**7], ids=["back", "forward"])
def test_waits_and_timeouts_hold_though_the_wall_clocks_jump(system, monkeypatch, seconds):
    ref = system.spawn(Timeless)
    ref.ask(0, 30)
    monkeypatch.setattr(time, "time", time.time)  # put back at the end
    jump(seconds)
    ref.ask({"jump": seconds}, 30)
    for number in range(100):
        ref.tell(number)
    assert ref.ask("last", 30) == "last"
    began = time.monotonic()
    with pytest.raises(AskTimeout):
        ref.ask({"sleep": 1.5}, 0.5)
    assert time.monotonic() - began >= 0.5
    assert ref.ask({"sleep": 0.1}, 30) == {"sleep": 0.1}
    ref.restart()
    ref.tell("while it restarts")
    assert ref.ask("anew", 30) == "anew"
    assert list(system.dead_letters) == []
