"""A process that does nothing but poll and read a PULL socket, at the pace of that many beats."""

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import zmq

BEAT = bytes(64)


def beat(endpoint: str, count: int, every: float) -> None:
    """In a process of its own: `count` sockets, each sending once in `every` seconds, evenly spread, until killed."""
    context = zmq.Context()
    sockets = []
    for _ in range(count):
        socket = context.socket(zmq.PUSH)
        socket.connect(endpoint)
        sockets.append(socket)
    due = time.monotonic()
    while True:
        for socket in sockets:
            due += every / count
            time.sleep(max(0.0, due - time.monotonic()))
            socket.send(BEAT)


def polling(count: int, every: float, seconds: float) -> float:
    """CPU time of the reading process as % of one core."""
    return reading(count, every, seconds, lambda: None)


def reading(count: int, every: float, seconds: float, each_second: Callable[[], None]) -> float:
    """The same of one that does something besides, once a second."""
    with tempfile.TemporaryDirectory(prefix="floor-") as folder, zmq.Context() as context:
        endpoint = f"ipc://{folder}/reports"
        pull = context.socket(zmq.PULL)
        pull.bind(endpoint)
        code = f"from benchmarks.floors.idle import beat; beat({endpoint!r}, {count}, {every})"
        sender = subprocess.Popen([sys.executable, "-c", code])
        try:
            for _ in range(count):
                pull.recv()
            began, spent = time.monotonic(), time.process_time()
            received = _read(pull, began + seconds, each_second)
            spent, elapsed = time.process_time() - spent, time.monotonic() - began
        finally:
            sender.kill()
            sender.wait()
            pull.close()
    due = seconds * count / every
    if not 0.9 * due <= received <= 1.1 * due:
        raise RuntimeError(f"{received} beats came, {due:g} were due: no floor for that pace")
    return 100 * spent / elapsed


def _read(pull: zmq.Socket[bytes], until: float, each_second: Callable[[], None]) -> int:
    poller = zmq.Poller()
    poller.register(pull, zmq.POLLIN)
    received, tick = 0, time.monotonic() + 1
    while (left := until - (now := time.monotonic())) > 0:
        if now >= tick:
            each_second()
            tick += 1
        if poller.poll(math.ceil(min(left, max(0.0, tick - now)) * 1000)):
            pull.recv()
            received += 1
    return received
