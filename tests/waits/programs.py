"""Programs that are waited for: small interpreters that do one thing when they are told to, by a line."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from understudy.services.waits.watched import Watched
from understudy.waiting import NOBODY, NotYet, Probe, Subject, Wait, Waiting

T = TypeVar("T")

LISTENS = """
import socket, sys
family, host, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int("only" in sys.argv))
s.bind((host, port))
print("bound", s.getsockname()[1], flush=True)
sys.stdin.readline()
s.listen()
print("listens", flush=True)
sys.stdin.readline()
"""
"""Binds, says the port, and listens after one line; ends after the next."""

LISTENS_AT_A_PATH = """
import socket, sys
kind = getattr(socket, sys.argv[1])
s = socket.socket(socket.AF_UNIX, kind)
s.bind(sys.argv[2].replace("@", "\\0", 1))
if kind != socket.SOCK_DGRAM:
    s.listen()
print("listens", flush=True)
sys.stdin.readline()
"""


class Program:
    """One of them, at work."""

    def __init__(self, code: str, *args: object, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", code, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        self.pid = self.process.pid

    def says(self) -> list[str]:
        """The words of its next line."""
        assert self.process.stdout is not None
        line: str = self.process.stdout.readline()
        return line.split()

    def tell(self) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it, unburied."""
        self.process.kill()

    def bury(self) -> None:
        """End it for good."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()


@contextlib.contextmanager
def running(code: str = "input()", *args: object, **options: Any) -> Iterator[tuple[Program, Watched]]:
    """A program, and the subject that it is."""
    program = Program(code, *args, **options)
    try:
        with Watched(program.pid, "web") as subject:
            yield program, subject
    finally:
        program.bury()


def look_once(wait: Wait, subject: Subject = NOBODY) -> Any:
    """The first answer."""
    with contextlib.closing(Waiting(wait, subject, None, 0.0)) as waiting:
        return waiting.look(0.0)


def follow(wait: Wait, condition: Callable[[NotYet], object]) -> NotYet:
    """The first answer in vain of which this is true; time goes on only where nothing else is waited for."""
    now = 0.0
    with contextlib.closing(Waiting(wait, NOBODY, None, now)) as waiting:
        while True:
            answer = waiting.look(now)
            assert isinstance(answer, NotYet), answer
            if condition(answer):
                return answer
            if answer.readable:
                poller = select.poll()
                for fd in answer.readable:
                    poller.register(fd, select.POLLIN)
                assert poller.poll(50_000), f"nothing came: {answer}"
            else:
                now += answer.within or 0


class Begun:
    """The same wait, which says when it was looked for in vain."""

    def __init__(self, wait: Wait, looks: int = 1) -> None:
        self._wait = wait
        self.timeout = wait.timeout
        self._looks = looks
        self.begun = threading.Event()

    def start(self, subject: Subject) -> Probe:
        self._probe = self._wait.start(subject)
        return self

    def look(self, now: float) -> Any:
        answer = self._probe.look(now)
        self._looks -= 1
        if self._looks <= 0 and isinstance(answer, NotYet):
            self.begun.set()
        return answer

    def close(self) -> None:
        self._probe.close()

    def __repr__(self) -> str:
        return repr(self._wait)


def free_port(family: int = socket.AF_INET, host: str = "127.0.0.1") -> int:
    """A port at which nobody listens."""
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


class Aside:
    """A call in a thread, whose outcome is asked for later."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)  # one that waits in vain keeps nobody
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error

    def outcome(self) -> Any:
        """What it gave, or the error that it raised, as a value."""
        self._thread.join(30)
        assert not self._thread.is_alive(), "it still waits"
        return self._value if self._error is None else self._error
