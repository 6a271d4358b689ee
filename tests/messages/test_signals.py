"""What a signal's handler raises, tells or asks amid the messages of its thread."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.messages.cast import Recorder
from tests.stage import noted, until
from understudy import AskTimeout, MailboxFull

LONG = 30

pytestmark = [pytest.mark.requirement("A7"), pytest.mark.fault("F44")]


class Struck(Exception):
    """What a handler raises."""


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Sets what the alarm does."""
    former = signal.getsignal(signal.SIGALRM)

    def does(act: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: act())

    yield does
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


def strike():
    raise Struck


def asleep(system, tmp_path, name, **options):
    """A recorder whose mailbox is full of what one sender may have under way."""
    ref = system.spawn(Recorder, name=name, mailbox__size=4, **options)
    ref.tell(["hold", str(tmp_path / f"{name}-begun"), str(tmp_path / f"{name}-gate")])
    noted(tmp_path / f"{name}-begun")
    for number in range(3):
        ref.tell(number)
    return ref


def of_others(act):
    """What another thread gets: this one's messages are left alone."""
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()
    thread.join()
    return found[0]


# What strikes as a frame is let go, pyzmq can only print.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_raised_amid_tells_loses_and_doubles_none_that_were_said_and_no_ask_hangs(system, alarm):
    recorder = system.spawn(Recorder)
    recorder.ask("count", LONG)  # what is struck as a socket is made, may be left to the garbage collector
    alarm(strike)
    struck = told = begun = 0
    while struck < 300:
        urgent = bool(struck % 2)
        try:
            signal.setitimer(signal.ITIMER_REAL, (struck % 50 + 1) * 5e-5, 0.01)
            while True:
                begun += 1
                recorder.tell(["x"], urgent=urgent)
                told += 1
        except Struck:
            with contextlib.suppress(Struck):
                signal.setitimer(signal.ITIMER_REAL, 0)
            struck += 1
        assert told <= recorder.ask("count", LONG) <= begun, "of the one that was struck it is not known"
        told = begun = recorder.ask("count", LONG)
    assert list(system.dead_letters) == []


def test_an_ask_of_a_handler_leaves_the_one_that_it_strikes_its_answer(system, alarm, tmp_path):
    slow, quick = system.spawn(Recorder, name="slow"), system.spawn(Recorder, name="quick")
    gate, answers = tmp_path / "gate", []

    def ask():
        gate.touch()
        answers.append(quick.ask("inner", LONG))
        until(lambda: of_others(lambda: slow.ask("count", LONG)) == 1, 20, "the outer answer's being there")
        answers.append(quick.ask("inner again", LONG))

    alarm(ask)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    assert slow.ask(["hold", str(tmp_path / "begun"), str(gate)], LONG)[0] == "hold"
    assert answers == ["inner", "inner again"]


def test_what_a_handler_tells_while_its_thread_waits_for_room_is_sent_at_once(system, alarm, tmp_path):
    full, free = asleep(system, tmp_path, "full"), system.spawn(Recorder, name="free")
    alarm(lambda: free.tell("from the handler"))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(AskTimeout, match="its mailbox is full"):
        full.ask("no room", 1)
    until(lambda: of_others(lambda: free.ask("kept", LONG)) == ["from the handler"], 20, "what was told amid the wait")
    (tmp_path / "full-gate").touch()


def test_who_finds_no_room_in_a_handler_is_told_there_and_the_send_that_it_struck_goes_on(system, alarm, tmp_path):
    raising = asleep(system, tmp_path, "raising", mailbox__on_full="raise")
    waiting = asleep(system, tmp_path, "waiting")
    raised = []

    def tell():
        try:
            raising.tell("no room")
        except MailboxFull:
            raised.append("full")
        (tmp_path / "waiting-gate").touch()

    alarm(tell)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    waiting.tell("waits for room")
    assert raised == ["full"]
    assert waiting.ask("kept", LONG) == ["hold", 0, 1, 2, "waits for room"]
    (tmp_path / "raising-gate").touch()


def test_what_is_told_amid_a_send_and_fails_is_a_dead_letter_and_no_error_of_that_send(system, monkeypatch, tmp_path):
    raising, free = asleep(system, tmp_path, "raising", mailbox__on_full="raise"), system.spawn(Recorder, name="free")
    free.ask("count", LONG)
    sender = free._post._own.sender
    post = sender._post

    def amid(*args):
        with contextlib.suppress(MailboxFull):
            raising.tell("amid", urgent=True)  # as a finalizer does it, or a handler
        return post(*args)

    monkeypatch.setattr(sender, "_post", amid)
    free.tell("outer", urgent=True)
    monkeypatch.undo()
    letter = until(lambda: list(system.dead_letters), 20, "the dead letter")[0]
    assert (letter.to, "as mailbox.size allows" in letter.reason) == ("raising", True)
    assert free.ask("kept", LONG) == ["outer"]
    (tmp_path / "raising-gate").touch()
