"""The only module that knows ZeroMQ: every socket is made, and every option set, here."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from time import monotonic
from typing import Any

import zmq

from understudy.wire.audience import Audience

MAX_CONTROL = 1 << 20
"""Bytes of one frame on the control socket."""
MAX_SUBSCRIPTION = 8 << 10
"""Bytes of what a subscriber may send: libzmq keeps topics by their bytes."""
MAX_REPLY = 64 * MAX_CONTROL
"""Bytes of one reply that a client takes."""
_CHILD_HWM = 20_000
_PARENT_HWM = 1_000
"""Reports of one actor that wait here; beyond it, they wait with the actor, and hold back nobody else's."""
_ROUND, _ROUND_SECONDS = 256, 0.01
_ROOM_EVERY = 0.005
_LONG = 65536
_LONGEST_POLL = 86_400.0  # seconds; what zmq polls for is an int of milliseconds
_STATUS_HWM = 10_000
_REQUESTS, _REPLIES = 32, 2
"""Of one client: requests beyond wait with it, replies beyond with who sends them."""

Frames = list[Any]


def topic(system: str, uid: int, incarnation: int) -> bytes:
    """The topic of one incarnation's orders; the bar ends each part, so that no topic is a prefix of another."""
    return f"{system}|{uid}|{incarnation}|".encode()


def endpoint(directory: str, name: str) -> str:
    """Where the socket of that name is bound."""
    return f"ipc://{directory}/{name}"


class Sent(Enum):
    """What became of a reply."""

    YES = "yes"
    FULL = "full"
    NOBODY = "nobody"


class Hub:
    """The parent's four sockets; only the router's thread may touch them."""

    def __init__(self, directory: str, max_report: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, 8192)
        self.orders = self._bound(
            zmq.XPUB,
            endpoint(directory, "commands"),
            ((zmq.SNDHWM, 0), (zmq.XPUB_VERBOSE, 1), (zmq.MAXMSGSIZE, MAX_SUBSCRIPTION)),
        )
        self.reports = self._bound(
            zmq.PULL, endpoint(directory, "reports"), ((zmq.RCVHWM, _PARENT_HWM), (zmq.MAXMSGSIZE, max_report))
        )
        self.status = self._bound(
            zmq.XPUB, endpoint(directory, "status"), ((zmq.SNDHWM, _STATUS_HWM), (zmq.MAXMSGSIZE, MAX_SUBSCRIPTION))
        )
        self.audience = Audience()
        self.control = self._bound(
            zmq.ROUTER,
            endpoint(directory, "control"),
            (
                (zmq.RCVHWM, _REQUESTS),
                (zmq.SNDHWM, _REPLIES),
                (zmq.MAXMSGSIZE, MAX_CONTROL),
                (zmq.ROUTER_MANDATORY, 1),  # or what is sent to nobody, or to who does not read, would be lost untold
            ),
        )
        self.bell = Doorbell(self._context, (self.status, self.control))
        self._poller = zmq.Poller()
        for socket in (self.orders, self.reports, self.status, self.control):
            self._poller.register(socket, zmq.POLLIN)

    def watch(self, fd: int) -> None:
        """Wake `poll` when the descriptor becomes readable."""
        self._poller.register(fd, zmq.POLLIN)

    def poll(self, seconds: float | None) -> set[Any]:
        """The sockets and descriptors that are readable, waiting at most so long (None: for ever)."""
        # Rounded up: waking a hair early would spin until the deadline.
        wait = None if seconds is None else max(0, int(seconds * 1000 + 0.999))
        return {source for source, _ in self._poller.poll(wait)}

    def each(self, socket: Any) -> Iterator[Frames]:
        """What has arrived at a socket, one round's worth at most, the time that is spent on each counted in."""
        until = monotonic() + _ROUND_SECONDS
        for _ in range(_ROUND):
            frames = take(socket)
            if frames is None:
                return
            yield frames
            if monotonic() > until:
                return

    def subscriptions(self, socket: Any) -> Iterator[bytes]:
        """What subscribers have sent, one round's worth at most.

        libzmq hands all of it over at once and keeps it until it is read: so nothing is spent on any but what it takes.
        """
        until = monotonic() + _ROUND_SECONDS
        receive = socket.recv
        try:
            while monotonic() < until:
                for _ in range(_ROUND):
                    yield receive(zmq.NOBLOCK)
        except zmq.Again:
            return

    def take(self, socket: Any) -> tuple[list[Frames], bool]:
        """What has arrived at a socket, one round's worth at most, without waiting; and whether that was all."""
        taken: list[Frames] = []
        until = monotonic() + _ROUND_SECONDS
        while len(taken) < _ROUND and monotonic() < until:
            frames = take(socket)
            if frames is None:
                return taken, True
            taken.append(frames)
        return taken, False

    def send_orders(self, to: bytes, envelope: bytes) -> None:
        """Orders for one incarnation."""
        self.orders.send_multipart([to, envelope])

    def publish(self, about: bytes, event: bytes) -> None:
        """One event for whoever watches; dropped for those whose queue is full."""
        self.status.send_multipart([about, event])

    def watched(self) -> bool:
        """Whether anybody follows the status stream, as far as was heard of it."""
        return self.audience.is_there

    def reply(self, frames: Sequence[Any]) -> Sent:
        """Give a reply to the client that the first frame names, if its queue has room and it is there."""
        try:
            self.control.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Sent.NOBODY
        return Sent.YES

    def unhook(self) -> None:
        """The bell rings no more; whoever waits for it is told, and to be waited for before `close`."""
        for socket in (self.status, self.control):
            socket.monitor(None, 0)

    def close(self) -> None:
        """Close all; what is not yet handed to the transport is given a moment."""
        self._context.destroy(linger=100)

    def _bound(self, kind: int, address: str, options: Sequence[tuple[int, int]]) -> Any:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        for option, value in options:
            socket.set(option, value)
        socket.bind(address)
        return socket


