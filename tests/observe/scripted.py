"""A system with nothing behind its sockets but a script: what it answers and publishes is the test's affair."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import zmq

from tests.observe.score import Score

Answer = Callable[[dict[str, Any]], Any]


class Refusal(Exception):
    """To be answered with that error, for that reason."""

    def __init__(self, error: str, reason: str = "refused") -> None:
        super().__init__(error)
        self.reason = reason


class Scripted:
    """Answers `snapshot`, `replay` and what is in ``answers``; a verb in ``deaf`` is not answered so many times."""

    def __init__(self, score: Score | None = None) -> None:
        self.score = score or Score()
        self.directory = tempfile.mkdtemp()
        self.endpoint = f"ipc://{self.directory}"
        self.requests: list[dict[str, Any]] = []
        self.topics: set[bytes] = set()
        self.deaf: dict[str, int] = {}
        self.answers: dict[str, Answer] = {
            "snapshot": lambda _: self.score.snapshot(),
            "replay": lambda request: self.score.replay(request["since"]),
        }
        self._leash = os.open(f"{self.directory}/leash", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._leash, fcntl.LOCK_EX)
        self._context = zmq.Context()
        self._control, self.status = self._context.socket(zmq.ROUTER), self._context.socket(zmq.XPUB)
        self._bind()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def asked(self, verb: str) -> list[dict[str, Any]]:
        """The requests for that so far."""
        return [request for request in list(self.requests) if request["verb"] == verb]

    def subscribed(self, count: int = 1) -> set[bytes]:
        """The topics, once there are so many."""
        while len(self.topics) < count:
            assert self.status.poll(20_000), f"no more subscriptions than {self.topics}"
            frame = self.status.recv()
            (self.topics.add if frame[:1] == b"\x01" else self.topics.discard)(frame[1:])
        return self.topics

    def publish(self, *messages: dict[str, Any]) -> None:
        """Onto the stream."""
        for message in messages:
            self.status.send_multipart([f"{message.get('name', '')}|".encode(), msgpack.packb(message)])

    def let_go(self) -> None:
        """As if the process had ended without a word."""
        os.close(self._leash)
        self._leash = -1

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._context.destroy(linger=0)
        if self._leash >= 0:
            self.let_go()
        shutil.rmtree(self.directory)

    def _bind(self) -> None:
        self._control.bind(f"{self.endpoint}/control")
        self.status.bind(f"{self.endpoint}/status")

    def _serve(self) -> None:
        while not self._over.is_set():
            if self._control.poll(10):
                *envelope, body = self._control.recv_multipart()
                request = msgpack.unpackb(body)
                self.requests.append(request)
                verb = request["verb"]
                if self.deaf.get(verb, 0):
                    self.deaf[verb] -= 1
                    continue
                reply: dict[str, Any] = {"v": 1, "id": request["id"]}
                try:
                    reply |= {"ok": True, "value": self.answers[verb](request)}
                except Refusal as refusal:
                    words = {"error": str(refusal), "text": "so it is written", "reason": refusal.reason}
                    reply |= {"ok": False, **words}
                self._control.send_multipart([*envelope, msgpack.packb(reply)])
