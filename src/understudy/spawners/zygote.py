"""The parent's side of the zygote: requests, news, and its replacement when it dies or stops."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from understudy.errors import ConfigError, ProtocolError
from understudy.spawners import signals
from understudy.spawners.base import Birth, Born, Gone, News, NotBorn
from understudy.spawners.nursery import MAX_MESSAGE
from understudy.status import Usage
from understudy.wire.codec import pack, unpack

ANSWER_WITHIN = 2.0
"""Seconds after which a zygote that does not answer a request is replaced."""
HELLO_WITHIN = 30.0
_WORD_WITHIN = 5.0
"""Seconds for which a zygote that lives may keep us waiting for how a process ended, as it may on a busy machine."""


@dataclass(slots=True)
class _Zygote:
    """One zygote process."""

    channel: socket.socket
    process: subprocess.Popen[bytes]
    said_hello: bool = False
    given_up: bool = False
    closed: bool = False
    started: float = field(default_factory=time.monotonic)
    asked: dict[tuple[int, int], float] = field(default_factory=dict)
    unasked: deque[tuple[Birth, int]] = field(default_factory=deque)
    """Requests, with their pages, for which its channel had no room."""

    def forget_unasked(self, uid: int | None = None) -> None:
        """Let go of the requests of one actor, or of all, and of their pages."""
        for request in [request for request in self.unasked if uid in {None, request[0].uid}]:
            self.unasked.remove(request)
            os.close(request[1])


@dataclass(slots=True)
class _Handle:
    """A process that a zygote forked for us."""

    uid: int
    incarnation: int
    pid: int
    pidfd: int | None
    zygote: _Zygote
    silent_until: float | None = None
    """Its pidfd says dead, its zygote has not yet said how: until then we wait for that word."""


class ZygoteSpawner:
    """A Spawner that forks from a warm process of its own."""

    def __init__(self, system: str, directory: str, preload: Sequence[str] = ()) -> None:
        self._system, self._directory, self._preload = system, directory, list(preload)
        self._refusal = ""
        self._epoll = select.epoll()
        self._zygotes: list[_Zygote] = []
        self._handles: dict[int, _Handle] = {}
        self._by_fd: dict[int, _Zygote | _Handle] = {}
        self._news: list[News] = []
        self.swept: list[int] = []
        zygote = self._begin()
        if preload:
            self._await_hello(zygote)

    def fileno(self) -> int:
        """One descriptor for all of it."""
        return self._epoll.fileno()

    @property
    def pids(self) -> list[int]:
        """The zygotes, the current one last."""
        return [zygote.process.pid for zygote in self._zygotes]

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Ask the current zygote, in turn; one that died meanwhile is replaced first."""
        zygote = self._zygotes[-1] if self._zygotes and not self._zygotes[-1].closed else self._begin()
        zygote.unasked.append((birth, os.dup(page_fd)))
        if len(zygote.unasked) == 1:
            self._ask(zygote)

    def _ask(self, zygote: _Zygote) -> None:
        """Ask for what is unasked, as far as there is room."""
        while zygote.unasked and self._asked(zygote, *zygote.unasked[0]):
            os.close(zygote.unasked.popleft()[1])
        self._epoll.modify(zygote.channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if zygote.unasked else 0))

    def _asked(self, zygote: _Zygote, birth: Birth, page_fd: int) -> bool:
        birth_fd = -1
        try:
            birth_fd = birth.to_file()
            request = pack(["fork", birth.uid, birth.incarnation, birth.modules])
            socket.send_fds(zygote.channel, [request], [page_fd, birth_fd])
        except BlockingIOError:
            return False
        except ConnectionError as error:
            self._news.append(NotBorn(birth.uid, birth.incarnation, f"the zygote is gone: {error}", lost=True))
            self._drop(zygote)
        except OSError as error:
            self._news.append(NotBorn(birth.uid, birth.incarnation, f"{type(error).__name__}: {error}"))
        else:
            zygote.asked[birth.uid, birth.incarnation] = time.monotonic()
        finally:
            if birth_fd >= 0:
                os.close(birth_fd)
        return True

    def news(self, now: float) -> list[News]:
        """Read what has come in, and look after the silent."""
        for fd, _ in self._epoll.poll(0):
            source = self._by_fd.get(fd)
            if isinstance(source, _Zygote):
                self._read(source)
                if source.unasked:
                    self._ask(source)
            elif source is not None:
                self._epoll.unregister(fd)
                del self._by_fd[fd]
                source.silent_until = now if source.zygote.closed else now + _WORD_WITHIN
        for handle in list(self._handles.values()):
            if handle.silent_until is not None and (handle.silent_until <= now or handle.zygote.closed):
                self._gone(handle, Gone(handle.uid, handle.incarnation, None, None, None))
        for zygote in list(self._zygotes):
            if self._stuck_at(zygote) <= now:
                self._drop(zygote)
        news, self._news = self._news, []
        return news

    def due(self) -> float | None:
        """The earliest moment at which silence says something."""
        moments = [h.silent_until for h in self._handles.values() if h.silent_until is not None]
        moments += [at for zygote in self._zygotes if (at := self._stuck_at(zygote)) != float("inf")]
        if self._news:
            moments.append(0.0)
        return min(moments, default=None)

    def signal(self, uid: int, number: int) -> bool:
        """By pidfd: never a stranger's."""
        handle = self._handles.get(uid)
        return handle is not None and signals.send(handle.pid, handle.pidfd, number)

    def pid(self, uid: int) -> int | None:
        """The number of the process, while it has not been buried."""
        handle = self._handles.get(uid)
        return None if handle is None else handle.pid

    def pidfd(self, uid: int) -> int | None:
        """Its pidfd."""
        handle = self._handles.get(uid)
        return None if handle is None else handle.pidfd

    def forget(self, uid: int) -> None:
        """Free the handle; if nobody reaped the process, ask the current zygote to sweep after it."""
        for zygote in self._zygotes:
            for key in [key for key in zygote.asked if key[0] == uid]:
                del zygote.asked[key]
            if zygote.unasked:
                zygote.forget_unasked(uid)
                self._ask(zygote)
        handle = self._handles.pop(uid, None)
        if handle is None:
            return
        if handle.pidfd is not None:
            if self._by_fd.pop(handle.pidfd, None) is not None:
                self._epoll.unregister(handle.pidfd)
            os.close(handle.pidfd)
        current = self._zygotes[-1] if self._zygotes else None
        if handle.zygote.closed and current is not None and not current.closed:
            with contextlib.suppress(OSError):
                current.channel.send(pack(["sweep", handle.pid, handle.uid, handle.incarnation]))

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing."""
        self._epoll.close()
        for zygote in self._zygotes:
            zygote.channel.close()
            zygote.forget_unasked()
        for handle in self._handles.values():
            if handle.pidfd is not None:
                os.close(handle.pidfd)

    def close(self) -> None:
        """End the zygotes, which end whatever is left of what they forked."""
        for zygote in self._zygotes:
            zygote.channel.close()
            zygote.forget_unasked()
        for zygote in self._zygotes:
            try:
                zygote.process.wait(5.0)
            except subprocess.TimeoutExpired:
                signals.send(zygote.process.pid, None, signal.SIGKILL)
                zygote.process.wait()
        for uid in list(self._handles):
            self.forget(uid)
        self._zygotes.clear()
        self._epoll.close()

    def _begin(self) -> _Zygote:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Its own path first, as a string: nothing of it may depend on where the interpreter would look by itself.
        paths = [str(entry) for entry in sys.path]
        code = (
            f"import sys; sys.path[:] = {paths!r}; "
            f"from understudy.spawners.nursery import main; main({theirs.fileno()}, {os.getpid()})"
        )
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
        # In a session of its own from its first instant: Ctrl-C is for the parent.
        process = subprocess.Popen(
            [sys.executable, *flags, "-c", code],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        ours.send(pack({"system": self._system, "directory": self._directory, "preload": self._preload}))
        zygote = _Zygote(ours, process)
        ours.settimeout(0)
        self._epoll.register(ours.fileno(), select.EPOLLIN)
        self._by_fd[ours.fileno()] = zygote
        self._zygotes.append(zygote)
        return zygote

    def _await_hello(self, zygote: _Zygote) -> None:
        """Before the router runs: what was to be preloaded is refused in the caller."""
        until = time.monotonic() + HELLO_WITHIN
        while not zygote.said_hello and not zygote.closed and time.monotonic() < until:
            if self._epoll.poll(until - time.monotonic()):
                self._read(zygote)
        if not zygote.said_hello:
            self.close()
            raise ConfigError(f"preload: {self._refusal or 'the zygote does not start'}")

    def _read(self, zygote: _Zygote) -> None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(zygote.channel, MAX_MESSAGE, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it died with requests unread: told once, before what it had said and the end
            if not data:
                self._lost(zygote)
                return
            try:
                verb, *rest = unpack(data, MAX_MESSAGE)
            except ProtocolError:
                continue
            self._hear(zygote, verb, rest, fds[0] if fds else None)

    def _hear(self, zygote: _Zygote, verb: str, rest: list[Any], fd: int | None) -> None:
        match verb, rest:
            case "hello", _:
                zygote.said_hello = True
                zygote.asked.update(dict.fromkeys(zygote.asked, time.monotonic()))
            case "refused", [why]:
                self._refusal = str(why)
            case "born", [uid, incarnation, pid]:
                if zygote.asked.pop((uid, incarnation), None) is None:
                    _end_unawaited(pid, fd)
                    return
                handle = self._handles[uid] = _Handle(uid, incarnation, pid, fd, zygote)
                if fd is not None:
                    self._epoll.register(fd, select.EPOLLIN)
                    self._by_fd[fd] = handle
                self._news.append(Born(uid, incarnation, pid))
            case "failed", [uid, incarnation, reason]:
                if zygote.asked.pop((uid, incarnation), None) is not None:
                    self._news.append(NotBorn(uid, incarnation, reason))
            case "gone", [uid, incarnation, pid, code, usage, stood_by]:
                news = _gone_news(uid, incarnation, code, Usage(*usage))
                self._told_gone(zygote, news, pid, stood_by=stood_by)
            case "swept", [pids]:
                self.swept.extend(pids)

    def _told_gone(self, zygote: _Zygote, gone: Gone, pid: int, *, stood_by: bool) -> None:
        handle = self._handles.get(gone.uid)
        if zygote.asked.pop((gone.uid, gone.incarnation), None) is None:
            if handle is not None and handle.incarnation == gone.incarnation:
                self._gone(handle, gone)
        elif stood_by:
            # It died while it waited; that it had been given the part is nobody's fault.
            self._news.append(NotBorn(gone.uid, gone.incarnation, "who stood by for it died", lost=True))
        else:
            # It died before it could tell that it was born.
            self._news.append(Born(gone.uid, gone.incarnation, pid))
            self._news.append(gone)

    def _gone(self, handle: _Handle, gone: Gone) -> None:
        handle.silent_until = None
        if handle.pidfd is not None and self._by_fd.pop(handle.pidfd, None) is not None:
            self._epoll.unregister(handle.pidfd)
        self._news.append(gone)

    def _stuck_at(self, zygote: _Zygote) -> float:
        if zygote.closed or zygote.given_up:
            return float("inf")
        if not zygote.said_hello:
            return zygote.started + HELLO_WITHIN
        return min(zygote.asked.values(), default=float("inf")) + ANSWER_WITHIN

    def _drop(self, zygote: _Zygote) -> None:
        """It is stuck: end it; its channel's end says when nobody is left who could still tell of a birth."""
        signals.send(zygote.process.pid, None, signal.SIGKILL)
        zygote.given_up = True

    def _lost(self, zygote: _Zygote) -> None:
        zygote.closed = True
        self._epoll.unregister(zygote.channel.fileno())
        del self._by_fd[zygote.channel.fileno()]
        zygote.channel.close()
        code = zygote.process.wait()
        self._zygotes.remove(zygote)
        lost, zygote.asked = [*zygote.asked, *((birth.uid, birth.incarnation) for birth, _ in zygote.unasked)], {}
        zygote.forget_unasked()
        # One that never came up would die again at once: the next request tries another, this one is told.
        reason = self._refusal or f"the zygote cannot start (exit code {code})"
        reason = "its zygote died" if zygote.said_hello else reason
        if zygote.said_hello and not self._zygotes:
            self._begin()
        self._news += [NotBorn(uid, incarnation, reason, lost=zygote.said_hello) for uid, incarnation in lost]


def _gone_news(uid: int, incarnation: int, code: int, usage: Usage) -> Gone:
    if code >= 0:
        return Gone(uid, incarnation, code, None, usage)
    return Gone(uid, incarnation, None, signals.name_of(-code), usage)


def _end_unawaited(pid: int, pidfd: int | None) -> None:
    """It was given up before it was born: nobody would ever look after it."""
    signals.send(pid, pidfd, signal.SIGKILL)
    if pidfd is not None:
        os.close(pidfd)
