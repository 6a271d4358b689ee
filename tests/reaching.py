"""How a program of somebody else's making finds the sockets of a system: as docs/protocol.md says, by its own code."""

from __future__ import annotations

import hashlib
import os
import socket as network
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils import z85

is_tcp = os.environ.get("UNDERSTUDY_TRANSPORT") == "tcp"
"""Whether the systems of this run are on the loopback."""
ipc_only = pytest.mark.skipif(is_tcp, reason="this is about sockets that are files: UNDERSTUDY_TRANSPORT is tcp")


def pair_of(directory: str, name: str) -> tuple[bytes, bytes]:
    """The public and the secret key of the socket of that name."""
    public, secret = Path(directory, "keys").read_bytes().split()
    if not name.startswith("m"):
        return public, secret
    made = hashlib.blake2b(name.encode(), digest_size=32, key=z85.decode(secret), person=b"mailbox").digest()
    return zmq.curve_public(z85.encode(made)), z85.encode(made)


def connect(socket: Any, endpoint: str, name: str) -> None:
    """Connect to the socket of that name of the system at that endpoint, as one who can read its directory."""
    directory = endpoint.removeprefix("ipc://")
    if not os.path.exists(f"{directory}/keys"):
        socket.connect(f"{endpoint}/{name}")
        return
    socket.curve_publickey, socket.curve_secretkey = pair_of(directory, "")
    socket.curve_serverkey, _ = pair_of(directory, name)
    socket.connect(Path(directory, name).read_text(encoding="ascii").strip())


def open_line(endpoint: str, name: str) -> network.socket:
    """A plain connection to the socket of that name, which waits its turn."""
    path = Path(endpoint.removeprefix("ipc://"), name)
    is_path = path.is_socket()
    line = network.socket(network.AF_UNIX if is_path else network.AF_INET)
    line.connect(str(path) if is_path else ("127.0.0.1", int(path.read_text(encoding="ascii").rpartition(":")[2])))
    return line


def bind(socket: Any, endpoint: str, name: str) -> None:
    """Take the place of the socket of that name."""
    directory = endpoint.removeprefix("ipc://")
    if not os.path.exists(f"{directory}/keys"):
        socket.bind(f"{endpoint}/{name}")
        return
    address = Path(directory, name).read_text(encoding="ascii").strip()
    with network.socket() as listener:
        listener.setsockopt(network.SOL_SOCKET, network.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        listener.listen()
        listener.settimeout(0)
        socket.curve_server, (_, socket.curve_secretkey) = True, pair_of(directory, name)
        socket.use_fd = listener.detach()
    socket.bind(address)
