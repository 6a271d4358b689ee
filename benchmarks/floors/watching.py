"""A bare PUB socket that packs and sends the same events, and those who read them."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgpack
import zmq

from benchmarks.audience import HWM, line, watching
from benchmarks.floors.idle import reading
from benchmarks.probe import pss_mib

MS = 1e3  # s
TOPIC = "flood|"


def event(seq: int) -> bytes:
    """One like ours, packed."""
    return bytes(
        msgpack.packb(
            {
                "v": 1,
                "seq": seq,
                "prev": seq - 1,
                "kind": "progress",
                "name": "flood",
                "uid": 0,
                "incarnation": 1,
                "before": None,
                "after": None,
                "cause": None,
                "time": time.time(),
                "data": {"progress": 50.0, "note": "so far", "lap": 1, "section": "loop", "completed_laps": 0},
            }
        )
    )


@contextmanager
def publisher() -> "Iterator[tuple[zmq.Socket[bytes], str]]":
    """The socket, and where it is bound; what is sent waits for each as it does with ours."""
    with tempfile.TemporaryDirectory(prefix="floor-") as folder, zmq.Context() as context:
        socket = context.socket(zmq.XPUB)
        socket.sndhwm, socket.linger = HWM, 0
        address = f"ipc://{folder}/status"
        socket.bind(address)
        try:
            yield socket, address
        finally:
            socket.close()


def subscribed(socket: "zmq.Socket[bytes]") -> None:
    """Somebody listens, and a moment later all do."""
    if not socket.poll(20_000):
        raise RuntimeError("nobody has subscribed")
    time.sleep(0.5)


def latency(pace: float, samples: int, percent: int) -> float:
    """That percentile, in ms, of the age of messages that are sent at that pace a second."""
    with publisher() as (socket, address), watching(f"receive({address!r}, {samples})") as reader:
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
    call = "count({!r}, {!r}, {}, {}, {})"
    with publisher() as (socket, address), watching(call.format(address, TOPIC, readers, stalled, events)) as audience:
        subscribed(socket)
        began = time.monotonic()
        for seq in range(events):
            socket.send_multipart([TOPIC.encode(), event(seq)])
        ended = float(json.loads(line(audience)))
    return events / (ended - began)


def growth(events: int, stalled: int) -> float:
    """MiB that this process grows by over the second half of twice so many messages."""
    with publisher() as (socket, address), watching(f"count({address!r}, {TOPIC!r}, 1, {stalled}, {events * 2})"):
        subscribed(socket)
        sizes = []
        for _ in range(2):
            for seq in range(events):
                socket.send_multipart([TOPIC.encode(), event(seq)])
            sizes.append(pss_mib({os.getpid()}))
    return max(0.0, sizes[1] - sizes[0])


def watched(count: int, observers: int, every: float, seconds: float) -> float:
    """CPU time, as % of one core, of a process that reads that many beats and tells of each sender once a second."""
    if not observers:
        return reading(count, every, seconds, lambda: None)
    with publisher() as (socket, address):
        call = f"count({address!r}, {TOPIC!r}, {observers}, 0, {10 * int(seconds * count)})"
        with watching(call):
            subscribed(socket)

            def tell() -> None:
                for seq in range(count):
                    socket.send_multipart([TOPIC.encode(), event(seq)])

            return reading(count, every, seconds, tell)
