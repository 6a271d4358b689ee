"""The stacks of all threads of this process, told by itself to whoever asks.

The link's thread tells them while it holds the interpreter's lock: no frame can move under the eyes of who reads it.
The fault handler, which a signal calls in whatever state the process is, has no such lock, and may end a process whose
threads run; it is for the held.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from contextlib import suppress

from understudy.wire.page import DUMP_SIZE, FAULT_AT, Page, anonymous_file
from understudy.wire.stacktext import cut, ordered

_LONGEST = 4 << 20
_NAME = "understudy's link"


class Stacks:
    """The dumps of one incarnation; all calls are the link's thread's."""

    def __init__(self, page: Page, fd: int) -> None:
        self._page, self._fd = page, fd
        self._forced = 0
        self._clearings = 0

    def serve(self) -> None:
        """Tell the stacks if they are asked for.

        The first thing that the thread does when it is woken: each system call costs a turn of all busy threads.
        """
        wanted = self._page.wanted
        if wanted is not None:
            try:
                text = _dump()
            except OSError as error:  # no descriptor is left to write them to
                text = f"(the stacks cannot be told: {error})"
            self._page.tell_dump(wanted, cut(text.encode("utf-8", "replace"), DUMP_SIZE))

    def tidy(self) -> None:
        """Whoever had the fault handler write has read it by now: make room, and leave nothing for a later report."""
        if self._page.forced != self._forced:
            self._forced = self._page.forced
            self._clearings = 2  # it may be writing at this moment
        if self._clearings:
            self._clearings -= 1
            self._page.clear_fault()
            # A user who closed all descriptors may have another file there by now.
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{self._fd}").startswith("/memfd:understudy-page"):
                    os.lseek(self._fd, FAULT_AT, os.SEEK_SET)


def _dump() -> str:
    fd = anonymous_file("understudy-stacks")
    try:
        faulthandler.dump_traceback(fd, all_threads=True)
        text = os.pread(fd, _LONGEST, 0).decode("utf-8", "replace")
    finally:
        os.close(fd)
    # Their attribute, not the property, and only plain text: a thread's class, and what names it, may be the user's.
    known = ((ident, getattr(thread, "_name", None)) for ident, thread in dict(threading._active).items())  # type: ignore[attr-defined]  # noqa: SLF001
    names = {ident: name for ident, name in known if type(name) is str}
    link = threading.get_ident()
    return ordered(text, threading.main_thread().ident, {**names, link: _NAME}, {link})
