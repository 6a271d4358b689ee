"""The zygote: a warm, single-threaded process that forks actors, reaps them, and cleans up after a killed parent."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from understudy import failpoints
from understudy.spawners import family, signals
from understudy.spawners.base import ENGINE, REHEARSAL, WINGS
from understudy.wire.codec import pack, unpack

MAX_MESSAGE = 1 << 16
_SWEEP_AFTER, _SWEEP_BY = 0.2, 1.0
_FDS = 2  # the page and the birth
_STANDBY_AFTER = 0.02
_PR_SET_CHILD_SUBREAPER = 36


def main(channel_fd: int, parent: int) -> NoReturn:
    """Run the zygote at the other end of ``channel_fd`` until the parent closes it or dies."""
    channel = socket.socket(fileno=channel_fd)
    settings = unpack(channel.recv(MAX_MESSAGE), MAX_MESSAGE)
    nursery = Nursery(channel, parent, settings["system"], settings["directory"], settings["preload"])
    nursery.run()
    # No interpreter teardown: there is nothing to save, and forks share what it would touch.
    os._exit(0)


@dataclass(slots=True)
class Nursery:
    """The zygote's loop."""

    channel: socket.socket
    parent: int
    system: str
    directory: str
    preload: list[str]
    engine: Any = None
    wings: Any = None
    _standby: tuple[int, socket.socket] | None = None
    """A child that is ready for a part, and where to give it one."""
    _standby_at: float | None = None
    _prompted: set[int] = field(default_factory=set)
    """Those of our children that stood by before they got their parts."""
    _children: dict[int, tuple[int, int]] = field(default_factory=dict)
    _departed: list[family.Departed] = field(default_factory=list)
    _strangers: list[family.Departed] = field(default_factory=list)
    """Departed children of a zygote before this one: what they left did not land here."""
    _sweep_at: float | None = None
    _sweep_by: float = 0.0
    _wake: tuple[int, int] = (-1, -1)
    _parent_fd: int | None = None

    def run(self) -> None:
        """Serve until there is nobody to serve."""
        self._prepare()
        refusal = self._preload()
        if refusal is not None:
            self._tell(["refused", refusal])
            return
        self._warm()
        self._tell(["hello", os.getpid()])
        self._standby_at = time.monotonic() + _STANDBY_AFTER
        poller = select.poll()
        for fd in (self.channel.fileno(), self._wake[0], self._parent_fd):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(self._patience())}
            if self._wake[0] in ready:
                self._drain_wake()
                self._reap()
            if self._parent_fd in ready:
                self._last_will()
                return
            if self.channel.fileno() in ready and not self._serve():
                self._last_will()
                return
            self._tend(time.monotonic())

    def _tend(self, now: float) -> None:
        """What waits for a quiet moment."""
        if self._sweep_at is not None and now >= self._sweep_at:
            self._sweep()
        if self._standby_at is not None and now >= self._standby_at:
            self._call_standby()

    def _prepare(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        with contextlib.suppress(OSError, AttributeError):
            self._parent_fd = os.pidfd_open(self.parent)
        module, _, name = ENGINE.partition(":")
        engine = importlib.import_module(module)
        self.engine = getattr(engine, name)
        self.wings = getattr(engine, WINGS)
        getattr(engine, REHEARSAL)()

    def _preload(self) -> str | None:
        """Import what was asked for; says why not, if a module cannot be had or would make forks unsafe."""
        for name in self.preload:
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - a module may raise anything, or exit
                return f"{name} cannot be imported: {type(error).__name__}: {error}"
            others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
            if others:
                return f"{name} starts a Python thread ({', '.join(others)}), which a fork would lose"
        return None

    def _warm(self) -> None:
        gc.disable()
        gc.collect()
        gc.freeze()  # collections in the children leave the shared pages alone

    def _patience(self) -> int | None:
        due = min((at for at in (self._sweep_at, self._standby_at) if at is not None), default=None)
        return None if due is None else max(0, int((due - time.monotonic()) * 1000) + 1)

    def _serve(self) -> bool:
        try:
            data, fds, flags, _ = socket.recv_fds(self.channel, MAX_MESSAGE, 4)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        verb, *rest = unpack(data, MAX_MESSAGE)
        if verb == "fork":
            if self._sweep_at is not None:
                self._sweep_at = min(self._sweep_by, time.monotonic() + _SWEEP_AFTER)
            self._learn(rest[2])
            self._fork(rest[0], rest[1], fds, truncated=bool(flags & socket.MSG_CTRUNC))
        elif verb == "sweep":
            self._depart(family.Departed(rest[0], self.system, rest[1], rest[2]), self._strangers)
        return True

    def _learn(self, modules: list[str]) -> None:
        """Modules of the standard library that start nothing, for this child and those after it."""
        for name in modules:
            if name not in sys.modules:
                importlib.import_module(name)
                self._warm()
                self._dismiss()

    def _fork(self, uid: int, incarnation: int, fds: list[int], *, truncated: bool) -> None:
        try:
            if truncated or len(fds) != _FDS:
                raise OSError(24, "no descriptors left in the zygote")
            failpoints.hit("zygote.fork", incarnation)
            pid = self._cast(uid, incarnation, fds) or os.fork()
        except (OSError, RuntimeError) as error:
            self._tell(["failed", uid, incarnation, f"{type(error).__name__}: {error}"])
        else:
            if pid == 0:
                self._become(uid, incarnation, fds)
            self._children[pid] = (uid, incarnation)
        finally:
            for fd in fds:
                os.close(fd)
            self._standby_at = time.monotonic() + _STANDBY_AFTER

    def _call_standby(self) -> None:
        """Fork ahead: the next actor, or the one that takes over, is spared most of its start."""
        self._standby_at = None
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
                self._stand_by(theirs)
            self._standby = (pid, ours)
        finally:
            theirs.close()

    def _dismiss(self) -> None:
        """The one that stands by does not know what we have learned since."""
        if self._standby is not None:
            self._standby[1].close()
            self._standby = None

    def _stand_by(self, prompter: socket.socket) -> NoReturn:
        """In the child: be ready, and wait for a part; the end of the zygote ends the wait."""

        def play() -> int:
            self._shed()
            wings = self.wings(self.directory)
            data, fds, _, _ = socket.recv_fds(prompter, MAX_MESSAGE, _FDS) if wings is not None else (b"", [], 0, None)
            prompter.close()
            if not data:
                return 0
            self._announce(*unpack(data, MAX_MESSAGE))
            return int(self.engine(*fds, wings))

        self._play(play)

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
        self._prompted.add(pid)
        return pid

    def _become(self, uid: int, incarnation: int, fds: list[int]) -> NoReturn:
        """In the child: tell that we are, then be the actor."""

        def play() -> int:
            self._announce(uid, incarnation)
            self._shed()
            return int(self.engine(*fds))

        self._play(play)

    def _announce(self, uid: int, incarnation: int) -> None:
        """The child itself tells, and then closes: once every end of the channel is closed, nobody is untold."""
        failpoints.hit("child.born", incarnation)
        self._tell(["born", uid, incarnation, os.getpid()], os.pidfd_open(os.getpid()) if _PIDFD else None)
        self.channel.close()

    def _shed(self) -> None:
        """In the child: let go of what is the zygote's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGHUP):  # not ours to change for the user's code, nor what it starts
            signal.signal(number, signal.SIG_DFL)
        for fd in (*self._wake, self._parent_fd):
            if fd is not None:
                os.close(fd)
        if self._standby is not None:
            self._standby[1].close()
        gc.enable()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()

    @staticmethod
    def _play(play: Callable[[], int]) -> NoReturn:
        code = 70
        try:
            code = play()
        except BaseException:  # noqa: BLE001 - the last stop before the process ends
            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        failpoints.hit("zygote.report")
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            born = self._children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if born is None:
                if self._standby is not None and self._standby[0] == pid:
                    self._dismiss()
                elif code == -signal.SIGKILL:  # an orphan of an actor, swept
                    self._tell(["swept", [pid]])
                continue
            usage = [used.ru_utime, used.ru_stime, used.ru_maxrss / 1024]
            self._tell(["gone", *born, pid, code, usage, pid in self._prompted])
            self._prompted.discard(pid)
            self._depart(family.Departed(pid, self.system, *born), self._departed)

    def _depart(self, departed: family.Departed, among: list[family.Departed]) -> None:
        # What stayed in its process group goes at once. The rest takes a look at all processes: a little later, so
        # that it delays no fork, and many deaths share it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(departed.pid, signal.SIGKILL)
        among.append(departed)
        if self._sweep_at is None:
            self._sweep_at = time.monotonic() + _SWEEP_AFTER
            self._sweep_by = time.monotonic() + _SWEEP_BY

    def _sweep(self) -> None:
        self._sweep_at = None
        failpoints.hit("zygote.sweep")
        try:
            if self._has_orphans():
                family.sweep(self._departed, reaper=os.getpid())  # told when they are reaped
            swept = family.sweep(self._strangers, reaper=None) if self._strangers else []
        except OSError:  # no descriptor is left to look with
            self._sweep_at = time.monotonic() + _SWEEP_BY
            return
        self._departed.clear()
        self._strangers.clear()
        if swept:
            self._tell(["swept", swept])

    def _has_orphans(self) -> bool:
        """Whether any child is here that we did not fork: the top of all that an actor left lands with us."""
        mine = family.own_children()
        known = {*self._children, *([] if self._standby is None else [self._standby[0]])}
        return mine is None or bool(mine - known)

    def _last_will(self) -> None:
        """The parent is gone, or done with us: nothing that we forked outlives us."""
        family.kill(dict.fromkeys(self._children))
        gone = [*self._departed, *(family.Departed(pid, self.system, *born) for pid, born in self._children.items())]
        for one in family.descendants(family.table(), [os.getpid()]):
            signals.kill_verified(one.pid, one.started, lambda pid: getattr(family.row(pid), "started", None))
        family.sweep(gone, reaper=None)
        family.clear(self.system)  # and those that others have forked for the same parent
        import shutil  # nothing that every fork would have to carry

        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self, message: list[Any], fd: int | None = None) -> None:
        # The parent may be gone; the loop finds that out by itself.
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            if fd is None:
                self.channel.send(pack(message))
            else:
                socket.send_fds(self.channel, [pack(message)], [fd])
                os.close(fd)

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake[0], 4096):
                pass


_PIDFD = hasattr(os, "pidfd_open")


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