class Doorbell:
    """Tells who comes to some sockets of the parent, and who leaves; for one thread.

    It has to be heard: after a thousand words that nobody took, libzmq's own thread waits for the hearer, and accepts
    nobody meanwhile.
    """

    def __init__(self, context: Any, sockets: Sequence[Any]) -> None:
        self._ears = []
        self._poller = zmq.Poller()
        for number, socket in enumerate(sockets):
            address = f"inproc://door-{number}"
            socket.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_MONITOR_STOPPED)
            self._ears.append(context.socket(zmq.PAIR))
            self._ears[-1].set(zmq.RCVHWM, 1)  # what waits is a thousand, and as many as this
            self._ears[-1].connect(address)
            self._poller.register(self._ears[-1], zmq.POLLIN)

    def wait(self, seconds: float | None) -> list[tuple[bool, int]] | None:
        """Who came (True) or left, each by its descriptor, within so many seconds; None at the end, once for all."""
        moves: list[tuple[bool, int]] = []
        self._poller.poll(None if seconds is None else int(seconds * 1000))
        for ear in list(self._ears):
            while (frames := take(ear)) is not None:
                event, descriptor = struct.unpack("=Hi", frames[0])
                if event == zmq.EVENT_MONITOR_STOPPED:
                    self._poller.unregister(ear)
                    self._ears.remove(ear)
                    ear.close(linger=0)
                    break
                moves.append((event == zmq.EVENT_ACCEPTED, descriptor))
        return moves if self._ears else None


def take(socket: Any) -> Frames | None:
    """One message if there is one; long frames stay where they arrived."""
    try:
        first = socket.recv(flags=zmq.NOBLOCK)
    except zmq.Again:
        return None
    frames: Frames = [first]
    while socket.get(zmq.RCVMORE):
        try:
            frame = socket.recv(flags=zmq.NOBLOCK, copy=False)
        except zmq.Again:  # an XPUB keeps to itself what looks like a subscription among a stranger's parts
            break
        frames.append(frame.buffer if len(frame) > _LONG else frame.bytes)
    return frames


