"""No client, however it behaves, makes the parent grow or the others wait."""

from __future__ import annotations

import time

import msgpack
import psutil
import pytest
import zmq

from tests.observe.raw import Raw
from tests.stage import until
from understudy import Process, Status
from understudy.router import loop
from understudy.wire.audience import MOST_TOPICS
from understudy.wire.sockets import MAX_SUBSCRIPTION

MIB = 1 << 20


class Idle(Process):
    def __init__(self):
        self.config.heartbeat.interval = 0.1

    def __loop__(self):
        self.sleep(600)


@pytest.fixture(autouse=True)
def ticks_are_quick(monkeypatch):
    monkeypatch.setattr(loop, "TICK", 0.1)


@pytest.fixture
def raw(system):
    client = Raw(system.endpoint)
    yield client
    client.close()


def unharmed(system):
    """One can be spawned, is heard, and obeys."""
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    heard = ref.info().heartbeat_age
    assert heard is not None
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED


def resident():
    return psutil.Process().memory_info().rss / MIB


KINDS = ("state", "log", "progress", "report")


def publish(system, count):
    """So many events of some 2 KB, from the thread that events come from."""
    publisher, text = system._world.publisher, "x" * 2000

    def tell():
        for number in range(count):
            publisher.publish(KINDS[number % 4], "noise", 1 << 40, 1, None, None, None, {"note": text})

    system._calls.make(tell)


@pytest.mark.fault("F50")
@pytest.mark.requirement("A4")
@pytest.mark.parametrize("total", [60_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_an_observer_that_never_reads_costs_the_others_nothing_and_the_parent_a_full_queue(system, raw, total):
    stream = raw.follow(b"noise|")
    deaf = [raw.socket(zmq.SUB, "status", rcvhwm=1) for _ in range(2)]
    for socket in deaf:
        socket.subscribe(b"noise|")
    raw.value("hello")
    seq, batch, settled, last = system._world.publisher.seq, 2_000, None, None
    for sent in range(0, total, batch):
        publish(system, batch)
        while seq < (sent + batch) and stream.socket.poll(20_000):
            topic, body = stream.socket.recv_multipart()
            if topic == b"noise|":
                last = msgpack.unpackb(body)
                assert (last["seq"], last["prev"]) == (seq + 1, seq), "one was lost"
                seq += 1
        if sent >= total // 3 and settled is None:
            settled = resident()  # by now the queues of the deaf are full, and so is the journal
    assert last is not None
    assert seq == total
    assert settled is not None
    assert resident() - settled < 30, "it keeps what the deaf do not read"
    unharmed(system)


def test_a_flood_of_subscriptions_is_remembered_up_to_a_bound_and_the_stream_goes_on(system, raw):
    stream, flooding = raw.follow(), raw.socket(zmq.XSUB, "status", sndhwm=0)
    for number in range(50_000):
        flooding.send(b"\1topic-%d|" % number)
    flooding.send(b"\1|figures")
    audience = system._world.hub.audience
    until(lambda: audience.wants_figures, 30, "the last subscription")
    assert len(audience._topics) == MOST_TOPICS
    unharmed(system)
    stream.until(lambda event: event["kind"] == "state" and event["after"] == "FINISHED")
    flooding.close()
    stream.socket.close()
    until(lambda: not audience.is_there, 30, "the end of the subscriptions")


def test_what_is_no_subscription_is_dropped_and_counted_on_the_status_socket(system, raw):
    xsub, dropped = raw.socket(zmq.XSUB, "status", sndhwm=0), system._world.dropped
    for frame in (b"", b"\2", b"\xff" * 3000, b"stop", b"\1" + bytes(257), msgpack.packb({"v": 1, "verb": "kill"})):
        xsub.send(frame)
    until(lambda: system._world.dropped >= dropped + 6)
    for _ in range(20_000):
        xsub.send(b"\7 nonsense")
    until(lambda: system._world.dropped >= dropped + 20_006, 30)
    assert not system._calls.make(system._world.hub.watched)
    unharmed(system)


@pytest.mark.parametrize("name", ["status", "commands"])
def test_a_topic_without_an_end_costs_its_sender_the_connection(system, raw, name):
    xsub = raw.socket(zmq.XSUB, name)
    monitor = xsub.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    xsub.send(b"\1" + bytes(2 * MAX_SUBSCRIPTION))
    assert monitor.poll(20_000), "the connection was not closed"
    xsub.disable_monitor()
    monitor.close()
    assert not system._calls.make(system._world.hub.watched)
    unharmed(system)


def test_a_flood_of_requests_keeps_nobody_waiting_and_leaves_nothing_behind(system, raw):
    flooding = raw.socket(zmq.DEALER, "control", rcvhwm=1, sndhwm=0)
    request = msgpack.packb({"v": 1, "id": b"x" * 10_000, "verb": "replay", "since": 0})
    publish(system, 2_000)
    raw.value("hello")
    before = resident()
    for _ in range(400):
        flooding.send_multipart([b"", request], copy=False)
    for _ in range(20):
        began = time.monotonic()
        raw.value("hello")
        assert time.monotonic() - began < 5
    unharmed(system)
    assert resident() - before < 60
    flooding.close()
    until(lambda: not system._calls.make(lambda: system._router._neighbour._replies._backlogs), 30)


def test_replies_that_a_client_reads_late_come_all_and_in_their_order(system, raw):
    late = raw.socket(zmq.DEALER, "control", rcvhwm=1, sndhwm=0)
    for number in range(2_000):
        late.send_multipart([b"", msgpack.packb({"v": 1, "id": number, "verb": "hello", "request": "x" * 64})])
    replies = system._router._neighbour._replies
    until(lambda: system._calls.make(lambda: replies._backlogs), 20, "that some wait")
    for number in range(2_000):
        assert msgpack.unpackb(late.recv_multipart()[-1])["id"] == number
    until(lambda: not system._calls.make(lambda: replies._backlogs), 20, "that none waits")
    assert replies.dropped == 0
