"""What a program says by `sd_notify`, and who may say it for it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

_LONGEST = 1 << 16
_MOST_STATUS = 200
"""Characters of a status that are told: it is a line for people."""
_CREDENTIALS = struct.Struct("3i")


class Notices:
    """Those of one program: whether it has said that it is ready, and its last status."""

    def __init__(self, ours: socket.socket, pid: int) -> None:
        self._ours, self._pid = ours, pid
        self.ready = False
        self.status = ""

    def fileno(self) -> int:
        """Readable when it has said something."""
        return self._ours.fileno()

    def close(self) -> None:
        """Nobody listens any more."""
        self._ours.close()

    def read(self) -> None:
        """Take what it has said since."""
        while (said := self._next()) is not None:
            for line in said.decode(errors="replace").splitlines():
                name, _, value = line.partition("=")
                self.ready = self.ready or line == "READY=1"
                self.status = value[:_MOST_STATUS] if name == "STATUS" else self.status

    def _next(self) -> bytes | None:
        """One word, b"" if it was of somebody else; None where none waits."""
        try:
            data, ancillary, _, _ = self._ours.recvmsg(
                _LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return None
        for level, kind, credentials in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return data if _CREDENTIALS.unpack(credentials)[1] in self._trusted() else b""
        return b""

    def _trusted(self) -> set[int]:
        """Who may speak for it: whoever it runs as, and who may be anybody."""
        users = {0, os.geteuid()}
        with contextlib.suppress(OSError):
            users.add(os.stat(f"/proc/{self._pid}").st_uid)
        return users
