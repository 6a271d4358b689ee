"""One zygote as the parent sees it: its process, its channel, and what it was asked for and has not answered."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from understudy.spawners import circumstances, signals
from understudy.spawners.base import Birth, to_file
from understudy.spawners.interpreter import Interpreter
from understudy.wire.codec import pack

HELLO_WITHIN = 30.0
ANSWER_WITHIN = 2.0
"""Seconds without a word after which a zygote that was asked for something is replaced."""
_END_WITHIN = 5.0


@dataclass(slots=True, eq=False)
class Zygote:
    """One zygote process; ``place`` is where it stands, ``lesson`` what it was taught last, ``known`` all of it."""

    channel: socket.socket
    place: bytes
    known: set[str] = field(default_factory=set)
    lesson: tuple[str, ...] = ()
    process: Interpreter | None = None
    """Of the first one, which is a child of ours; the others are its forks."""
    pid: int = 0
    pidfd: int | None = None
    said_hello: bool = False
    given_up: bool = False
    closed: bool = False
    forked: int = 0
    started: float = field(default_factory=time.monotonic)
    heard: float = 0.0
    """When it said something last."""
    asked: dict[tuple[int, int], float] = field(default_factory=dict)
    unasked: deque[tuple[Birth, tuple[int, ...]]] = field(default_factory=deque)
    """Requests for which its channel had no room, each with its page and, of a program, what its process speaks to."""
    unsaid: deque[bytes] = field(default_factory=deque)
    """The same, of what needs no answer."""

    @property
    def waits_for_room(self) -> bool:
        """Whether its channel is full for now."""
        return bool(self.unasked or self.unsaid)

    def say(self, *message: object) -> None:
        """Tell it something that needs no answer, as soon as there is room; its end is heard of elsewhere."""
        self.unsaid.append(pack(message))
        self.say_unsaid()

    def say_unsaid(self) -> None:
        """Tell it what it has not been told, as far as there is room."""
        while self.unsaid:
            try:
                self.channel.send(self.unsaid[0])
            except BlockingIOError:
                return
            except OSError:
                self.unsaid.clear()
                return
            self.unsaid.popleft()

    def ask_unasked(self) -> OSError | None:
        """Ask for what is unasked, as far as there is room; what went wrong with the first of it."""
        self.say_unsaid()
        while self.unasked and not self.unsaid:
            birth, fds = self.unasked[0]
            birth_fd = -1
            try:
                birth_fd = birth.to_file()
                verb = "exec" if birth.program else "fork"
                request = pack([verb, birth.uid, birth.incarnation, birth.modules])
                socket.send_fds(self.channel, [request], [fds[0], birth_fd, *fds[1:]])
            except BlockingIOError:
                return None
            except OSError as error:
                return error
            finally:
                if birth_fd >= 0:
                    os.close(birth_fd)
            self.asked[birth.uid, birth.incarnation] = time.monotonic()
            self.forked += 1
            close_all(self.unasked.popleft()[1])
        return None

    def take_back(self) -> list[tuple[int, int]]:
        """All that it was asked for and has not answered, uid and incarnation; it is asked for nothing any more."""
        back = [*self.asked, *((birth.uid, birth.incarnation) for birth, _ in self.unasked)]
        self.asked = {}
        self.forget_unasked()
        return back

    def forget_unasked(self, uid: int | None = None) -> None:
        """Let go of the requests of one actor, or of all, and of their descriptors."""
        for request in [request for request in self.unasked if uid in {None, request[0].uid}]:
            self.unasked.remove(request)
            close_all(request[1])

    def stuck_at(self) -> float:
        """When its silence says that it is stuck."""
        if self.closed or self.given_up:
            return float("inf")
        if not self.said_hello:
            return self.started + HELLO_WITHIN
        # One that is busy with many requests answers them one by one.
        return max(self.heard, min(self.asked.values(), default=float("inf"))) + ANSWER_WITHIN

    def end(self) -> None:
        """It is stuck: end it; its channel's end says when nobody is left who could still tell of a birth."""
        self.given_up = True
        if self.pid:
            signals.send(self.pid, self.pidfd, signal.SIGKILL)
        else:
            self.channel.shutdown(socket.SHUT_RDWR)  # nobody has begun to live there

    def await_end(self) -> int | None:
        """Wait for its process, and end it if that takes long; its exit code, where it is a child of ours."""
        if self.pidfd is None:
            return None
        process = self.process or Interpreter(self.pid, self.pidfd)
        if not process.ends_within(_END_WITHIN):
            process.signal(signal.SIGKILL)
        code = None if self.process is None else self.process.await_end().code
        os.close(self.pidfd)
        self.pidfd = None
        return code


def close_all(fds: Iterable[int]) -> None:
    """Close them."""
    for fd in fds:
        os.close(fd)


def begin(system: str, directory: str, preload: Sequence[str]) -> Zygote:
    """Start a fresh interpreter that becomes a zygote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place = circumstances.place()
    place_fd = to_file("understudy-place", place)
    fds = (theirs.fileno(), place_fd)
    # Of what is imported nearly all stays: to look for what does not is left to the end, once.
    code = "import gc; gc.disable(); from understudy.spawners.nursery import main; "
    code += f"main({fds[0]}, {os.getpid()}, {fds[1]})"
    # Before there is anyone at the other end: an interpreter that ends at once must not fail us here.
    ours.send(pack({"system": system, "directory": directory, "preload": list(preload)}))
    try:
        process = Interpreter.start(code, fds)
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(place_fd)
    ours.settimeout(0)
    return Zygote(ours, place, process=process, pid=process.pid, pidfd=process.pidfd)


def teach(teacher: Zygote, modules: list[str], place: bytes) -> Zygote:
    """Ask a zygote for an apprentice that learns these, there."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place_fd = to_file("understudy-place", place)
    try:
        socket.send_fds(teacher.channel, [pack(["teach", modules])], [theirs.fileno(), place_fd])
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(place_fd)
    ours.settimeout(0)
    return Zygote(ours, place, teacher.known | set(modules), tuple(modules))
