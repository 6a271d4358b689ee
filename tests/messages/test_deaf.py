"""Messages to actors that take none: a function at once, a class without handlers after a while."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from tests.messages.cast import Asks
from tests.stage import until
from understudy import AskTimeout, NotAnActor, Process, ReceiveError
from understudy.mail import sender, watch

pytestmark = pytest.mark.requirement("A7")


def function(stop_event):
    stop_event.wait(60)


class Deaf(Process):
    """Begins to take messages when it is to."""

    def __init__(self, place):
        self.place, self.taken = place, None
        self.config.num_loops = 1

    def __loop__(self):
        while not self.stopping and not self.place.exists():
            self.sleep(0.01)
        self.taken = self.receive(60)

    def __result__(self):
        return self.taken


class Both(Process):
    def __receive__(self, message):
        return message


def test_a_function_refuses_messages_at_once_from_everywhere(system):
    ref = system.spawn(function, name="function")
    group = system.spawn(function, replicas=2)
    for send in (ref.tell, ref.ask, lambda message: ref.tell(message, urgent=True), ref.call.anything):
        with pytest.raises(NotAnActor, match="function is a function and takes no messages"):
            send("x")
    for how in ("round_robin", "broadcast"):
        with pytest.raises(NotAnActor):
            group.tell("x", route=how)
        with pytest.raises(NotAnActor):
            group.ask("x", 60, route=how)
    for aio in (ref.aio.tell, ref.aio.ask):
        with pytest.raises(NotAnActor):
            asyncio.run(aio("x"))
    with pytest.raises(ReceiveError) as caught:
        system.spawn(Asks).ask([ref, "x", 60], 60)
    assert isinstance(caught.value.__cause__, NotAnActor)


def test_what_takes_the_place_of_a_function_takes_messages_and_the_other_way_round(system):
    ref = system.spawn(function, name="part")
    with pytest.raises(NotAnActor):
        ref.tell("x")
    system.restart("part", target=Both)
    until(lambda: ref.info().incarnation == 2, 20, "the other part")
    assert ref.ask("x", 30) == "x"
    system.restart("part", target=function)
    until(lambda: ref.info().incarnation == 3, 20, "the function")
    for send in (ref.tell, ref.ask):
        with pytest.raises(NotAnActor):
            send("x")


def test_who_waits_for_one_that_never_takes_a_message_is_warned_once(system, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(watch, "_SILENT", 0.1)
    ref = system.spawn(Deaf, tmp_path / "gate", name="deaf")
    with caplog.at_level(logging.WARNING, "understudy"):
        for _ in range(2):
            with pytest.raises(AskTimeout):
                ref.ask("x", 0.5)
    assert [record.getMessage()[:24] for record in caplog.records] == ["deaf has said nothing fo"]


def test_what_an_ended_thread_told_it_is_accounted_for_while_it_lives(system, tmp_path, monkeypatch):
    monkeypatch.setattr(sender, "_IN_VAIN", 0.3)
    ref = system.spawn(Deaf, tmp_path / "gate", name="deaf")
    ref.wait_ready(30)
    post = ref._post

    def tell():
        for number in range(3):
            ref.tell(number)

    for _ in range(5):
        thread = threading.Thread(target=tell)
        thread.start()
        thread.join()
    until(lambda: system.dead_letters.total == 15, 20, "the account")
    until(lambda: not post.roster.idle, 20, "the end of what the threads left behind")
    assert {(letter.to, letter.reason) for letter in system.dead_letters} == {
        ("deaf", "deaf waited for no message in the 0.3 s after their sender had ended")
    }
    (tmp_path / "gate").touch()
    ref.tell("to one that waits now")
    assert ref.result(30) == "to one that waits now"
