"""What a program says by `sd_notify`, as it is read."""

from __future__ import annotations

import os
import socket

from understudy.waiting.notices import Notices


def test_a_status_is_told_as_far_as_it_is_a_line_for_people():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    notices = Notices(ours, os.getpid())
    with ours, theirs:
        theirs.send(b"STATUS=" + b"x" * 50_000 + b"\nREADY=1")
        notices.read()
    assert (notices.status, notices.ready) == ("x" * 200, True)
