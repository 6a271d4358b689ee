"""The stream at a gate: what each role hears, who is cut off and who comes back, and that nobody is waited for."""

from __future__ import annotations

import logging
import os
import subprocess
import time

import psutil
import pytest
import zmq

from tests.cli.screens import COMMAND, environment
from tests.stage import until
from understudy import Process
from understudy.cli.exits import DENIED, DONE
from understudy.router import roles
from understudy.status import Role


class Loud(Process):
    def __init__(self):
        self.config.lives = 2

    def __loop__(self):
        if self.incarnation == 1:
            self.progress(50, note="one line\nand another")
            logging.getLogger("mine").warning("a s3cret in the log")
            raise ValueError("first line\ns3cret line")
        self.sleep(100)


def test_controllers_hear_all_and_observers_first_lines_and_that_there_was_more(system, far):
    whole, seen = far("carl").follow(), far("eve").follow()
    system.spawn(Loud, name="loud")
    for stream in (whole, seen):
        stream.until(lambda event: event.get("incarnation") == 2 and event.get("after") == "RUNNING")
    mine = {event["seq"]: event for event in whole.seen if event["kind"] not in {"tick", "bye", "laps"}}
    theirs = {event["seq"]: event for event in seen.seen if event["kind"] not in {"tick", "bye", "laps"}}
    assert theirs.keys() == mine.keys()
    for seq, event in theirs.items():
        same = {"v", "seq", "prev", "name", "uid", "incarnation", "time"}
        assert {key: event[key] for key in same} == {key: mine[seq][key] for key in same}
        assert event["kind"] == ("withheld" if mine[seq]["kind"] == "log" else mine[seq]["kind"])
    assert "s3cret" in str(mine)
    assert "s3cret" not in str(theirs)
    assert [event["data"]["note"] for event in theirs.values() if event["kind"] == "progress"][:1] == [
        "one line\nand another"
    ]
    assert [event["data"] for event in theirs.values() if event["kind"] == "withheld"][:1] == [{}]


def test_figures_are_measured_while_somebody_at_a_gate_asks_for_them(system, far):
    system.spawn(time.sleep, 100, name="sleeper").wait_ready(20)
    eve = far("eve")
    stream = eve.follow(b"sleeper|", b"|figures")
    assert stream.until(lambda event: event["kind"] == "figures")["data"]["memory_mb"] > 0
    assert stream.until(lambda event: event["kind"] == "laps")["name"] == "sleeper"
    stream.socket.close()
    until(lambda: not system._calls.make(system._world.publisher.wants_figures))
    until(lambda: not system._calls.make(system._world.publisher.watched))


def test_the_brief_form_is_made_only_while_an_observer_listens(system, far, monkeypatch):
    made, brief = [], roles.event

    def counted(event):
        made.append(event["seq"])
        return brief(event)

    monkeypatch.setattr(roles, "event", counted)
    carl = far("carl").follow()
    system.spawn(time.sleep, 0, name="one").wait(20)
    carl.state("one", "FINISHED")
    assert made == []
    streams = [far("eve").follow(), far("eve").follow()]
    system.spawn(time.sleep, 0, name="two").wait(20)
    for stream in streams:
        stream.state("two", "FINISHED")
    assert len(made) == len(set(made)) > 0


def test_who_lost_the_key_is_cut_off_and_others_come_back_and_miss_nothing(system, far, keyring):
    keyring.new("mallory", "observer")
    eve, mallory, carl = far("eve"), far("mallory"), far("carl")
    rightful, cut, other = eve.follow(), mallory.follow(), carl.follow()
    ports = system.gates[0].ports
    old = system._calls.make(lambda: system._router.gates._open[0].gate.streams[Role.OBSERVER])
    keyring.revoke("mallory")
    until(lambda: system._calls.make(lambda: system._router.gates._open[0].gate.streams[Role.OBSERVER]) is not old)
    for number in range(20):
        system.spawn(time.sleep, 0, name=f"after-{number}").wait(20)
    rightful.until(lambda event: event["kind"] == "tick" and event["seq"] >= 60)
    assert system.gates[0].ports == ports
    reached = {event["seq"] for event in rightful.seen}
    reached |= {event["seq"] for event in eve.value("replay", since=0)["events"]}
    seq = eve.value("snapshot")["seq"]
    assert reached >= set(range(1, seq + 1)) - {event["seq"] for event in other.of("laps")}
    other.state("after-19", "FINISHED")
    assert [event["seq"] for event in other.of("state")] == sorted(event["seq"] for event in other.of("state"))
    while cut.socket.poll(0):
        cut.until(lambda _: True)
    assert not [event for event in cut.seen if str(event.get("name", "")).startswith("after-")]
    assert mallory.ask("replay", since=0)["reason"] == "denied"


def test_a_follower_whose_role_was_lowered_is_cut_off_from_the_stream_of_the_other(system, far, keyring):
    carl = far("carl")
    stream = carl.follow()
    path = keyring.directory / "clients" / "carl.pub"
    path.write_text(path.read_text().replace("controller", "observer"))
    until(lambda: system._calls.make(lambda: not system._router.gates._open[0].followers))
    system.spawn(time.sleep, 0, name="after").wait(20)
    lower = carl.follow()
    assert carl.value("hello")["stream"] == system.gates[0].ports[1]
    system.spawn(time.sleep, 0, name="later").wait(20)
    lower.state("later", "FINISHED")
    while stream.socket.poll(0):
        stream.until(lambda _: True)
    assert not stream.of("state", name="later")


@pytest.mark.fault("F54")
def test_at_the_stream_of_another_role_nobody_comes_in(system, far, audit):
    eve = far("eve")
    socket = eve.socket(zmq.SUB, system.gates[0].ports[2], reconnect_ivl=50)
    socket.subscribe(b"")
    until(lambda: any("another role's stream" in record.getMessage() for record in audit()))
    assert not socket.poll(0)


@pytest.mark.fault("F50")
def test_a_follower_that_never_reads_costs_the_parent_nothing_and_others_hear_all(system, far):
    never, reads = far("carl"), far("carl").follow()
    deaf = never.subscriber()
    deaf.poll(20_000)
    process = psutil.Process(os.getpid())
    world = system._world

    def publish(count):
        for _ in range(count):
            world.publisher.publish("held", "nobody", 0, 0, None, None, "x" * 500, {})

    before = process.memory_info().rss
    for _ in range(60):
        system._calls.make(lambda: publish(500))
        last = system._calls.make(lambda: world.publisher.seq)
        reads.until(lambda event, last=last: event["seq"] >= last)
        reads.seen.clear()
    # The journal's 8 MiB, what the socket holds for who does not read (10,000 of them), and what the client was sent.
    assert process.memory_info().rss - before < 150 << 20
    assert far("eve").ask("ps")["ok"]


class Speaker(Process):
    def __loop__(self):
        self.log.warning("here I am")
        self.sleep(600)


@pytest.mark.parametrize("ending", ["shutdown", "revoked"])
def test_logs_that_are_followed_from_elsewhere_end_as_the_system_does_or_the_key(system, keyring, ending):
    system.spawn(Speaker, name="speaker")
    gate = system.gates[0].endpoint
    words = (COMMAND, "--connect", gate, "--key", keyring.key_path("carl"), "logs", "-f")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        try:
            assert "here I am" in following.stdout.readline()
            if ending == "shutdown":
                system.shutdown()
                assert following.wait(50) == DONE
            else:
                keyring.revoke("carl")
                assert following.wait(50) == DENIED
                assert "revoked" in following.stderr.read()
        finally:
            following.kill()
