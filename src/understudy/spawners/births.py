"""In the zygote: how a fork becomes an actor, and the one that is forked ahead and stands by."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from understudy import failpoints
from understudy.spawners import execution, signals
from understudy.spawners.base import Engine
from understudy.wire.codec import pack, unpack
from understudy.wire.passing import received

MAX_MESSAGE = 1 << 16
FDS = {"fork": 2, "exec": 3}
"""Descriptors of a request: the page, the birth and, for a program, where its process tells how it comes to that."""
_PIDFD = hasattr(os, "pidfd_open")


@dataclass(slots=True)
class Births:
    """Forks actors; ``channel`` leads to the parent, ``engine`` is what a child runs."""

    channel: socket.socket
    directory: str
    engine: Engine
    mine: Iterable[int] = ()
    """Descriptors of the zygote's that no child needs."""
    prompted: set[int] = field(default_factory=set)
    """Those of our children that stood by before they got their parts."""
    _standby: tuple[int, socket.socket] | None = None
    """A child that is ready for a part, and where to give it one."""

    @property
    def standby(self) -> int | None:
        """The one that stands by."""
        return None if self._standby is None else self._standby[0]

    def at(self, channel: socket.socket) -> Births:
        """The same for another zygote, at a channel of its own."""
        return Births(channel, self.directory, self.engine)

    def fork(self, uid: int, incarnation: int, fds: list[int]) -> int:
        """The process that is this incarnation from now on; raises OSError if none can be had."""
        pid = self._cast(uid, incarnation, fds) or os.fork()
        if pid == 0:
            play(lambda: self._become(uid, incarnation, fds))
        return pid

    def execute(self, uid: int, incarnation: int, fds: list[int]) -> int:
        """The process that becomes the program of this incarnation; raises OSError if none can be had."""
        pid = os.fork()
        if pid == 0:
            play(lambda: self._execute(uid, incarnation, fds))
        return pid

    def call_standby(self) -> None:
        """Fork ahead: the next actor, or the one that takes over, is spared most of its start."""
        if self._standby is not None or failpoints.armed():
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            ours.close()  # the next request forks, or says why not
        else:
            if pid == 0:
                ours.close()
                play(lambda: self._stand_by(theirs))
            self._standby = (pid, ours)
        finally:
            theirs.close()

    def dismiss(self) -> None:
        """Let go of the one that stands by: it ends."""
        if self._standby is not None:
            self._standby[1].close()
            self._standby = None

    def tell(self, message: list[Any], fd: int | None = None) -> bool:
        """Say something to the parent, if it listens; the loop finds out by itself that it is gone."""
        try:
            if fd is None:
                self.channel.send(pack(message))
            else:
                socket.send_fds(self.channel, [pack(message)], [fd])
                os.close(fd)
        except ConnectionError:
            return False
        return True

    def tell_self(self, message: list[Any]) -> bool:
        """The same, with this process's pidfd."""
        return self.tell([*message, os.getpid()], os.pidfd_open(os.getpid()) if _PIDFD else None)

    def _cast(self, uid: int, incarnation: int, fds: list[int]) -> int | None:
        """Give the part to the one that stands by; None if there is none."""
        if self._standby is None:
            return None
        (pid, prompter), self._standby = self._standby, None
        with prompter:
            try:
                socket.send_fds(prompter, [pack([uid, incarnation])], fds)
            except OSError:
                return None  # it died while it waited
        self.prompted.add(pid)
        return pid

    def _stand_by(self, prompter: socket.socket) -> int:
        """In the child: be ready, and wait for a part; the end of the zygote ends the wait."""
        self._shed()
        wings = self.engine.enter_wings(self.directory)
        if wings is not None and not select.select([prompter], [], [], 0)[0]:
            self.engine.play_through()
        data, fds = b"", list[int]()
        if wings is not None:
            data, fds, _ = received(prompter, MAX_MESSAGE, FDS["fork"])
        prompter.close()
        if not data:
            return 0
        signal.sigtimedwait({signal.SIGTERM}, 0)  # one that came before was for nobody
        self._announce(*unpack(data, MAX_MESSAGE))
        return self.engine.live(fds[0], fds[1], wings)

    def _become(self, uid: int, incarnation: int, fds: list[int]) -> int:
        """In the child: tell that we are, then be the actor."""
        self._announce(uid, incarnation)
        self._shed()
        return self.engine.live(fds[0], fds[1])

    def _execute(self, uid: int, incarnation: int, fds: list[int]) -> int:
        """In the child: tell that we are, then become the program."""
        self._announce(uid, incarnation)
        self._shed()
        return execution.become(*fds)

    def _announce(self, uid: int, incarnation: int) -> None:
        """The child itself tells, and then closes: once every end of the channel is closed, nobody is untold."""
        failpoints.hit("child.born", incarnation)
        self.tell_self(["born", uid, incarnation])
        self.channel.close()

    def _shed(self) -> None:
        """In the child: let go of what is the zygote's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGHUP):  # not ours to change for the user's code, nor what it starts
            signals.handle(number, signals.DEFAULT)
        for fd in self.mine:
            os.close(fd)
        self.dismiss()
        gc.enable()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()


def play(part: Callable[[], int]) -> NoReturn:
    """In a fork: do this and end; nothing of the zygote's own comes after."""
    code = 70
    try:
        code = part()
    except BaseException:  # noqa: BLE001 - the last stop before the process ends
        traceback.print_exc()
    finally:
        os._exit(code)
