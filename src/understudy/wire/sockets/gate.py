"""The sockets of one system that a network can reach: one for requests, and one for the stream of each role.

A context of their own: what those who are far away do to it costs actors and local clients nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Any

import zmq

from understudy.wire.audience import Audience
from understudy.wire.endpoints import Place
from understudy.wire.sockets import curve
from understudy.wire.sockets.curve import MAPPED, Pair, Zap
from understudy.wire.sockets.ears import Ears
from understudy.wire.sockets.frames import LONG, MAX_CONTROL, MAX_SUBSCRIPTION, STATUS_HWM, Frames
from understudy.wire.sockets.hub import REPLIES, REQUESTS, ROUND, ROUND_SECONDS, Sent, reply_by
from understudy.wire.topics import Topics

CONTROL = "control"
"""The domain of those who ask."""
NEARBY = 20
"""Ports above that of the requests that are tried for the streams before any other: so a firewall's rule is short."""
_LAST_PORT = 65_535
_LAST_WORDS_MS = 100
_UNREAD = 64 << 10
"""Bytes of one follower that wait in the kernel."""
"""Before an IPv4 address at a socket for both."""


def stream_domain(role: str) -> str:
    """The domain of those who follow the stream of that role."""
    return f"stream/{role}"


@dataclass(frozen=True, slots=True)
class Request:
    """One message at the socket for requests, and who sent it as far as the sockets know."""

    user: str
    """What `Zap` was told to know the peer by."""
    address: str
    connection: tuple[bytes, int]
    """No two that are open at a time share it."""
    frames: Frames


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the socket of a stream says."""

    frame: bytes
    user: str
    """As of a request; empty where a connection has ended."""
    descriptor: int
    """That of the connection, which may have ended meanwhile; negative where there is none."""


class Stream:
    """The status socket of one role."""

    def __init__(self, socket: Any, port: int) -> None:
        self.socket, self.port = socket, port
        self.audience = Audience()
        self.topics = Topics()


class Gate:
    """Open from the start; raises OSError where the address cannot be had, and leaves nothing then.

    Only the router's thread may touch it. ``admit`` and ``tell`` as `Zap` takes them.
    """

    def __init__(
        self,
        name: str,
        place: Place,
        pair: Pair,
        roles: Sequence[str],
        admit: Callable[[str, str, str], str | None],
        tell: Callable[[BaseException], None],
    ) -> None:
        self._place, self._pair = place, pair
        self._context = zmq.Context(io_threads=1)
        self._open: set[Any] = set()
        self._closed = False
        self.streams: dict[str, Stream] = {}
        with ExitStack() as undone:
            undone.callback(self._context.destroy, linger=_LAST_WORDS_MS)
            self.zap = Zap(self._context, name, admit, tell)
            undone.callback(self.zap.close)
            self.ears = Ears(self._context)
            undone.callback(self._close_sockets)
            self.control = self._made(zmq.ROUTER, CONTROL)
            self.port = self._bind(self.control, place.port)
            for role in roles:
                socket = self._made(zmq.XPUB, stream_domain(role))
                self.streams[role] = Stream(socket, self._bind_nearby(socket))
            self._undo = undone.pop_all()

    @property
    def ports(self) -> tuple[int, ...]:
        """That of the requests first."""
        return self.port, *(stream.port for stream in self.streams.values())

    @property
    def sockets(self) -> tuple[Any, ...]:
        """All that are to be polled."""
        return self.control, *(stream.socket for stream in self.streams.values())

    def requests(self) -> Iterator[Request]:
        """What has arrived, one round's worth at most, the time that is spent on each counted in."""
        until = monotonic() + ROUND_SECONDS
        for _ in range(ROUND):
            parts = self._take()
            if not parts:
                return
            yield _request(parts)
            if monotonic() > until:
                return

    def subscriptions(self, role: str) -> Iterator[Subscription]:
        """What the followers in that role have sent, one round's worth at most."""
        until, socket = monotonic() + ROUND_SECONDS, self.streams[role].socket
        try:
            while monotonic() < until:
                for _ in range(ROUND):
                    yield _subscription(socket.recv(flags=zmq.NOBLOCK, copy=False))
        except zmq.Again:
            return

    def _take(self) -> list[Any]:
        parts: list[Any] = []
        try:
            while not parts or parts[-1].more:
                parts.append(self.control.recv(flags=zmq.NOBLOCK, copy=False))
        except zmq.Again:
            return []
        return parts

    def reply(self, frames: Sequence[Any]) -> Sent:
        """Give a reply to the client that the first frame names, if its queue has room and it is there."""
        return Sent.NOBODY if self._closed else reply_by(self.control, frames)

    def publish(self, role: str, about: bytes, event: bytes) -> None:
        """One event for whoever watches in that role; dropped for those whose queue is full."""
        self.streams[role].socket.send_multipart([about, event])

    def renew(self, role: str) -> None:
        """Cut off all who follow in that role; `come_back` lets those who may come again."""
        stream = self.streams[role]
        self._open.discard(stream.socket)
        stream.socket.close(linger=0)
        self.streams[role] = Stream(self._made(zmq.XPUB, stream_domain(role)), stream.port)

    def come_back(self, role: str) -> bool:
        """Listen at the same port as before; False while it is not free, as it is right after a close."""
        stream = self.streams[role]
        try:
            stream.socket.bind(self._place.at(stream.port))
        except zmq.ZMQError:
            return False
        return True

    def unhook(self) -> None:
        """The ears hear no more; whoever listens by them is told, and to be waited for before `close`."""
        for socket in self._open:
            socket.monitor(None, 0)
        self.ears.hang_up()

    def close(self) -> None:
        """Close all; what is not yet handed to the transport is given a moment."""
        self._closed = True
        self._undo.close()

    def _close_sockets(self) -> None:
        for socket in self._open:
            socket.close(linger=_LAST_WORDS_MS)

    def _made(self, kind: int, domain: str) -> Any:
        try:
            socket = self._context.socket(kind)
        except zmq.ZMQError as error:
            raise OSError(error.errno, error.strerror) from None
        self._open.add(socket)
        socket.set(zmq.LINGER, 0)
        for option, value in _OPTIONS[kind]:
            socket.set(option, value)
        curve.serve(socket, self._pair, domain)
        self.ears.attach(socket)
        return socket

    def _bind(self, socket: Any, port: int) -> int:
        at = self._place.at(port)
        try:
            socket.bind(at)
        except zmq.ZMQError as error:
            raise OSError(error.errno, zmq.strerror(error.errno or 0), at) from None  # its own has the address, too
        return int(str(socket.get(zmq.LAST_ENDPOINT), "ascii").rstrip("\0").rpartition(":")[2])

    def _bind_nearby(self, socket: Any) -> int:
        for port in range(self.port + 1, min(self.port + NEARBY, _LAST_PORT) + 1):
            try:
                return self._bind(socket, port)
            except OSError:
                continue  # it is somebody else's
        return self._bind(socket, 0)


