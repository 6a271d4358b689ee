"""An observer gets a snapshot, then every change in order; what it misses it makes good; it ends with the system."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import threading
import time
from typing import Any

import msgpack
import pytest

from tests.stage import hold, note, noted, parent, python, said, state_of, tell, until, vanished
from understudy import ActorSystem, Event, Observer, Process, Status, UnknownActor
from understudy.observe import cast, feed


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.2

    def __loop__(self):
        self.sleep(600)


class Falling(Process):
    """Crashes in its first life, reports progress in the second, and finishes."""

    def __init__(self):
        self.config.lives = 2
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __loop__(self):
        if self.incarnation == 1:
            raise RuntimeError("no luck")
        self.progress(1, 4, note="a quarter")


def events_until(observer, done, seconds=20):
    """The events up to the one of which `done` is true."""
    found: list[Event] = []
    deadline = time.monotonic() + seconds
    while not (found and done(found[-1])):
        event = observer.next(deadline - time.monotonic())
        assert event is not None, found
        found.append(event)
    return found


def ended(name):
    return lambda event: event.name == name and event.after in {"FINISHED", "CRASHED", "KILLED"}


def known(infos):
    return {
        info.name: (info.uid, info.status, info.health, info.pid, info.incarnation, info.lives_left, info.alive)
        for info in infos
        if not info.status.ended
    }


def converges(observer, system, seconds=20):
    """Follow until the observer knows what the registry does."""
    deadline = time.monotonic() + seconds
    while known(observer.actors.values()) != (ours := known(system.ps())):
        assert time.monotonic() < deadline, (known(observer.actors.values()), ours)
        observer.next(0.05)


@pytest.mark.requirement("A4")
def test_a_snapshot_holds_a_row_for_each_living_actor_as_ps_does(system):
    done = system.spawn(os.getpid, name="done")
    refs = [system.spawn(Idle, name=f"idle/{number}") for number in range(3)]
    for ref in refs:
        ref.wait_ready(20)
    done.wait(20)
    with Observer(system.endpoint) as observer:
        assert [info.name for info in observer.snapshot()] == ["idle/0", "idle/1", "idle/2"]
        assert known(observer.snapshot()) == known(system.ps()) == known(observer.actors.values())
        assert str(observer.snapshot()).splitlines()[0] == str(system.ps()).splitlines()[0]
    with Observer(system.name) as observer:
        assert known(observer.actors.values()) == known(system.ps())


@pytest.mark.requirement("A4")
def test_every_change_comes_once_in_order_linked_to_the_one_before_of_its_actor(system, follow):
    observer = follow()
    names = [f"falling-{number}" for number in range(5)]
    heads: dict[str, int] = {}
    for name in names:
        system.spawn(Falling, name=name)
    killed = system.spawn(Idle, name="killed")
    killed.wait_ready(20)
    killed.kill()
    system.wait_all(timeout=30)
    last = system.spawn(os.getpid, name="last")
    events = events_until(observer, ended("last"))
    assert [event.seq for event in events] == list(range(events[0].seq, events[0].seq + len(events)))
    assert events[0].seq == 1
    for event in events:
        assert isinstance(event, Event)
        assert event.prev == heads.get(event.name, 0), event
        heads[event.name] = event.seq
    assert [event.time for event in events] == sorted(event.time for event in events)
    states = {name: [event for event in events if event.name == name and event.kind == "state"] for name in heads}
    for name in names:
        lives = [(event.after, event.incarnation) for event in states[name]]
        assert lives == [
            ("STARTING", 1),
            ("RUNNING", 1),
            ("RESTARTING", 1),
            ("STARTING", 2),
            ("RUNNING", 2),
            ("STOPPING", 2),
            ("FINISHED", 2),
        ]
        assert [event.before for event in states[name]][1:] == [event.after for event in states[name]][:-1]
        told = [event for event in events if event.name == name and event.kind == "progress"]
        assert (told[-1].data["progress"], told[-1].data["note"]) == (25, "a quarter")
        report = next(event for event in events if event.name == name and event.kind == "report")
        assert "RuntimeError: no luck" in report.cause
    assert [event.after for event in states["killed"]] == ["STARTING", "RUNNING", "STOPPING", "KILLED"]
    assert {event.uid for event in states["last"]} == {last.uid}
    assert observer.actors["killed"].status is Status.KILLED
    assert observer.actors["killed"].health == "failed"
    assert observer.actors["last"].health == "completed"


@pytest.mark.requirement("A4")
def test_several_observers_see_the_same_and_none_sees_what_was_before_its_snapshot(system, follow):
    first = follow()
    system.spawn(os.getpid, name="before").wait(20)
    events_until(first, ended("before"))
    second = follow()
    assert second.actors == {}
    system.spawn(Falling, name="falling").wait(20)
    one, other = events_until(first, ended("falling")), events_until(second, ended("falling"))
    missed = [event for event in other if event.kind == "snapshot"]
    assert not missed
    assert one == other


@pytest.mark.requirement("A4")
@pytest.mark.parametrize("noticed_by", ["the next event", "the next tick"])
@pytest.mark.parametrize("options", [{}, {"names": "un*", "kinds": "state"}])
def test_what_was_dropped_on_the_way_is_asked_for_and_comes_in_its_place(system, follow, noticed_by, options):
    observer = follow(**options)
    seen = system.spawn(Idle, name="unmoved")
    seen.wait_ready(20)
    last = events_until(observer, lambda event: event.after == "RUNNING")[-1].seq
    names = [f"unseen-{number}" for number in range(3)]
    for name in names:
        system.spawn(Falling, name=name).wait(20)
    seen.kill()
    seen.wait(20)
    tap, head = observer._client._tap, system._world.publisher.seq
    while last < head:  # what the network, or a full queue, would have dropped
        for frames in until(lambda: tap.take(tap.status, 1), 20, "the rest of the stream"):
            message = msgpack.unpackb(frames[-1])
            last = max(last, message["seq"]) if message["kind"] != "tick" else last
    if noticed_by == "the next event":
        system.spawn(Idle, name="unaware").wait_ready(20)
    events = events_until(observer, lambda event: (event.name, event.after) == ("unmoved", "KILLED"))
    assert not [event for event in events if event.kind == "snapshot"]
    for name in names:
        seqs = [event.seq for event in events if event.name == name or not options]
        assert seqs == sorted(seqs)
        states = [event.after for event in events if (event.name, event.kind) == (name, "state")]
        lives = ["STARTING", "RUNNING", "RESTARTING", "STARTING", "RUNNING", "STOPPING", "FINISHED"]
        assert states == lives
        assert observer.actors[name].status is Status.FINISHED


@pytest.mark.requirement("A4")
def test_who_follows_thousands_of_names_hears_of_each_without_asking(system, follow, monkeypatch):
    monkeypatch.setattr(feed, "SILENCE", 1_000.0)
    observer = follow(names=[*(f"name-{number}" for number in range(2_000)), "zz"])
    assert observer.actors == {}
    system.spawn(Falling, name="zz")
    events = events_until(observer, ended("zz"))
    assert next(event.after for event in events if event.kind == "state") == "STARTING"


@pytest.mark.requirement("A4")
def test_whoever_joins_amid_a_storm_knows_in_the_end_what_the_registry_knows(system):
    over = threading.Event()

    def storm():
        number = 0
        while not over.is_set():
            number += 1
            ref = system.spawn(Falling if number % 3 else Idle, name=f"storm-{number}")
            if number % 6 == 0:
                ref.kill()

    storming = threading.Thread(target=storm)
    storming.start()
    observers = []
    try:
        for _ in range(5):
            observers.append(Observer(system.endpoint))
            for _ in range(20):
                assert observers[-1].next(5) is not None
    finally:
        over.set()
        storming.join(20)
    until(lambda: {info.status for info in system.ps()} <= {Status.RUNNING}, 30, "the end of the storm")
    for observer in observers:
        converges(observer, system)
        observer.close()
    assert known(system.ps())


def test_what_became_of_the_ended_is_remembered_for_the_last_of_them_only(system, follow, monkeypatch):
    monkeypatch.setattr(cast, "KEPT", 3)
    observer = follow()
    idle = system.spawn(Idle, name="idle")
    idle.wait_ready(20)
    for number in range(6):
        system.spawn(os.getpid, name=f"done-{number}").wait(20)
    events_until(observer, ended("done-5"))
    assert set(observer.actors) == {"idle", "done-3", "done-4", "done-5"}


@pytest.mark.requirement("A4", "H2")
def test_health_is_followed_as_well(system, follow):
    observer = follow()
    ref = system.spawn(Idle, name="idle", config={"heartbeat.interval": 0.1, "heartbeat.misses": 1000})
    ref.wait_ready(20)
    pid = ref.info().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        events_until(observer, lambda event: event.kind == "health" and event.after == "unresponsive")
        assert observer.actors["idle"].health == "unresponsive"
    finally:
        os.kill(pid, signal.SIGCONT)
    events_until(observer, lambda event: event.kind == "health" and event.after == "healthy")
    assert observer.actors["idle"].health == "healthy"


def test_next_waits_as_long_as_it_is_told_to_and_no_longer(system, follow):
    observer = follow()
    for timeout in (0, 0.01, 0.2):
        assert observer.next(timeout) is None
    assert observer.next(timeout=0) is None
    system.spawn(Idle)
    assert observer.next(20).after == "STARTING"


@pytest.mark.requirement("A4")
def test_iteration_ends_when_the_system_closes():
    system = ActorSystem()
    observer = Observer(system.endpoint)
    until(lambda: system._calls.make(system._world.hub.watched))
    system.spawn(Idle, name="idle").wait_ready(20)
    closing = threading.Thread(target=system.shutdown)
    closing.start()
    events = list(observer)
    closing.join(20)
    assert [event.after for event in events if event.kind == "state"][-1] == "FINISHED"
    assert observer.next(5) is None
    assert list(observer) == []
    observer.close()
    with pytest.raises(UnknownActor):
        Observer(system.endpoint)


def test_an_observer_that_is_closed_says_nothing_more(system, follow):
    with Observer(system.endpoint) as observer:
        pass
    system.spawn(os.getpid).wait(20)
    assert observer.next(5) is None
    assert list(observer) == []


@pytest.mark.parametrize("how", ["plainly", "in a circle"])
def test_who_drops_an_observer_unclosed_leaves_nothing_open(system, how):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    observer: Any = Observer(system.endpoint)
    assert set(observer.actors) == {"idle"}
    if how == "in a circle":
        observer.itself = observer
    before = len(os.listdir("/proc/self/fd"))
    del observer
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) < before


PARENT = """
import sys
from understudy import ActorSystem, Process

