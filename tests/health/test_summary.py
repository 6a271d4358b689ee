"""A system at one glance, and what another process gets to see of figures."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import urllib.request

import msgpack
import pytest
import zmq

from tests.health.household import Idle
from tests.reaching import connect
from tests.stage import note, notes, until
from understudy import Health, Observer, Process, Remote, Status, Summary, UnknownActor
from understudy.router import desk, errands, sampling
from understudy.spawners import figures
from understudy.wire.page import HANDLED


class Twice(Process):
    """Crashes in its first life."""

    def __init__(self):
        self.config.lives = 2
        self.config.num_loops = 3

    def __loop__(self):
        if self.incarnation == 1 and self.current_lap == 2:
            raise ValueError("the first life is short")


@pytest.mark.requirement("H3")
def test_a_summary_counts_and_adds_up_what_lives_and_what_has_ended(system):
    nothing = system.summary()
    assert (nothing.counts, nothing.living, nothing.memory_mb, nothing.restarts) == ({}, 0, 0.0, 0)
    assert "no actors yet" in str(nothing)
    twice = system.spawn(Twice)
    assert twice.wait(20) is Status.FINISHED
    killed = system.spawn(Idle, name="killed")
    killed.wait_ready(20)
    killed.kill()
    killed.wait(20)
    idle = [system.spawn(Idle, config={"sampling.interval": 60}) for _ in range(2)]
    for ref in idle:
        ref.wait_ready(20)
    summary = system.summary()
    assert summary.system == os.path.basename(system.endpoint)
    assert summary.counts == {Status.RUNNING: 2, Status.FINISHED: 1, Status.KILLED: 1}
    assert list(summary.counts) == [Status.RUNNING, Status.FINISHED, Status.KILLED], "in the order of a life"
    rows = system.ps()
    assert (summary.living, summary.sampled, summary.unhealthy) == (2, 2, 0)
    for name in ("memory_mb", "pss_mb", "cpu_percent"):
        assert getattr(summary, name) == pytest.approx(sum(getattr(row, name) for row in rows))
    assert summary.memory_mb > 2
    assert (summary.restarts, summary.messages) == (1, 0)
    lines = str(summary).splitlines()
    assert lines[0] == f"{system.name[:24]}: 2 RUNNING, 1 FINISHED, 1 KILLED"
    assert f"memory {summary.memory_mb:.1f} MiB" in lines[2]
    assert lines[3].endswith("1 restarts, 0 messages")
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.living = 3
    assert Summary.from_dict(json.loads(json.dumps(summary.to_dict()))) == summary
    assert Summary.from_dict({**msgpack.unpackb(msgpack.packb(summary.to_dict())), "invented_later": 1}) == summary
    system.kill("*")


@pytest.mark.requirement("H3")
def test_messages_are_those_that_the_pages_of_the_living_and_the_dead_have_counted(system):
    one, other = system.spawn(Idle), system.spawn(Idle)
    for ref, count in ((one, 5), (other, 7)):
        ref.wait_ready(20)
        system._world.records[ref.uid].page.words[HANDLED] = count
    assert system.summary().messages == 12
    one.kill()
    one.wait(20)
    assert system.summary().messages == 12
    other.kill()


@pytest.mark.requirement("H1")
@pytest.mark.requirement("H3")
def test_a_remote_sees_figures_health_and_summary_though_nobody_here_has_asked(system):
    ref = system.spawn(Idle, name="idle", config={"sampling.interval": 60})
    ref.wait_ready(20)
    with Observer(system.endpoint) as observer:
        assert observer.actors["idle"].memory_mb is None, "a snapshot measures nothing"
    with Remote(system.endpoint) as remote:
        (row,) = remote.ps()
        assert (row.memory_mb or 0) > 1
        assert row.health is Health.HEALTHY
        assert remote.info("idle").memory_mb == row.memory_mb
        assert remote.healthy("idle") is True
        theirs, ours = remote.summary(), system.summary()
        assert (theirs.counts, theirs.memory_mb) == (ours.counts, ours.memory_mb)
        for ask in (remote.info, remote.healthy):
            with pytest.raises(UnknownActor):
                ask("idl*")
        with Observer(system.endpoint) as observer:
            assert observer.actors["idle"].memory_mb == row.memory_mb
        ref.kill()
        ref.wait(20)
        assert remote.healthy("idle") is False
        assert remote.info("idle").memory_mb is None


@pytest.mark.requirement("H4")
def test_while_figures_are_measured_for_one_request_the_router_answers_others(system, monkeypatch, tmp_path):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    gate, honest = tmp_path / "gate", figures.measure

    def slow(pids, *, pss):
        until(gate.exists, 20, "the gate")
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", slow)
    monkeypatch.setattr(desk, "PATIENCE", 20)
    context = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.linger, dealer.rcvtimeo = 0, 20_000
        connect(dealer, system.endpoint, "control")
        for number, verb in enumerate(["ps", "snapshot", "summary", "stop"]):
            whom = {"name": "nobody"} if verb == "stop" else {}
            dealer.send_multipart([b"", msgpack.packb({"v": 1, "id": number, "verb": verb, **whom})])
        assert [msgpack.unpackb(dealer.recv_multipart()[-1])["id"] for _ in range(2)] == [1, 3]
        assert ref.healthy() is True
        gate.touch()
        late = [msgpack.unpackb(dealer.recv_multipart()[-1]) for _ in range(2)]
        assert [answer["id"] for answer in late] == [0, 2]
        assert late[0]["value"][0]["memory_mb"] > 1
    finally:
        context.destroy(linger=0)
    ref.kill()


@pytest.mark.requirement("H4")
def test_a_flood_of_requests_is_answered_with_what_is_known(system, monkeypatch, tmp_path):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    gate, begun, honest = tmp_path / "gate", tmp_path / "begun", figures.measure

    def slow(pids, *, pss):
        begun.touch()
        until(gate.exists, 20, "the gate")
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", slow)
    monkeypatch.setattr(errands, "LIMIT", 2)
    monkeypatch.setattr(desk, "PATIENCE", 20)
    context = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.linger, dealer.rcvtimeo = 0, 20_000
        connect(dealer, system.endpoint, "control")
        for number in range(20):
            dealer.send_multipart([b"", msgpack.packb({"v": 1, "id": number, "verb": "info", "name": "idle"})])
            until(begun.exists, 20, "the measuring for the first")
        early = [msgpack.unpackb(dealer.recv_multipart()[-1]) for _ in range(17)]
        assert all(answer["value"]["memory_mb"] is None for answer in early)
        gate.touch()
        late = [msgpack.unpackb(dealer.recv_multipart()[-1]) for _ in range(3)]
        assert {answer["id"] for answer in (*early, *late)} == set(range(20))
        assert all(answer["value"]["memory_mb"] > 1 for answer in late)
    finally:
        context.destroy(linger=0)
    ref.kill()


@pytest.fixture
def held_up(system, monkeypatch, tmp_path):
    """Two actors, of which whoever measures the first waits until the test is over, as for a process that is locked."""
    refs = [system.spawn(Idle, name=name, config={"sampling.interval": 0}) for name in ("held", "free")]
    for ref in refs:
        ref.wait_ready(20)
    held, gate, begun, honest = refs[0].info().pid, tmp_path / "gate", tmp_path / "begun", figures.measure

    def slow(pids, *, pss):
        if pids[0] == held:
            note(begun, "!")
            until(gate.exists, 120, "the gate")
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", slow)
    yield begun
    gate.touch()


@pytest.mark.requirement("H4")
def test_a_process_that_holds_up_its_measuring_silences_nobody_who_asks_from_outside(system, held_up):
    with Remote(system.endpoint) as remote:
        rows = {row.name: row for row in remote.ps()}
        assert (rows["held"].memory_mb or 0) > 1, "from the sample before"
        assert rows["held"].health is Health.HEALTHY
        assert remote.info("held").memory_mb == rows["held"].memory_mb
        assert remote.healthy("held") is True
        assert remote.summary().sampled == 2
        # Another thread took over: the figures of the other one follow it.
        before = system._world.records[2].sample
        assert (remote.info("free").memory_mb or 0) > 1
        assert system._world.records[2].sample.at > before.at
    assert notes(held_up) == ["!"], "one thread is held up, no more"


@pytest.mark.requirement("H4")
def test_a_process_that_holds_up_its_measuring_silences_neither_figures_in_the_stream_nor_a_scrape(system, held_up):
    url = system.serve_metrics(0)
    with Observer(system.endpoint, kinds="figures") as observer:
        for _ in range(2):
            until(lambda: (event := observer.next(20)) is not None and event.name == "free", 40, "figures of the other")
    for _ in range(2):
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own
            assert 'understudy_actor_memory_bytes{actor="held"}' in answer.read().decode()
    assert notes(held_up) == ["!"]


@pytest.mark.requirement("H4")
def test_a_system_closes_while_a_request_from_outside_waits_for_figures(system, monkeypatch, tmp_path):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    gate, begun, honest = tmp_path / "gate", tmp_path / "begun", figures.measure

    def slow(pids, *, pss):
        begun.touch()
        until(gate.exists, 20, "the gate")
        return honest(pids, pss=pss)

    monkeypatch.setattr(sampling, "measure", slow)
    context = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        connect(dealer, system.endpoint, "control")
        dealer.send_multipart([b"", msgpack.packb({"v": 1, "id": 1, "verb": "ps"})])
        until(begun.exists, 20, "the measuring")
        os.kill(ref._outside._world.registry.actors[ref.uid].pid, signal.SIGKILL)
        ref.wait(20)
        system._calls.make(gate.touch)
        system.shutdown()
        assert not system.is_open
    finally:
        context.destroy(linger=0)
