"""A fresh interpreter for each actor: slower to start than a fork, nothing inherited; works where fork does not."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.spawners import family
from understudy.spawners.base import ENGINE, Birth, Born, Gone, News, NotBorn
from understudy.spawners.interpreter import Interpreter

_LOOK_AGAIN = 0.05
"""Seconds between two looks at a process that is dead and held by its tracer."""
_END_WITHIN = 1.0
"""Seconds for which the closing waits for what was killed."""


@dataclass(slots=True, eq=False)
class _Child:
    """A process that we started, and the gate at which it waits; who forgets it closes its pidfd."""

    departed: family.Departed
    process: Interpreter
    gate: int | None
    ended: bool = False
    forgotten: bool = False


class FreshSpawner:
    """A Spawner that starts `python` anew, each on a thread of its own, for that takes milliseconds.

    Such a thread does nothing but start: what it has started is handed over, and shares no lock with the router.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._epoll = select.epoll()
        self._epoll.register(self._read, select.EPOLLIN)
        self._arrived: queue.SimpleQueue[_Child | NotBorn] = queue.SimpleQueue()
        self._news: list[News] = []
        self._awaited: dict[int, int] = {}
        """The incarnation of each actor that is waited for; what is born besides has nobody."""
        self._children: dict[int, _Child] = {}
        self._living: dict[int, _Child] = {}
        """By pidfd: all that were not reaped, also the forgotten."""
        self._dying: list[_Child] = []
        """Dead, and not yet reaped."""
        self._gates: set[int] = set()
        self._closed = False
        self._sweeps: list[threading.Thread] = []
        self._unswept: list[family.Departed] = []
        self.swept: list[int] = []

    def fileno(self) -> int:
        """One descriptor for all of it."""
        return self._epoll.fileno()

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Start the interpreter on a thread."""
        self._awaited[birth.uid] = birth.incarnation
        fds: list[int] = []
        try:
            fds.append(os.dup(page_fd))
            fds.append(birth.to_file())
            fds.append(os.dup(self._write))  # ours may be closed, and its number another's, before the thread rings
            name = f"understudy-fresh-{birth.name}"
            threading.Thread(target=self._start, args=(birth, *fds), name=name, daemon=True).start()
        except (OSError, RuntimeError) as error:  # no descriptor, or no thread, is left
            for fd in fds:
                os.close(fd)
            self._news.append(NotBorn(birth.uid, birth.incarnation, f"{type(error).__name__}: {error}"))

    def learn(self, place: bytes, modules: list[str]) -> None:
        """Nothing: each interpreter imports for itself."""

    def news(self, now: float) -> list[News]:
        """Who has arrived, and who has ended."""
        del now
        for fd, _ in self._epoll.poll(0):
            if fd == self._read:
                os.read(fd, 4096)  # whatever it leaves wakes us again
            else:
                self._epoll.unregister(fd)
                self._dying.append(self._living[fd])
        for arrival in self._arrivals():
            if isinstance(arrival, NotBorn):
                self._news.append(arrival)
            else:
                self._receive(arrival)
        self._dying = [child for child in self._dying if not self._bury(child)]
        news, self._news = self._news, []
        return news

    def due(self) -> float | None:
        """When to look again at what could not be buried, or tell what needed no thread."""
        if self._news:
            return 0.0
        return time.monotonic() + _LOOK_AGAIN if self._dying else None

    def signal(self, uid: int, number: int) -> bool:
        """By pidfd: never a stranger's."""
        child = self._children.get(uid)
        return child is not None and child.process.signal(number)

    def signal_group(self, uid: int, number: int) -> None:
        """By pidfd, to the process alone: a number proves nothing here, and programs are not started by this one."""
        self.signal(uid, number)

    def pid(self, uid: int) -> int | None:
        """The number of the process, while it is its own."""
        child = self._children.get(uid)
        return None if child is None or child.ended else child.process.pid

    def pidfd(self, uid: int) -> int | None:
        """Its pidfd, which stays open until the actor is forgotten."""
        child = self._children.get(uid)
        return None if child is None else child.process.pidfd

    def forget(self, uid: int) -> None:
        """Let go of its process, and sweep after it; one that lives all the same is ended first."""
        self._awaited.pop(uid, None)
        child = self._children.pop(uid, None)
        if child is None:
            return
        child.forgotten = True
        if child.ended:
            self._leave(child)
        else:
            child.process.signal(signal.SIGKILL)

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing."""
        if self._closed:
            return
        self._closed = True
        self._epoll.close()
        pidfds = {child.process.pidfd for child in (*self._living.values(), *self._children.values())}
        for fd in (self._read, self._write, *self._gates, *pidfds):
            os.close(fd)

    def close(self) -> None:
        """Sweep what is left and end; what is still on its way into the world ends as soon as it arrives."""
        if self._closed:
            return
        for sweep in self._sweeps:
            sweep.join()
        self._closed = True
        left = {*self._living.values(), *self._children.values()}
        left |= {one for one in self._arrivals() if isinstance(one, _Child)}
        for child in left:
            child.process.signal(signal.SIGKILL)
        for child in left:
            if child.ended or child.process.ends_within(_END_WITHIN):
                self._see_off(child)
            else:  # it cannot be killed; whenever it ends, it is no zombie
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=self._see_off, args=(child,), daemon=True).start()
        self._epoll.close()
        os.close(self._read)
        os.close(self._write)
        if self._unswept:
            family.sweep(self._unswept, reaper=None)

    # --- in the thread that starts one

    def _start(self, birth: Birth, page_fd: int, birth_fd: int, bell: int) -> None:
        try:
            self._arrived.put(self._begin(birth, page_fd, birth_fd))
        except OSError as error:
            self._arrived.put(NotBorn(birth.uid, birth.incarnation, f"{type(error).__name__}: {error}"))
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # it rings already, or nobody listens any more
            os.write(bell, b"\0")
        for fd in (page_fd, birth_fd, bell):
            os.close(fd)
        if self._closed:  # whoever takes it out looks after it
            for arrival in self._arrivals():
                if isinstance(arrival, _Child):
                    self._see_off(arrival)

    def _begin(self, birth: Birth, page_fd: int, birth_fd: int) -> _Child:
        """The process waits at a gate: nothing that it says may come before the word of its birth."""
        inner, gate = os.pipe()
        self._gates.add(gate)
        code = (
            f"import os; from {ENGINE} import live; os.read({inner}, 1) or os._exit(0); os.close({inner}); "
            f"os._exit(live({page_fd}, {birth_fd}))"
        )
        try:
            process = Interpreter.start(code, (page_fd, birth_fd, inner))
        except OSError:
            self._shut(gate)
            raise
        finally:
            os.close(inner)
        return _Child(family.Departed(process.pid, birth.system, birth.uid, birth.incarnation), process, gate)

    # --- pieces

    def _arrivals(self) -> Iterator[_Child | NotBorn]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._arrived.get_nowait()

    def _receive(self, child: _Child) -> None:
        """Open the gate if it is awaited; else it ends there, and has run nothing."""
        uid, incarnation = child.departed.uid, child.departed.incarnation
        self._living[child.process.pidfd] = child
        self._epoll.register(child.process.pidfd, select.EPOLLIN)
        if self._awaited.get(uid) == incarnation:
            self._children[uid] = child
            self._news.append(Born(uid, incarnation, child.process.pid))
            self._pass(child, b"\0")
        else:
            child.forgotten = True
            child.process.signal(signal.SIGKILL)
            self._pass(child, b"")

    def _pass(self, child: _Child, word: bytes) -> None:
        """The gate is used once; without a word the process leaves."""
        gate, child.gate = child.gate, None
        if gate is not None:
            with contextlib.suppress(BrokenPipeError):  # it died at the gate
                os.write(gate, word)
            self._shut(gate)

    def _shut(self, gate: int) -> None:
        self._gates.discard(gate)
        os.close(gate)

    def _bury(self, child: _Child) -> bool:
        """Reap it and tell; False if a tracer holds it still."""
        end = child.process.reap()
        if end is None:
            return False
        child.ended = True
        del self._living[child.process.pidfd]
        if child.forgotten:
            self._leave(child)
        else:
            departed = child.departed
            self._news.append(Gone.by_code(departed.uid, departed.incarnation, end.code, end.usage))
        return True

    def _leave(self, child: _Child) -> None:
        """Sweep on a thread: without a subreaper the whole process table has to be read."""
        os.close(child.process.pidfd)
        sweep = threading.Thread(target=self._sweep, args=(child.departed,), daemon=True)
        try:
            sweep.start()
        except RuntimeError:  # no thread is left
            self._unswept.append(child.departed)
        else:
            self._sweeps = [*(one for one in self._sweeps if one.is_alive()), sweep]

    def _see_off(self, child: _Child) -> None:
        """When nobody listens any more: see that it ends, and leaves nothing."""
        if not child.ended:
            child.process.signal(signal.SIGKILL)
            child.process.await_end()
        self._pass(child, b"")
        os.close(child.process.pidfd)
        self._sweep(child.departed)

    def _sweep(self, departed: family.Departed) -> None:
        try:
            self.swept.extend(family.sweep([departed], reaper=None))
        except OSError:  # no descriptor is left to look with
            self._unswept.append(departed)
