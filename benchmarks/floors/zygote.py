"""A raw zygote: forks on request; each child opens a context and three sockets and stamps the time."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import zmq

from benchmarks.stamps import stamp

PACKET = 4096
BRIEF, IDLE = "brief", "idle"


def serve(fd: int) -> None:
    """The zygote: a fork for each packet, answered by the child's pid and pidfd, until the parent hangs up."""
    parent = socket.socket(fileno=fd)
    while request := parent.recv(PACKET):
        pid = os.fork()
        if pid == 0:
            parent.close()
            play(*request.decode().split("\n"))
        pidfd = os.pidfd_open(pid)  # not reaped yet, so it is the child's
        socket.send_fds(parent, [str(pid).encode()], [pidfd])
        os.close(pidfd)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            continue
    except ChildProcessError:
        return


def play(kind: str, folder: str, board: str) -> None:
    """The child: commands, reports and a mailbox; then user code. Never returns."""
    context = zmq.Context()
    commands, reports, mailbox = context.socket(zmq.SUB), context.socket(zmq.PUSH), context.socket(zmq.PULL)
    commands.subscribe(f"{os.getpid()}|")
    commands.connect(f"ipc://{folder}/commands")
    reports.connect(f"ipc://{folder}/reports")
    mailbox.bind(f"ipc://{folder}/{os.getpid()}")
    stamp(board)
    if kind == IDLE:
        commands.recv()
    os._exit(0)


class RawZygote:
    """The parent's side. Requests go out without waiting; answers are read when they are needed."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="floor-")
        self._context = zmq.Context()
        self._commands = self._context.socket(zmq.XPUB)
        self._commands.bind(f"ipc://{self._folder}/commands")
        self._reports = self._context.socket(zmq.PULL)
        self._reports.bind(f"ipc://{self._folder}/reports")
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = f"from benchmarks.floors.zygote import serve; serve({theirs.fileno()})"
        self._process = subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno()])
        theirs.close()
        self._asked = 0
        self._pidfds: dict[int, int] = {}
        self._subscribed: set[int] = set()

    def spawn_brief(self, board: str) -> None:
        """A fork that ends after its stamp."""
        self._ask(BRIEF, board)

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """Forks that wait for their command."""
        for _ in range(count):
            self._ask(IDLE, board)

    def settle(self) -> None:
        """Read who was forked and whose subscription has come."""
        self._collect()
        while not self._subscribed.issuperset(self._pidfds):
            frame = self._commands.recv()
            if frame[:1] == b"\x01":
                self._subscribed.add(int(frame[1:-1]))

    def replace(self, board: str) -> None:
        """Its death is proven by its pidfd before the next is forked."""
        self._ended()
        self._ask(IDLE, board)

    def wait(self) -> None:
        """All are proven dead by their pidfds."""
        self._collect()
        self._ended()

    def stop(self) -> None:
        """One message each, then all pidfds."""
        for pid in self._pidfds:
            self._commands.send(f"{pid}|".encode())
        self._ended()

    def close(self) -> None:
        """Kill who is left, hang up on the zygote, close everything."""
        self._collect()
        for pidfd in self._pidfds.values():
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self._ended()
        self._socket.close()
        self._process.wait()
        self._context.destroy(linger=0)
        shutil.rmtree(self._folder)

    def _ask(self, kind: str, board: str) -> None:
        self._socket.send(f"{kind}\n{self._folder}\n{board}".encode())
        self._asked += 1

    def _collect(self) -> None:
        while self._asked:
            message, pidfds, _, _ = socket.recv_fds(self._socket, PACKET, 1)
            self._pidfds[int(message)] = pidfds[0]
            self._asked -= 1

    def _ended(self) -> None:
        """Wait on all pidfds together and forget them."""
        poll = select.poll()
        for pidfd in self._pidfds.values():
            poll.register(pidfd, select.POLLIN)
        open_ones = set(self._pidfds.values())
        while open_ones:
            for pidfd, _ in poll.poll():
                poll.unregister(pidfd)
                open_ones.remove(pidfd)
                os.close(pidfd)
        self._pidfds.clear()
        self._subscribed.clear()
