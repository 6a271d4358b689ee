"""The way from a pool to a worker and back: a Unix socket for tasks and results, and a pipe of claims.

Why not a mailbox: what is written to these is the kernel's at once, whatever becomes of who wrote it. A worker that
dies in one task has told of all that it did before; and each claim in the pipe is got by one of two, the worker that is
about to begin that task or the pool that takes it back, and those that nobody has got say what a dead worker had not
begun.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import struct
from _operator import _compare_digest as compare_digest
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from understudy.errors import ProtocolError
from understudy.pool.frames import HELLO, WELCOME, Message, Reader, Writer
from understudy.wire import keys
from understudy.wire.passing import received

_CLAIM = struct.Struct("<Q")
_AT_ONCE = 4096
"""Bytes that a pipe takes, or gives, as a whole."""
_MOST_BUFFERS = 512
_FIRST_WORD = 4096
_ROUND = 1 << 22
"""Bytes that are read from one worker before the others have their turn."""


class Claims:
    """The numbers of tasks that nobody has begun or taken back, in order."""

    def __init__(self, ends: tuple[int, int] | None = None) -> None:
        if ends is None:
            ends = os.pipe()
            for end in ends:
                os.set_blocking(end, False)
        self.read, self._write = ends

    def put(self, numbers: Iterable[int]) -> None:
        """Further ones; at most as many as a pipe holds."""
        data = b"".join(map(_CLAIM.pack, numbers))
        for begin in range(0, len(data), _AT_ONCE):
            os.write(self._write, data[begin : begin + _AT_ONCE])

    def take(self, most: int = 1) -> list[int]:
        """So many of them at the most."""
        try:
            data = os.read(self.read, most * _CLAIM.size)
        except BlockingIOError:
            return []
        if most == 1:
            return [int.from_bytes(data, "little")]
        return [number for (number,) in _CLAIM.iter_unpack(data)]

    def close(self) -> None:
        """Let go of it."""
        for end in {self.read, self._write} - {-1}:
            os.close(end)
        self.read = self._write = -1


class Stream:
    """One end of the socket; in the pool it never waits, in a worker it does."""

    def __init__(self, link: socket.socket, most: int | None = None) -> None:
        self.link = link
        self._reader = Reader() if most is None else Reader(most)
        self._waits = link.getblocking()
        self._waiting: deque[memoryview] = deque()

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    def send(self, buffers: Sequence[Any]) -> None:
        """Send them, or as much as goes at once; raises OSError where nobody is at the other end."""
        if self._waits and len(buffers) == 1:
            self.link.sendall(buffers[0])
            return
        self._waiting.extend(memoryview(buffer).cast("B") for buffer in buffers)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        waiting = self._waiting
        while waiting:
            try:
                sent = self.link.sendmsg(list(itertools.islice(waiting, _MOST_BUFFERS)))
            except BlockingIOError:
                return
            while waiting and sent >= len(waiting[0]):
                sent -= len(waiting.popleft())
            if sent:
                waiting[0] = waiting[0][sent:]

    def receive(self) -> list[Message] | None:
        """What has come, or in a worker comes next; None at the end of it. Raises ProtocolError, OSError."""
        found: list[Message] = []
        read = 0
        while read < _ROUND:
            room = self._reader.room()
            try:
                count = self.link.recv_into(room)
                if count:
                    found.extend(self._reader.filled(count))
            except BlockingIOError:
                break
            except (OSError, ProtocolError):
                if found:  # it comes again, and what came before counts
                    return found
                raise
            if not count:
                return found or None
            read += count
            if found and (self._waits or count < len(room)):
                break
        return found

    def close(self) -> None:
        """Let go of it."""
        self.link.close()


class Entrance:
    """Where workers come in, in the system's directory, which no other user may enter."""

    def __init__(self, directory: str) -> None:
        self.secret = keys.new_key()
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for number in itertools.count(1):
            self.path = f"{directory}/p{number}"
            try:
                self.link.bind(self.path)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                self.link.close()
                raise error from None
            break
        self.link.listen(128)
        self.link.settimeout(0)

    def strangers(self) -> list[Stream]:
        """Who has come."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                link, _ = self.link.accept()
                link.settimeout(0)
                found.append(Stream(link, _FIRST_WORD))
        return found

    def admit(self, stranger: Stream, said: Message, claims: Claims) -> Stream | None:
        """The worker's end, if it knows the secret; it gets the claims, and the proof that we know it, too."""
        number = said.content[0] if isinstance(said.content, list) and len(said.content) == 2 else None  # noqa: PLR2004
        if said.kind != HELLO or type(number) is not int or not self.knows(number, said.content[1]):
            return None
        (word,) = Writer().message(WELCOME, [number, _proof(self.secret, WELCOME, number)])
        try:
            socket.send_fds(stranger.link, [word], [claims.read])
        except OSError:  # it is gone already
            return None
        return Stream(stranger.link)

    def knows(self, number: int, proof: Any) -> bool:
        """Whether that is what the worker of that number would say."""
        return type(proof) is bytes and _same(_proof(self.secret, HELLO, number), proof)

    def close(self) -> None:
        """Nobody comes in any more."""
        self.link.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def come_in(path: str, secret: bytes, number: int) -> tuple[Stream, Claims]:
    """In a worker: its end of both.

    Raises EOFError or OSError where the pool is gone, ProtocolError where somebody else listens in its place.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(path)
        (word,) = Writer().message(HELLO, [number, _proof(secret, HELLO, number)])
        link.sendall(word)
        data, fds, _ = received(link, _FIRST_WORD, 1)
        if not data:
            raise EOFError("the pool has no use for this worker any more")
        reader = Reader(_FIRST_WORD)
        reader.room()[: len(data)] = data
        said = reader.filled(len(data))
        if len(said) != 1 or said[0].kind != WELCOME or len(fds) != 1:
            raise ProtocolError("whoever listens there does not speak as a pool does")
        if said[0].content != [number, _proof(secret, WELCOME, number)]:
            raise ProtocolError("whoever listens there is not the pool of this worker")
    except BaseException:
        link.close()
        raise
    return Stream(link), Claims((fds[0], -1))


def _same(one: bytes, other: bytes) -> bool:
    return len(one) == len(other) and compare_digest(one, other)


def _proof(secret: bytes, word: str, number: int) -> bytes:
    return keys.tag(secret, [f"{word} {number}".encode()])
