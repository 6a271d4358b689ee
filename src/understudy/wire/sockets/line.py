"""A child's sockets to and from its router."""

from __future__ import annotations

import threading
import time
from typing import Any

import zmq

from understudy.wire.sockets.frames import LONG, Frames, milliseconds, take
from understudy.wire.sockets.mail import Exchange
from understudy.wire.sockets.places import Places

_CHILD_HWM = 20_000
_ROOM_EVERY = 0.005


class Line:
    """A child's two sockets: reports, sent by any of its threads; orders, read by the link's thread."""

    def __init__(self, places: Places, max_report: int) -> None:
        self._context = zmq.Context(io_threads=1)
        self._lock = threading.Lock()
        self._places = places
        self._push = self._context.socket(zmq.PUSH)
        self._push.set(zmq.LINGER, 0)
        self._push.set(zmq.SNDHWM, _CHILD_HWM)
        self._push.connect(places.approach(self._push, "reports"))
        self._sub: Any = None
        self._poller = zmq.Poller()

    def subscribe(self, to: bytes, wake_fd: int) -> None:
        """Begin to hear orders; called by the link's thread, which owns them from then on."""
        self._sub = self._context.socket(zmq.SUB)
        self._sub.set(zmq.LINGER, 0)
        self._sub.set(zmq.SUBSCRIBE, to)
        self._sub.connect(self._places.approach(self._sub, "commands"))
        self._poller.register(self._sub, zmq.POLLIN)
        self._poller.register(wake_fd, zmq.POLLIN)

    def wait(self, seconds: float | None) -> tuple[bool, bool]:
        """Wait so long for orders, or to be woken: whether there are orders, and whether it was woken."""
        ready = [source for source, _ in self._poller.poll(milliseconds(seconds))]
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
        parts = [zmq.Frame(f, copy=False) if memoryview(f).nbytes > LONG else f for f in frames]
        with self._lock:
            try:
                self._push.send_multipart(parts, flags=zmq.NOBLOCK)
            except zmq.Again:
                return False
        return True

    def exchange(self) -> Exchange:
        """What the sockets of messages are made from, in the same context."""
        return Exchange(self._places, self._context)

    def flush(self, milliseconds: int) -> None:
        """Close the reports' socket and give what is unsent so long to leave; the link must have let go."""
        self._push.close(linger=milliseconds)
        self._context.term()

    def unsubscribe(self) -> None:
        """The link's thread lets go of its socket."""
        if self._sub is not None:
            self._sub.close(linger=0)
