"""Sockets that a network can reach: CURVE encrypts and proves who holds which key, ZAP says who may come in.

Whatever speaks TCP is set here, on loopback too: nothing of it is in the clear, and nobody comes in unasked.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq
from zmq.utils import z85

from understudy.wire.bell import Bell

HANDSHAKE_SECONDS = 3.0
"""Who has not proved its key by then is cut off."""
BEAT_SECONDS, SILENCE_SECONDS = 2.0, 6.0
"""A silent peer is asked so often whether it is there, and cut off after so long without a word of it."""
BACKLOG = 1_024
_CONNECT_SECONDS = 5.0
_AGAIN_MS, _AGAIN_MOST_MS = 100, 5_000
"""How soon, and at most how late, a peer that is gone is looked for again."""
_MECHANISM = b"CURVE"
_KEY_BYTES = 32
_ZAP = "inproc://zeromq.zap.01"
MAPPED = "::ffff:"
"""Before an IPv4 address, on a socket that takes IPv6 as well."""
_PARTS = 7
"""Of a question: version, number, domain, address, identity, mechanism, key."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A public key and its secret half, as Z85: 40 characters each."""

    public: str
    secret: str = field(repr=False)


def new_pair() -> Pair:
    """A fresh one."""
    public, secret = zmq.curve_keypair()
    return Pair(public.decode(), secret.decode())


def is_key(text: object) -> bool:
    """Whether that is a key as Z85."""
    try:
        return isinstance(text, str) and len(z85.decode(text)) == _KEY_BYTES
    except (LookupError, ValueError, struct.error):  # the last where five characters make more than four bytes
        return False


def is_pair(pair: Pair) -> bool:
    """Whether the halves, two keys as Z85, belong to each other."""
    public: bytes = zmq.curve_public(pair.secret.encode())
    return public.decode() == pair.public


def serve(socket: Any, pair: Pair, domain: str) -> None:
    """Before it binds: only who proves a key that `Zap` admits to that domain comes in."""
    _set_common(socket)
    socket.set(zmq.BACKLOG, BACKLOG)
    require(socket, pair, domain)


def require(socket: Any, pair: Pair, domain: str) -> None:
    """Of `serve`, what concerns the keys alone."""
    socket.set(zmq.CURVE_SERVER, 1)
    socket.set(zmq.CURVE_SECRETKEY, pair.secret.encode())
    socket.set(zmq.ZAP_DOMAIN, domain.encode())
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without an answer of ZAP nobody comes in, not everybody


def approach(socket: Any, pair: Pair, server: str) -> None:
    """Before it connects: speak to the holder of that server's key, as the holder of this pair."""
    _set_common(socket)
    socket.set(zmq.CONNECT_TIMEOUT, int(_CONNECT_SECONDS * 1000))
    socket.set(zmq.RECONNECT_IVL, _AGAIN_MS)
    socket.set(zmq.RECONNECT_IVL_MAX, _AGAIN_MOST_MS)
    prove(socket, pair, server)


def prove(socket: Any, pair: Pair, server: str) -> None:
    """Of `approach`, what concerns the keys alone; for the connection that is made next."""
    socket.set(zmq.CURVE_PUBLICKEY, pair.public.encode())
    socket.set(zmq.CURVE_SECRETKEY, pair.secret.encode())
    socket.set(zmq.CURVE_SERVERKEY, server.encode())


def _set_common(socket: Any) -> None:
    socket.set(zmq.IPV6, 1)
    socket.set(zmq.HANDSHAKE_IVL, int(HANDSHAKE_SECONDS * 1000))
    # TCP alone notices a dead line after minutes, and tries a mended one again the later, the longer it was dead.
    socket.set(zmq.HEARTBEAT_IVL, int(BEAT_SECONDS * 1000))
    socket.set(zmq.HEARTBEAT_TIMEOUT, int(SILENCE_SECONDS * 1000))
    socket.set(zmq.HEARTBEAT_TTL, int(SILENCE_SECONDS * 1000))


class Zap:
    """Answers who may come in, for all sockets of one context; a thread of its own, for handshakes wait for it.

    ``admit(domain, public key, address)`` is called there and gives the name under which the peer is known from then on
    (its messages bear it as `User-Id`), or None. What it raises is told by ``tell``, which must not raise, and lets
    nobody in. To be made before the sockets that it guards bind, and closed after they have; one of a context.
    """

    def __init__(
        self,
        context: Any,
        name: str,
        admit: Callable[[str, str, str], str | None],
        tell: Callable[[BaseException], None],
    ) -> None:
        self._admit, self._tell = admit, tell
        self._bell: Bell | None = Bell()
        self._socket = context.socket(zmq.ROUTER)
        try:
            self._socket.set(zmq.LINGER, 0)
            self._socket.bind(_ZAP)
        except BaseException:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(self._bell.read,), name=name, daemon=True)
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Whether it answers; where it does not, nobody comes in."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Answer nobody any more."""
        if self._bell is not None:
            self._bell.ring()
            self._thread.join()
            self._bell = None  # closed here, whoever still knows of this one

    def _run(self, end: int) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(end, zmq.POLLIN)
        try:
            while end not in {source for source, _ in poller.poll()}:
                self._answer(self._socket.recv_multipart())
        finally:
            self._socket.close()

    def _answer(self, frames: list[bytes]) -> None:
        head = frames.index(b"") + 1 if b"" in frames else 0
        question = frames[head:]
        if not head or len(question) < _PARTS - 1:
            return  # none of libzmq's
        version, number, domain, address, _, mechanism, *keys = question
        user: bytes | None = None
        if mechanism == _MECHANISM and len(keys) == 1 and len(keys[0]) == _KEY_BYTES:
            try:
                shown = address.decode().removeprefix(MAPPED)
                name = self._admit(domain.decode(), z85.encode(keys[0]).decode(), shown)
                user = None if name is None else name.encode()
            except Exception as error:  # noqa: BLE001 - told; a handler that ended would let nobody in any more
                self._tell(error)
        word = (b"400", b"denied", b"") if user is None else (b"200", b"welcome", user)
        self._socket.send_multipart([*frames[:head], version, number, *word, b""])
