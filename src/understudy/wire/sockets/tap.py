"""A client's sockets."""

from __future__ import annotations

import contextlib
import struct
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any

import zmq

from understudy.wire.sockets.finding import at
from understudy.wire.sockets.frames import MAX_REPLY, STATUS_HWM, Frames, milliseconds, take
from understudy.wire.sockets.places import Places

if TYPE_CHECKING:
    from understudy.wire.sockets.curve import Pair

_SHORTEST_REST, _LONGEST_REST = 0.2, 5.0
"""Seconds between two knocks at a door where nobody proves to be who was looked for; twice as long each time."""
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_HEARD = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | _FAILED | zmq.EVENT_DISCONNECTED


@dataclass(frozen=True, slots=True)
class Credentials:
    """With which a client comes over a network: its own pair, and the public key of whom it wants to meet."""

    pair: Pair
    server: str


@dataclass(frozen=True, slots=True)
class Route:
    """The addresses of a system's sockets for clients, or their names where ``places`` knows those.

    ``status`` is None where the system tells it itself.
    """

    control: str
    status: str | None = None
    credentials: Credentials | None = None
    places: Places | None = None


class Meeting(Enum):
    """How a connection over a network began."""

    WELCOME = "it is there"
    DENIED = "the key is refused; it is not tried again"
    FAILED = "the other side does not prove the key that it should have, or hangs up; it is tried again"


def local(directory: str) -> Route:
    """That to a system of this user on this machine."""
    return Route("control", "status", places=at(directory))


class Tap:
    """A client's sockets: the control socket of one system and, where there are topics, its status stream."""

    def __init__(self, route: Route, topics: Iterable[bytes], wake_fd: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._sockets: list[Any] = []
        # A context that is collected before its sockets would wait for them, for ever.
        self._end = weakref.finalize(self, _destroy, self._context, self._sockets)
        self._end.atexit = False
        self._wake_fd = wake_fd
        self._credentials, self._places = route.credentials, route.places
        self._ears: dict[Any, Any] = {}
        """By the one that hears it: each socket whose meetings are told."""
        self._stream: str | None = None
        self._inside: set[Any] = set()
        """Sockets that are let in."""
        self._resting: dict[Any, tuple[str, float]] = {}
        """Sockets that leave their peer alone: its address, and until when."""
        self._knocked: dict[Any, tuple[str, float]] = {}
        """By socket: the address, and how long it rests when it is not let in the next time."""
        self.control = self._made(zmq.DEALER, ((zmq.MAXMSGSIZE, MAX_REPLY),))
        self._connect(self.control, route.control)
        self.status: Any = None
        if subscriptions := [(zmq.SUBSCRIBE, each) for each in sorted(topics)]:
            # Without a bound for what it says: libzmq would drop the topics beyond the first thousand.
            self.status = self._made(zmq.SUB, ((zmq.RCVHWM, STATUS_HWM), (zmq.SNDHWM, 0), *subscriptions))
            if route.status is not None:
                self.follow(route.status)

    def follow(self, address: str) -> None:
        """Have the status stream from there, and from nowhere else."""
        if self.status is not None and address != self._stream:
            if self._stream is not None and self._resting.pop(self.status, None) is None:
                self.status.disconnect(self._stream)
            self._connect(self.status, address)
            self._stream = address

    def request(self, body: bytes) -> None:
        """Send one request; dropped where too many wait for a system that takes none."""
        with contextlib.suppress(zmq.Again):
            self.control.send_multipart([b"", body], flags=zmq.NOBLOCK)

    def wait(self, sockets: Iterable[Any], seconds: float) -> None:
        """Wait until there is something at one of these, a meeting, the descriptor to wake it, or the time is over."""
        poller = zmq.Poller()
        for source in (*sockets, *self._ears, self._wake_fd):
            poller.register(source, zmq.POLLIN)
        poller.poll(milliseconds(self._knock_again(seconds)))

    def take(self, socket: Any, most: int) -> list[Frames]:
        """What has arrived there, so many messages at most."""
        taken: list[Frames] = []
        while len(taken) < most and (frames := take(socket)) is not None:
            taken.append(frames)
        return taken

    def meetings(self) -> list[tuple[Any, Meeting]]:
        """The meetings since the last call, each with the socket that it is of."""
        found = []
        for ear, socket in self._ears.items():
            while (frames := take(ear)) is not None:
                (event,) = struct.unpack_from("=H", frames[0])
                if (how := self._meeting(socket, event)) is not None:
                    found.append((socket, how))
                    self._pace(socket, how)
        return found

    def _meeting(self, socket: Any, event: int) -> Meeting | None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._inside.add(socket)
            return Meeting.WELCOME
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return Meeting.DENIED
        if event == zmq.EVENT_DISCONNECTED and socket in self._inside:
            self._inside.remove(socket)
            return None  # it had begun well
        return Meeting.FAILED

    def _pace(self, socket: Any, how: Meeting) -> None:
        """For libzmq counts a connection as had before anybody proved a key, and would knock at full pace for ever."""
        if socket in self._resting or socket not in self._knocked:
            return
        address, rest = self._knocked[socket]
        if how is Meeting.WELCOME:
            self._knocked[socket] = address, _SHORTEST_REST
        elif how is Meeting.FAILED:
            socket.disconnect(address)
            self._resting[socket] = address, monotonic() + rest
            self._knocked[socket] = address, min(_LONGEST_REST, 2 * rest)

    def _knock_again(self, seconds: float) -> float:
        """Where a rest is over; gives the seconds that are left of these until the next one is."""
        now = monotonic()
        for socket, (address, until) in list(self._resting.items()):
            if until <= now:
                del self._resting[socket]
                socket.connect(address)
        return max(0.0, min([seconds, *(until - now for _, until in self._resting.values())]))

    def close(self) -> None:
        """Close at once."""
        self._end()

    def _made(self, kind: int, options: Iterable[tuple[int, Any]]) -> Any:
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.set(zmq.LINGER, 0)
        for option, value in options:
            socket.set(option, value)
        if self._credentials is not None:
            self._listen(socket)
        return socket

    def _listen(self, socket: Any) -> None:
        address = f"inproc://ear-{len(self._ears)}"
        socket.monitor(address, _HEARD)
        ear = self._context.socket(zmq.PAIR)
        self._sockets.append(ear)
        ear.set(zmq.LINGER, 0)
        ear.connect(address)
        self._ears[ear] = socket

    def _connect(self, socket: Any, address: str) -> None:
        if self._credentials is not None:
            # Late, for only who speaks to a network needs it.
            from understudy.wire.sockets.curve import approach

            approach(socket, self._credentials.pair, self._credentials.server)
            socket.set(zmq.IPV6, int("[" in address))  # else a name would be looked up as IPv6 first, and only
            self._knocked[socket] = address, _SHORTEST_REST
        socket.connect(address if self._places is None else self._places.approach(socket, address))


def _destroy(context: Any, _: list[Any]) -> None:
    """Close the sockets, which have to be there still, then the context."""
    context.destroy(linger=0)
