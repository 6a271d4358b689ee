"""Keeps the connections at a gate within bounds, whoever opens them; a thread of its own hears of each."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic

from understudy.router.capacity import opened_descriptors
from understudy.router.door import RESERVE, SHARE
from understudy.router.entrants import Entrants
from understudy.wire.sockets.curve import HANDSHAKE_SECONDS
from understudy.wire.sockets.ears import Connection, Ears, Move

_PROOF = 266
"""Bytes of ZMTP's greeting (64) and CURVE's HELLO (202): who sent these and is still there knows the system's key."""
_RECEIVED = struct.Struct("=Q")
_RECEIVED_AT = 128  # tcpi_bytes_received in Linux's struct tcp_info
_TCP_INFO_BYTES = 256

_COUNT = 0.1
"""Seconds between two counts of the descriptors."""


class Warden:
    """Cuts off who is too much; ``turned_away`` is told of each, ``tell`` of an error, both in the warden's thread."""

    def __init__(
        self,
        name: str,
        ears: Ears,
        ports: frozenset[int],
        turned_away: Callable[[str], None],
        tell: Callable[[BaseException], None],
    ) -> None:
        self._ears, self._ports, self._turned_away, self._tell = ears, ports, turned_away, tell
        self._entrants: Entrants[Connection] = Entrants()
        self._ill = False
        self._others, self._counted = 0, -_COUNT
        """Descriptors besides those of entrants, and when they were counted."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to hear."""
        self._thread.start()

    def join(self) -> None:
        """After the ears were hung up."""
        self._thread.join()

    def _run(self) -> None:
        while (moves := self._ears.wait(None)) is not None:
            try:
                self._hear(moves)
            except Exception as error:  # noqa: BLE001 - told in full; who heard no more would hold up libzmq's thread
                self._ill = True
                self._tell(error)

    def _hear(self, moves: list[tuple[Move, Connection]]) -> None:
        now, entrants = monotonic(), self._entrants
        for move, which in moves:
            if move is Move.CAME and self._ill:
                self._cut_off(which)
            elif move is Move.CAME:
                entrants.came(which, now)
            elif move is Move.LEFT:
                entrants.left(which)
            elif move is Move.ALL_LEFT:
                number = which.socket
                entrants.all_left(lambda one: one.socket == number)  # noqa: B023 - called at once
            else:
                self._turned_away("somebody who did not prove a key in time, or at all,")
        for one in entrants.surplus(self._has_proved, self._most(now)):
            self._cut_off(one)
            self._turned_away("a connection beyond those that there may be")

    def _most(self, now: float) -> int:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if now - self._counted >= _COUNT:  # which takes longer the more there are
            opened = opened_descriptors()
            self._others = 0 if opened is None else max(0, opened - len(self._entrants))
            self._counted = now
        return min(limit // SHARE, limit - RESERVE - self._others)

    def _has_proved(self, which: Connection, since: float) -> bool:
        with contextlib.suppress(OSError), _held(which.descriptor) as held:
            told = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            if len(told) >= _RECEIVED_AT + _RECEIVED.size:
                return bool(_RECEIVED.unpack_from(told, _RECEIVED_AT)[0] >= _PROOF)
        return monotonic() - since > HANDSHAKE_SECONDS

    def _cut_off(self, which: Connection) -> None:
        # It may have gone meanwhile, and its number may be somebody else's.
        with contextlib.suppress(OSError), _held(which.descriptor) as held:
            if held.family in {socket.AF_INET, socket.AF_INET6} and held.getsockname()[1] in self._ports:
                held.shutdown(socket.SHUT_RDWR)


def _held(descriptor: int) -> socket.socket:
    """The socket of a descriptor, whatever becomes of that number; raises OSError where it is none."""
    own = os.dup(descriptor)
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise
