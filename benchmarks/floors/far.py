"""A bare PUB socket with CURVE on the loopback, and those who read it."""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from benchmarks.audience import HWM, line, watching
from benchmarks.floors.watching import MS, TOPIC, event, subscribed


@contextmanager
def publisher() -> "Iterator[tuple[zmq.Socket[bytes], str, str]]":
    """The socket, where it is bound, and the public key of who serves there; it asks nobody who he is."""
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context:
        socket = context.socket(zmq.XPUB)
        socket.sndhwm, socket.linger = HWM, 0
        socket.curve_server, socket.curve_secretkey = 1, secret
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        try:
            yield socket, f"tcp://127.0.0.1:{port}", public.decode()
        finally:
            socket.close()


def latency(pace: float, samples: int, percent: int) -> float:
    """That percentile, in ms, of the age of messages that are sent at that pace a second."""
    with publisher() as (socket, address, server), watching(f"receive({address!r}, {samples}, {server!r})") as reader:
        subscribed(socket)
        due = time.monotonic()
        for seq in range(samples):
            due += 1 / pace
            time.sleep(max(0.0, due - time.monotonic()))
            socket.send_multipart([TOPIC.encode(), event(seq)])
        ages: list[float] = json.loads(line(reader))
    return statistics.quantiles(ages, n=100)[percent - 1] * MS


def rate(readers: int, stalled: int, events: int) -> float:
    """Messages a second until the last has reached each reader."""
    call = "count({!r}, {!r}, {}, {}, {}, {!r})"
    with (
        publisher() as (socket, address, server),
        watching(call.format(address, TOPIC, readers, stalled, events, server)) as audience,
    ):
        subscribed(socket)
        began = time.monotonic()
        for seq in range(events):
            socket.send_multipart([TOPIC.encode(), event(seq)])
        ended = float(json.loads(line(audience)))
    return events / (ended - began)
