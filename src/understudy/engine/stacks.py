"""The stacks of all threads of this process, told by itself to whoever asks.

The link's thread tells them while it holds the interpreter's lock: no frame can move under the eyes of who reads it.
The fault handler, which a signal calls in whatever state the process is, has no such lock, and may end a process whose
threads run; it is for the held. Nor is it called here: it needs a descriptor, and each system call costs a turn of all
busy threads.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from types import FrameType

from understudy.wire.page import DUMP_SIZE, FAULT_AT, Page
from understudy.wire.stacktext import DEEPEST, Steps, cut, written

_NAME = "understudy's link"


class Stacks:
    """The dumps of one incarnation; all calls are the link's thread's."""

    def __init__(self, page: Page, fd: int) -> None:
        self._page, self._fd = page, fd
        self._forced = 0
        self._clearings = 0

    def serve(self) -> None:
        """Tell the stacks if they are asked for.

        It is called after each step by which the thread may have lost its turn, and costs a look at the page.
        """
        wanted = self._page.wanted
        if wanted is not None:
            self._page.tell_dump(wanted, cut(_dump().encode("utf-8", "replace"), DUMP_SIZE))

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
    """All threads: the main one, the user's others, and this one, which is the link's."""
    stacks = _places()
    # Their attribute, not the property, and only plain text: a thread's class, and what names it, may be the user's.
    known = ((ident, getattr(thread, "_name", None)) for ident, thread in dict(threading._active).items())  # type: ignore[attr-defined]  # noqa: SLF001
    names = {ident: name for ident, name in known if type(name) is str}
    main, link = threading.main_thread().ident, threading.get_ident()
    order = sorted(stacks, key=lambda ident: (ident != main, ident == link))
    return written(stacks, order, {**names, link: _NAME})


def _places() -> dict[int, Steps]:
    """Where each thread stands.

    A frame that is held lives on with what is in it. So nothing here lets go of the lock that a frame could end by.
    """
    places: dict[int, Steps] = {}
    frames = sys._current_frames()  # noqa: SLF001 - what it is there for
    while frames:
        ident, frame = frames.popitem()
        steps: Steps = []
        step: FrameType | None = frame
        while step is not None and len(steps) < DEEPEST:
            steps.append((step.f_code, step.f_lineno))
            step = step.f_back
        places[ident] = steps
    return places
