"""What can be spawned and under which name, and that each actor is a process of its own at the end of a wire."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import textwrap
import time

import msgpack
import pytest
import zmq

from tests.reaching import connect
from tests.stage import alive, note, notes, until
from understudy import (
    ActorDied,
    ConfigError,
    Health,
    MainLoopError,
    MainLoopTimeoutError,
    NameTaken,
    NotAnActor,
    Process,
    Status,
)
from understudy.router import reports
from understudy.wire import messages


class Adder(Process):
    def __init__(self, first, *, second=0):
        self.first, self.second = first, second
        self.config.num_loops = 1

    def __loop__(self):
        self.first += self.second

    def __result__(self):
        return self.first, os.getpid()


def add(first, *, second=0):
    return first + second, os.getpid()


async def add_later(first, *, second=0):
    await asyncio.sleep(0.01)
    return first + second, os.getpid()


class Calling:
    def __call__(self, first, *, second=0):
        return add(first, second=second)

    def method(self, first, *, second=0):
        return add(first, second=second)


TARGETS = [
    (Adder, "adder-1"),
    (add, "add-1"),
    (add_later, "add_later-1"),
    (lambda first, second: add(first, second=second), "lambda-1"),
    (Calling(), "calling-1"),
    (Calling().method, "method-1"),
    (functools.partial(add), "partial-1"),
]


@pytest.mark.requirement("A1")
@pytest.mark.requirement("A2")
def test_classes_functions_and_whatever_can_be_called_run_in_a_process_of_their_own(system, host):
    pids = {os.getpid(), os.getppid()}
    for target, name in TARGETS:
        ref = system.spawn(target, 40, second=2, host=host)
        value, pid = ref.result(20)
        assert value == 42, name
        assert pid not in pids
        pids.add(pid)
        assert ref.history()[0].pid == pid
        assert (ref.name, ref.info().completed_laps) == (name, 1)


@pytest.mark.requirement("A1")
def test_an_instance_is_spawned_as_it_stands_stays_so_and_can_be_spawned_again(system):
    role = Adder(40, second=2)
    first, second = system.spawn(role), system.spawn(role, name="again")
    assert [first.result(20)[0], second.result(20)[0]] == [42, 42]
    assert (role.first, first == second) == (40, False)
    role.first = 100
    assert system.spawn(role).result(20)[0] == 102
    with pytest.raises(NotAnActor, match=r"an? Adder that is made already takes no arguments"):
        system.spawn(role, 5)


@pytest.mark.requirement("A1")
def test_a_dotted_name_is_imported_and_spawned(monkeypatch, tmp_path, system, host):
    module = """
        from understudy import Process

        class Player(Process):
            word = "player"
            def __loop__(self):
                self.stop()
            def __result__(self):
                return self.word

        class Stage:
            class Extra(Player):
                word = "extra"

        def speak():
            return "speech"
    """
    (tmp_path / "troupe.py").write_text(textwrap.dedent(module))
    monkeypatch.syspath_prepend(tmp_path)
    results = {"troupe:Player": "player", "troupe:Stage.Extra": "extra", "troupe:speak": "speech"}
    refs = {dotted: system.spawn(dotted, host=host) for dotted in results}
    assert {dotted: ref.result(20) for dotted, ref in refs.items()} == results
    assert [ref.info().command for ref in refs.values()] == [*results]


@pytest.mark.requirement("A1")
def test_a_function_with_a_stop_event_runs_without_a_timeout_until_it_is_told(system, host, tmp_path):
    def watch(path, *, stop_event):
        note(path, stop_event.is_set())
        stop_event.wait(60)
        return "told"

    path = tmp_path / "said"
    ref = system.spawn(watch, path, host=host)
    until(lambda: notes(path), 20, "the function")
    assert notes(path) == ["False"]
    ref.stop()
    assert ref.result(20) == "told"


@pytest.mark.requirement("A1")
def test_a_stop_event_of_the_callers_own_is_left_alone(system):
    assert system.spawn(lambda stop_event: stop_event, stop_event="mine").result(20) == "mine"


@pytest.mark.requirement("A1")
def test_timeout_is_that_of_the_functions_one_lap(system):
    with pytest.raises(MainLoopTimeoutError, match=r"^__loop__ of dawdle-1 ran 0\.2 s \(lap 1, incarnation 1\)$"):
        system.spawn(dawdle, timeout=0.2).result(20)
    with pytest.raises(MainLoopTimeoutError, match=r"ran 0\.3 s"):
        system.spawn(dawdle_until_told, timeout=0.3).result(20)
    with pytest.raises(ConfigError, match=r"timeouts\.loop must be .* above 0.*got -1"):
        system.spawn(dawdle, timeout=-1)


def dawdle():
    time.sleep(60)


def dawdle_until_told(stop_event):
    time.sleep(60)
    return stop_event.is_set()


@pytest.mark.requirement("A1")
def test_a_function_that_raises_is_an_actor_that_crashes(system):
    with pytest.raises(MainLoopError, match=r"^ZeroDivisionError: .* by zero \(__loop__ of lambda-1, lap 1"):
        system.spawn(lambda: 1 // 0).result(20)


@pytest.mark.requirement("A5")
def test_unnamed_actors_are_numbered_by_their_class_and_no_number_comes_twice(system):
    first = system.spawn(Adder, 1)
    first.wait(20)
    second = system.spawn(Adder, 1)
    other = system.spawn(add, 1)
    named = system.spawn(Adder, 1, name="adder-3")
    fourth = system.spawn(Adder, 1)
    names = [ref.name for ref in (first, second, other, named, fourth)]
    assert names == ["adder-1", "adder-2", "add-1", "adder-3", "adder-4"]


@pytest.mark.requirement("A5")
def test_names_may_be_hierarchical(system):
    for name in ("w", "L2.1.1", "crawler/fetch-3", "a/b/c_d/0", "x" * 128):
        ref = system.spawn(dawdle, name=name)
        assert (ref.name, system.ref(name), system.ps()[0].name) == (name, ref, name)
        ref.kill()
        ref.wait(20)


@pytest.mark.requirement("A5")
def test_a_name_is_unique_among_the_living_and_free_when_its_bearer_has_ended(system):
    first = system.spawn(dawdle, name="crawler/fetch-3")
    with pytest.raises(NameTaken, match=r"'crawler/fetch-3' is the name of a living actor \(uid 1, "):
        system.spawn(dawdle, name="crawler/fetch-3")
    neighbour = system.spawn(dawdle, name="crawler/fetch-33")
    first.kill()
    assert first.wait(20) is Status.KILLED
    second = system.spawn(add, 1, name="crawler/fetch-3")
    assert second.uid not in {first.uid, neighbour.uid}
    assert first != second
    assert second.result(20)[0] == 1
    assert (first.info().status, system.ref("crawler/fetch-3")) == (Status.KILLED, second)
    assert not neighbour.done()
    neighbour.kill()


class Beats(Process):
    def __init__(self, path):
        self.path = path
        self.config.heartbeat.interval = 0.1

    def __loop__(self):
        note(self.path, os.getpid())
        self.progress(50)
        self.log.warning("on the wire")
        self.sleep(60)

    def __result__(self):
        return "result"


@pytest.mark.requirement("A2")
@pytest.mark.requirement("A3")
def test_what_an_actor_tells_comes_as_frames_of_its_own_identity(monkeypatch, system, host, tmp_path):
    seen = []
    opened = reports.decode  # type: ignore[attr-defined]  # what the router opens each frame with

    def decode(frames):
        identity, message = opened(frames)
        seen.append((identity, message))
        return identity, message

    monkeypatch.setattr(reports, "decode", decode)

    def kinds():
        return [type(message) for _, message in seen]

    ref = system.spawn(Beats, tmp_path / "said", host=host)
    until(lambda: kinds().count(messages.Beat) >= 3, 20, "three heartbeats")
    ref.stop()
    assert ref.result(20) == "result"
    first = {kind: kinds().index(kind) for kind in set(kinds())}
    order = [messages.Ready, messages.Progress, messages.Log, messages.Result]
    assert sorted(order, key=first.__getitem__) == order
    assert set(first) > {messages.Beat, messages.Heard}
    assert kinds().count(messages.Ready) == 1
    identities = [identity for identity, _ in seen]
    assert {(one.uid, one.incarnation) for one in identities} == {(ref.uid, 1)}
    assert len({one.seq for one in identities}) == len(identities)
    assert next(message.pid for _, message in seen if isinstance(message, messages.Ready)) == ref.history()[0].pid


@pytest.mark.requirement("A2")
def test_a_stop_goes_out_as_a_frame_on_the_topic_of_that_incarnation_alone(system, tmp_path):
    stay, go = (system.spawn(Beats, tmp_path / name, name=name) for name in ("stay", "go"))
    until(lambda: notes(tmp_path / "stay") and notes(tmp_path / "go"), 20, "both")
    context = zmq.Context()
    listener = context.socket(zmq.SUB)
    try:
        listener.set(zmq.SUBSCRIBE, b"")
        connect(listener, system.endpoint, "commands")
        listener.set(zmq.RCVTIMEO, 20_000)
        # Nothing tells when a subscription has come in; so a second actor is stopped until a frame is heard.
        topics: list[bytes] = []
        while not topics:
            extra = system.spawn(Beats, tmp_path / "extra")
            extra.wait_ready(20)
            extra.stop()
            extra.wait(20)
            while listener.poll(50):
                topics.append(listener.recv_multipart()[0])
        go.stop()
        assert go.result(20) == "result"
        heard = []
        while listener.poll(200):
            topic, envelope = listener.recv_multipart()
            heard.append((topic.decode(), msgpack.unpackb(envelope)))
    finally:
        listener.close(linger=0)
        context.term()
    mine = [envelope for topic, envelope in heard if topic == f"{go.system_id}|{go.uid}|1|"]
    assert mine
    assert all(envelope[1] == "orders" for envelope in mine)
    assert not [topic for topic, _ in heard if topic.startswith(f"{stay.system_id}|{stay.uid}|")]
    assert not stay.done()


@pytest.mark.requirement("A3")
def test_a_death_is_known_from_the_operating_system_not_from_missing_heartbeats(system, host, tmp_path):
    ref = system.spawn(Beats, tmp_path / "said", host=host, config={"heartbeat.interval": 1000})
    pid = int(until(lambda: notes(tmp_path / "said"), 20, "the loop")[0])
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ActorDied, match="was ended by SIGKILL in __loop__") as caught:
        ref.result(20)
    assert caught.value.signal == "SIGKILL"
    assert not alive(pid)


@pytest.mark.requirement("A3")
def test_a_death_is_known_by_the_pidfd_when_the_zygote_is_gone(system, tmp_path):
    ref = system.spawn(Beats, tmp_path / "said")
    pid = int(until(lambda: notes(tmp_path / "said"), 20, "the loop")[0])
    (zygote,) = system._world.spawners["process"].pids
    os.kill(zygote, signal.SIGKILL)
    until(lambda: not alive(zygote), 20, "the zygote's end")
    assert not ref.done()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ActorDied, match="died; how is unknown"):
        ref.result(20)


@pytest.mark.requirement("A3")
def test_an_actor_that_lives_and_says_nothing_is_known_by_its_missing_heartbeats(system, host, tmp_path):
    ref = system.spawn(Beats, tmp_path / "said", host=host, config={"heartbeat.misses": 4})
    ref.wait_ready(20)  # stopped before its word of it has left, it would still be starting
    pid = int(until(lambda: notes(tmp_path / "said"), 20, "the loop")[0])
    os.kill(pid, signal.SIGSTOP)
    until(lambda: ref.info().health is Health.UNRESPONSIVE, 20, "the silence")
    assert ref.info().status is Status.RUNNING
    with pytest.raises(ActorDied, match="was silent for 4 heartbeats"):
        ref.result(20)
    assert not alive(pid)
