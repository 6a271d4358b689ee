"""What all sockets share: addresses, limits, and how one message is taken."""

from __future__ import annotations

from typing import Any

import zmq

MAX_CONTROL = 1 << 20
"""Bytes of one frame on the control socket."""
MAX_SUBSCRIPTION = 8 << 10
"""Bytes of what a subscriber may send: libzmq keeps topics by their bytes."""
MAX_REPLY = 64 * MAX_CONTROL
"""Bytes of one reply that a client takes."""
STATUS_HWM = 10_000
LONG = 65536
"""Bytes from which a frame stays where it is: it is neither copied when it is sent nor when it arrives."""
LONGEST_POLL = 86_400.0
"""Seconds; what zmq polls for is an int of milliseconds."""

Frames = list[Any]


def topic(system: str, uid: int, incarnation: int) -> bytes:
    """The topic of one incarnation's orders; the bar ends each part, so that no topic is a prefix of another."""
    return f"{system}|{uid}|{incarnation}|".encode()


def milliseconds(seconds: float | None) -> int | None:
    """For a poll; rounded up, for waking a hair early would spin until the deadline."""
    return None if seconds is None else max(0, int(min(seconds, LONGEST_POLL) * 1000 + 0.999))


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
        frames.append(frame.buffer if len(frame) > LONG else frame.bytes)
    return frames
