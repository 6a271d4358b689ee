"""Bare sockets with msgpack between bare processes, and memcpy."""

import multiprocessing
import statistics
import tempfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import msgpack
import numpy as np
import zmq

from benchmarks.correspondence import Handling, Shape, at_once, timed

GB = 1e9  # bytes
BATCH = 64
LONG = 1 << 16
"""Bytes from which an array is not copied by the sockets."""


def memcpy(nbytes: int, samples: int) -> float:
    """GB a second of copies between two arrays of one process."""
    source, target = np.ones(nbytes, np.uint8), np.zeros(nbytes, np.uint8)
    taken = timed(lambda _: np.copyto(target, source), None, samples + 1)
    return nbytes / statistics.median(taken[1:]) / GB


class _Raw:
    """Forked processes with a socket each."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="floor-")
        self._children: list[BaseProcess] = []
        self._context: zmq.Context[Any] | None = None

    def _fork(self, body: Callable[..., None], *args: Any) -> None:
        """Before there is a context here: its threads would be missing in the child."""
        child = multiprocessing.get_context("fork").Process(target=body, args=args, daemon=True)
        child.start()
        self._children.append(child)

    def address(self, number: int) -> str:
        """Of the socket of that process."""
        return f"ipc://{self._folder.name}/{number}"

    def socket(self, kind: int, address: str) -> Any:
        """Connected; who is to bind it may come later."""
        if self._context is None:
            self._context = zmq.Context()
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.connect(address)
        return socket

    def ask(self, message: Any, times: int) -> list[float]:
        """Not one way."""
        raise NotImplementedError

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Not one way."""
        raise NotImplementedError

    def tell(self, message: Any, times: int) -> None:
        """Not the other."""
        raise NotImplementedError

    def close(self) -> None:
        """Kill them."""
        for child in self._children:
            child.kill()
        for child in self._children:
            child.join()
        if self._context is not None:
            self._context.destroy(linger=0)
        self._folder.cleanup()


class RawPush(_Raw):
    """PUSH to PULL, one message a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[Any] = []

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """A PULL each, and a PUSH to the next where there is one."""
        for number in range(count):
            following = (number + 1) % count
            onward = self.address(following) if shape == "ring" or (shape == "chain" and following) else ""
            self._fork(self.receive, self.address(number), onward, board)
        self.heads = [self.socket(zmq.PUSH, self.address(number)) for number in range(1 if shape == "chain" else count)]
        for head in self.heads:
            head.poll(10_000, zmq.POLLOUT)

    @staticmethod
    def receive(address: str, onward: str, board: str) -> None:
        """In the child, for ever."""
        handling = Handling()
        handling.board = board
        with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
            pull.bind(address)
            pack, unpack, recv, handle = msgpack.packb, msgpack.unpackb, pull.recv, handling.handle
            if onward:
                push.connect(onward)
                send = push.send
                handling.pass_on = lambda message: send(pack(message))
            while True:
                handle(unpack(recv()))

    def tell(self, message: Any, times: int) -> None:
        """A frame each."""
        pack = msgpack.packb
        sends = [head.send for head in self.heads]
        for _ in range(times):
            for send in sends:
                send(pack(message))


class RawBatches(RawPush):
    """The same, 64 messages a frame."""

    @staticmethod
    def receive(address: str, onward: str, board: str) -> None:
        """In the child, for ever."""
        assert not onward, "only to one"
        handling = Handling()
        handling.board = board
        handle = handling.handle
        with zmq.Context() as context, context.socket(zmq.PULL) as pull:
            pull.bind(address)
            while True:
                for message in msgpack.unpackb(pull.recv()):
                    handle(message)

    def tell(self, message: Any, times: int) -> None:
        """Gathered, then packed and sent."""
        pack, send = msgpack.packb, self.heads[0].send
        batch: list[Any] = []
        for _ in range(times):
            batch.append(message)
            if len(batch) == BATCH:
                send(pack(batch))
                batch.clear()
        if batch:
            send(pack(batch))


class RawDealer(_Raw):
    """DEALER to ROUTER; an array in a frame of its own."""

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """One that answers."""
        assert count == 1, shape
        self._fork(self.answer, self.address(0))
        self._ask = self.asker()

    @staticmethod
    def answer(address: str) -> None:
        """In the child, for ever."""
        handle = Handling().handle
        with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
            router.bind(address)
            while True:
                who, first, *rest = _frames(router)
                message = np.frombuffer(rest[0], np.uint8) if rest else msgpack.unpackb(first)
                router.send_multipart([who, msgpack.packb(handle(message))])

    def asker(self) -> Callable[[Any], Any]:
        """A thread's own."""
        dealer = self.socket(zmq.DEALER, self.address(0))

        def ask(message: Any) -> Any:
            if type(message) in {dict, float}:
                dealer.send(msgpack.packb(message))
            else:
                dealer.send(b"", zmq.SNDMORE)
                dealer.send(message, copy=len(message) < LONG)
            return msgpack.unpackb(dealer.recv())

        return ask

    def ask(self, message: Any, times: int) -> list[float]:
        """One after the other."""
        return timed(self._ask, message, times)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """A DEALER for each thread."""
        return at_once(self.asker, message, askers, times)


def _frames(router: Any) -> list[Any]:
    frames = [router.recv(), router.recv()]
    while router.rcvmore:
        frames.append(router.recv(copy=False).buffer)
    return frames
