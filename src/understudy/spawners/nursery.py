"""The zygote: a warm, single-threaded process that forks actors, reaps them, and cleans up after a killed parent.

One that is taught forks an apprentice, which imports what actors were seen to import. If nothing speaks against forks
of that, it takes over, and its teacher goes once the last actor that it forked has ended; the first one stays.
"""

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
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from understudy import failpoints
from understudy.spawners import circumstances, family, packing, signals, trial
from understudy.spawners.base import ENGINE, Engine, from_file
from understudy.spawners.births import FDS, MAX_MESSAGE, Births, play
from understudy.wire.codec import unpack
from understudy.wire.passing import received

_SWEEP_AFTER, _SWEEP_BY = 0.2, 1.0
_STANDBY_AFTER = 0.01
_TOLD = 20
_PR_SET_CHILD_SUBREAPER = 36


def main(channel_fd: int, parent: int, place_fd: int) -> NoReturn:
    """Run the zygote at the other end of ``channel_fd`` until the parent closes it or dies."""
    channel = socket.socket(fileno=channel_fd)
    settings = unpack(channel.recv(MAX_MESSAGE), MAX_MESSAGE)
    place = bytes(from_file(place_fd))
    circumstances.take(place)
    births = Births(channel, settings["directory"], cast("Engine", importlib.import_module(ENGINE)))
    nursery = Nursery(births, parent, settings["system"])
    nursery.prepare()
    if refusal := trial.preload(settings["preload"], lambda name: births.tell(["tries", name])):
        births.tell(["refused", refusal, ""])
    else:
        if not circumstances.stands(place):
            circumstances.forget()
        nursery.run()
    # No interpreter teardown: there is nothing to save, and forks share what it would touch.
    os._exit(0)


