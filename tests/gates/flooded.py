"""A system whose descriptors are few, and a program that opens connections to it that say nothing; each by its word."""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import sys
import time
from typing import Any


def serve(keys: str, limit: int) -> None:
    """A gate; for each line of input an actor is spawned, and its result told."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    from understudy import ActorSystem

    with ActorSystem(control="tcp://127.0.0.1:0", keys=keys) as system:
        print(system.gates[0].endpoint, flush=True)
        for word in sys.stdin:
            print(system.spawn(str.upper, word.strip()).result(60), flush=True)


def flood(port: int, count: int, ports: int) -> None:
    """So many connections, at so many ports from that one on; of those cut off a thousand a second come again."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    opened: list[socket.socket] = []
    watched = selectors.DefaultSelector()

    def connect(at: int) -> None:
        with contextlib.suppress(OSError):
            made = socket.create_connection(("127.0.0.1", at), timeout=5)
            made.settimeout(0)
            watched.register(made, selectors.EVENT_READ, at)
            opened.append(made)

    for number in range(count):
        connect(port + number % ports)
    print("flooded", flush=True)
    watched.register(sys.stdin, selectors.EVENT_READ, 0)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        time.sleep(0.02)
        for key, _ in watched.select(1)[:20]:
            if key.data == 0:
                return
            there: Any = key.fileobj
            with contextlib.suppress(BlockingIOError):
                try:
                    ended = not there.recv(1000)
                except ConnectionError:
                    ended = True
                if ended:
                    watched.unregister(there)
                    there.close()
                    connect(key.data)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        flood(*map(int, sys.argv[2:]))
