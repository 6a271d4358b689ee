"""Systems, started processes and refs travel as handles: they say whose they are, and take no calls there."""

from __future__ import annotations

import copy
import pickle

import pytest

from tests.stage import python, until
from understudy import ActorRef, ActorSystem, AlreadyStarted, Observer, Process, Status, WrongProcess
from understudy.handle import VERBS, SystemHandle

pytestmark = pytest.mark.requirement("P10")


class Waits(Process):
    def __init__(self, **things):
        self.__dict__.update(things)
        self.config.lives = 2

    def __loop__(self):
        self.sleep(60)

    def __result__(self):
        return "waited"


class Asks(Process):
    """It tells what becomes of a call, by the name of its error."""

    def __init__(self, call, **things):
        self.call = call
        self.__dict__.update(things)
        self.config.num_loops = 1

    def __loop__(self):
        try:
            self.told = self.call(self)
        except Exception as error:
            self.told = f"{type(error).__name__}: {error}"

    def __result__(self):
        return self.told


def test_a_system_is_named_there_and_its_verbs_raise(system, host):
    told = system.spawn(Asks, lambda self: self.theirs.shutdown(), theirs=system, name="asks", host=host)
    text = told.result(20)
    assert text.startswith("WrongProcess: shutdown: the system ")
    assert system.name in text
    assert text.endswith("inside the actor asks")


def test_a_system_tells_there_its_name_and_endpoint(system):
    def look(self):
        with Observer(self.theirs.endpoint) as observer:
            return self.theirs.name, self.theirs.endpoint, self.theirs.is_open, sorted(observer.actors)

    told = system.spawn(Asks, look, theirs=system, name="looks").result(20)
    assert told == (system.name, system.endpoint, False, ["looks"])


def test_a_system_that_comes_back_is_itself(system):
    told = system.spawn(Asks, lambda self: self.theirs, theirs=system).result(20)
    assert told is system
    assert pickle.loads(pickle.dumps(system)) is system


def test_the_handle_knows_all_that_a_system_can_do(system):
    handle = SystemHandle("another", "theirs", "ipc:///nowhere")
    public = {name for name in dir(ActorSystem) if not name.startswith("_")}
    assert public <= VERBS | set(dir(handle))
    for name in VERBS:
        with pytest.raises(WrongProcess, match="theirs belongs to its parent process"):
            getattr(handle, name)
    for find in (handle.ref, handle.refs, handle.spawn, handle.stop, handle.kill, handle.restart):  # for its own actors
        with pytest.raises(WrongProcess, match="theirs belongs to its parent process"):
            find("anybody")
    with pytest.raises(WrongProcess), handle:
        pass
    with pytest.raises(AttributeError, match="no attribute 'spwan'"):
        _ = handle.spwan
    assert handle == pickle.loads(pickle.dumps(handle))
    assert hash(handle) == hash(pickle.loads(pickle.dumps(handle)))
    assert handle != system
    assert "theirs, of another process" in repr(handle)


def test_a_hook_that_names_the_scripts_system_runs(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("""
from understudy import ActorSystem, Process

class Names(Process):
    def __init__(self):
        self.config.num_loops = 1
    def __loop__(self):
        self.told = system.name
    def __result__(self):
        return self.told

with ActorSystem("theatre-of-names") as system:
    print(system.spawn(Names).result(30))
""")
    done = python(str(script), cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("theatre-of-names\n", "")


def test_a_spawn_while_the_state_is_opened_names_the_module(tmp_path):
    (tmp_path / "spawns.py").write_text("""
from understudy import ActorSystem

class Thing: ...

import __main__
if hasattr(__main__, "system"):
    __main__.system
else:
    ActorSystem()
""")
    script = tmp_path / "script.py"
    script.write_text("""
from understudy import ActorSystem
system = None
import spawns

with ActorSystem() as system:
    print(system.spawn(isinstance, spawns.Thing(), int).exception(30))
""")
    done = python(str(script), cwd=tmp_path)
    assert "WrongProcess" in done.stdout
    assert "while it imports spawns" in done.stdout, done


@pytest.fixture(params=["process", "spawn"])
def host(request):
    return request.param


@pytest.fixture
def started():
    """A process that runs by itself, until the test is over."""
    made = Waits(label="started")
    made.start(name="started")
    yield made
    ActorSystem.close_default()


def test_a_started_process_is_a_handle_in_another_actor(system, started, host):
    def look(self):
        verdicts = []
        for act in (self.other.stop, self.other.wait, self.other.start):
            try:
                verdicts.append(act())
            except (WrongProcess, AlreadyStarted) as error:
                verdicts.append(type(error).__name__)
        return self.other.label, self.other.name, verdicts

    told = system.spawn(Asks, look, other=started, host=host).result(20)
    assert told == ("started", "started", ["WrongProcess", "WrongProcess", "AlreadyStarted"])
    until(lambda: started._understudy.ref.info().status is Status.RUNNING, 20, "the other one running")


def test_a_started_process_that_comes_back_can_be_stopped(system, started):
    back = system.spawn(Asks, lambda self: {"other": self.other}, other=started).result(20)["other"]
    assert back is not started
    back.stop()
    assert started.wait(20) is Status.FINISHED
    assert back.result(20) == "waited"


def test_a_started_process_is_spawned_and_copied_as_a_role(system, started):
    for twin in (copy.deepcopy(started), pickle.loads(pickle.dumps(started))):
        assert (twin.label, twin._understudy.ref) == ("started", None)
    again = system.spawn(started, name="again")
    again.wait_ready(20)
    again.stop()
    assert again.result(20) == "waited"
    until(lambda: started._understudy.ref.info().status is Status.RUNNING, 20, "the first one running")


def test_a_process_that_was_not_started_travels_as_a_role(system):
    told = system.spawn(Asks, lambda self: (self.other.label, self.other.config.lives), other=Waits(label="role"))
    assert told.result(20) == ("role", 2)


def test_a_ref_is_a_handle_there_and_itself_here(system, host):
    waits = system.spawn(Waits, name="waits")

    def look(self):
        try:
            self.other.result()
        except WrongProcess as error:
            return self.other, self.other.name, str(error)

    back, name, text = system.spawn(Asks, look, other=waits, name="asks", host=host).result(20)
    assert isinstance(back, ActorRef)
    assert back == waits
    assert name == "waits"
    assert "inside the actor asks" in text
    back.stop()
    assert waits.result(20) == "waited"
