"""What becomes of messages when the actor that they are for dies, restarts, or has ended."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.messages.cast import Recorder
from tests.messages.test_handling import asking
from tests.stage import gone, noted, report_of, until
from understudy import ActorDied, Process, ReceiveError, ReceiveTimeoutError, Status

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]
PROMPT = 10
"""Seconds in which what is promised at once has come, on the busiest of machines; the asks would wait for a minute."""


def held(recorder, place):
    """An ask in its handler, which waits until the gate opens; and one that waits behind it."""
    first = asking(recorder, ["hold", str(place / "held"), str(place / "gate")], 60)
    noted(place / "held")
    second = asking(recorder, "behind", 60)
    senders = recorder._post.roster.senders
    until(lambda: sum(len(sender.expected) for sender in senders()) == 2, 20, "both being on their way")
    return first, second


@pytest.mark.parametrize("way", ["SIGKILL", "kill", "restart", "stop"])
def test_asks_in_flight_fail_at_once_when_their_actor_is_ended_from_outside(system, tmp_path, way):
    recorder = system.spawn(Recorder, lives=2, name="victim")
    recorder.ask("kept", 30)
    asks = held(recorder, tmp_path)
    ended = time.monotonic()
    match way:
        case "SIGKILL":
            os.kill(recorder.info().pid, signal.SIGKILL)
        case "kill":
            recorder.kill()
        case "restart":
            recorder.restart(grace=0.1)
        case "stop":
            recorder.stop(grace=0.1)
    for thread, _ in asks:
        thread.join(60)
    assert time.monotonic() - ended < PROMPT
    for _, (error,) in asks:
        assert isinstance(error, ActorDied), error
        assert (error.name, error.incarnation) == ("victim", 1)
    if way in {"SIGKILL", "restart"}:  # it goes on, and nobody waits for the old answers
        assert recorder.ask("self", 30)[1] == 2
        assert recorder.ask("kept", 30) == []
    else:
        recorder.wait(30)
        refused(recorder)


def refused(ref):
    """To who has ended nothing can be said any more."""
    for send in (ref.tell, lambda message: ref.ask(message, 60)):
        with pytest.raises(ActorDied) as caught:
            send("to the ended")
        assert caught.value.name == ref.name


@pytest.mark.parametrize("way", ["SIGKILL", "os._exit", "SystemExit", "crash"])
def test_a_tell_that_kills_costs_a_life_and_what_follows_is_for_the_next_one(system, way):
    recorder = system.spawn(Recorder, lives=3, name="mortal")
    recorder.ask("kept", 30)
    recorder.tell(["die", way])
    until(lambda: recorder.info().incarnation == 2, 20, "the second life")
    recorder.tell("told to the second")
    assert recorder.ask("self", 30)[1] == 2
    assert recorder.ask("kept", 30) == ["told to the second"]
    # Not knowing of a death yet is no error: this one is in flight when it dies, or waits for the third life.
    thread, box = asking(recorder, ["die", way], 60)
    thread.join(60)
    if way == "crash":
        assert isinstance(box[0], ReceiveError)
        assert recorder.ask("self", 30)[1] == 2
        return
    assert isinstance(box[0], ReceiveError if way == "SystemExit" else ActorDied)
    until(lambda: recorder.info().incarnation == 3, 20, "the third life")
    recorder.tell("told to the third")
    assert recorder.ask("self", 30)[1] == 3
    assert "told to the third" in recorder.ask("kept", 30)
    recorder.tell(["die", way])
    recorder.wait(30)
    refused(recorder)
    error = recorder.exception(30)
    assert report_of(error).section == "receive"


class Slow(Process):
    """Takes its time to begin each later life."""

    def __init__(self, gate):
        self.gate, self.config.lives = str(gate), 3

    def __preloop__(self):
        while self.incarnation > 1 and not os.path.exists(self.gate):
            self.sleep(0.01)

    def __receive__(self, message):
        if message == "die":
            os._exit(1)
        return [message, self.incarnation]


def test_what_is_asked_and_told_while_it_restarts_waits_for_the_next_life(system, tmp_path):
    slow = system.spawn(Slow, tmp_path / "gate")
    assert slow.ask("first", 30) == ["first", 1]
    slow.tell("die")
    until(lambda: slow.info().incarnation == 2, 20, "the second life")
    slow.tell("told")
    asks = [asking(slow, number, 60) for number in range(3)]
    until(lambda: all(thread.is_alive() for thread, _ in asks), 10, "three that wait")
    (tmp_path / "gate").touch()
    for thread, _ in asks:
        thread.join(60)
    assert [box for _, box in asks] == [[[number, 2]] for number in range(3)]


def test_an_ask_before_the_first_life_is_ready_waits_for_it_and_one_to_who_never_gets_ready_fails(system):
    class Unborn(Process):
        def __setstate__(self, state):
            raise ValueError("cannot be opened")

        def __receive__(self, message): ...

    assert system.spawn(Recorder).ask("early", 30) == "early"
    with pytest.raises(ActorDied):
        system.spawn(Unborn, name="unborn").ask("x", 60)


def test_a_later_actor_of_the_same_name_gets_nothing_that_was_for_the_earlier_one(system):
    first = system.spawn(Recorder, name="same")
    first.ask("x", 30)
    first.stop()
    first.wait(30)
    second = system.spawn(Recorder, name="same")
    refused(first)
    assert second.ask("kept", 30) == []


class Stubborn(Process):
    """Its handler overruns, or ignores its stop until it is interrupted."""

    def __init__(self, **seconds):
        for name, value in seconds.items():
            setattr(self.config.timeouts, name, value)

    def __receive__(self, message):
        match message:
            case ["sleep", path]:
                with open(path, "w") as file:
                    file.write("held\n")
                time.sleep(60)
            case "mask":
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        return message

    def __onfinish__(self):
        self.ended = True

    def __result__(self):
        return self.ended


def test_a_tell_that_overruns_is_a_crash_in_the_section_receive(system, tmp_path):
    ref = system.spawn(Stubborn, receive=0.3, name="overrunning")
    ref.tell(["sleep", str(tmp_path / "held")])
    error = ref.exception(30)
    assert isinstance(error, ReceiveTimeoutError)
    assert (error.section, error.lap, error.incarnation, error.name) == ("receive", 1, 1, "overrunning")
    report = report_of(error)
    assert (report.section, report.lap) == ("receive", 1)
    assert "time.sleep(60)" in report.stacks


def test_the_ladder_of_a_stop_ends_a_handler_without_a_crash_and_its_asker_is_told(system, tmp_path):
    ref = system.spawn(Stubborn, name="stopped")
    ref.wait_ready(30)
    thread, box = asking(ref, ["sleep", str(tmp_path / "held")], 60)
    noted(tmp_path / "held")
    assert ref.stop(grace=10) == "asked"  # so it has 5 s from SIGTERM to SIGKILL
    assert ref.result(30) is True
    thread.join(30)
    assert isinstance(box[0], ActorDied)
    assert ref.info().status is Status.FINISHED


def test_sigterm_from_elsewhere_lets_the_handler_finish_and_then_ends_the_actor(system, tmp_path):
    ref = system.spawn(Recorder, name="termed")
    (first, got), (second, refusal) = held(ref, tmp_path)
    pid = ref.info().pid
    os.kill(pid, signal.SIGTERM)
    (tmp_path / "gate").touch()
    for thread in (first, second):
        thread.join(60)
    assert got == [["hold", str(tmp_path / "held"), str(tmp_path / "gate")]]
    assert isinstance(refusal[0], ActorDied)
    gone(pid)
    assert ref.wait(30) is Status.FINISHED
