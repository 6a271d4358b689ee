"""Who comes to the sockets of a gate, and who leaves, as libzmq tells it; the sockets may change."""

from __future__ import annotations

import struct
from enum import Enum
from itertools import count
from queue import SimpleQueue
from typing import Any, NamedTuple

import zmq

from understudy.wire.bell import Bell
from understudy.wire.sockets.frames import milliseconds, take


class Move(Enum):
    """What is told."""

    CAME = "came"
    LEFT = "left"
    FAILED = "failed"
    """Some handshake did; the connection's end is told apart."""
    ALL_LEFT = "all left"
    """The socket is closed."""


class Connection(NamedTuple):
    """One at a socket: descriptors are used again, also by the next socket while the last one's end is under way."""

    socket: int
    descriptor: int


_MOVES = {
    zmq.EVENT_ACCEPTED: Move.CAME,
    zmq.EVENT_DISCONNECTED: Move.LEFT,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: Move.FAILED,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: Move.FAILED,
    zmq.EVENT_MONITOR_STOPPED: Move.ALL_LEFT,
}
_EVENTS = sum(_MOVES)


class Ears:
    """For one thread, but `attach` and `hang_up`, which belong to that of the sockets.

    They have to be heard: after a thousand words that nobody took, libzmq's own thread waits for the hearer.
    """

    def __init__(self, context: Any) -> None:
        self._context, self._numbers = context, count()
        self._bell: Bell | None = Bell()
        self._new: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._ears: dict[Any, int] = {}
        self._over = False
        self._poller = zmq.Poller()
        self._poller.register(self._bell.read, zmq.POLLIN)

    def attach(self, socket: Any) -> None:
        """Hear of that one, too; before it binds."""
        number = next(self._numbers)
        address = f"inproc://ear-{number}"
        socket.monitor(address, _EVENTS)
        ear = self._context.socket(zmq.PAIR)
        ear.set(zmq.RCVHWM, 1)  # what waits is a thousand, and as many as this
        ear.connect(address)
        self._new.put((number, ear))
        self._ring()

    def hang_up(self) -> None:
        """The sockets are monitored no more: `wait` tells what is left, then None."""
        self._over = True
        self._ring()

    def wait(self, seconds: float | None) -> list[tuple[Move, Connection]] | None:
        """What happened, within so many seconds; None at the end, once for all."""
        if (bell := self._bell) is None or (self._over and not self._ears and self._new.empty()):
            self._bell = None  # its descriptors go with it, whoever still knows of this one
            return None
        self._poller.poll(milliseconds(seconds))
        bell.hush()
        while not self._new.empty():
            number, ear = self._new.get()
            self._ears[ear] = number
            self._poller.register(ear, zmq.POLLIN)
        moves: list[tuple[Move, Connection]] = []
        for ear, number in list(self._ears.items()):
            while (frames := take(ear)) is not None:
                event, value = struct.unpack("=Hi", frames[0])
                moves.append((_MOVES[event], Connection(number, value)))
                if event == zmq.EVENT_MONITOR_STOPPED:
                    self._poller.unregister(ear)
                    del self._ears[ear]
                    ear.close(linger=0)
                    break
        return moves

    def _ring(self) -> None:
        if (bell := self._bell) is not None:
            bell.ring()
