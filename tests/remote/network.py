"""Two hosts with a line between them: network namespaces and a pair of veth, where the machine lets us have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

HERE, THERE = "10.77.0.1", "10.77.0.2"
_LINES = ("eth-here", "eth-there")


class Unavailable(Exception):
    """The machine has none of it, and why."""


class Network:
    """``here`` is the host of the system, ``there`` that of its clients; for a `with` block."""

    def __init__(self) -> None:
        self.here, self.there = f"us-here-{os.getpid()}", f"us-there-{os.getpid()}"

    def on(self, host: str, *words: object) -> list[str]:
        """The words of a command that runs on a host."""
        return [_ip(), "netns", "exec", host, *map(str, words)]

    def cut(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        self._do("-n", self.there, "link", "set", _LINES[1], "down")

    def mend(self) -> None:
        self._do("-n", self.there, "link", "set", _LINES[1], "up")

    def degrade(self, *how: str) -> None:
        """By netem, both ways. Raises Unavailable."""
        for host, line in zip((self.here, self.there), _LINES, strict=True):
            words = self.on(host, "tc", "qdisc", "add", "dev", line, "root", "netem", *how)
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"this kernel has no netem: {done.stderr.strip()}")

    def __enter__(self) -> Self:
        try:
            for host in (self.here, self.there):
                self._do("netns", "add", host)
                self._do("-n", host, "link", "set", "lo", "up")
            self._do("-n", self.here, "link", "add", _LINES[0], "type", "veth", "peer", "name", _LINES[1])
            self._do("-n", self.here, "link", "set", _LINES[1], "netns", self.there)
            for host, line, address in ((self.here, _LINES[0], HERE), (self.there, _LINES[1], THERE)):
                self._do("-n", host, "addr", "add", f"{address}/24", "dev", line)
                self._do("-n", host, "link", "set", line, "up")
        except Unavailable:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in (self.here, self.there):
            subprocess.run([_ip(), "netns", "del", host], capture_output=True, check=False)

    def _do(self, *words: str) -> None:
        done = subprocess.run([_ip(), *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _ip() -> str:
    found = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
    if found is None:
        raise Unavailable("there is no `ip` here (on Debian: apt install iproute2)")
    return found