class Line:
    """A child's two sockets: reports, sent by any of its threads; orders, read by the link's thread."""

    def __init__(self, directory: str, max_report: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._lock = threading.Lock()
        self._directory = directory
        self._push = self._context.socket(zmq.PUSH)
        self._push.set(zmq.LINGER, 0)
        self._push.set(zmq.SNDHWM, _CHILD_HWM)
        self._push.connect(endpoint(directory, "reports"))
        self._sub: Any = None
        self._poller = zmq.Poller()

    def subscribe(self, to: bytes, wake_fd: int) -> None:
        """Begin to hear orders; called by the link's thread, which owns them from then on."""
        self._sub = self._context.socket(zmq.SUB)
        self._sub.set(zmq.LINGER, 0)
        self._sub.set(zmq.SUBSCRIBE, to)
        self._sub.connect(endpoint(self._directory, "commands"))
        self._poller.register(self._sub, zmq.POLLIN)
        self._poller.register(wake_fd, zmq.POLLIN)

    def wait(self, seconds: float | None) -> tuple[bool, bool]:
        """Wait so long for orders, or to be woken: whether there are orders, and whether it was woken."""
        wait = None if seconds is None else max(0, int(seconds * 1000 + 0.999))
        ready = [source for source, _ in self._poller.poll(wait)]
        return self._sub in ready, any(source is not self._sub for source in ready)

    def hear(self) -> Frames | None:
        """One of the orders that have arrived, if there is one."""
        return take(self._sub)

    def report(self, frames: Frames) -> None:
        """Send, waiting for room if there is none.

        Looked for again and again, for a socket can't be waited for by one thread while another sends: and the link
        must not be held up by who waits.
        """
        while not self.report_nowait(frames):
            time.sleep(_ROOM_EVERY)

    def report_nowait(self, frames: Frames) -> bool:
        """Send if there is room; says whether it did. Long frames stay where they are until they have left."""
        # Made before the first part is sent: what fails for lack of memory must not leave half a message behind.
        parts = [zmq.Frame(f, copy=False) if memoryview(f).nbytes > _LONG else f for f in frames]
        with self._lock:
            try:
                self._push.send_multipart(parts, flags=zmq.NOBLOCK)
            except zmq.Again:
                return False
        return True

    def flush(self, milliseconds: int) -> None:
        """Close the reports' socket and give what is unsent so long to leave; the link must have let go."""
        self._push.close(linger=milliseconds)
        self._context.term()

    def unsubscribe(self) -> None:
        """The link's thread lets go of its socket."""
        if self._sub is not None:
            self._sub.close(linger=0)


class Tap:
    """A client's sockets: the control socket of one system and, where there are topics, its status stream."""

    def __init__(self, directory: str, topics: Iterable[bytes], wake_fd: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._sockets: list[Any] = []
        # A context that is collected before its sockets would wait for them, for ever.
        self._end = weakref.finalize(self, _destroy, self._context, self._sockets)
        self._end.atexit = False
        self._wake_fd = wake_fd
        self.control = self._connected(zmq.DEALER, endpoint(directory, "control"), ((zmq.MAXMSGSIZE, MAX_REPLY),))
        self.status: Any = None
        if subscriptions := [(zmq.SUBSCRIBE, each) for each in sorted(topics)]:
            options = ((zmq.RCVHWM, _STATUS_HWM), *subscriptions)
            self.status = self._connected(zmq.SUB, endpoint(directory, "status"), options)

    def request(self, body: bytes) -> None:
        """Send one request; dropped where too many wait for a system that takes none."""
        with contextlib.suppress(zmq.Again):
            self.control.send_multipart([b"", body], flags=zmq.NOBLOCK)

    def wait(self, sockets: Iterable[Any], seconds: float) -> None:
        """Wait until there is something at one of these, the descriptor to wake it is readable, or the time is over."""
        poller = zmq.Poller()
        for source in (*sockets, self._wake_fd):
            poller.register(source, zmq.POLLIN)
        poller.poll(max(0, int(min(seconds, _LONGEST_POLL) * 1000 + 0.999)))

    def take(self, socket: Any, most: int) -> list[Frames]:
        """What has arrived there, so many messages at most."""
        taken: list[Frames] = []
        while len(taken) < most and (frames := take(socket)) is not None:
            taken.append(frames)
        return taken

    def close(self) -> None:
        """Close at once."""
        self._end()

    def _connected(self, kind: int, address: str, options: Iterable[tuple[int, Any]]) -> Any:
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.set(zmq.LINGER, 0)
        for option, value in options:
            socket.set(option, value)
        socket.connect(address)
        return socket


def _destroy(context: Any, _: list[Any]) -> None:
    """Close the sockets, which have to be there still, then the context."""
    context.destroy(linger=0)
