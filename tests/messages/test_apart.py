"""Refs in many threads, in forked copies, and in a system that closes."""

from __future__ import annotations

import os
import threading

import pytest

from tests.messages.cast import Asks, Recorder
from tests.stage import note, noted, until
from understudy import ActorSystem, Process, SystemClosed, UnderstudyError, WrongProcess

pytestmark = pytest.mark.requirement("A7")


@pytest.mark.fault("F48")
def test_one_ref_serves_many_threads_at_once(system):
    recorder = system.spawn(Recorder)
    wrong: list[object] = []

    def work(number):
        for turn in range(20):
            recorder.tell([number, turn])
            answer = recorder.ask((number, turn), 60)
            if answer != (number, turn):
                wrong.append(answer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    kept = recorder.ask("kept", 30)
    assert len(kept) == 30 * 20 * 2
    for number in range(30):
        own = [message for message in kept if message[0] == number]
        assert own == [kind([number, turn]) for turn in range(20) for kind in (list, tuple)]


def tried(ref):
    """What a forked copy gets, by the names of the errors; it exits by itself."""
    got = []
    for send in (ref.tell, lambda message: ref.tell((message,)), lambda message: ref.ask(message, 5)):
        try:
            send("from the copy")
            got.append("sent")
        except UnderstudyError as error:
            got.append(type(error).__name__)
    return " ".join(got)


@pytest.mark.fault("F48")
def test_in_a_forked_copy_of_the_program_a_ref_refuses_and_the_original_goes_on(system, tmp_path):
    recorder, unmet = system.spawn(Recorder), system.spawn(Recorder)
    recorder.ask("kept", 30)
    recorder.tell("gathered")
    pid = os.fork()
    if pid == 0:
        try:
            note(tmp_path / "copy", tried(recorder))
            note(tmp_path / "copy", tried(unmet))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert noted(tmp_path / "copy", 2) == [" ".join([WrongProcess.__name__] * 3)] * 2
    assert recorder.ask("original", 30) == "original"
    assert recorder.ask("kept", 30) == ["gathered", "original"]


class Forks(Process):
    """Forks amid a handler; the copy tries to speak."""

    def __init__(self, ref, path):
        self.ref, self.path = ref, str(path)

    def __receive__(self, message):
        if message == "return":
            pid = os.fork()
            if pid == 0:
                return "from the copy"
            os.waitpid(pid, 0)
        if message == "fork":
            self.ref.tell("before")
            pid = os.fork()
            if pid == 0:
                note(self.path, tried(self.ref))
                try:
                    self.receive(0.1)
                    note(self.path, "received")
                except BaseException as error:
                    note(self.path, type(error).__name__)
                os._exit(0)
            os.waitpid(pid, 0)
        return self.ref.ask(message, 30)


@pytest.mark.fault("F48")
def test_in_a_forked_copy_of_an_actor_a_ref_refuses_and_the_actor_goes_on(system, tmp_path):
    recorder = system.spawn(Recorder)
    forks = system.spawn(Forks, recorder, tmp_path / "copy")
    assert forks.ask("first", 30) == "first"
    assert forks.ask("fork", 30) == "fork"
    assert noted(tmp_path / "copy", 2) == [" ".join([WrongProcess.__name__] * 3), WrongProcess.__name__]
    assert forks.ask("return", 30) == "return"
    assert forks.ask("after", 30) == "after"
    assert recorder.ask("kept", 30) == ["first", "before", "fork", "return", "after"]
    assert forks.info().incarnation == 1


def test_a_system_that_closes_ends_all_that_speak_in_it(tmp_path):
    system = ActorSystem()
    recorder, held = system.spawn(Recorder, name="busy"), system.spawn(Recorder, name="held")
    asker = system.spawn(Asks, name="asker")
    held.tell(["hold", str(tmp_path / "held"), str(tmp_path / "gate")])
    noted(tmp_path / "held")
    asker.tell((held, "never answered", None))
    ends: list[object] = []

    def speak(act):
        try:
            while True:
                act()
        except BaseException as error:
            ends.append(error)

    acts = [
        lambda: recorder.tell("x"),
        lambda: recorder.tell(("y", b"z" * 10_000)),
        lambda: recorder.ask("count", 60),
        lambda: held.ask("never answered"),
        lambda: held.tell("x"),
    ]
    threads = [threading.Thread(target=speak, args=(act,)) for act in acts * 2]
    for thread in threads:
        thread.start()
    until(lambda: recorder.ask("count", 60) > 200, 30, "much that was told")
    system.shutdown(force=True)
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert [error for error in ends if not isinstance(error, UnderstudyError)] == []
    assert len(ends) == len(threads)
    for send in (recorder.tell, lambda message: recorder.ask(message, 30)):
        with pytest.raises(UnderstudyError) as caught:
            send("too late")
        assert type(caught.value).__name__ in {"SystemClosed", "ActorDied"}
    with pytest.raises(SystemClosed):
        system.spawn(Recorder)
