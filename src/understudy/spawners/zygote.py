"""The parent's side of the zygote: requests, news, and its replacement when it dies or stops."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from understudy import failpoints
from understudy.errors import ConfigError, ProtocolError
from understudy.spawners import generation, signals
from understudy.spawners.base import Birth, Born, Gone, News, NotBorn
from understudy.spawners.births import MAX_MESSAGE
from understudy.spawners.curriculum import Curriculum
from understudy.spawners.generation import Zygote, close_all
from understudy.spawners.thresholds import Thresholds
from understudy.spawners.trial import package_of
from understudy.status import Usage
from understudy.wire.codec import unpack
from understudy.wire.passing import received

_LATER = 0.1
_WORD_WITHIN = 5.0
"""Seconds for which a zygote that lives may keep us waiting for how a process ended, as it may on a busy machine."""


@dataclass(slots=True)
class _Handle:
    """A process that a zygote forked for us."""

    uid: int
    incarnation: int
    pid: int
    pidfd: int | None
    zygote: Zygote
    silent_until: float = float("inf")
    """Its pidfd says dead, its zygote has not yet said how: until then we wait for that word."""


class ZygoteSpawner:
    """A Spawner that forks from a warm process of its own."""

    def __init__(self, system: str, directory: str, preload: Sequence[str] = (), *, learn: bool = True) -> None:
        self._system, self._directory, self._preload, self._learns = system, directory, list(preload), learn
        self._refusal = ""
        self._epoll = select.epoll()
        self._zygotes: list[Zygote] = []
        """All that live, also those that have retired and wait for the end of their last actors."""
        self._learned: Zygote | None = None
        """The one that knows most, for births in the place where it learned."""
        self._apprentice: Zygote | None = None
        self._curriculum = Curriculum()
        self._handles: dict[int, _Handle] = {}
        self._silent: dict[int, _Handle] = {}
        """Those of them that have died and of which no zygote has said how."""
        self._by_fd: dict[int, Zygote | _Handle] = {}
        self._news: list[News] = []
        self._thresholds = Thresholds()
        self._epoll.register(self._thresholds.fileno(), select.EPOLLIN)
        self.swept: list[int] = []
        first = self._begin()
        if preload:
            self._await_hello(first)

    def fileno(self) -> int:
        """One descriptor for all of it."""
        return self._epoll.fileno()

    @property
    def pids(self) -> list[int]:
        """The zygotes that fork, the one that stands where this process stands last."""
        forking = [*(zygote for zygote in self._zygotes if zygote.process is not None), self._learned]
        return [zygote.pid for zygote in forking if zygote is not None]

    def fork(self, birth: Birth, page_fd: int) -> None:
        """Ask the zygote for that place, in turn; one that died meanwhile is replaced first."""
        zygote = self._first() if birth.program else self._for(birth.place)
        fds = self._thresholds.begin(birth.uid, birth.incarnation) if birth.program else ()
        try:
            zygote.unasked.append((birth, (os.dup(page_fd), *fds)))
        except OSError:
            close_all(fds)
            raise
        if len(zygote.unasked) == 1:
            self._ask(zygote)

    def learn(self, place: bytes, modules: list[str]) -> None:
        """Have an apprentice try them: if it may, it takes over."""
        if self._learns and not failpoints.armed():
            self._curriculum.want(place, modules)
            self._teach(time.monotonic())

    def _for(self, place: bytes) -> Zygote:
        learned = self._learned
        return learned if learned is not None and learned.place == place else self._first()

    def _first(self) -> Zygote:
        """The one that knows only what it was told to preload; raises OSError if none can be had."""
        return self._firsts()[-1] if self._firsts() else self._begin()

    def _firsts(self) -> list[Zygote]:
        return [zygote for zygote in self._zygotes if zygote.process is not None and not zygote.given_up]

    def _tell_first(self, *message: object) -> None:
        for zygote in self._firsts()[-1:]:
            self._say(zygote, *message)

    def _teacher(self) -> Zygote | None:
        """Who can take an apprentice now, for the place of the next lesson; its news wakes us where nobody can yet."""
        learned = self._learned
        known = [learned] if learned is not None and learned.place == self._curriculum.place else self._firsts()[-1:]
        return known[0] if self._apprentice is None and known and known[0].said_hello else None

    def _teach(self, now: float) -> None:
        teacher = self._teacher()
        if teacher is None or not (modules := self._curriculum.lesson(teacher.known, now)):
            return
        try:
            apprentice = generation.teach(teacher, modules, self._curriculum.place)
        except OSError:  # no room, or no descriptor
            self._curriculum.failed({}, _LATER, now)
        else:
            self._apprentice = self._enter(apprentice)

    def _taught(self, zygote: Zygote, packages: dict[str, str]) -> None:
        """The lesson is over: these packages failed it; if none did, the apprentice takes over."""
        self._apprentice, now = None, time.monotonic()
        took = now - zygote.started
        if not zygote.said_hello:
            self._curriculum.failed(packages if zygote.pid else {}, took, now)
            return
        before, self._learned = self._learned, zygote
        undone = before is not None and before.place != zygote.place and not before.forked
        self._curriculum.learned(took, now, fruitful=not undone)
        if before is not None:
            self._say(before, "retire")
        self._tell_first("rest")

    def _say(self, zygote: Zygote, *message: object) -> None:
        zygote.say(*message)
        self._ask(zygote)

    def _ask(self, zygote: Zygote) -> None:
        """Ask for what is unasked, as far as there is room."""
        while (error := zygote.ask_unasked()) is not None:
            birth, fds = zygote.unasked.popleft()
            close_all(fds)
            if isinstance(error, ConnectionError):  # its end will be read, after what it still had to say
                self._news.append(NotBorn(birth.uid, birth.incarnation, f"the zygote is gone: {error}", lost=True))
            else:
                self._news.append(NotBorn(birth.uid, birth.incarnation, f"{type(error).__name__}: {error}"))
        self._epoll.modify(zygote.channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if zygote.waits_for_room else 0))

    def news(self, now: float) -> list[News]:
        """Read what has come in, and look after the silent."""
        self._thresholds.listen()
        for fd, _ in self._epoll.poll(0):
            source = self._by_fd.get(fd)
            if isinstance(source, Zygote):
                self._read(source)
                if source.waits_for_room:
                    self._ask(source)
            elif source is not None:
                self._epoll.unregister(fd)
                del self._by_fd[fd]
                source.silent_until = now if source.zygote.given_up else now + _WORD_WITHIN
                self._silent[source.uid] = source
        for handle in list(self._silent.values()):
            if handle.silent_until <= now or handle.zygote.given_up:
                self._gone(handle, Gone(handle.uid, handle.incarnation, None, None, None))
        for zygote in list(self._zygotes):
            if zygote.stuck_at() <= now:
                self._give_up(zygote)
        self._teach(now)
        news, self._news = self._news, []
        return self._thresholds.woven(news)

    def due(self) -> float | None:
        """The earliest moment at which silence says something."""
        moments = [handle.silent_until for handle in self._silent.values()]
        moments += [at for zygote in self._zygotes if (at := zygote.stuck_at()) != float("inf")]
        if (lesson := self._curriculum.due()) is not None and self._teacher() is not None:
            moments.append(lesson)
        if self._news or self._thresholds.has_more:
            moments.append(0.0)
        return min(moments, default=None)

    def signal(self, uid: int, number: int) -> bool:
        """By pidfd: never a stranger's."""
        handle = self._handles.get(uid)
        return handle is not None and signals.send(handle.pid, handle.pidfd, number)

    def signal_group(self, uid: int, number: int) -> None:
        """By the zygote that forked its leader: as long as that is not reaped, the group's number is its own."""
        handle = self._handles.get(uid)
        if handle is None:
            return
        if handle.zygote.given_up:
            signals.send(handle.pid, handle.pidfd, number)  # nobody is left who could say so of the others
        else:
            self._say(handle.zygote, "signal", uid, handle.incarnation, number)

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
        self._silent.pop(uid, None)
        handle = self._handles.pop(uid, None)
        if handle is None:
            return
        if handle.pidfd is not None:
            if self._by_fd.pop(handle.pidfd, None) is not None:
                self._epoll.unregister(handle.pidfd)
            os.close(handle.pidfd)
        if handle.zygote.given_up:
            self._tell_first("sweep", handle.pid, handle.uid, handle.incarnation)

    def abandon(self) -> None:
        """In a forked copy of the parent: hold nothing."""
        self._epoll.close()
        self._thresholds.close()
        for zygote in self._zygotes:
            zygote.channel.close()
            zygote.forget_unasked()
        pidfds = [handle.pidfd for handle in self._handles.values()] + [zygote.pidfd for zygote in self._zygotes]
        for fd in pidfds:
            if fd is not None:
                os.close(fd)

    def close(self) -> None:
        """End the zygotes, which end whatever is left of what they forked."""
        for zygote in self._zygotes:
            zygote.channel.close()
            zygote.forget_unasked()
        for zygote in self._zygotes:
            zygote.await_end()
        self._zygotes.clear()
        for uid in list(self._handles):
            self.forget(uid)
        self._epoll.close()
        self._thresholds.close()

    def _begin(self) -> Zygote:
        return self._enter(generation.begin(self._system, self._directory, self._preload))

    def _enter(self, zygote: Zygote) -> Zygote:
        self._epoll.register(zygote.channel.fileno(), select.EPOLLIN)
        self._by_fd[zygote.channel.fileno()] = zygote
        self._zygotes.append(zygote)
        return zygote

    def _await_hello(self, zygote: Zygote) -> None:
        """Before the router runs: what was to be preloaded is refused in the caller."""
        until = time.monotonic() + generation.HELLO_WITHIN
        while not zygote.said_hello and not zygote.closed and time.monotonic() < until:
            if self._epoll.poll(until - time.monotonic()):
                self._read(zygote)
        if not zygote.said_hello:
            self.close()
            raise ConfigError(f"preload: {self._refusal or 'the zygote does not start'}")

    def _read(self, zygote: Zygote) -> None:
        while True:
            try:
                data, fds, _ = received(zygote.channel, MAX_MESSAGE, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it died with requests unread: told once, before what it had said and the end
            if not data:
                self._lost(zygote)
                return
            zygote.heard = time.monotonic()
            try:
                verb, *rest = unpack(data, MAX_MESSAGE)
            except ProtocolError:
                continue
            self._hear_of_itself(zygote, verb, rest, fds[0] if fds else None)
            self._hear_of_births(zygote, verb, rest, fds[0] if fds else None)

    def _hear_of_itself(self, zygote: Zygote, verb: str, rest: list[Any], fd: int | None) -> None:
        match verb, rest:
            case "begun", [pid]:
                zygote.pid, zygote.pidfd = pid, fd
                self._tell_first("kin", pid)  # whoever taught it may go before it, and leave it there
            case "tries", [module]:
                self._refusal = f"the import of {module} ends the process"
            case "hello", _:
                zygote.said_hello = True
                self._refusal = ""
                zygote.asked.update(dict.fromkeys(zygote.asked, time.monotonic()))
                if zygote is self._apprentice:
                    self._taught(zygote, {})
            case "refused", [why, package]:
                if zygote is self._apprentice:
                    self._taught(zygote, {package: why})
                else:
                    self._refusal = str(why)

    def _hear_of_births(self, zygote: Zygote, verb: str, rest: list[Any], fd: int | None) -> None:
        match verb, rest:
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
            case "gone", [uid, incarnation, pid, code, usage, left, stood_by]:
                news = Gone.by_code(uid, incarnation, code, Usage(*usage), tuple(left))
                self._told_gone(zygote, news, pid, stood_by=stood_by)
            case "swept", [pids]:
                self.swept.extend(pids)

    def _told_gone(self, zygote: Zygote, gone: Gone, pid: int, *, stood_by: bool) -> None:
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
        self._silent.pop(handle.uid, None)
        if handle.pidfd is not None and self._by_fd.pop(handle.pidfd, None) is not None:
            self._epoll.unregister(handle.pidfd)
        self._news.append(gone)

    def _give_up(self, zygote: Zygote) -> None:
        """It is stuck: others are asked at once, and what it still brings forth is ended."""
        zygote.end()
        self._news += [NotBorn(*key, "its zygote was stuck", lost=zygote.said_hello) for key in self._retire(zygote)]

    def _lost(self, zygote: Zygote) -> None:
        """Its channel has ended: nobody is left who could still tell of a birth."""
        zygote.given_up = zygote.closed = True
        self._epoll.unregister(zygote.channel.fileno())
        del self._by_fd[zygote.channel.fileno()]
        zygote.channel.close()
        self._zygotes.remove(zygote)
        lost = self._retire(zygote)
        code = zygote.await_end()
        # One that never came up would die again at once: the next request tries another, this one is told.
        reason = self._refusal or f"the zygote cannot start (exit code {code})"
        reason = "its zygote died" if zygote.said_hello else reason
        self._news += [NotBorn(*key, reason, lost=zygote.said_hello) for key in lost]
        if zygote.said_hello:
            with contextlib.suppress(OSError):  # the next request tries again, and is told why not
                self._first()

    def _retire(self, zygote: Zygote) -> list[tuple[int, int]]:
        """It forks no more; what it was asked for, uid and incarnation, comes back."""
        if zygote is self._apprentice:
            self._taught(zygote, dict.fromkeys(map(package_of, zygote.lesson), "its import ended the process"))
        if zygote is self._learned:
            self._learned = None
        return zygote.take_back()


def _end_unawaited(pid: int, pidfd: int | None) -> None:
    """It was given up before it was born: nobody would ever look after it."""
    signals.send(pid, pidfd, signal.SIGKILL)
    if pidfd is not None:
        os.close(pidfd)
