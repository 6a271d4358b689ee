"""Writes whatever passes a network interface into a file, until it is ended; says `ready` when it begins."""

from __future__ import annotations

import socket
import sys

ALL = 0x0003


def main(interface: str, path: str) -> None:
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL)) as ear,
        open(path, "wb", buffering=0) as file,
    ):
        ear.bind((interface, 0))
        print("ready", flush=True)
        while True:
            file.write(ear.recv(1 << 16))


if __name__ == "__main__":
    main(*sys.argv[1:])
