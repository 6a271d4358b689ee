"""A client of somebody else's making that comes over TCP: ZeroMQ with CURVE, msgpack, and nothing of the package."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

import msgpack
import zmq

from tests.observe.raw import Stream


class Far:
    """One key at one gate; ``key`` has the pair and the server's public key."""

    def __init__(self, endpoint: str, key: Any, **options: Any) -> None:
        self.host, _, port = endpoint.replace("//*", "//127.0.0.1").rpartition(":")
        self.key, self.context = key, zmq.Context()
        self._numbers, self._used = itertools.count(1), itertools.count(1)
        self._sockets: list[Any] = []
        self.ticket: str | None = None
        self.control = self.socket(zmq.DEALER, int(port), **options)

    def socket(self, kind: int, port: int, **options: Any) -> Any:
        socket = self.context.socket(kind)
        self._sockets.append(socket)
        socket.linger, socket.rcvtimeo, socket.sndtimeo = 0, 20_000, 20_000
        for option, value in options.items():
            setattr(socket, option, value)
        prove(socket, self.key)
        socket.connect(f"{self.host}:{port}")
        return socket

    def send(self, request: Any) -> None:
        body = request if isinstance(request, bytes) else msgpack.packb({"v": 1, "id": next(self._numbers), **request})
        self.control.send_multipart([b"", body])

    def reply(self) -> dict[str, Any]:
        reply: dict[str, Any] = msgpack.unpackb(self.control.recv_multipart()[-1])
        return reply

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        self.send({"verb": verb, **fields})
        return self.reply()

    def value(self, verb: str, **fields: Any) -> Any:
        reply = self.ask(verb, **fields)
        assert reply["ok"], reply
        return reply["value"]

    def change(self, verb: str, **fields: Any) -> dict[str, Any]:
        """A request that changes something, with all that it needs."""
        return self.ask(verb, **self.paid(), **fields)

    def paid(self) -> dict[str, Any]:
        if self.ticket is None:
            self.ticket = self.value("hello")["ticket"]
        return {"request": secrets.token_hex(16), "ticket": [self.ticket, next(self._used)]}

    def subscriber(self, *topics: bytes, **options: Any) -> Any:
        socket = self.socket(zmq.SUB, self.value("hello")["stream"], rcvhwm=0, reconnect_ivl=50, **options)
        for topic in (*(topics or (b"",)), b"|"):
            socket.subscribe(topic)
        return socket

    def follow(self, *topics: bytes) -> Stream:
        """Subscribe to these, to everything if there are none, and wait until the parent has heard of it."""
        stream = Stream(self.subscriber(*topics))
        stream.until(lambda event: event["kind"] == "tick")
        stream.seen.clear()
        return stream

    def close(self) -> None:
        self.context.destroy(linger=0)


def prove(socket: Any, key: Any) -> None:
    """Speak CURVE."""
    socket.curve_publickey, socket.curve_secretkey = key.pair.public.encode(), key.pair.secret.encode()
    socket.curve_serverkey = key.server.encode()