_OPTIONS: dict[int, tuple[tuple[int, int], ...]] = {
    zmq.ROUTER: (
        (zmq.RCVHWM, REQUESTS),
        (zmq.SNDHWM, REPLIES),
        (zmq.MAXMSGSIZE, MAX_CONTROL),
        (zmq.ROUTER_MANDATORY, 1),
    ),
    zmq.XPUB: (
        (zmq.SNDHWM, STATUS_HWM),
        (zmq.MAXMSGSIZE, MAX_SUBSCRIPTION),
        # What has arrived of one that is cut off becomes topics all the same: so little of it waits anywhere.
        (zmq.RCVHWM, REQUESTS),
        (zmq.RCVBUF, _UNREAD),
    ),
}
"""As those of the hub."""


def _request(parts: list[Any]) -> Request:
    first = parts[0]
    return Request(
        user=first.get("User-Id"),
        address=first.get("Peer-Address").removeprefix(MAPPED),
        connection=(first.bytes, first.get(zmq.SRCFD)),
        frames=[part.buffer if len(part) > LONG else part.bytes for part in parts],
    )


def _subscription(frame: Any) -> Subscription:
    try:
        return Subscription(frame.bytes, frame.get("User-Id"), frame.get(zmq.SRCFD))
    except zmq.ZMQError:  # nobody sent it: the socket says that nobody has this topic any more
        return Subscription(frame.bytes, "", -1)
