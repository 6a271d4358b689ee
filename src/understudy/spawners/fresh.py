"""A fresh interpreter for each actor: slower to start than a fork, nothing inherited; works where fork does not."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass

from understudy.spawners import family, signals
from understudy.spawners.base import ENGINE, Birth, Born, Gone, News, NotBorn
from understudy.status import Usage


@dataclass(slots=True)
class _Child:
    """A process that we started, and the thread's word on how it ended."""

    departed: family.Departed
    ended: bool = False


class FreshSpawner:
    """A Spawner that starts `python` anew; one thread a process waits for its end."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._children: dict[int, _Child] = {}
        self._sweeps: list[threading.Thread] = []
        self._unswept: list[family.Departed] = []
        self.swept: list[int] = []

    def fileno(self) -> int:
        """The pipe that the waiting threads write to."""
        return self._read

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Start the interpreter on a thread, for starting one takes milliseconds."""
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
        """By number; it cannot be reused before its thread has waited for it."""
        child = self._children.get(uid)
        return child is not None and not child.ended and signals.send(child.departed.pid, None, number)

    def pid(self, uid: int) -> int | None:
        """The number of the process, while it has not been buried."""
        child = self._children.get(uid)
        return None if child is None else child.departed.pid

    def pidfd(self, uid: int) -> int | None:
        """None: its number is enough."""
        del uid
        return None

    def forget(self, uid: int) -> None:
        """Sweep on a thread: without a subreaper the whole process table has to be read."""
        child = self._children.pop(uid, None)
        if child is not None:
            sweep = threading.Thread(target=self._sweep, args=(child.departed,), daemon=True)
            try:
                sweep.start()
            except RuntimeError:  # no thread is left
                self._unswept.append(child.departed)
            else:
                self._sweeps = [*(one for one in self._sweeps if one.is_alive()), sweep]

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing."""
        os.close(self._read)
        os.close(self._write)

    def close(self) -> None:
        """Sweep what is left and end."""
        for sweep in self._sweeps:
            sweep.join()
        if left := [*self._unswept, *(child.departed for child in self._children.values())]:
            family.sweep(left, reaper=None)
        self.abandon()

    def _sweep(self, departed: family.Departed) -> None:
        try:
            self.swept.extend(family.sweep([departed], reaper=None))
        except OSError:  # no descriptor is left to look with
            self._unswept.append(departed)

    def _live(self, birth: Birth, page_fd: int, birth_fd: int) -> None:
        key = (birth.uid, birth.incarnation)
        paths = [str(entry) for entry in sys.path]
        module, _, name = ENGINE.partition(":")
        code = (
            f"import sys; sys.path[:] = {paths!r}; import os; from {module} import {name}; "
            f"os._exit({name}({page_fd}, {birth_fd}))"
        )
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            process = subprocess.Popen(
                [sys.executable, *flags, "-c", code],
                pass_fds=(page_fd, birth_fd),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._tell(NotBorn(*key, f"{type(error).__name__}: {error}"))
            return
        finally:
            os.close(page_fd)
            os.close(birth_fd)
        child = _Child(family.Departed(process.pid, birth.system, *key))
        self._children[birth.uid] = child
        self._tell(Born(*key, process.pid))
        _, status, used = os.wait4(process.pid, 0)
        child.ended = True
        code_or_signal = process.returncode = os.waitstatus_to_exitcode(status)
        usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss / 1024)
        if code_or_signal >= 0:
            self._tell(Gone(*key, code_or_signal, None, usage))
        else:
            self._tell(Gone(*key, None, signals.name_of(-code_or_signal), usage))

    def _tell(self, news: News) -> None:
        self._news.put(news)
        try:
            os.write(self._write, b"\0")
        except OSError:
            return  # the spawner was closed meanwhile
