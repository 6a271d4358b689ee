"""A fresh interpreter for each actor: slower to start than a fork, nothing inherited; works where fork does not."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from dataclasses import dataclass

from understudy.spawners import family
from understudy.spawners.base import ENGINE, Birth, Born, Gone, News, NotBorn
from understudy.spawners.interpreter import Interpreter


@dataclass(slots=True, eq=False)
class _Child:
    """A process that we started. Its pidfd is closed by who comes last: its burial, or the router's."""

    departed: family.Departed
    process: Interpreter
    ended: bool = False
    forgotten: bool = False


class FreshSpawner:
    """A Spawner that starts `python` anew; one thread a process waits for its end."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._awaited: dict[int, int] = {}
        """The incarnation of each actor that is waited for; what is born besides has nobody."""
        self._children: dict[int, _Child] = {}
        self._gates: set[int] = set()
        self._lock = threading.Lock()
        """Between the router and the threads, each time only for a moment."""
        self._closed = False
        self._sweeps: list[threading.Thread] = []
        self._unswept: list[family.Departed] = []
        self.swept: list[int] = []

    def fileno(self) -> int:
        """The pipe that the waiting threads write to."""
        return self._read

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Start the interpreter on a thread, for starting one takes milliseconds."""
        self._awaited[birth.uid] = birth.incarnation
        fds = [os.dup(page_fd)]
        name = f"understudy-fresh-{birth.name}"
        try:
            fds.append(birth.to_file())
            threading.Thread(target=self._live, args=(birth, *fds), name=name, daemon=True).start()
        except (OSError, RuntimeError) as error:  # no descriptor, or no thread, is left
            for fd in fds:
                os.close(fd)
            self._tell(NotBorn(birth.uid, birth.incarnation, f"{type(error).__name__}: {error}"))

    def learn(self, place: bytes, modules: list[str]) -> None:
        """Nothing: each interpreter imports for itself."""

    def news(self, now: float) -> list[News]:
        """What the threads have told."""
        del now
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            pass
        found = []
        while not self._news.empty():
            found.append(self._news.get())
        return found

    def due(self) -> float | None:
        """Never: the pipe tells."""
        return None

    def signal(self, uid: int, number: int) -> bool:
        """By pidfd: never a stranger's."""
        child = self._children.get(uid)
        return child is not None and child.process.signal(number)

    def pid(self, uid: int) -> int | None:
        """The number of the process, while it is its own."""
        child = self._children.get(uid)
        return None if child is None or child.ended else child.process.pid

    def pidfd(self, uid: int) -> int | None:
        """Its pidfd, which stays open until the actor is forgotten."""
        child = self._children.get(uid)
        return None if child is None else child.process.pidfd

    def forget(self, uid: int) -> None:
        """Sweep on a thread: without a subreaper the whole process table has to be read."""
        with self._lock:
            self._awaited.pop(uid, None)
            child = self._children.pop(uid, None)
            if child is None or not self._let_go(child):
                return
        sweep = threading.Thread(target=self._sweep, args=(child.departed,), daemon=True)
        try:
            sweep.start()
        except RuntimeError:  # no thread is left
            self._unswept.append(child.departed)
        else:
            self._sweeps = [*(one for one in self._sweeps if one.is_alive()), sweep]

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing. No other thread is here, but one may have held the lock."""
        if self._closed:
            return
        self._closed = True
        for fd in (self._read, self._write, *self._gates, *(child.process.pidfd for child in self._children.values())):
            os.close(fd)

    def close(self) -> None:
        """Sweep what is left and end; what is still on its way into the world ends as soon as it arrives."""
        for sweep in self._sweeps:
            sweep.join()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._awaited.clear()
            left = [child.departed for child in self._children.values() if self._let_go(child)]
            self._children.clear()
            os.close(self._read)
            os.close(self._write)
        if left := [*self._unswept, *left]:
            family.sweep(left, reaper=None)

    def _let_go(self, child: _Child) -> bool:
        """Nobody looks after it any more; False if it lives, and is ended and swept after by its own thread."""
        child.forgotten = True
        if child.ended:
            os.close(child.process.pidfd)
        else:
            child.process.signal(signal.SIGKILL)
        return child.ended

    def _sweep(self, departed: family.Departed) -> None:
        try:
            self.swept.extend(family.sweep([departed], reaper=None))
        except OSError:  # no descriptor is left to look with
            self._unswept.append(departed)

    def _live(self, birth: Birth, page_fd: int, birth_fd: int) -> None:
        key = (birth.uid, birth.incarnation)
        try:
            process, gate = self._start(page_fd, birth_fd)
        except OSError as error:
            self._tell(NotBorn(*key, f"{type(error).__name__}: {error}"))
            return
        finally:
            os.close(page_fd)
            os.close(birth_fd)
        child = _Child(family.Departed(process.pid, birth.system, *key), process)
        with self._lock:
            if self._awaited.get(birth.uid) == birth.incarnation:
                self._children[birth.uid] = child
            else:
                self._let_go(child)
        if not child.forgotten:
            self._tell(Born(*key, process.pid))
        self._open(gate, awaited=not child.forgotten)
        code, usage = process.bury()
        with self._lock:
            child.ended = True
            if child.forgotten:
                os.close(process.pidfd)
        if child.forgotten:
            self._sweep(child.departed)
        else:
            self._tell(Gone.by_code(*key, code, usage))

    def _start(self, page_fd: int, birth_fd: int) -> tuple[Interpreter, int]:
        """The process, and the gate at which it waits: nothing that it says may come before the word of its birth."""
        inner, gate = os.pipe()
        self._gates.add(gate)
        module, _, name = ENGINE.partition(":")
        code = (
            f"import os; from {module} import {name}; os.read({inner}, 1) or os._exit(0); os.close({inner}); "
            f"os._exit({name}({page_fd}, {birth_fd}))"
        )
        try:
            return Interpreter.start(code, (page_fd, birth_fd, inner)), gate
        except OSError:
            self._open(gate, awaited=False)
            raise
        finally:
            os.close(inner)

    def _open(self, gate: int, *, awaited: bool) -> None:
        """Let it begin; where nobody awaits it, its end of the gate says so."""
        if awaited:
            with contextlib.suppress(BrokenPipeError):  # it died at the gate
                os.write(gate, b"\0")
        self._gates.discard(gate)
        os.close(gate)

    def _tell(self, news: News) -> None:
        with self._lock:
            if self._closed:
                return  # the bell's number may be another's by now
            self._news.put(news)
            with contextlib.suppress(BlockingIOError):  # it rings already
                os.write(self._write, b"\0")
