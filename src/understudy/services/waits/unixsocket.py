"""A Unix socket, by a connection to it."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from understudy.errors import ConfigError
from understudy.services.waits import owners, values
from understudy.settings import shown
from understudy.waiting import Answer, NotYet, Pace, Probe, Subject

LONGEST = 107
"""Bytes of a socket's path; the kernel keeps 108, the last of which ends it."""
_KINDS = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM)


@dataclass(frozen=True, slots=True, repr=False)
class UnixSocket(values.Value):
    """Holds once a connection to the Unix socket of that path comes about; it is closed again at once.

    A stream is tried, then packets, then datagrams. A path that begins with a NUL is an abstract one. It must be the
    subject's own processes that listen: HeldByStranger names who does instead, at once; a socket that was left behind,
    and at which nobody listens, is waited past. ``timeout`` is in seconds, None for no bound. Raises ConfigError for
    what is no path, or is longer than the 107 bytes that the kernel takes.
    """

    path: str | os.PathLike[str]
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        given = self.path
        if isinstance(given, str) and given.startswith("\0"):
            path = "\0" + values.path("UnixSocket.path", given[1:])
        else:
            path = values.path("UnixSocket.path", given)
        if len(os.fsencode(path)) > LONGEST:
            raise ConfigError(f"UnixSocket.path must be at most {LONGEST} bytes long; got {shown(path)}")
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "timeout", values.seconds("UnixSocket.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Connect when it is first looked at."""
        return _Knocking(os.fspath(self.path), subject)


class _Knocking:
    def __init__(self, path: str, subject: Subject) -> None:
        self._path = path
        self._shown = path.replace("\0", "@", 1)
        # Of abstract names the kernel keeps those of each kind apart.
        self._of_another_kind = {errno.EPROTOTYPE, *([errno.ECONNREFUSED] if path.startswith("\0") else [])}
        self._subject = subject
        self._judge = owners.Judge(subject.name)
        self._pace = Pace()

    def look(self, now: float) -> Answer:
        why: OSError | None = None
        for kind in _KINDS:
            try:
                with _connected(self._path, kind) as sock:
                    finding = owners.of_socket(self._path, sock, self._subject)
            except OSError as error:
                why = error
                if error.errno in self._of_another_kind:
                    continue
                break
            return self._judge.weigh(finding, f"the socket {self._shown}", f"connected to {self._shown}")
        self._judge.forget()
        full = isinstance(why, BlockingIOError)
        told = "it takes no more connections" if full else why and why.strerror
        return NotYet(f"{self._shown}: {told}", within=self._pace.next(now), cause=why)

    def close(self) -> None:
        pass


def _connected(path: str, kind: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
