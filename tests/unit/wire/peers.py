"""Another process, which lends, borrows, seals and unseals as it is told; also the program that it runs."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from multiprocessing.connection import Connection, Pipe
from typing import Any, Self

import numpy as np

from understudy.wire.bulk import Borrower, Lender, Loan
from understudy.wire.sealing import Sealed, seal, unseal

KEY = bytes(32)


def array(seed: int, size: int) -> np.ndarray[Any, Any]:
    """So many bytes of noise, the same in any process."""
    return np.random.default_rng(seed).integers(0, 256, size, dtype="u1")


def digest(value: Any) -> str:
    return hashlib.blake2b(value, digest_size=8).hexdigest()


class Peer:
    """A process to be asked: `peer.ask("verb", ...)` gives what the verb gives there, or raises what it raised."""

    def __enter__(self) -> Self:
        self._ours, theirs = Pipe()
        self.process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()  # which ends it
        self.process.wait()

    def ask(self, verb: str, *args: Any) -> Any:
        self._ours.send((verb, args))
        right, value = self._ours.recv()
        if not right:
            raise value
        return value

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Told:
    """What the process does when it is told to."""

    def __init__(self) -> None:
        self.lender = Lender()
        self.borrower = Borrower()
        self.kept: dict[str, Any] = {}

    def pid(self) -> int:
        return os.getpid()

    def lend(self, seed: int, size: int) -> Loan | None:
        return self.lender.lend(array(seed, size))

    def returned(self, *numbers: int) -> int:
        for number in numbers:
            self.lender.returned(number)
        return self.lender.out

    def out(self) -> int:
        return self.lender.out

    def let_go(self) -> bool:
        return self.lender.stock.let_go(0)

    def stop_lending(self) -> None:
        self.lender.close()

    def seal(self, seed: int, *sizes: int) -> Sealed:
        message = {"arrays": tuple(array(seed + n, size) for n, size in enumerate(sizes))}
        sealed = seal(message, "message", KEY, self.lender)
        return sealed._replace(frames=[bytes(frame) for frame in sealed.frames])

    def borrow(self, loan: Loan, name: str) -> str:
        self.kept[name] = self.borrower.borrow(Loan(*loan), name)
        return digest(self.kept[name])

    def unseal(self, sealed: Sealed, name: str) -> list[tuple[str, bool]]:
        self.kept[name] = unseal(Sealed(*sealed), KEY, self.borrower, name)["arrays"]
        return [(digest(one), one.flags.writeable) for one in self.kept[name]]

    def look(self, name: str) -> str:
        return digest(self.kept[name])

    def drop(self, name: str) -> list[Any]:
        del self.kept[name]
        return list(self.borrower.given_back)

    def cut(self, loan: Loan, size: int) -> None:
        os.truncate(f"/proc/{loan.pid}/fd/{loan.fd}", size)

    def lend_with_few_descriptors(self, seed: int, size: int) -> Loan | None:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 32, limits[1]))
        try:
            return Lender().lend(array(seed, size))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    def lend_in_a_fork(self, seed: int, size: int) -> int:
        """Nonzero where the copy lent, or disturbed, anything."""
        pid = os.fork()
        if pid == 0:
            lent = self.lend(seed, size)
            self.lender.stock.let_go(0)
            self.lender.forfeit()
            self.lender.close()
            os._exit(lent is not None)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def serve(channel: Connection) -> None:
    told = Told()
    while True:
        try:
            verb, args = channel.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(told, verb)(*args)
        except Exception as error:
            answer = False, error
        channel.send(answer)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
