"""The parent's four sockets, and who comes to them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from time import monotonic
from typing import Any

import zmq

from understudy.wire.audience import Audience
from understudy.wire.sockets.frames import (
    MAX_CONTROL,
    MAX_SUBSCRIPTION,
    STATUS_HWM,
    Frames,
    milliseconds,
    take,
)
from understudy.wire.sockets.places import Places

_PARENT_HWM = 1_000
"""Reports of one actor that wait here; beyond it, they wait with the actor, and hold back nobody else's."""
ROUND, ROUND_SECONDS = 256, 0.01
REQUESTS, REPLIES = 32, 2
"""Of one client: requests beyond wait with it, replies beyond with who sends them."""


class Sent(Enum):
    """What became of a reply."""

    YES = "yes"
    FULL = "full"
    NOBODY = "nobody"


class Hub:
    """The parent's four sockets; only the router's thread may touch them."""

    def __init__(self, places: Places, max_report: int) -> None:
        self.places = places
        self._context = zmq.Context(io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, 8192)
        self._unguard: Callable[[], None] | None = places.guard(self._context)
        self.orders = self._bound(
            zmq.XPUB,
            "commands",
            ((zmq.SNDHWM, 0), (zmq.XPUB_VERBOSE, 1), (zmq.MAXMSGSIZE, MAX_SUBSCRIPTION)),
        )
        self.reports = self._bound(zmq.PULL, "reports", ((zmq.RCVHWM, _PARENT_HWM), (zmq.MAXMSGSIZE, max_report)))
        self.status = self._bound(zmq.XPUB, "status", ((zmq.SNDHWM, STATUS_HWM), (zmq.MAXMSGSIZE, MAX_SUBSCRIPTION)))
        self.audience = Audience()
        self.control = self._bound(
            zmq.ROUTER,
            "control",
            (
                (zmq.RCVHWM, REQUESTS),
                (zmq.SNDHWM, REPLIES),
                (zmq.MAXMSGSIZE, MAX_CONTROL),
                (zmq.ROUTER_MANDATORY, 1),  # or what is sent to nobody, or to who does not read, would be lost untold
            ),
        )
        self.bell = Doorbell(self._context, (self.status, self.control)) if places.are_paths else None
        self._poller = zmq.Poller()
        for socket in (self.orders, self.reports, self.status, self.control):
            self._poller.register(socket, zmq.POLLIN)

    def watch(self, source: Any) -> None:
        """Wake `poll` when that descriptor, or socket of another context, becomes readable."""
        self._poller.register(source, zmq.POLLIN)

    def leave(self, source: Any) -> None:
        """No more, if it did; to be called before it is closed."""
        if source in self._poller:
            self._poller.unregister(source)

    def poll(self, seconds: float | None) -> set[Any]:
        """The sockets and descriptors that are readable, waiting at most so long (None: for ever)."""
        return {source for source, _ in self._poller.poll(milliseconds(seconds))}

    def each(self, socket: Any) -> Iterator[Frames]:
        """What has arrived at a socket, one round's worth at most, the time that is spent on each counted in."""
        until = monotonic() + ROUND_SECONDS
        for _ in range(ROUND):
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
        until = monotonic() + ROUND_SECONDS
        receive = socket.recv
        try:
            while monotonic() < until:
                for _ in range(ROUND):
                    yield receive(zmq.NOBLOCK)
        except zmq.Again:
            return

    def take(self, socket: Any) -> tuple[list[Frames], bool]:
        """What has arrived at a socket, one round's worth at most, without waiting; and whether that was all."""
        taken: list[Frames] = []
        until = monotonic() + ROUND_SECONDS
        while len(taken) < ROUND and monotonic() < until:
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
        """Whether anybody follows the status stream here, as far as was heard of it."""
        return self.audience.is_there

    def reply(self, frames: Sequence[Any]) -> Sent:
        """Give a reply to the client that the first frame names, if its queue has room and it is there."""
        return reply_by(self.control, frames)

    def unhook(self) -> None:
        """The bell rings no more; whoever waits for it is told, and to be waited for before `close`."""
        for socket in (self.status, self.control):
            socket.monitor(None, 0)

    def close(self) -> None:
        """Close all; what is not yet handed to the transport is given a moment."""
        if self._unguard is not None:
            self._unguard()
            self._unguard = None
        self._context.destroy(linger=100)
        self.places.close()

    def _bound(self, kind: int, name: str, options: Sequence[tuple[int, int]]) -> Any:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        for option, value in options:
            socket.set(option, value)
        self.places.bind(socket, name)
        return socket


def reply_by(socket: Any, frames: Sequence[Any]) -> Sent:
    """Give a reply to the client that the first frame names, if its queue has room and it is there."""
    try:
        socket.send_multipart(frames, flags=zmq.NOBLOCK)
    except zmq.Again:
        return Sent.FULL
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        return Sent.NOBODY
    return Sent.YES


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
