"""A gate with nothing behind it but a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq

from tests.observe.score import Score
from tests.observe.scripted import Refusal, Scripted
from understudy.status import Role
from understudy.wire.keyring import Keyring
from understudy.wire.sockets.curve import Zap, serve


class Gatehouse(Scripted):
    """As a scripted system, over TCP with keys; ``key`` is the path of a controller's."""

    def __init__(self, folder: Path, score: Score | None = None, *, port: int | None = None) -> None:
        self.keyring = Keyring(folder)
        if not self.keyring.key_path("alice").exists():
            self.keyring.new("alice", Role.CONTROLLER)
        self.key = self.keyring.key_path("alice")
        self.faults: list[BaseException] = []
        self.visitors: list[str] = []
        """The domain that each came for who was let in."""
        self._port, self._numbers = port, 0
        super().__init__(score)
        self.answers |= {"hello": self._hello, "stop": self._stop}
        self.tickets: list[str] = []
        self.done: list[dict[str, Any]] = []

    def close(self) -> None:
        self._zap.close()
        super().close()

    def move(self) -> None:
        """The stream goes to another port, untold; whoever was there hears nothing more."""
        self.status.close(linger=0)
        self.status, self.stream = self._streaming(None)

    def break_off(self) -> None:
        """The stream goes, and comes again at the same port; with nobody who knows what was sent meanwhile."""
        port = self.stream
        self.status.close(linger=0)
        self.topics.clear()
        self.status, _ = self._streaming(port)

    def forget(self) -> None:
        """No ticket is good any more."""
        self.tickets.clear()

    def _bind(self) -> None:
        self._pair = self.keyring.server()
        self._zap = Zap(self._context, "zap", self._admit, self.faults.append)
        serve(self._control, self._pair, "control")
        self.port = _bound(self._control, self._port)
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.status.close()
        self.status, self.stream = self._streaming(None)

    def _streaming(self, port: int | None) -> tuple[Any, int]:
        status = self._context.socket(zmq.XPUB)
        status.linger = 0
        serve(status, self._pair, "stream")
        return status, _bound(status, port)

    def _admit(self, domain: str, public: str, _: str) -> str | None:
        member = self.keyring.members().get(public)
        if member is None:
            return None
        self.visitors.append(domain)
        return member.name

    def _hello(self, _: dict[str, Any]) -> dict[str, Any]:
        self._numbers += 1
        self.tickets.append(f"ticket {self._numbers}")
        return {"system": "score.1", "stream": self.stream, "ticket": self.tickets[-1], "role": "controller"}

    def _stop(self, request: dict[str, Any]) -> dict[str, str]:
        ticket, number = request["ticket"]
        if ticket not in self.tickets or any(one["ticket"] == [ticket, number] for one in self.done):
            raise Refusal("AccessDenied", "ticket")
        self.done.append(request)
        return {request["name"]: "asked"}


def _bound(socket: Any, port: int | None) -> int:
    if port is None:
        found: int = socket.bind_to_random_port("tcp://127.0.0.1")
        return found
    while True:
        try:
            socket.bind(f"tcp://127.0.0.1:{port}")
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
        else:
            return port