class Idle(Process):
    def __loop__(self):
        self.sleep(600)

system = ActorSystem(sys.argv[1])
system.spawn(Idle, name="idle").wait_ready(20)
print(system.endpoint, flush=True)
for line in sys.stdin:
    system.spawn(Idle, name=line.strip()).wait_ready(20)
    print("spawned", flush=True)
"""


@pytest.mark.requirement("A4")
def test_iteration_ends_when_the_parent_was_killed_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "SILENCE", 1.5)
    with (
        parent(PARENT, tmp_path, "doomed", stdin=subprocess.PIPE) as process,
        Observer(endpoint := said(process), timeout=1.0) as observer,
    ):
        assert set(observer.actors) == {"idle"}
        process.kill()
        assert {event.kind for event in observer} <= {"laps"}
        assert observer.next(1) is None
    vanished(endpoint)


@pytest.mark.fault("F32")
@pytest.mark.requirement("A4")
@pytest.mark.parametrize("patience", [None, 0.5])
def test_a_parent_that_is_only_paused_is_waited_for(tmp_path, monkeypatch, patience):
    monkeypatch.setattr(feed, "SILENCE", 0.4)
    with (
        parent(PARENT, tmp_path, "paused", stdin=subprocess.PIPE) as process,
        Observer(endpoint := said(process), timeout=0.4) as observer,
    ):
        process.send_signal(signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T")
        gave_up = []

        def resume():
            time.sleep(1.2)  # the pause: more than twice the silence and the patience
            gave_up.append(observer._feed.over)
            process.send_signal(signal.SIGCONT)
            tell(process, "late")

        resuming = threading.Thread(target=resume)
        resuming.start()
        deadline = time.monotonic() + 20
        while "late" not in observer.actors:
            assert time.monotonic() < deadline
            event = observer.next(patience)
            assert event is not None or patience is not None
        resuming.join(20)
        assert gave_up == [False]
    vanished(endpoint)


FOREIGN = """
import json, sys
from understudy import Observer

