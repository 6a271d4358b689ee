"""A client's sockets."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable
from typing import Any

import zmq

from understudy.wire.sockets.finding import at
from understudy.wire.sockets.frames import MAX_REPLY, STATUS_HWM, Frames, milliseconds, take


class Tap:
    """A client's sockets: the control socket of one system and, where there are topics, its status stream."""

    def __init__(self, directory: str, topics: Iterable[bytes], wake_fd: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._sockets: list[Any] = []
        # A context that is collected before its sockets would wait for them, for ever.
        self._end = weakref.finalize(self, _destroy, self._context, self._sockets)
        self._end.atexit = False
        self._wake_fd, self._places = wake_fd, at(directory)
        self.control = self._connected(zmq.DEALER, "control", ((zmq.MAXMSGSIZE, MAX_REPLY),))
        self.status: Any = None
        if subscriptions := [(zmq.SUBSCRIBE, each) for each in sorted(topics)]:
            options = ((zmq.RCVHWM, STATUS_HWM), *subscriptions)
            self.status = self._connected(zmq.SUB, "status", options)

    def request(self, body: bytes) -> None:
        """Send one request; dropped where too many wait for a system that takes none."""
        with contextlib.suppress(zmq.Again):
            self.control.send_multipart([b"", body], flags=zmq.NOBLOCK)

    def wait(self, sockets: Iterable[Any], seconds: float) -> None:
        """Wait until there is something at one of these, the descriptor to wake it is readable, or the time is over."""
        poller = zmq.Poller()
        for source in (*sockets, self._wake_fd):
            poller.register(source, zmq.POLLIN)
        poller.poll(milliseconds(seconds))

    def take(self, socket: Any, most: int) -> list[Frames]:
        """What has arrived there, so many messages at most."""
        taken: list[Frames] = []
        while len(taken) < most and (frames := take(socket)) is not None:
            taken.append(frames)
        return taken

    def close(self) -> None:
        """Close at once."""
        self._end()

    def _connected(self, kind: int, name: str, options: Iterable[tuple[int, Any]]) -> Any:
        socket = self._context.socket(kind)
        self._sockets.append(socket)
        socket.set(zmq.LINGER, 0)
        for option, value in options:
            socket.set(option, value)
        socket.connect(self._places.approach(socket, name))
        return socket


def _destroy(context: Any, _: list[Any]) -> None:
    """Close the sockets, which have to be there still, then the context."""
    context.destroy(linger=0)
