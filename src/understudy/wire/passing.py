"""Descriptors that come with a message over a socket."""

from __future__ import annotations

import array
import socket


def received(end: socket.socket, size: int, most: int) -> tuple[bytes, list[int], int]:
    """A message, the descriptors that came with it, and the flags of `recvmsg`, whose errors it raises.

    The descriptors pass to no program that anybody begins; `socket.recv_fds` leaves them open to all.
    """
    fds = array.array("i")
    room = socket.CMSG_LEN(most * fds.itemsize)
    data, ancillary, flags, _ = end.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, held in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(held[: len(held) - len(held) % fds.itemsize])
    return data, list(fds), flags