assert not any(name.startswith("tests") for name in sys.modules)
try:
    import tests.stage
except ImportError:
    pass
else:
    raise AssertionError("the parent's code can be imported here")
with Observer(sys.argv[1]) as observer:
    print(json.dumps([[info.name, info.status, info.command] for info in observer.actors.values()]), flush=True)
    for event in observer:
        print(json.dumps([event.kind, event.name, event.before, event.after, event.cause, event.data]), flush=True)
print(json.dumps("end"), flush=True)
"""


@pytest.mark.requirement("A4")
def test_another_process_that_can_import_nothing_of_the_parents_follows_to_the_end(tmp_path):
    system, gate, told = ActorSystem("foreign"), tmp_path / "gate", tmp_path / "told"
    script = tmp_path / "foreign.py"
    script.write_text(FOREIGN)
    system.spawn(Idle, name="idle").wait_ready(20)
    held = []

    def follow():
        held.append(python("-I", str(script), "foreign", cwd="/"))
        note(told, "over")

    following = threading.Thread(target=follow)
    following.start()
    until(lambda: system._calls.make(system._world.hub.watched), 20, "the subscription")
    falling = system.spawn(Falling, name="falling")
    falling.wait(20)
    system.spawn(hold, gate, name="held")
    gate.touch()
    system.wait_all("held", timeout=20)
    system.shutdown()
    noted(told)
    following.join(20)
    done = held[0]
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0][0][:2] == ["idle", "RUNNING"]
    assert lines[0][0][2].endswith("Idle")
    assert lines[-1] == "end"
    afters = [line[3] for line in lines[1:-1] if line[0] == "state" and line[1] == "falling"]
    assert afters[-3:] == ["RUNNING", "STOPPING", "FINISHED"]
    assert any(line[0] == "report" and "RuntimeError: no luck" in line[4] for line in lines[1:-1])
