"""Redis streams with a consumer group: what is read is acknowledged once it is handled. Its server is Debian's.

Both ends send and acknowledge in pipelines of 64, for a round trip for each message would be all that is measured.
"""

import multiprocessing
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgpack
import redis

from benchmarks.correspondence import PATIENCE, Handling, Shape

STREAM, GROUP, TOGETHER = "messages", "handlers", 64


def _consume(path: str, board: str) -> None:
    client, handling = redis.Redis(unix_socket_path=path), Handling()
    handling.board = board
    while True:
        for _, entries in client.xreadgroup(GROUP, "one", {STREAM: ">"}, count=TOGETHER, block=0):
            for _, entry in entries:
                handling.handle(msgpack.unpackb(entry[b"m"]))
            client.xack(STREAM, GROUP, *(number for number, _ in entries))


class Post:
    """A server and one handler."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise LookupError("there is no redis-server (apt install redis-server)")
        self._folder = tempfile.TemporaryDirectory()
        self._path = str(Path(self._folder.name) / "redis")
        options = ("--port", "0", "--unixsocket", self._path, "--save", "", "--appendonly", "no")
        self._server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, cwd=self._folder.name)
        self._client = redis.Redis(unix_socket_path=self._path)
        self._handler: Any = None

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """The group is there before its handler."""
        assert count == 1, shape
        deadline = time.monotonic() + PATIENCE
        while not self._is_there():
            if time.monotonic() > deadline:
                raise TimeoutError("redis-server does not answer")
            time.sleep(0.01)
        self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        self._handler = multiprocessing.get_context("spawn").Process(target=_consume, args=(self._path, board))
        self._handler.start()

    def tell(self, message: Any, times: int) -> None:
        """Added."""
        for at in range(0, times, TOGETHER):
            with self._client.pipeline(transaction=False) as pipeline:
                for _ in range(min(TOGETHER, times - at)):
                    pipeline.xadd(STREAM, {"m": msgpack.packb(message)})
                pipeline.execute()

    def close(self) -> None:
        """End both."""
        self._client.close()
        if self._handler is not None:
            self._handler.kill()
            self._handler.join()
        self._server.kill()
        self._server.wait()
        self._folder.cleanup()

    def _is_there(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.ConnectionError:
            return False
