"""The way out: exit handlers, threads that the user left, the last words. The router's exit grace bounds it."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import traceback

from understudy import failpoints
from understudy.engine.hooks import Loop
from understudy.engine.link import Link
from understudy.engine.outbox import Outbox
from understudy.engine.serving import Serving
from understudy.wire.messages import Bye
from understudy.wire.page import Page, Phase
from understudy.wire.sockets import Line

_FLUSH_MS = 200


def leave(
    page: Page, line: Line, link: Link, outbox: Outbox, loop: Loop, serving: Serving | None, incarnation: int
) -> None:
    """Do what an interpreter does at its end; then the caller may `os._exit`."""
    page.phase = Phase.LEAVING
    failpoints.hit("child.exit", incarnation)
    loop.rest()
    lingering = [
        thread.name
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread() and thread.is_alive()
    ]
    said = outbox.say_nowait(Bye(lingering)) if lingering else False
    try:
        if serving is not None:
            serving.close()
        loop.close()
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - waits for non-daemon threads
        atexit._run_exitfuncs()  # noqa: SLF001
    except BaseException:  # noqa: BLE001 - the user's exit handlers may raise anything; the interpreter prints it too
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    mailed = link.office.in_use
    link.office.close()
    if said or mailed or outbox.unconfirmed:
        link.close()
        line.flush(_FLUSH_MS)