@dataclass(slots=True)
class Nursery:
    """The zygote's loop."""

    births: Births
    parent: int
    system: str
    heir: bool = False
    """Whether another one came before it, which looks after all that bears the system's mark."""
    _standby_at: float | None = None
    _children: dict[int, tuple[int, int]] = field(default_factory=dict)
    _programs: set[int] = field(default_factory=set)
    """Those of them that are programs."""
    _kin: set[int] = field(default_factory=set)
    """Zygotes that are children of this one: its apprentices, and theirs once it has adopted them."""
    _retired: bool = False
    _departed: list[family.Departed] = field(default_factory=list)
    _strangers: list[family.Departed] = field(default_factory=list)
    """Departed children of a zygote before this one: what they left did not land here."""
    _sweep_at: float | None = None
    _sweep_by: float = 0.0
    _wake: tuple[int, int] = (-1, -1)
    _parent_fd: int | None = None
    _since: int = 0
    """The tick at which the parent started: what is older is not of its system."""

    def prepare(self) -> None:
        """Become deaf to the terminal, the reaper of all that descends from here, and aware of the parent."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        circumstances.bear("zygote")
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if self._parent_fd is None:
            with contextlib.suppress(OSError, AttributeError):
                self._parent_fd = os.pidfd_open(self.parent)
            with contextlib.suppress(OSError):
                self._since = family.started(self.parent) or 0
        self.births.mine = [fd for fd in (*self._wake, self._parent_fd) if fd is not None]

    def run(self) -> None:
        """Serve until there is nobody to serve."""
        self._warm()
        self.births.tell(["hello"])
        self._standby_at = time.monotonic() + _STANDBY_AFTER
        channel = self.births.channel.fileno()
        poller = select.poll()
        for fd in (channel, self._wake[0], self._parent_fd):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(self._patience())}
            if self._wake[0] in ready:
                self._drain_wake()
                self._reap()
            if self._parent_fd in ready or (channel in ready and not self._serve()):
                self._last_will()
                return
            self._tend(time.monotonic())
            if self._retired and not (self._children or self._departed or self._strangers):
                return

    def _tend(self, now: float) -> None:
        """What waits for a quiet moment."""
        if self._sweep_at is not None and now >= self._sweep_at:
            self._sweep()
        if self._standby_at is not None and now >= self._standby_at:
            self._standby_at = None
            self.births.call_standby()

    def _patience(self) -> int | None:
        due = min((at for at in (self._sweep_at, self._standby_at) if at is not None), default=None)
        return None if due is None else max(0, int((due - time.monotonic()) * 1000) + 1)

    def _serve(self) -> bool:
        try:
            data, fds, flags = received(self.births.channel, MAX_MESSAGE, 4)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        if flags & socket.MSG_CTRUNC:
            while fds:
                os.close(fds.pop())
        self._obey(*unpack(data, MAX_MESSAGE), fds=fds)
        return True

    def _obey(self, verb: str, *rest: Any, fds: list[int]) -> None:
        match verb, rest:
            case "fork" | "exec", [uid, incarnation, modules]:
                if self._sweep_at is not None:
                    self._sweep_at = min(self._sweep_by, time.monotonic() + _SWEEP_AFTER)
                self._warm_up(modules)
                self._fork(verb, uid, incarnation, fds)
            case "signal", [uid, incarnation, number]:
                for pid in [pid for pid, born in self._children.items() if born == (uid, incarnation)]:
                    signals.send_group(pid, number)
            case "sweep", [pid, uid, incarnation]:
                self._depart(family.Departed(pid, self.system, uid, incarnation), self._strangers)
            case "teach", [modules]:
                self._teach(modules, fds)
            case "kin", [pid]:
                self._kin.add(pid)
            case "rest", []:
                self.births.dismiss()
            case "retire", []:
                self.births.dismiss()
                self._standby_at, self._retired = None, True

    def _warm_up(self, modules: list[str]) -> None:
        """Modules of the standard library that start nothing, for this child and those after it."""
        for name in modules:
            if name not in sys.modules:
                importlib.import_module(name)
                self._warm()
                self.births.dismiss()  # it does not know what we have learned since

    def _warm(self) -> None:
        gc.disable()
        gc.collect()
        packing.pack()
        self.births.engine.rehearse()
        gc.freeze()  # collections in the children leave the shared pages alone

    def _fork(self, verb: str, uid: int, incarnation: int, fds: list[int]) -> None:
        try:
            if len(fds) != FDS[verb]:
                raise OSError(24, "no descriptors left in the zygote")
            failpoints.hit("zygote.fork", incarnation)
            if verb == "exec":
                pid = self.births.execute(uid, incarnation, fds)
                self._programs.add(pid)
            else:
                pid = self.births.fork(uid, incarnation, fds)
            self._children[pid] = (uid, incarnation)
        except (OSError, RuntimeError) as error:
            self.births.tell(["failed", uid, incarnation, f"{type(error).__name__}: {error}"])
        finally:
            for fd in fds:
                os.close(fd)
            self._standby_at = time.monotonic() + _STANDBY_AFTER

    def _teach(self, modules: list[str], fds: list[int]) -> None:
        """Fork an apprentice; its channel's end tells the parent if none came to be."""
        if len(fds) == FDS["fork"]:
            with contextlib.suppress(OSError):
                pid = os.fork()
                if pid == 0:
                    play(lambda: self._begin_again(modules, *fds))
                self._kin.add(pid)
        for fd in fds:
            os.close(fd)

    def _begin_again(self, modules: list[str], channel_fd: int, place_fd: int) -> int:
        """In a fork: be a zygote of one's own, if what there is to learn allows that."""
        births = self.births.at(socket.socket(fileno=channel_fd))
        wanted = births.tell_self(["begun"])
        self.births.channel.close()  # nobody may wait for us to hear that our teacher is dead
        self.births.dismiss()
        for fd in self._wake:
            os.close(fd)
        if not wanted:
            return 0
        nursery = Nursery(births, self.parent, self.system, heir=True, _parent_fd=self._parent_fd, _since=self._since)
        nursery.prepare()
        verdict = trial.attempt(modules, bytes(from_file(place_fd)))
        if verdict.reason:
            births.tell(["refused", verdict.reason, verdict.package])
            nursery.end_descendants()
        else:
            nursery.run()
        return 0

    def _reap(self) -> None:
        failpoints.hit("zygote.report")
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            left: list[str] = []
            if ended.si_pid in self._children:
                left = self._left_by(ended.si_pid) if ended.si_pid in self._programs else left
                # What stayed in its process group goes at once, and first: once it is reaped, its number is anybody's.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(ended.si_pid, signal.SIGKILL)
            pid, status, used = os.wait4(ended.si_pid, 0)
            born = self._children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if born is None:
                if self.births.standby == pid:
                    self.births.dismiss()
                elif pid in self._kin:
                    self._kin.discard(pid)
                elif code == -signal.SIGKILL:  # an orphan of an actor, swept
                    self.births.tell(["swept", [pid]])
                continue
            usage = [used.ru_utime, used.ru_stime, used.ru_maxrss / 1024]
            self.births.tell(["gone", *born, pid, code, usage, left, pid in self.births.prompted])
            self.births.prompted.discard(pid)
            self._programs.discard(pid)
            self._depart(family.Departed(pid, self.system, *born), self._departed)

    def _depart(self, departed: family.Departed, among: list[family.Departed]) -> None:
        # This takes a look at all processes: a little later, so that it delays no fork, and many deaths share it.
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
            self.births.tell(["swept", swept])

    def _left_by(self, pid: int) -> list[str]:
        """What a program that has ended has left with us, each by name and number; some of it, if it is much."""
        mark = family.signature(self.system, *self._children[pid])
        strangers = (family.own_children() or set()) - {*self._children, *self._kin, self.births.standby}
        return [family.called(one) for one in sorted(strangers) if family.signed(one) == mark][:_TOLD]

    def _has_orphans(self) -> bool:
        """Whether any child is here that we did not fork: the top of all that an actor left lands with us."""
        mine = family.own_children()
        return mine is None or bool(mine - {*self._children, *self._kin, self.births.standby})

    def _last_will(self) -> None:
        """The parent is gone, or done with us: nothing that we forked outlives us."""
        family.kill(dict.fromkeys(self._children))
        gone = [*self._departed, *(family.Departed(pid, self.system, *born) for pid, born in self._children.items())]
        self.end_descendants()
        if self.heir and not self._parent_is_gone():
            family.sweep(gone, reaper=None)
            return  # one that was given up: the system lives
        family.clear(self.system, self._since)  # what any of its actors has left, also of those that others have forked
        import shutil  # nothing that every fork would have to carry

        shutil.rmtree(self.births.directory, ignore_errors=True)

    def _parent_is_gone(self) -> bool:
        return self._parent_fd is not None and bool(select.select([self._parent_fd], [], [], 0)[0])

    @staticmethod
    def end_descendants() -> None:
        """SIGKILL all that descends from this process."""
        for one in family.descendants(family.table(), [os.getpid()]):
            signals.kill_verified(one.pid, one.started, family.started)

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake[0], 4096):
                pass


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
