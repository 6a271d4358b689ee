"""A client of somebody else's making: ZeroMQ and msgpack, and nothing of the package."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import msgpack
import zmq

from tests.reaching import connect


class Raw:
    """Sockets to one system."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self.context = endpoint, zmq.Context()
        self._numbers = itertools.count(1)
        self._sockets: list[Any] = []  # what is collected before it is closed warns
        self.control = self.socket(zmq.DEALER, "control")

    def socket(self, kind: int, name: str, **options: int) -> Any:
        """One more; ``options`` as attributes of it."""
        socket = self.context.socket(kind)
        socket.linger, socket.rcvtimeo, socket.sndtimeo = 0, 20_000, 20_000
        for option, value in options.items():
            setattr(socket, option, value)
        connect(socket, self.endpoint, name)
        self._sockets.append(socket)
        return socket

    def send(self, request: Any) -> None:
        """One request, without waiting for its reply."""
        body = request if isinstance(request, bytes) else msgpack.packb({"v": 1, "id": next(self._numbers), **request})
        self.control.send_multipart([b"", body])

    def reply(self) -> dict[str, Any]:
        """The next one."""
        reply: dict[str, Any] = msgpack.unpackb(self.control.recv_multipart()[-1])
        return reply

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """The whole reply."""
        self.send({"verb": verb, **fields})
        return self.reply()

    def value(self, verb: str, **fields: Any) -> Any:
        """What the reply holds; it has to be a good one."""
        reply = self.ask(verb, **fields)
        assert reply["ok"], reply
        return reply["value"]

    def follow(self, *topics: bytes) -> Stream:
        """Subscribe to these, to everything if there are none, and wait until the parent has heard of it."""
        stream = Stream(self.socket(zmq.SUB, "status", rcvhwm=0))
        for topic in (*(topics or (b"",)), b"|"):
            stream.socket.subscribe(topic)
        stream.until(lambda event: event["kind"] == "tick")
        stream.seen.clear()
        return stream

    def close(self) -> None:
        """All of it."""
        self.context.destroy(linger=0)


class Stream:
    """What came of the status stream."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    def until(self, done: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any]:
        """Read on to the event of which that is true; it too is among those seen."""
        deadline = time.monotonic() + seconds
        while self.socket.poll(max(0, 1000 * (deadline - time.monotonic()))):
            event: dict[str, Any] = msgpack.unpackb(self.socket.recv_multipart()[-1])
            self.seen.append(event)
            if done(event):
                return event
        raise AssertionError(f"it did not come within {seconds:g} s; seen were {self.seen[-20:]}")

    def state(self, name: str, after: str) -> dict[str, Any]:
        """Read on until that actor is in that state."""
        return self.until(lambda event: event["kind"] == "state" and (event["name"], event["after"]) == (name, after))

    def of(self, *kinds: str, name: str | None = None) -> list[dict[str, Any]]:
        """What was seen of these kinds."""
        return [event for event in self.seen if event["kind"] in kinds and name in {None, event.get("name")}]
