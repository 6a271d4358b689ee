"""What a Process offers about messages, over stand-ins for the engine and for refs."""

from __future__ import annotations

from typing import Any

import pytest

from understudy import ConfigError, NotStarted, Process, WrongProcess, runtime
from understudy.handle import SystemHandle
from understudy.part import part_of

pytestmark = pytest.mark.requirement("A7")


class Worker(Process):
    def __receive__(self, message): ...


class Spoken:
    """Stands for a ref: what was said by it."""

    name, system_id = "worker", "none-such"

    def __init__(self):
        self.said = []

    def tell(self, *args, **options):
        self.said.append(("tell", args, options))

    def ask(self, *args, **options):
        self.said.append(("ask", args, options))
        return "reply"


class Engine:
    """Stands for the engine."""

    name, system_id, system_name, endpoint = "worker", "id", "theatre", "ipc:///theatre"

    def __init__(self):
        self.ref, self.sender = Spoken(), Spoken()
        self.answers = []

    def defer(self):
        return self

    def reply(self, value):
        self.answers.append(value)

    def fail(self, error):
        self.answers.append(error)

    def receive(self, timeout):
        return "received", timeout

    def ref_of(self, name):
        return "ref", name

    def refs_of(self, pattern):
        return ["refs", pattern]


@pytest.fixture
def engine(monkeypatch):
    made: Any = Engine()
    monkeypatch.setattr(runtime, "inside", made)
    return made


@pytest.fixture
def worker(engine):
    made = Worker()
    part_of(made).inside = engine
    return made


def test_a_started_process_tells_and_asks_by_its_ref():
    process, ref = Worker(), Spoken()
    part_of(process).ref = ref  # type: ignore[assignment]
    process.tell("a")
    process.tell("b", urgent=True)
    assert process.ask("c") == process.ask("d", 2) == process.ask("e", timeout=3) == "reply"
    assert ref.said == [
        ("tell", ("a",), {"urgent": False}),
        ("tell", ("b",), {"urgent": True}),
        ("ask", ("c",), {"timeout": None}),
        ("ask", ("d",), {"timeout": 2}),
        ("ask", ("e",), {"timeout": 3}),
    ]


def test_what_was_never_started_can_be_told_and_asked_nothing():
    with pytest.raises(NotStarted, match="cannot tell this Worker"):
        Worker().tell("a")
    with pytest.raises(NotStarted, match="cannot ask this Worker"):
        Worker().ask("a")
    with pytest.raises(NotStarted, match="cannot ask the system of this Worker"):
        _ = Worker().system


def test_within_its_hooks_an_actor_speaks_to_itself_by_its_own_ref(worker, engine):
    worker.tell("a")
    worker.ask("b", timeout=1)
    assert engine.ref.said == [("tell", ("a",), {"urgent": False}), ("ask", ("b",), {"timeout": 1})]


def test_the_message_in_hand_has_a_sender_and_may_be_answered_later(worker, engine):
    assert worker.sender is engine.sender
    engine.sender = None
    assert worker.sender is None
    first, second, error = worker.defer(), worker.defer(), ValueError("no")
    second.fail(error)
    first.reply(5)
    assert engine.answers == [error, 5]


def test_receive_waits_as_long_as_it_is_told(worker):
    assert worker.receive() == ("received", None)
    assert worker.receive(2) == worker.receive(timeout=2.0) == ("received", 2.0)
    assert worker.receive(-1) == ("received", 0.0)
    with pytest.raises(ConfigError, match="timeout must be a number of seconds"):
        worker.receive("soon")


@pytest.mark.parametrize("verb", ["receive", "defer"])
def test_what_is_for_hooks_is_refused_elsewhere(verb):
    with pytest.raises(WrongProcess, match=rf"{verb}\(\) is for hooks"):
        getattr(Worker(), verb)()


def test_there_is_no_sender_outside_hooks():
    with pytest.raises(WrongProcess, match=r"sender\(\) is for hooks"):
        _ = Worker().sender


def test_the_system_within_an_actor_is_a_handle_that_finds_others(worker):
    assert (worker.system.name, worker.system.endpoint) == ("theatre", "ipc:///theatre")
    assert worker.system.ref("other") == ("ref", "other")
    assert worker.system.refs("crawler/*") == ["refs", "crawler/*"]
    with pytest.raises(WrongProcess, match="shutdown: the system theatre belongs to its parent process"):
        worker.system.shutdown()


@pytest.mark.usefixtures("engine")
def test_the_handle_of_another_system_finds_nobody():
    for find in (SystemHandle("other", "elsewhere", "ipc:///e").ref, SystemHandle("other", "elsewhere", "x").refs):
        with pytest.raises(WrongProcess, match="elsewhere belongs to its parent process"):
            find("anybody")


def test_the_system_of_a_started_process_is_itself_where_it_runs():
    process = Worker()
    part_of(process).ref = Spoken()  # type: ignore[assignment]
    with pytest.raises(WrongProcess, match="the system of worker does not run in this process"):
        _ = process.system
